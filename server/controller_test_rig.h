// -----------------------------------------------------------------------------
// File: server/controller_test_rig.h
// -----------------------------------------------------------------------------
// For tests of what is between the controller, its log and the other nodes: nodes that share one
// thread and one clock, which moves when nobody has anything to do; each with a loop, a disk in
// memory and a network that carries messages and calls in a queue, and loses, holds or refuses
// them as the test says.
#ifndef WEIR_SERVER_CONTROLLER_TEST_RIG_H_
#define WEIR_SERVER_CONTROLLER_TEST_RIG_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/transport.h"
#include "log/file.h"
#include "log/memory_file.h"
#include "server/broker_config_reader.h"
#include "server/data_directories.h"
#include "server/event_loop.h"
#include "server/listener.h"
#include "server/logger.h"
#include "server/node.h"
#include "server/peer_network.h"
#include "server/poller.h"
#include "server/properties.h"

namespace weir::server {

class RigClock final : public Clock {
 public:
  MonotonicNs Monotonic() override { return now; }
  TimestampMs WallMs() override { return 1'700'000'000'000 + (now - MonotonicNs(0)) / kNsPerMs; }
  MonotonicNs now{kNsPerMs};
};

// Of a loop without sockets.
class IdlePoller final : public Poller {
 public:
  absl::string_view name() const override { return "idle"; }
  absl::StatusOr<SocketId> Listen(const std::string&, int, int) override { return None(); }
  int LocalPort(SocketId) const override { return 0; }
  absl::StatusOr<Accepted> Accept(SocketId) override { return None(); }
  IoResult Receive(SocketId, absl::Span<char>) override { return {IoKind::kError, 0, "idle"}; }
  IoResult Send(SocketId, absl::Span<const absl::string_view>, bool) override {
    return {IoKind::kError, 0, "idle"};
  }
  IoResult SendFile(SocketId, const log::File&, int64_t, size_t) override {
    return {IoKind::kError, 0, "idle"};
  }
  void Watch(SocketId, bool, bool) override {}
  void Close(SocketId) override {}
  DetachedSocket Detach(SocketId) override { return {}; }
  SocketId Adopt(DetachedSocket) override { return {}; }
  void Wait(std::optional<int64_t>, std::vector<PollEvent>* events) override { events->clear(); }
  void Wake() override {}
  log::Syncer& syncer() override { WEIR_CHECK(false); }

 private:
  static absl::Status None() { return absl::UnimplementedError("there are no sockets"); }
};

class RigLogger final : public Logger {
 public:
  void Write(LogLevel, absl::string_view message) override { lines.emplace_back(message); }
  int Count(absl::string_view part) const {
    return static_cast<int>(std::count_if(lines.begin(), lines.end(), [&](const auto& line) {
      return absl::StrContains(line, part);
    }));
  }
  std::vector<std::string> lines;
};

class RigPeers;

// What is under way between the nodes.
class RigWire {
 public:
  explicit RigWire(RigClock& clock) : clock_(clock) {}

  // Nothing reaches it and nothing leaves it; calls to it have never left.
  std::set<BrokerId> cut;
  // It does nothing: what comes to it waits.
  std::set<BrokerId> paused;
  // Its process has ended, and nobody noticed: no connection to it was open.
  std::set<BrokerId> ended;

 private:
  friend class RigPeers;
  friend class ControllerRig;
  struct Call {
    uint64_t number;
    BrokerId to;
    bool was_served = false;
    ControllerCall call;
    MonotonicNs deadline;
    absl::AnyInvocable<void(absl::StatusOr<ControllerAnswer>)> done;
  };
  struct Mail {
    BrokerId to;  // what the message itself says may be nobody
    raft::Message message;
  };
  struct Answered {
    uint64_t number;
    ControllerAnswer answer;
  };

  bool Reaches(BrokerId from, BrokerId to) const {
    return cut.count(from) == 0 && cut.count(to) == 0 && ended.count(from) == 0 &&
           ended.count(to) == 0;
  }
  inline bool Move();
  std::optional<MonotonicNs> NextDeadline() const {
    std::optional<MonotonicNs> next;
    for (const auto& call : calls_) {
      if (!next.has_value() || call->deadline < *next) next = call->deadline;
    }
    return next;
  }
  std::unique_ptr<Call> Extract(uint64_t number) {
    const auto it = std::find_if(calls_.begin(), calls_.end(),
                                 [&](const auto& call) { return call->number == number; });
    if (it == calls_.end()) return nullptr;
    std::unique_ptr<Call> call = std::move(*it);
    calls_.erase(it);
    return call;
  }

  RigClock& clock_;
  std::map<BrokerId, RigPeers*> nodes_;
  std::deque<Mail> mail_;
  std::vector<std::unique_ptr<Call>> calls_;  // in their order
  std::deque<Answered> answers_;
  uint64_t last_call_ = 0;
};

class RigPeers final : public PeerNetwork, public raft::Transport {
 public:
  RigPeers(RigWire& wire, BrokerId self, HostPort address)
      : wire_(wire), self_(self), address_(std::move(address)) {
    wire_.nodes_[self_] = this;
  }
  ~RigPeers() override { wire_.nodes_.erase(self_); }

  absl::Status Start(Owner owner) override {
    owner_ = std::move(owner);
    return absl::OkStatus();
  }
  void Stop() override {}
  void SetCluster(const std::string& id) override { cluster_id = id; }
  raft::Transport& transport() override { return *this; }
  replication::StreamNetwork& streams() override { WEIR_CHECK(false); }
  void SetPeer(BrokerId id, const HostPort& address) override { peers[id] = address; }
  void AskHello(const HostPort& address, int64_t,
                absl::AnyInvocable<void(absl::StatusOr<NodeHello>)> done) override {
    ++hellos;
    for (auto& [id, node] : wire_.nodes_) {
      if (node->address_ != address || !wire_.Reaches(self_, id)) continue;
      if (node->owner_.hello != nullptr) return done(node->owner_.hello());
    }
    done(absl::UnavailableError("connection refused"));
  }
  void Probe(BrokerId to, int64_t,
             absl::AnyInvocable<void(absl::StatusOr<NodeHello>)> done) override {
    const auto node = wire_.nodes_.find(to);
    if (node == wire_.nodes_.end() || wire_.ended.count(to) > 0) {
      return done(absl::UnavailableError("connection refused"));
    }
    if (!wire_.Reaches(self_, to) || node->second->owner_.hello == nullptr) {
      return done(absl::DeadlineExceededError("no answer"));
    }
    done(node->second->owner_.hello());
  }
  void Call(BrokerId to, ControllerCall call, int64_t timeout_ms,
            absl::AnyInvocable<void(absl::StatusOr<ControllerAnswer>)> done) override {
    ++calls;
    if (wire_.nodes_.count(to) == 0 || !wire_.Reaches(self_, to)) {
      return done(absl::UnavailableError("no connection"));
    }
    const MonotonicNs deadline = wire_.clock_.now + timeout_ms * kNsPerMs;
    wire_.calls_.push_back(std::make_unique<RigWire::Call>(
        RigWire::Call{++wire_.last_call_, to, false, std::move(call), deadline, std::move(done)}));
  }
  void Send(raft::Message message) override {
    BrokerId to = message.to.id;
    if (to == kNoBroker) {  // each of those that are known in turn
      auto it = peers.upper_bound(last_asked_);
      if (it == peers.end()) it = peers.begin();
      if (it == peers.end()) return;
      to = last_asked_ = it->first;
    }
    wire_.mail_.push_back({to, std::move(message)});
  }

  std::string cluster_id;
  std::map<BrokerId, HostPort> peers;
  int hellos = 0;
  int calls = 0;

 private:
  friend class RigWire;
  RigWire& wire_;
  const BrokerId self_;
  const HostPort address_;
  Owner owner_;
  BrokerId last_asked_ = kNoBroker;
};

// Whether anything moved.
inline bool RigWire::Move() {
  bool moved = false;
  std::deque<Mail> held;
  while (!mail_.empty()) {
    Mail mail = std::move(mail_.front());
    mail_.pop_front();
    const auto node = nodes_.find(mail.to);
    if (node == nodes_.end() || !Reaches(mail.message.from.id, mail.to)) continue;
    if (paused.count(mail.to) > 0) {
      held.push_back(std::move(mail));
      continue;
    }
    moved = true;
    const auto& deliver = node->second->owner_.deliver;
    if (deliver != nullptr) deliver(std::move(mail.message));
  }
  mail_.swap(held);
  std::vector<uint64_t> late;
  for (const auto& call : calls_) {
    if (call->deadline <= clock_.now) {
      late.push_back(call->number);
    } else if (!call->was_served && paused.count(call->to) == 0 && nodes_.count(call->to) > 0) {
      moved = call->was_served = true;
      const uint64_t number = call->number;
      nodes_[call->to]->owner_.serve(std::move(call->call),
                                     [this, number](ControllerAnswer answer) {
                                       answers_.push_back({number, std::move(answer)});
                                     });
    }
  }
  for (const uint64_t number : late) {
    moved = true;
    Extract(number)->done(absl::DeadlineExceededError("no answer"));
  }
  for (; !answers_.empty(); answers_.pop_front()) {
    const std::unique_ptr<Call> call = Extract(answers_.front().number);
    if (call == nullptr) continue;
    moved = true;
    call->done(std::move(answers_.front().answer));
  }
  return moved;
}

// A node's surroundings; what the test is about is built on them.
struct RigNode {
  RigNode(RigWire& wire, RigClock& clock, int32_t id, uint64_t seed, const std::string& settings)
      : files(seed),
        random(seed),
        loop(poller, clock, &files),
        peers(wire, BrokerId(id), {"node", static_cast<uint16_t>(9000 + id)}) {
    const absl::StatusOr<Properties> properties = ParseProperties(settings, "test");
    WEIR_CHECK(properties.ok());
    absl::StatusOr<BrokerConfig> config = ReadBrokerConfig(*properties, nullptr);
    WEIR_CHECK(config.ok());
    node.config = *std::move(config);
    node.logger = &logger;
    node.cluster_id = "c";
    node.incarnation = Uuid{1, seed};
    node.endpoints = node.config.advertised_listeners;
    node.fail = [this](const absl::Status& why) { failure = why; };
    node.fail_directory = [this](DataDirectory&, const absl::Status& why) { failure = why; };
    auto directories =
        DataDirectories::Open(files, {"/data"}, "", BrokerId(id), /*is_alone=*/false, random);
    WEIR_CHECK(directories.ok());
    node.directories = *std::move(directories);
  }

  log::MemoryFileSystem files;
  SeededRandom random;
  IdlePoller poller;
  EventLoop loop;
  RigLogger logger;
  RigPeers peers;
  Node node;
  absl::Status failure;
};

// Nodes 1 to `controllers`, which are brokers as well, and from there on as many that are brokers
// only.
class ControllerRig {
 public:
  ControllerRig(int controllers, int brokers, const std::string& settings = "") {
    std::string voters;
    for (int id = 1; id <= controllers; ++id) {
      absl::StrAppend(&voters, id > 1 ? "," : "", id, "@node:", 9000 + id);
    }
    for (int id = 1; id <= controllers + brokers; ++id) {
      const bool votes = id <= controllers;
      settings_.push_back(
          absl::StrCat("node.id=", id, "\nprocess.roles=", votes ? "broker,controller" : "broker",
                       "\nlisteners=PLAINTEXT://node:", 8000 + id, ",",
                       votes ? "CONTROLLER" : "INTERNAL", "://node:", 9000 + id,
                       "\ncontroller.listener.names=CONTROLLER\ncontroller.quorum.voters=", voters,
                       "\n", settings));
      nodes_.emplace_back();
      Replace(id);
    }
  }

  // Another process on another disk; what was built on the one before is gone already.
  void Replace(int id) {
    auto& node = nodes_[static_cast<size_t>(id - 1)];
    node.reset();
    node = std::make_unique<RigNode>(wire, clock, id, ++last_seed_,
                                     settings_[static_cast<size_t>(id - 1)]);
  }
  RigNode& node(int id) { return *nodes_[static_cast<size_t>(id - 1)]; }
  size_t size() const { return nodes_.size(); }

  // Until nobody has anything to do at this time.
  void Settle() {
    for (bool busy = true; busy;) {
      busy = wire.Move();
      for (auto& node : nodes_) {
        const BrokerId id = node->node.config.node_id;
        if (wire.paused.count(id) > 0) continue;
        const std::optional<MonotonicNs> due = node->loop.NextDue();
        if (due.has_value() && *due <= clock.now) busy = true;
        node->loop.RunOnce(false);
        if (node->files.syncs_in_flight() > 0) busy = true;
      }
    }
  }
  // So much time passes, from one thing that is due to the next.
  void Pass(int64_t ms) {
    const MonotonicNs end = clock.now + ms * kNsPerMs;
    Settle();
    while (clock.now < end) {
      MonotonicNs next = end;
      for (auto& node : nodes_) {
        if (wire.paused.count(node->node.config.node_id) > 0) continue;
        const std::optional<MonotonicNs> due = node->loop.NextDue();
        if (due.has_value()) next = std::min(next, *due);
      }
      if (const auto due = wire.NextDeadline(); due.has_value()) next = std::min(next, *due);
      clock.now = std::max(clock.now + 1, next);
      Settle();
    }
  }
  // Whether it comes true before so much time has passed.
  bool Until(const std::function<bool()>& reached, int64_t ms = 20'000) {
    Settle();
    for (int64_t passed = 0; !reached(); passed += kStepMs) {
      if (passed >= ms) return false;
      Pass(kStepMs);
    }
    return true;
  }

  RigClock clock;
  RigWire wire{clock};

 private:
  static constexpr int64_t kStepMs = 10;
  std::vector<std::string> settings_;
  std::vector<std::unique_ptr<RigNode>> nodes_;
  uint64_t last_seed_ = 0;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_CONTROLLER_TEST_RIG_H_

// -----------------------------------------------------------------------------
// File: tests/sim/sim_peer_network.h
// -----------------------------------------------------------------------------
// A process's end of the simulated network between nodes: the peer port over
// tests/sim/sim_fabric.h. Messages of Raft get lost, come late, twice or out of order. A call is
// lost before it came or after it was served; then who asked is told that nobody knows, or that it
// certainly did not get there where that is so, or nothing until its time is over.
// Threading: one thread. Errors: as server/peer_network.h.
#ifndef WEIR_TESTS_SIM_SIM_PEER_NETWORK_H_
#define WEIR_TESTS_SIM_SIM_PEER_NETWORK_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/ids.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/transport.h"
#include "replication/stream_network.h"
#include "server/listener.h"
#include "server/peer_network.h"
#include "tests/sim/sim_fabric.h"
#include "tests/sim/sim_stream_network.h"

namespace weir::sim {

class SimPeerNetwork final : public server::PeerNetwork {
 public:
  using CallDone = absl::AnyInvocable<void(absl::StatusOr<server::ControllerAnswer>)>;

  SimPeerNetwork(SimFabric& fabric, SimStreamNetwork::Streams& streams, int32_t id,
                 const server::HostPort& address)
      : fabric_(fabric),
        id_(id),
        process_(fabric.NewProcess()),
        address_(SimFabric::Text(address)),
        streams_(streams, id) {}
  ~SimPeerNetwork() override { Stop(); }

  absl::Status Start(Owner owner) override {
    owner_ = std::move(owner);
    runs_ = true;
    fabric_.Listen(id_, this);
    streams_.Start();
    return absl::OkStatus();
  }
  void Stop() override {
    if (!runs_) return;
    runs_ = false;
    fabric_.StopListening(id_);
    TellOfLoss();
    streams_.Stop();
    for (auto& [number, waiting] : std::exchange(waiting_, {})) {
      waiting.Fail(absl::AbortedError("the network stops"));
    }
  }

  void SetCluster(const std::string& cluster_id) override { cluster_id_ = cluster_id; }
  raft::Transport& transport() override { return transport_; }
  replication::StreamNetwork& streams() override { return streams_; }
  void SetPeer(BrokerId id, const server::HostPort& address) override {
    configured_[id] = SimFabric::Text(address);
  }

  void AskHello(const server::HostPort& address, int64_t timeout_ms,
                absl::AnyInvocable<void(absl::StatusOr<server::NodeHello>)> done) override {
    AskNode(fabric_.NodeAt(SimFabric::Text(address)), timeout_ms, std::move(done));
  }
  void Probe(BrokerId to, int64_t timeout_ms,
             absl::AnyInvocable<void(absl::StatusOr<server::NodeHello>)> done) override {
    const std::string* const address = AddressOf(to);
    AskNode(address == nullptr ? std::nullopt : fabric_.NodeAt(*address), timeout_ms,
            std::move(done));
  }
  void Call(BrokerId to, server::ControllerCall call, int64_t timeout_ms, CallDone done) override {
    const std::string* const address = AddressOf(to);
    const std::optional<int32_t> node =
        address == nullptr ? std::nullopt : fabric_.NodeAt(*address);
    if (!runs_ || !node.has_value()) {
      return done(absl::UnavailableError(absl::StrCat("node ", to.value(), " is not known")));
    }
    const uint64_t number = Wait({nullptr, std::move(done)}, timeout_ms);
    if (fabric_.IsCut(id_, *node) || fabric_.Loses()) {
      // Without a connection it is certain that it was not sent; into one that is broken it was.
      if (fabric_.random().OneIn(3)) return;
      const bool certain = fabric_.random().OneIn(2);
      return fabric_.AtNode(id_, fabric_.Delay(), [asks = Self(), number, certain] {
        asks.Fail(number, certain ? absl::UnavailableError("no connection")
                                  : absl::AbortedError("the connection broke"));
      });
    }
    fabric_.AtNode(*node, fabric_.Delay(),
                   [&fabric = fabric_, node = *node, asks = Self(), cluster_id = cluster_id_,
                    number, call = std::move(call)]() mutable {
                     Take(fabric, node, asks, cluster_id, number, std::move(call));
                   });
  }

 private:
  struct Waiting {
    absl::AnyInvocable<void(absl::StatusOr<server::NodeHello>)> hello;
    CallDone call;

    void Fail(const absl::Status& why) { hello ? hello(why) : call(why); }
  };
  // A process, which may have ended.
  struct Process {
    SimFabric* fabric;
    int32_t id;
    uint64_t number;

    SimPeerNetwork* Find() const {
      SimPeerNetwork* const end = fabric->Find(id);
      return end != nullptr && end->process_ == number ? end : nullptr;
    }
    void Fail(uint64_t waiting, const absl::Status& why) const {
      SimPeerNetwork* const end = Find();
      if (end == nullptr) return;
      auto failed = end->waiting_.extract(waiting);
      if (!failed.empty()) failed.mapped().Fail(why);
    }
  };
  // Carries an answer back. One that is thrown away, as by a process that ends, breaks the call.
  class Answering {
   public:
    Answering(Process asks, int32_t from, uint64_t number)
        : asks_(asks), from_(from), number_(number) {}
    Answering(Answering&& other) noexcept
        : asks_(other.asks_), from_(other.from_), number_(std::exchange(other.number_, 0)) {}
    Answering& operator=(Answering&&) = delete;
    // In no particular order: nothing is drawn, and each has its own time.
    ~Answering() {
      if (number_ == 0 || number_ % 3 == 0) return;
      asks_.fabric->AtNode(asks_.id, kNsPerMs + static_cast<int64_t>(number_),
                           [asks = asks_, number = number_] {
                             asks.Fail(number, absl::AbortedError("the node gave no answer"));
                           });
    }
    void operator()(server::ControllerAnswer answer) {
      SimFabric& fabric = *asks_.fabric;
      const uint64_t number = std::exchange(number_, 0);
      if (number == 0) return;
      const bool lost = fabric.IsCut(from_, asks_.id) || fabric.Loses();
      if (lost && fabric.random().OneIn(2)) return;
      fabric.AtNode(asks_.id, fabric.Delay(),
                    [asks = asks_, number, lost, answer = std::move(answer)]() mutable {
                      if (lost) return asks.Fail(number, absl::AbortedError("the answer is lost"));
                      SimPeerNetwork* const here = asks.Find();
                      if (here == nullptr) return;
                      auto waiting = here->waiting_.extract(number);
                      if (!waiting.empty()) waiting.mapped().call(std::move(answer));
                    });
    }

   private:
    const Process asks_;
    const int32_t from_;
    uint64_t number_;
  };
  class Transport final : public raft::Transport {
   public:
    explicit Transport(SimPeerNetwork& network) : network_(network) {}
    void Send(raft::Message message) override { network_.SendRaft(std::move(message)); }

   private:
    SimPeerNetwork& network_;
  };

  Process Self() const { return {&fabric_, id_, process_}; }

  void AskNode(std::optional<int32_t> to, int64_t timeout_ms,
               absl::AnyInvocable<void(absl::StatusOr<server::NodeHello>)> done) {
    if (!to.has_value()) return done(absl::DeadlineExceededError("no such host"));
    const uint64_t number = Wait({std::move(done), nullptr}, timeout_ms);
    if (fabric_.IsCut(id_, *to) || fabric_.Loses()) return;
    fabric_.AtNode(*to, fabric_.Delay(), [&fabric = fabric_, to = *to, asks = Self(), number] {
      SimPeerNetwork* const there = fabric.Find(to);
      if (there == nullptr) return Refuse(fabric, to, asks, number);
      server::NodeHello hello = there->owner_.hello();
      if (fabric.IsCut(to, asks.id) || fabric.Loses()) return;
      fabric.AtNode(asks.id, fabric.Delay(), [asks, number, hello = std::move(hello)]() mutable {
        SimPeerNetwork* const here = asks.Find();
        if (here == nullptr) return;
        auto waiting = here->waiting_.extract(number);
        if (!waiting.empty()) waiting.mapped().hello(std::move(hello));
      });
    });
  }

  // Connections end with the process, and sometimes without a sign.
  void TellOfLoss() {
    for (const auto& [node, end] : fabric_.ends()) {
      if (fabric_.random().OneIn(3) || fabric_.IsCut(id_, node)) continue;
      fabric_.AtNode(node, fabric_.Delay(), [there = end->Self(), id = id_] {
        SimPeerNetwork* const end = there.Find();
        if (end != nullptr && end->owner_.peer_lost) end->owner_.peer_lost(BrokerId(id));
      });
    }
  }

  uint64_t Wait(Waiting waiting, int64_t timeout_ms) {
    const uint64_t number = fabric_.NewProcess();  // unique among all that waits anywhere
    waiting_.emplace(number, std::move(waiting));
    fabric_.AtNode(id_, std::max<int64_t>(timeout_ms, 0) * kNsPerMs, [asks = Self(), number] {
      asks.Fail(number, absl::DeadlineExceededError("no answer in time"));
    });
    return number;
  }

  // The machine says that nobody listens, if it is on and its word gets back.
  static void Refuse(SimFabric& fabric, int32_t node, Process asks, uint64_t number) {
    if (fabric.random().OneIn(3) || fabric.IsCut(node, asks.id)) return;
    fabric.AtNode(asks.id, fabric.Delay(), [asks, number] {
      asks.Fail(number, absl::UnavailableError("connection refused"));
    });
  }

  // A call comes to `node`.
  static void Take(SimFabric& fabric, int32_t node, Process asks, const std::string& cluster_id,
                   uint64_t number, server::ControllerCall call) {
    SimPeerNetwork* const there = fabric.Find(node);
    absl::Status refusal;
    if (there == nullptr) {
      refusal = fabric.random().OneIn(2) ? absl::UnavailableError("connection refused")
                                         : absl::AbortedError("the connection broke");
    } else if (there->cluster_id_.empty()) {
      refusal = absl::UnavailableError("the node belongs to no cluster yet");
    } else if (there->cluster_id_ != cluster_id) {
      refusal = absl::FailedPreconditionError("another cluster");
    }
    if (refusal.ok()) {
      return there->owner_.serve(std::move(call), Answering(asks, node, number));
    }
    if (fabric.IsCut(node, asks.id)) return;
    fabric.AtNode(asks.id, fabric.Delay(), [asks, number, refusal] { asks.Fail(number, refusal); });
  }

  const std::string* AddressOf(BrokerId id) const {
    const auto configured = configured_.find(id);
    if (configured != configured_.end()) return &configured->second;
    const auto learned = learned_.find(id);
    return learned == learned_.end() ? nullptr : &learned->second;
  }
  // For nobody in particular, each configured node in turn.
  const std::string* AnyAddress() {
    if (configured_.empty()) return nullptr;
    auto at = configured_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(next_++ % configured_.size()));
    return &at->second;
  }

  void SendRaft(raft::Message message) {
    const std::string* const address =
        message.to.id == kNoBroker ? AnyAddress() : AddressOf(message.to.id);
    const std::optional<int32_t> to = address == nullptr ? std::nullopt : fabric_.NodeAt(*address);
    if (!runs_ || !to.has_value() || fabric_.IsCut(id_, *to) || fabric_.Loses()) return;
    if (fabric_.Doubles()) DeliverLater(*to, message);
    DeliverLater(*to, std::move(message));
  }
  void DeliverLater(int32_t to, raft::Message message) {
    fabric_.AtNode(to, fabric_.Delay(),
                   [&fabric = fabric_, to, from = id_, address = address_,
                    message = std::move(message)]() mutable {
                     SimPeerNetwork* const there = fabric.Find(to);
                     if (there == nullptr || fabric.IsCut(from, to)) return;
                     there->Deliver(address, std::move(message));
                   });
  }
  void Deliver(const std::string& from_address, raft::Message message) {
    if (cluster_id_.empty() || message.cluster_id != cluster_id_) return;
    if (message.from.id != kNoBroker) learned_[message.from.id] = from_address;
    owner_.deliver(std::move(message));
  }

  SimFabric& fabric_;
  const int32_t id_;
  const uint64_t process_;
  const std::string address_;
  SimStreamNetwork streams_;
  Transport transport_{*this};
  Owner owner_;
  bool runs_ = false;
  std::string cluster_id_;
  std::map<BrokerId, std::string> configured_, learned_;
  size_t next_ = 0;
  std::map<uint64_t, Waiting> waiting_;  // hellos and calls of this process
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_SIM_PEER_NETWORK_H_

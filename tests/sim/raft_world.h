// -----------------------------------------------------------------------------
// File: tests/sim/raft_world.h
// -----------------------------------------------------------------------------
// A simulated Raft cluster: up to five voters and observers on simulated disks, clocks and a
// network, all decided by the seed. Time is that of events: what is due first happens next.
// Faults: messages lost, twice, late, out of order, from long ago; partitions, one-way ones too;
// power loss with any part of what was not synced, kill, pause, clocks that jump ahead, slow disks,
// disks that fail, disks that are lost.
// Threading: one thread.
#ifndef WEIR_TESTS_SIM_RAFT_WORLD_H_
#define WEIR_TESTS_SIM_RAFT_WORLD_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/raft/describe.h"
#include "coordination/raft/events.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/node.h"
#include "coordination/raft/raft.h"
#include "coordination/raft/types.h"
#include "tests/sim/raft_disk.h"
#include "tests/sim/raft_oracle.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {

inline constexpr int64_t kRaftElectionMs = 200;
inline constexpr int64_t kRaftHeartbeatMs = 40;

// How bad the network and the disks are; times in microseconds.
struct RaftWeather {
  uint64_t loss_one_in = 0;  // 0: never
  uint64_t twice_one_in = 0;
  uint64_t late_one_in = 0;
  uint64_t delay_us = 1'000;
  uint64_t late_us = 300'000;
  uint64_t sync_us = 1'000;
};

// One machine: a node id, the disk it has now, and the process on it, if that runs.
struct RaftMachine {
  BrokerId id;
  raft::ReplicaKey key;
  std::unique_ptr<RaftDisk> disk;
  std::unique_ptr<raft::Transport> transport;
  std::unique_ptr<raft::Node> node;  // null when it is down
  uint64_t process = 0;              // counts the starts of all machines
  bool paused = false;
  int64_t skew_ns = 0;
  uint64_t disk_slowness = 1;
  bool disk_faulty = false;
  std::optional<int64_t> sync_done_at;
  std::vector<raft::Message> inbox;  // of a paused process
  // The state machine: a hash of everything applied.
  Offset applied;
  uint64_t state = kHashStart;
};

class RaftWorld {
 public:
  // With `on_files` each disk has Kafka's files, else a storage in memory.
  RaftWorld(uint64_t seed, bool on_files, Trace& trace)
      : on_files_(on_files), random_(seed), trace_(trace), oracle_(trace) {}
  RaftWorld(const RaftWorld&) = delete;

  Random& random() { return random_; }
  Trace& trace() { return trace_; }
  RaftOracle& oracle() { return oracle_; }
  RaftWeather& weather() { return weather_; }
  std::vector<RaftMachine>& machines() { return machines_; }
  int64_t now_ns() const { return now_ns_; }

  // Machines 0 to voters-1 found the cluster, the others have empty disks.
  void Found(int voters, int observers) {
    for (int i = 0; i < voters + observers; ++i) {
      machines_.emplace_back();
      machines_.back().id = BrokerId(i);
    }
    blocked_.assign(machines_.size(), std::vector<bool>(machines_.size(), false));
    for (RaftMachine& machine : machines_) NewDisk(machine);
    std::vector<raft::ReplicaKey> founders;
    for (int i = 0; i < voters; ++i) founders.push_back(machines_[i].key);
    const raft::VoterSet set(founders);
    oracle_.SetFounders(set);
    for (int i = 0; i < voters; ++i) machines_[i].disk->Found(set);
    for (RaftMachine& machine : machines_) Start(machine);
  }

  void NewDisk(RaftMachine& machine) {
    machine.node.reset();
    machine.key = {machine.id, Uuid{1, ++directories_}};
    machine.disk = std::make_unique<RaftDisk>(on_files_, directories_);
    machine.sync_done_at.reset();
    oracle_.AddDisk(machine.key, &machine.disk->model());
  }

  void Start(RaftMachine& machine) {
    raft::RaftConfig config;
    config.cluster_id = "sim";
    config.self = machine.key;
    config.election_timeout_ms = kRaftElectionMs;
    config.heartbeat_interval_ms = kRaftHeartbeatMs;
    config.append_bytes_max = 1 + random_.Below(600);
    config.append_entries_max = 1 + random_.Below(6);
    config.in_flight_messages_max = 1 + random_.Below(8);
    config.in_flight_bytes_max = 1 + random_.Below(2000);
    config.snapshot_chunk_bytes = 1 + random_.Below(120);
    config.cache_bytes_max = random_.Below(1000);
    machine.transport = std::make_unique<Wire>(*this);
    absl::StatusOr<std::unique_ptr<raft::Node>> node = raft::Node::Open(
        std::move(config), *machine.disk, *machine.transport, random_, LocalNow(machine));
    if (!node.ok()) return trace_.Fail("does not start: ", node.status().message());
    machine.node = *std::move(node);
    machine.process = ++processes_;
    machine.sync_done_at.reset();
    machine.paused = false;
    machine.inbox.clear();
    RestoreState(machine, machine.node->raft().snapshot());
    Run(machine);
  }

  // The process ends; with `power_loss`, any part of what was not synced is gone.
  void Stop(RaftMachine& machine, bool power_loss) {
    FailRequestsOf(machine);
    machine.node.reset();
    machine.sync_done_at.reset();
    machine.inbox.clear();
    machine.paused = false;
    if (power_loss) {
      machine.disk->PowerLoss(random_);
    } else {
      machine.disk->Kill();
    }
  }

  void Pause(RaftMachine& machine) { machine.paused = true; }
  void Resume(RaftMachine& machine) {
    machine.paused = false;
    for (raft::Message& message : std::exchange(machine.inbox, {})) {
      machine.node->Post(raft::Receive{std::move(message)});
      Run(machine);  // one by one: the oracle looks at the replica behind each
    }
    Run(machine);
  }

  void Block(size_t from, size_t to, bool blocked) { blocked_[from][to] = blocked; }
  void UnblockAll() {
    for (std::vector<bool>& row : blocked_) row.assign(row.size(), false);
  }

  // --- requests -----------------------------------------------------------------------------

  void Propose(RaftMachine& machine) {
    const std::string data = absl::StrCat("p", ++tokens_, std::string(random_.Below(40), '.'));
    requests_[tokens_] = {&machine, data, std::nullopt};
    machine.node->Post(raft::Propose{tokens_, std::make_shared<const std::string>(data),
                                     static_cast<int32_t>(1 + random_.Below(3))});
  }
  void Read(RaftMachine& machine) {
    requests_[++tokens_] = {&machine, "", oracle_.MustSee()};
    machine.node->Post(raft::Read{tokens_});
  }
  template <class Request>
  void Ask(RaftMachine& machine, Request request) {
    request.token = ++tokens_;
    requests_[tokens_] = {&machine, "", std::nullopt};
    machine.node->Post(request);
  }
  size_t requests_waiting() const { return requests_.size(); }
  int64_t proposals_done() const { return proposals_done_; }
  int64_t reads_done() const { return reads_done_; }
  int64_t changes_done() const { return changes_done_; }
  int64_t installs() const { return installs_; }

  void TakeSnapshot(RaftMachine& machine) {
    const raft::Raft& raft = machine.node->raft();
    const auto meta = raft.MetaAt(machine.applied);
    if (!meta.has_value() || meta->id.end_offset <= raft.snapshot().id.end_offset) return;
    const std::string bytes =
        absl::StrCat(machine.state, " ", std::string(random_.Below(300), 's'));
    machine.disk->SaveSnapshot(*meta, bytes);
    // Some entries before its end are kept for followers that lag.
    Offset start = raft.log_start();
    for (const raft::Entry& entry : machine.disk->written().log) {
      if (entry.next_offset() <= machine.applied && random_.Below(8) != 0) {
        start = entry.next_offset();
      } else {
        break;
      }
    }
    trace_.Note(machine.key.ToString(), " takes snapshot ", raft::Describe(meta->id), ", log from ",
                start.value());
    machine.node->Post(raft::SnapshotTaken{*meta, start});
  }

  // --- time ---------------------------------------------------------------------------------

  // The next thing that is due, if that is before `until_ns`; else time goes on to there.
  bool RunOne(int64_t until_ns) {
    int64_t next = until_ns;
    RaftMachine* due = nullptr;
    bool is_sync = false;
    for (RaftMachine& machine : machines_) {
      if (machine.node == nullptr || machine.paused) continue;
      const int64_t deadline = GlobalTime(machine, machine.node->NextDeadline());
      if (deadline < next) next = deadline, due = &machine, is_sync = false;
      if (machine.sync_done_at.has_value() && *machine.sync_done_at < next) {
        next = *machine.sync_done_at, due = &machine, is_sync = true;
      }
    }
    if (!network_.empty() && network_.begin()->first.first < next) {
      now_ns_ = std::max(now_ns_, network_.begin()->first.first);
      raft::Message message = std::move(network_.begin()->second);
      network_.erase(network_.begin());
      Deliver(std::move(message));
      return true;
    }
    now_ns_ = std::max(now_ns_, next);
    if (due == nullptr) return false;
    if (is_sync) {
      due->sync_done_at.reset();
      due->disk->CompleteSync(due->disk_faulty ? absl::DataLossError("the disk failed")
                                               : absl::OkStatus());
    }
    Run(*due);
    return true;
  }

  // Hands over what was posted, and looks at what comes out.
  void Run(RaftMachine& machine) {
    if (machine.node == nullptr || machine.paused) return;
    raft::Effects effects;
    const raft::Raft& raft = machine.node->raft();
    machine.node->Run(LocalNow(machine), &effects);
    if (raft.role() == raft::Role::kLeader) {
      oracle_.OnLeader(raft, machine.process);
      oracle_.CheckHeard(raft, LocalNow(machine), (kRaftElectionMs + kRaftHeartbeatMs) * kNsPerMs,
                         2 * kRaftHeartbeatMs * kNsPerMs);
    }
    for (const raft::Effect& effect : effects) {
      trace_.Note(machine.key.ToString(), " ", raft::Describe(effect));
      if (const auto* committed = std::get_if<raft::Committed>(&effect)) {
        Apply(machine, committed->end);
      } else if (const auto* installed = std::get_if<raft::SnapshotInstalled>(&effect)) {
        ++installs_;
        RestoreState(machine, installed->meta);
      } else if (const auto* done = std::get_if<raft::Done>(&effect)) {
        OnDone(*done);
      }
    }
    if (effects.size() > 0 && raft.failed().ok()) oracle_.CheckInForce(raft);
    if (!raft.failed().ok() && !machine.disk_faulty) {
      trace_.Fail(machine.key.ToString(), " fails: ", raft.failed().message());
    }
    if (machine.disk->sync_in_flight() && !machine.sync_done_at.has_value()) {
      const uint64_t us = 1 + random_.Below(weather_.sync_us * machine.disk_slowness);
      machine.sync_done_at = now_ns_ + static_cast<int64_t>(us) * 1000;
    }
  }

  RaftMachine* Leader() {
    RaftMachine* leader = nullptr;
    for (RaftMachine& machine : machines_) {
      if (machine.node == nullptr || machine.node->raft().role() != raft::Role::kLeader) continue;
      if (leader == nullptr || leader->node->raft().term() < machine.node->raft().term()) {
        leader = &machine;
      }
    }
    return leader;
  }

 private:
  struct Pending {
    RaftMachine* machine;
    std::string data;                // of a proposal
    std::optional<Offset> must_see;  // of a read
  };

  class Wire final : public raft::Transport {
   public:
    explicit Wire(RaftWorld& world) : world_(world) {}
    void Send(raft::Message message) override { world_.Carry(std::move(message)); }

   private:
    RaftWorld& world_;
  };

  MonotonicNs LocalNow(const RaftMachine& machine) const {
    return MonotonicNs(now_ns_ + machine.skew_ns);
  }
  static int64_t GlobalTime(const RaftMachine& machine, MonotonicNs local) {
    return local.value() - (local.value() > (int64_t{1} << 60) ? 0 : machine.skew_ns);
  }

  void Carry(raft::Message message) {
    oracle_.OnSend(message, machines_[static_cast<size_t>(message.from.id.value())].node->raft());
    trace_.Note("send ", raft::Describe(message));
    if (weather_.loss_one_in != 0 && random_.OneIn(weather_.loss_one_in)) return;
    const bool twice = weather_.twice_one_in != 0 && random_.OneIn(weather_.twice_one_in);
    if (message.to.is_none()) {
      message.to.id = machines_[random_.Below(machines_.size())].id;  // whom the host knows of
    }
    for (int i = 0; i < (twice ? 2 : 1); ++i) {
      const bool late = weather_.late_one_in != 0 && random_.OneIn(weather_.late_one_in);
      const uint64_t us = 1 + random_.Below(late ? weather_.late_us : weather_.delay_us);
      network_.emplace(std::make_pair(now_ns_ + static_cast<int64_t>(us) * 1000, ++sent_), message);
    }
  }

  void Deliver(raft::Message message) {
    RaftMachine& to = machines_[static_cast<size_t>(message.to.id.value())];
    const auto from = static_cast<size_t>(message.from.id.value());
    if (blocked_[from][static_cast<size_t>(message.to.id.value())] || to.node == nullptr) return;
    if (std::holds_alternative<raft::FollowRequest>(message.body) &&
        message.to.directory_id.is_zero()) {
      message.to = raft::ReplicaKey();
    }
    if (to.paused) return to.inbox.push_back(std::move(message));
    to.node->Post(raft::Receive{std::move(message)});
    Run(to);
  }

  void Apply(RaftMachine& machine, Offset end) {
    const raft::Raft& raft = machine.node->raft();
    std::optional<raft::Entry> last;
    while (machine.applied < std::min(end, raft.commit())) {
      const absl::StatusOr<std::vector<raft::Entry>> entries =
          raft.ReadCommitted(machine.applied, 200);
      if (absl::IsOutOfRange(entries.status())) return;  // a snapshot comes
      if (!entries.ok()) return trace_.Fail("cannot read: ", entries.status().message());
      WEIR_CHECK(!entries->empty());
      for (const raft::Entry& entry : *entries) {
        machine.state = oracle_.OnCommitted(raft, entry, machine.state);
        machine.applied = entry.next_offset();
        last = entry;
      }
      if (trace_.failed()) return;
    }
    if (last.has_value() && raft.role() == raft::Role::kLeader) oracle_.OnLeaderCommit(raft, *last);
  }

  void RestoreState(RaftMachine& machine, const raft::SnapshotMeta& meta) {
    machine.applied = meta.id.end_offset;
    machine.state = kHashStart;
    if (meta.id.end_offset == Offset(0)) return;
    const std::string bytes = machine.disk->SnapshotText();
    const std::vector<std::string> parts = absl::StrSplit(bytes, ' ');
    WEIR_CHECK(absl::SimpleAtoi(parts[0], &machine.state));
    oracle_.OnSnapshot(machine.node->raft(), meta.id, machine.state);
  }

  void OnDone(const raft::Done& done) {
    const auto it = requests_.find(done.token);
    if (it == requests_.end()) return trace_.Fail("answered twice: ", raft::Describe(done));
    const Pending request = std::move(it->second);
    requests_.erase(it);
    if (!request.data.empty()) {
      if (done.status.ok()) {
        ++proposals_done_;
        oracle_.OnProposalDone(done.offset, request.data);
      } else if (!absl::IsAborted(done.status)) {
        oracle_.OnRefused(request.data);
      }
    } else if (request.must_see.has_value()) {
      if (!done.status.ok()) return;
      ++reads_done_;
      oracle_.OnReadDone(done.offset, *request.must_see);
    } else if (done.status.ok()) {
      ++changes_done_;
    }
  }

  // Whoever asked a process that ends gets no answer.
  void FailRequestsOf(const RaftMachine& machine) {
    for (auto it = requests_.begin(); it != requests_.end();) {
      it = it->second.machine == &machine ? requests_.erase(it) : std::next(it);
    }
  }

  const bool on_files_;
  SeededRandom random_;
  Trace& trace_;
  RaftOracle oracle_;
  RaftWeather weather_;
  std::vector<RaftMachine> machines_;
  std::vector<std::vector<bool>> blocked_;  // by from and to
  std::map<std::pair<int64_t, uint64_t>, raft::Message> network_;
  uint64_t sent_ = 0;
  uint64_t directories_ = 0;
  uint64_t processes_ = 0;
  int64_t now_ns_ = 1'000'000'000;
  uint64_t tokens_ = 0;
  std::map<uint64_t, Pending> requests_;
  int64_t proposals_done_ = 0;
  int64_t reads_done_ = 0;
  int64_t changes_done_ = 0;
  int64_t installs_ = 0;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_RAFT_WORLD_H_

// -----------------------------------------------------------------------------
// File: tests/sim/raft_run.h
// -----------------------------------------------------------------------------
// One run of the Raft simulator: faults for a while, then healing, after which the cluster must
// elect a leader, commit, replace the voters that lost their disks, and bring everybody up to date
// within a bound of simulated time.
#ifndef WEIR_TESTS_SIM_RAFT_RUN_H_
#define WEIR_TESTS_SIM_RAFT_RUN_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/ids.h"
#include "base/random.h"
#include "coordination/raft/describe.h"
#include "coordination/raft/events.h"
#include "coordination/raft/memory_storage.h"
#include "coordination/raft/raft.h"
#include "coordination/raft/types.h"
#include "tests/sim/raft_oracle.h"
#include "tests/sim/raft_world.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {

struct RaftOutcome {
  std::string failure;  // empty when all is well
  uint64_t hash = 0;
  size_t committed = 0;
  int64_t proposals = 0;
  int64_t reads = 0;
  int64_t changes = 0;
  int64_t installs = 0;
};

class RaftRun {
 public:
  // One seed in eight has its replicas on files.
  RaftRun(uint64_t seed, int64_t steps, bool verbose)
      : trace_(verbose), world_(seed, seed % 8 == 4, trace_), steps_(steps) {}

  RaftOutcome Go() {
    const int voters = 1 + static_cast<int>(random().Below(5));
    const int observers = static_cast<int>(random().Below(3));
    DrawFaults();
    trace_.Note(voters, " voters, ", observers, " observers");
    world_.Found(voters, observers);
    for (int64_t step = 0; step < steps_ && !trace_.failed(); ++step) {
      if (random().Below(10) < 1) Disturb();
      if (random().Below(4) < 1) Request();
      if (!trace_.failed()) world_.RunOne(world_.now_ns() + kMs * 50);
    }
    if (!trace_.failed()) Heal();
    return {trace_.failure(),        trace_.hash(),       world_.oracle().committed_entries(),
            world_.proposals_done(), world_.reads_done(), world_.changes_done(),
            world_.installs()};
  }

 private:
  static constexpr int64_t kMs = 1'000'000;

  // Which kinds of faults a run has, so that one does not hide another's consequences.
  struct Faults {
    bool crashes, power, pauses, partitions, clocks, disk_errors, lost_disks, changes, transfers,
        snapshots, hints;
  };

  Random& random() { return world_.random(); }
  std::vector<RaftMachine>& machines() { return world_.machines(); }
  RaftMachine& AnyMachine() { return machines()[random().Below(machines().size())]; }

  void DrawFaults() {
    const auto maybe = [this] { return random().OneIn(2); };
    faults_ = {maybe(), maybe(), maybe(), maybe(), maybe(), random().OneIn(4),
               maybe(), maybe(), maybe(), maybe(), maybe()};
    RaftWeather& weather = world_.weather();
    weather.loss_one_in = maybe() ? 2 + random().Below(50) : 0;
    weather.twice_one_in = maybe() ? 2 + random().Below(20) : 0;
    weather.late_one_in = maybe() ? 2 + random().Below(50) : 0;
    weather.delay_us = 1 + random().Below(maybe() ? 2'000 : 30'000);
    weather.late_us = 1 + random().Below(2'000'000);
    weather.sync_us = 1 + random().Below(maybe() ? 1'000 : 50'000);
  }

  // --- faults -------------------------------------------------------------------------------

  void Disturb() {
    RaftMachine& machine = AnyMachine();
    switch (random().Below(11)) {
      case 0:
      case 1:
        return StopOrStart(machine);
      case 2:
        return PauseOrResume(machine);
      case 3:
      case 4:
        return Partition();
      case 5:
        if (!faults_.clocks || !random().OneIn(3)) return;
        machine.skew_ns += static_cast<int64_t>(random().Below(1000)) * kMs;
        trace_.Note(machine.key.ToString(), ": the clock jumps");
        return world_.Run(machine);
      case 6:
        machine.disk_slowness = random().OneIn(3) ? 1 + random().Below(40) : 1;
        return;
      case 7:
        if (faults_.disk_errors && machine.node != nullptr && random().OneIn(4)) {
          machine.disk_faulty = true;
          // Some at the next write, the others when they sync.
          const bool writes = machine.process % 2 == 0;
          if (writes) machine.disk->FailWrites(absl::DataLossError("the disk failed"));
          trace_.Note(machine.key.ToString(), ": the disk fails, ", writes ? "writes" : "syncs");
        }
        return;
      case 8:
        if (faults_.lost_disks && random().OneIn(4)) LoseDisk(machine);
        return;
      case 9:
        return TellLeaderGone();
      default:
        if (faults_.snapshots && machine.node != nullptr && !machine.paused) {
          world_.TakeSnapshot(machine);
          world_.Run(machine);
        }
        return;
    }
  }

  void StopOrStart(RaftMachine& machine) {
    if (machine.node == nullptr) {
      machine.disk_faulty = false;
      trace_.Note(machine.key.ToString(), ": starts");
      return world_.Start(machine);
    }
    const bool failed = machine.disk_faulty && !machine.node->raft().failed().ok();
    if (!failed && (!(faults_.crashes || faults_.power) || !random().OneIn(3))) return;
    const bool power_loss = failed || !faults_.crashes || (faults_.power && random().OneIn(2));
    trace_.Note(machine.key.ToString(), power_loss ? ": loses power" : ": is killed");
    world_.Stop(machine, power_loss);
    // Often back at once, before the others have noticed.
    if (random().OneIn(2)) {
      machine.disk_faulty = false;
      world_.Start(machine);
    }
  }

  // Some hear that the leader is gone, which may be true.
  void TellLeaderGone() {
    if (!faults_.hints) return;
    for (RaftMachine& machine : machines()) {
      if (machine.node == nullptr || machine.paused || random().OneIn(3)) continue;
      const raft::Raft& raft = machine.node->raft();
      trace_.Note(machine.key.ToString(), ": told that ", raft.leader().ToString(), " is gone");
      machine.node->Post(raft::LeaderGone{raft.term(), raft.leader().id});
      world_.Run(machine);
    }
  }

  void PauseOrResume(RaftMachine& machine) {
    if (machine.node == nullptr || !faults_.pauses) return;
    trace_.Note(machine.key.ToString(), machine.paused ? ": resumes" : ": pauses");
    if (machine.paused) {
      world_.Resume(machine);
    } else if (random().OneIn(3)) {
      world_.Pause(machine);
    }
  }

  void Partition() {
    if (!faults_.partitions) return;
    if (random().OneIn(2)) return world_.UnblockAll();
    const bool one_way = random().OneIn(3);
    std::vector<bool> side(machines().size());
    for (size_t i = 0; i < side.size(); ++i) side[i] = random().OneIn(2);
    trace_.Note("partition", one_way ? ", one way" : "");
    for (size_t from = 0; from < side.size(); ++from) {
      for (size_t to = 0; to < side.size(); ++to) {
        if (side[from] != side[to] && (!one_way || side[from])) world_.Block(from, to, true);
      }
    }
  }

  // Only while every set of voters that any log has, keeps a quorum of replicas with their disks.
  void LoseDisk(RaftMachine& machine) {
    const raft::ReplicaKey key = machine.key;
    for (const RaftMachine& other : machines()) {
      for (const raft::MemoryStorage::Image* image :
           {&other.disk->durable(), &other.disk->written()}) {
        if (!MayLose(image->snapshot.voters, key)) return;
        for (const raft::Entry& entry : image->log) {
          if (entry.control != nullptr && !MayLose(entry.control->voters, key)) return;
        }
      }
    }
    if (!MayLose(world_.oracle().voters(), key)) return;
    trace_.Note(key.ToString(), ": the disk is lost");
    if (machine.node != nullptr) world_.Stop(machine, false);
    world_.oracle().LoseDisk(key);
    world_.NewDisk(machine);
    machine.disk_faulty = false;
    if (random().OneIn(2)) world_.Start(machine);
  }

  bool MayLose(const raft::VoterSet& voters, const raft::ReplicaKey& key) {
    if (!voters.Contains(key)) return true;
    size_t lost = 1;
    for (const raft::ReplicaKey& voter : voters) lost += world_.oracle().IsLost(voter) ? 1 : 0;
    return lost <= (voters.size() - 1) / 2;
  }

  // --- requests -----------------------------------------------------------------------------

  void Request() {
    RaftMachine* machine = random().OneIn(4) ? &AnyMachine() : world_.Leader();
    if (machine == nullptr || machine->node == nullptr || machine->paused) return;
    switch (random().Below(10)) {
      case 0:
      case 1:
        world_.Read(*machine);
        break;
      case 2:
        if (faults_.changes) AskForChange(*machine);
        break;
      case 3:
        if (faults_.transfers && random().OneIn(3)) {
          world_.Ask(*machine, raft::TransferLeadership{0, AnyMachine().id});
        }
        break;
      default:
        for (uint64_t n = 1 + random().Below(3); n > 0; --n) world_.Propose(*machine);
    }
    world_.Run(*machine);
  }

  void AskForChange(RaftMachine& machine) {
    const raft::VoterSet& voters = machine.node->raft().voters();
    // What lost its disk first; then whoever.
    for (const raft::ReplicaKey& voter : voters) {
      if (world_.oracle().IsLost(voter) && random().OneIn(2)) {
        return world_.Ask(machine, raft::RemoveVoter{0, voter});
      }
    }
    const raft::ReplicaKey& key = AnyMachine().key;
    if (!voters.Contains(key)) return world_.Ask(machine, raft::AddVoter{0, key});
    if (voters.size() > 1 && MayLeave(voters, key)) {
      world_.Ask(machine, raft::RemoveVoter{0, key});
    }
  }

  // Taking out a voter that has its disk must leave a quorum of such.
  bool MayLeave(const raft::VoterSet& voters, const raft::ReplicaKey& key) {
    const raft::VoterSet rest = voters.Without(key);
    size_t lost = 0;
    for (const raft::ReplicaKey& voter : rest) lost += world_.oracle().IsLost(voter) ? 1 : 0;
    return lost <= (rest.size() - 1) / 2;
  }

  // --- the liveness phase -------------------------------------------------------------------

  bool IsUpToDate() {
    const RaftMachine* leader = world_.Leader();
    return leader != nullptr &&
           std::all_of(machines().begin(), machines().end(), [&](const RaftMachine& m) {
             return m.applied == leader->node->raft().log_end() && m.state == leader->state;
           });
  }

  void RestartFollower() {
    const RaftMachine* leader = world_.Leader();
    for (RaftMachine& machine : machines()) {
      if (&machine == leader) continue;
      world_.Stop(machine, /*power_loss=*/false);
      return world_.Start(machine);
    }
  }

  void Heal() {
    trace_.Note("healing");
    world_.weather() = RaftWeather();
    world_.UnblockAll();
    for (RaftMachine& machine : machines()) {
      machine.disk_slowness = 1;
      if (machine.paused) world_.Resume(machine);
      if (machine.node != nullptr && machine.disk_faulty) world_.Stop(machine, true);
      machine.disk_faulty = false;
      if (machine.node == nullptr) world_.Start(machine);
    }
    const int64_t committed = world_.proposals_done();
    if (!Until(20'000, "a leader that commits", [&] {
          ProposeNow();
          return world_.proposals_done() > committed + 3;
        })) {
      return;
    }
    if (!Until(30'000, "the replacement of voters without their disks",
               [this] { return ReplaceLost(); })) {
      return;
    }
    if (!Until(20'000, "everybody up to date and every request answered",
               [this] { return world_.requests_waiting() == 0 && IsUpToDate(); })) {
      return;
    }
    RestartFollower();
    if (!Until(20'000, "who started anew up to date, though nothing is appended",
               [this] { return IsUpToDate(); })) {
      return;
    }
    const int64_t reads = world_.reads_done();
    Until(5'000, "a read", [&] {
      if (RaftMachine* leader = world_.Leader(); leader != nullptr) {
        world_.Read(*leader);
        world_.Run(*leader);
      }
      return world_.reads_done() > reads;
    });
  }

  void ProposeNow() {
    if (RaftMachine* leader = world_.Leader(); leader != nullptr) {
      world_.Propose(*leader);
      world_.Run(*leader);
    }
  }

  bool ReplaceLost() {
    RaftMachine* leader = world_.Leader();
    if (leader == nullptr) return false;
    const raft::VoterSet& voters = world_.oracle().voters();
    for (const raft::ReplicaKey& voter : voters) {
      if (!world_.oracle().IsLost(voter)) continue;
      world_.Ask(*leader, raft::RemoveVoter{0, voter});
      world_.Run(*leader);
      return false;
    }
    // Whoever came back with an empty disk can vote again: all of them in the end.
    for (const RaftMachine& machine : machines()) {
      if (voters.Contains(machine.key)) continue;
      world_.Ask(*leader, raft::AddVoter{0, machine.key});
      world_.Run(*leader);
      return false;
    }
    return true;
  }

  template <class Condition>
  bool Until(int64_t ms, const char* what, Condition reached) {
    const int64_t end_ns = world_.now_ns() + ms * kMs;
    while (world_.now_ns() < end_ns && !trace_.failed()) {
      if (reached()) return true;
      const int64_t pause_ns = world_.now_ns() + 20 * kMs;
      while (!trace_.failed() && world_.RunOne(pause_ns)) {
      }
    }
    trace_.Fail("27: healed, but not within ", ms, " ms: ", what);
    return false;
  }

  Trace trace_;
  RaftWorld world_;
  const int64_t steps_;
  Faults faults_{};
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_RAFT_RUN_H_

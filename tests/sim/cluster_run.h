// -----------------------------------------------------------------------------
// File: tests/sim/cluster_run.h
// -----------------------------------------------------------------------------
// One run of the whole-cluster simulator: clients, faults and crashes as a seed has them, then a
// phase without faults in which the cluster must come together, everything must be answered and
// what was acknowledged must be there. docs/simulation.md says what is checked and how to replay.
#ifndef WEIR_TESTS_SIM_CLUSTER_RUN_H_
#define WEIR_TESTS_SIM_CLUSTER_RUN_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/random.h"
#include "log/memory_file.h"
#include "tests/sim/cluster_checks.h"
#include "tests/sim/cluster_clients.h"
#include "tests/sim/cluster_faults.h"
#include "tests/sim/cluster_replicas.h"
#include "tests/sim/cluster_world.h"
#include "tests/sim/group_oracle.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim_actor.h"
#include "tests/sim/sim_poller.h"
#include "tests/sim/sim_trace.h"
#include "tests/sim/sim_verifier.h"

namespace weir::sim {

struct ClusterRunResult {
  std::string failure;  // empty: all is well
  uint64_t hash = 0;
  int64_t kills = 0, power_losses = 0, shutdowns = 0, pauses = 0, cuts = 0, wipes = 0, decays = 0;
  bool given_up = false;  // a partition has lost all its replicas to faults of disks
  int64_t virtual_ms = 0;
  Oracle::Counters counters;
};

class ClusterRun {
 public:
  using Machine = ClusterWorld::Machine;

  ClusterRun(uint64_t seed, bool verbose)
      : random_(seed),
        trace_(verbose),
        network_(random_),
        layout_(ClusterLayout::Choose(random_)),
        world_(random_, network_, trace_, layout_),
        checks_(trace_),
        oracle_(trace_, !layout_.flush_on_ack),
        replicas_(trace_, oracle_, layout_.flush_on_ack),
        group_oracle_(trace_, oracle_),
        brokers_(layout_.Brokers()),
        context_{random_, world_.clock(), trace_, oracle_, group_oracle_, network_, brokers_},
        clients_(context_) {
    oracle_.set_brokers_lag(true);
    faults_ = ClusterFaults::Choose(random_, &network_.options(), &world_.fabric().options());
    ChooseReplication();
    clients_.Choose(random_);
    trace_.Note("seed ", seed, ", ", world_.size(), " nodes, ", layout_.controllers(),
                " controllers, flush on ack: ", layout_.flush_on_ack);
  }

  ClusterRunResult Run(int64_t steps) {
    for (int64_t i = 0; i < steps && !trace_.failed(); ++i) Step();
    if (!trace_.failed()) Heal();
    if (!trace_.failed() && !result_.given_up) Verify();
    result_.failure = trace_.failure();
    result_.hash = trace_.hash();
    result_.counters = oracle_.counters();
    result_.virtual_ms = world_.clock().Monotonic().value() / kNsPerMs;
    return result_;
  }

 private:
  static constexpr int64_t kHealingNs = 120'000 * kNsPerMs;

  void ChooseReplication() {
    Oracle::Replication replication;
    const uint64_t most = std::min<uint64_t>(brokers_.size(), 3);
    replication.factor = static_cast<int16_t>(random_.OneIn(6) ? 1 : 1 + random_.Below(most));
    if (most > 1 && random_.OneIn(2)) replication.factor = static_cast<int16_t>(most);
    replication.min_insync = static_cast<int16_t>(
        1 + random_.Below(std::min<uint64_t>(static_cast<uint64_t>(replication.factor), 2)));
    replication.unclean = random_.OneIn(3);
    replication.eligible = random_.OneIn(2);
    oracle_.set_replication(replication);
    faults_.Fit(layout_, replication, &world_.fabric().options());
    trace_.Note("replicas: ", replication.factor, ", min insync: ", replication.min_insync);
  }

  // --- with faults --------------------------------------------------------------------------

  Machine& AnyMachine() { return world_.machine(random_.Below(world_.size())); }

  void Step() {
    const uint64_t choice = random_.Below(100);
    if (choice < 20) {
      Machine& machine = AnyMachine();
      world_.RunShard(machine, random_.Below(machine.node->shards()));
    } else if (choice < 23) {
      Machine& machine = AnyMachine();
      if (ClusterWorld::Runs(machine)) machine.node->RunWorker();
    } else if (choice < 30) {
      world_.CompleteSync(AnyMachine());
    } else if (choice < 33) {
      world_.fabric().RunOne();
    } else if (choice < 55) {
      clients_.Any(random_).Act();
    } else if (choice < 68) {
      clients_.PumpOne(random_);
    } else if (choice < 80) {
      PassTime(static_cast<int64_t>(random_.Below(10 * kNsPerMs)));
    } else if (choice < 96) {
      LetThingsRun(static_cast<int64_t>(random_.Below(20 * kNsPerMs)));
    } else if (choice < 98) {
      LetThingsRun(static_cast<int64_t>(random_.Below(1'000 * kNsPerMs)));
    } else {
      MaybeFault();
    }
    LookAtMachines();
    checks_.Look(world_);
    CheckReplicas();
    if (random_.OneIn(200)) world_.BreakStream();
  }

  // What has come to an end, or is to begin.
  void LookAtMachines() {
    for (Machine& machine : world_.machines()) {
      SimNode& node = *machine.node;
      if (node.disk().crashed()) {
        Crash(machine, faults_.power && random_.OneIn(2));
      } else if (node.running()) {
        LookAtRunning(machine);
      } else if (world_.clock().Monotonic() >= machine.starts_at) {
        Start(machine);
      }
      if (machine.paused_to.has_value() && world_.clock().Monotonic() >= *machine.paused_to) {
        world_.Resume(machine);
      }
    }
  }

  void LookAtRunning(Machine& machine) {
    if (machine.node->failed()) return Crash(machine, false);
    if (machine.left) return Shutdown(machine);
    if (faults_.crash_one_in > 0 && random_.OneIn(faults_.crash_one_in * world_.size()))
      ChooseCrash(machine);
  }

  void Start(Machine& machine) {
    const absl::Status started = world_.Start(machine);
    if (started.ok() || machine.node->disk().crashed()) return;
    if (!machine.disk_is_bad) {
      return trace_.Fail("node ", machine.id, " does not start: ", started.ToString());
    }
    world_.HealDisk(machine);
  }

  // What is to be done now; answers are judged by who leads then.
  bool RunReady() {
    const bool busy = world_.RunReady();
    CheckReplicas();
    return busy;
  }
  void CheckReplicas() {
    checks_.TellLeaders(world_, &brokers_, &replicas_);
    replicas_.Look(world_, checks_.told());
  }

  // Nothing happens but that time passes.
  void PassTime(int64_t ns) {
    trace_.Note("time ", ns);
    world_.Advance(ns);
    clients_.DropLate(world_.clock().Monotonic());
  }
  // What is due happens at its time, and nothing is slow.
  void LetThingsRun(int64_t ns) {
    trace_.Note("runs for ", ns);
    const MonotonicNs end = world_.clock().Monotonic() + ns;
    while (world_.clock().Monotonic() < end && !trace_.failed()) {
      LookAtMachines();
      bool busy = RunReady();
      busy |= clients_.PumpAll();
      if (busy) continue;
      const int64_t left = end - world_.clock().Monotonic();
      world_.Advance(std::clamp<int64_t>(world_.UntilNext().value_or(left), kNsPerMs / 10, left));
    }
    clients_.DropLate(world_.clock().Monotonic());
  }

  void MaybeFault() {
    Machine& machine = AnyMachine();
    switch (random_.Below(12)) {
      case 0: {
        SimActor& actor = clients_.Any(random_);
        trace_.Note("client breaks a connection");
        return actor.session(random_.Below(actor.sessions())).Reset();
      }
      case 1:
        if (!faults_.wall_jumps) return;
        machine.node->clock().SetJump(static_cast<int64_t>(random_.Below(7'200'000)) - 3'600'000);
        trace_.Note("wall clock of ", machine.id, " jumps");
        return oracle_.compaction().OnClockJump();
      case 2:
        if (faults_.disk_faults && random_.OneIn(2)) world_.AddDiskFault(machine);
        return;
      case 3:
        if (faults_.full_disk && random_.OneIn(2)) world_.FillDisk(machine);
        return;
      case 4:
        for (Machine& any : world_.machines()) world_.HealDisk(any);
        return;
      case 5:
      case 6:
        if (!faults_.cuts || IsFragile()) return;
        ++result_.cuts;
        return world_.CutAtRandom();
      case 7:
      case 8:
        if (faults_.cuts) world_.HealCuts();
        return;
      case 9:
      case 10:
        if (!faults_.pauses || !ClusterWorld::Runs(machine) || IsFragile()) return;
        ++result_.pauses;
        return world_.Pause(machine, static_cast<int64_t>(random_.Below(4'000)) * kNsPerMs);
      default:
        if (IsFragile() || !checks_.MayLoseDisk(world_, machine)) return;
        if (faults_.decay && (!faults_.wipes || random_.OneIn(2))) return Decay(machine);
        if (faults_.wipes) Wipe(machine);
        return;
    }
  }
  // What one replica has lost is all that may be lost now.
  bool IsFragile() { return ClusterChecks::IsDiskMissing(world_) || checks_.HasDecayed(world_); }

  void ChooseCrash(Machine& machine) {
    if (IsFragile()) return;
    if (faults_.within_budget && checks_.HasEndedBadly(world_) && !checks_.KeepsEligible(world_)) {
      return;
    }
    if (faults_.within_budget && !checks_.MayEndBadly(world_, machine)) {
      if (machine.node->ready()) Shutdown(machine);
      return;
    }
    switch (random_.Below(5)) {
      case 0:
        return Crash(machine, false);
      case 1:
        return Crash(machine, faults_.power);
      case 2:
        return Shutdown(machine);
      case 3:
        if (ClusterWorld::Runs(machine) && machine.node->ready()) world_.Leave(machine);
        return;
      default:
        if (faults_.within_budget) return Crash(machine, faults_.power);
        trace_.Note("crash of ", machine.id, " ahead");
        return machine.node->disk().CrashAtBoundary(static_cast<int64_t>(random_.Below(60)));
    }
  }

  // Before the node goes: what the network had taken arrives, then every connection to it ends.
  void EndSessions(const Machine& machine) {
    for (size_t i = 0; i < brokers_.size(); ++i) {
      if (brokers_.IdOf(i) == machine.id) clients_.EndSessions(i);
    }
  }
  int64_t DownNs() {
    const uint64_t ms = random_.OneIn(3) ? 6'000 : 600;
    return static_cast<int64_t>(random_.Below(ms)) * kNsPerMs;
  }

  void Crash(Machine& machine, bool power) {
    EndSessions(machine);
    ++(power ? result_.power_losses : result_.kills);
    if (power && !faults_.within_budget) oracle_.OnPowerLoss();
    machine.ended_badly = true;
    machine.broke_off = machine.broke_off || machine.node->ready();
    world_.Kill(machine, power, DownNs());
  }
  void Shutdown(Machine& machine) {
    EndSessions(machine);
    ++result_.shutdowns;
    // Who had not opened everything yet does not call its end a clean one.
    machine.ended_badly = machine.ended_badly || !machine.node->ready();
    world_.Shutdown(machine, DownNs());
  }
  void Decay(Machine& machine) {
    if (!checks_.Decay(world_, machine, random_)) return;
    ++result_.decays;
    oracle_.set_may_be_broken(true);
    KeepFromCrashing();
  }
  // Crashes that lie ahead.
  void KeepFromCrashing() {
    for (Machine& machine : world_.machines()) {
      machine.node->disk().CrashAtBoundary(int64_t{1} << 60);
    }
  }
  void Wipe(Machine& machine) {
    EndSessions(machine);
    ++result_.wipes;
    machine.ended_badly = true;
    world_.Kill(machine, false, DownNs());
    machine.was_wiped = machine.disk_is_missing = machine.broke_off = true;
    KeepFromCrashing();
    const absl::Status wiped = machine.node->WipeDisk();
    trace_.Note("disk of ", machine.id, " is wiped: ", wiped.ToString());
    if (!wiped.ok()) trace_.Fail("a disk was not wiped: ", wiped.ToString());
  }

  // --- without faults -----------------------------------------------------------------------

  // Until `done`, or nothing happens any more in the time that everything has. `act` is what
  // clients do meanwhile; true while they have something to do.
  void RunUntil(const std::function<bool()>& done, const std::function<bool()>& act = nullptr) {
    const MonotonicNs end = world_.clock().Monotonic() + kHealingNs;
    while (!done() && world_.clock().Monotonic() < end && !trace_.failed()) {
      for (Machine& machine : world_.machines()) {
        if (!machine.node->running()) StartHealthy(machine);
        if (machine.node->running() && machine.node->failed()) StartAgain(machine);
      }
      bool busy = RunReady();
      busy |= clients_.PumpAll();
      if (act) busy |= act();
      if (busy) continue;
      const int64_t next = world_.UntilNext().value_or(kHealingNs);
      world_.Advance(std::clamp<int64_t>(next, kNsPerMs / 10, 50 * kNsPerMs));
    }
  }
  void StartHealthy(Machine& machine) {
    if (world_.clock().Monotonic() < machine.starts_at) return;
    const absl::Status started = world_.Start(machine);
    if (!started.ok()) trace_.Fail("node ", machine.id, " does not start: ", started.ToString());
  }
  // By what happened to its disk before.
  void StartAgain(Machine& machine) {
    if (++started_again_ > 5 * world_.size()) {
      return trace_.Fail("node ", machine.id, " fails again and again");
    }
    Crash(machine, false);
    machine.starts_at = world_.clock().Monotonic();
  }

  // The cluster comes together, and everything that was asked is answered, whatever broke before.
  void Heal() {
    trace_.Note("all heals");
    network_.options() = SimNetwork::Options();
    world_.HealAll();
    for (Machine& machine : world_.machines()) {
      // What an I/O error has left of a partition, a start mends.
      const bool runs = machine.node->running();
      if (runs && machine.leaves && faults_.within_budget) {
        Shutdown(machine);
        machine.starts_at = world_.clock().Monotonic();
      } else if (machine.node->disk().crashed() ||
                 (runs && (machine.leaves || faults_.disk_faults))) {
        Crash(machine, false);
        machine.starts_at = world_.clock().Monotonic();
      }
    }
    Converge();
    if (trace_.failed() || result_.given_up) return;
    RunUntil([this] { return clients_.Waiting() == 0; });
    clients_.CheckAnswered(trace_);
    RunUntil([this] { return world_.Readers() == 0; });
    if (world_.Readers() > 0) trace_.Fail(world_.Readers(), " readers wait, no client does");
  }
  void Converge() {
    RunUntil([this] { return checks_.Complaint(world_).empty(); });
    const std::string complaint = checks_.Complaint(world_);
    // A disk that could not be read, and the only other copy's broker that could not prove how it
    // ended: an operator has to choose. Or a disk was lost just as the only broker that was there
    // was given a new partition.
    result_.given_up =
        !complaint.empty() && checks_.IsGivenUp(world_, [&](const TopicPartition& partition) {
          return faults_.disk_faults || (faults_.wipes && oracle_.Floor(partition) == 0);
        });
    if (!complaint.empty() && !result_.given_up) trace_.Fail("liveness: ", complaint);
  }

  // After one more crash of everybody, everything is there and nothing else.
  void Verify() {
    const bool power = faults_.power && random_.OneIn(2);
    const uint64_t only = random_.Below(world_.size());
    const bool may_one = checks_.KeepsEligible(world_);
    for (size_t i = 0; i < world_.size(); ++i) {
      const bool badly = faults_.within_budget ? may_one && i == only : power || random_.OneIn(2);
      if (badly) {
        Crash(world_.machine(i), power);
      } else {
        Shutdown(world_.machine(i));
      }
    }
    world_.HealAll();
    Converge();
    if (trace_.failed() || result_.given_up) return;
    oracle_.set_brokers_lag(false);
    oracle_.set_may_be_broken(false);
    clients_.Clear();
    auto owned = std::make_unique<Verifier>(context_, "verifier");
    Verifier& verifier = *owned;
    clients_.Add(std::move(owned));
    RunUntil([&] { return verifier.done(); },
             [&] {
               if (verifier.waiting() > 0 || verifier.done()) return false;
               verifier.Act();
               return verifier.waiting() > 0;
             });
    if (!verifier.done()) return trace_.Fail("the verifier did not finish");
    for (size_t i = 0; i < verifier.sessions(); ++i) verifier.session(i).Close();
    checks_.CompareReplicas(world_, oracle_);
    if (trace_.failed()) return;
    CheckNothingIsLeft();
  }

  // Once every client has gone and every time-out has passed.
  void CheckNothingIsLeft() {
    RunUntil(
        [this] { return world_.Connections() == 0 && world_.Readers() == 0 && !AppendsWait(); });
    if (world_.Connections() != 0) trace_.Fail(world_.Connections(), " connections are left");
    if (world_.Readers() != 0) trace_.Fail(world_.Readers(), " readers wait");
    if (AppendsWait()) trace_.Fail("appends wait and nobody is there");
  }

  bool AppendsWait() { return layout_.flush_on_ack && world_.AppendsWait(); }

  SeededRandom random_;
  Trace trace_;
  SimNetwork network_;
  const ClusterLayout layout_;
  ClusterWorld world_;
  ClusterChecks checks_;
  Oracle oracle_;
  ReplicaChecks replicas_;
  GroupOracle group_oracle_;
  BrokerMap brokers_;
  ClientContext context_;
  ClusterClients clients_;
  ClusterFaults faults_;
  size_t started_again_ = 0;
  ClusterRunResult result_;
};

inline ClusterRunResult RunCluster(uint64_t seed, int64_t steps, bool verbose) {
  return ClusterRun(seed, verbose).Run(steps);
}

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_CLUSTER_RUN_H_

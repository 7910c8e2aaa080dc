// -----------------------------------------------------------------------------
// File: tests/sim/node_run.h
// -----------------------------------------------------------------------------
// One run of the one-node simulator: clients, faults and crashes as a seed has them, then a phase
// without faults in which everything must be answered and what was acknowledged must be there.
// docs/simulation.md says what is checked and how to replay a run.
#ifndef WEIR_TESTS_SIM_NODE_RUN_H_
#define WEIR_TESTS_SIM_NODE_RUN_H_

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
#include "server/connection_table.h"
#include "server/group_table.h"
#include "server/partition_table.h"
#include "server/shard.h"
#include "tests/sim/group_oracle.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim_actor.h"
#include "tests/sim/sim_clients.h"
#include "tests/sim/sim_consumer.h"
#include "tests/sim/sim_group_cast.h"
#include "tests/sim/sim_node.h"
#include "tests/sim/sim_poller.h"
#include "tests/sim/sim_trace.h"
#include "tests/sim/sim_verifier.h"

namespace weir::sim {

struct NodeRunResult {
  std::string failure;  // empty: all is well
  uint64_t hash = 0;
  int64_t kills = 0, power_losses = 0, shutdowns = 0;
  Oracle::Counters counters;
  GroupOracle::Counters groups;
};

class NodeRun {
 public:
  NodeRun(uint64_t seed, bool verbose)
      : random_(seed),
        trace_(verbose),
        network_(random_),
        flush_on_ack_(!random_.OneIn(4)),
        options_(SimNode::Options::Choose(random_, flush_on_ack_)),
        node_(random_, network_, trace_, options_),
        oracle_(trace_, !flush_on_ack_),
        group_oracle_(trace_, oracle_),
        brokers_({{1, SimNode::kPort}}),
        context_{random_, node_.clock(), trace_, oracle_, group_oracle_, network_, brokers_},
        cast_(context_, 1 + random_.Below(2)) {
    group_oracle_.set_expires(options_.offsets_expire);
    ChooseFaults();
    AddClients();
    trace_.Note("seed ", seed, ", ", node_.shards(), " shards, flush on ack: ", flush_on_ack_);
  }

  NodeRunResult Run(int64_t steps) {
    for (int64_t i = 0; i < steps && !trace_.failed(); ++i) Step();
    if (!trace_.failed()) Heal();
    if (!trace_.failed()) Verify();
    result_.failure = trace_.failure();
    result_.hash = trace_.hash();
    result_.counters = oracle_.counters();
    result_.groups = group_oracle_.counters();
    return result_;
  }

 private:
  static constexpr int64_t kClientTimeoutNs = 30'000 * kNsPerMs, kHealingNs = 120'000 * kNsPerMs;

  // Each run has some kinds of faults and not others: they hide each other's consequences.
  void ChooseFaults() {
    crash_one_in_ = random_.OneIn(8) ? 0 : 100 + random_.Below(600);
    calm_one_in_ = random_.OneIn(3) ? 0 : 10 + random_.Below(30);
    power_ = random_.OneIn(2);
    disk_faults_ = random_.OneIn(3);
    full_disk_ = random_.OneIn(4);
    wall_jumps_ = random_.OneIn(3);
    network_.options().late_one_in = random_.OneIn(2) ? 4 : 0;
    network_.options().chunk_bytes_max = random_.OneIn(2) ? 64 : 1 << 20;
    network_.options().reset_one_in = random_.OneIn(3) ? 300 : 0;
    network_.options().cold_one_in = random_.OneIn(2) ? 5 : 0;
  }

  void AddClients() {
    actors_.push_back(std::make_unique<Administrator>(context_, "admin"));
    const bool moves = node_.has_two_folders() && !disk_faults_;  // ADR 17: or nobody may lead
    if (moves) actors_.push_back(std::make_unique<Mover>(context_, "mover"));
    const uint64_t has = random_.Below(4);  // groups in three runs of four, records in three too
    if (has != 0) cast_.AddTo(&actors_, "");
    has_groups_ = has != 0;
    if (has == 1) return;
    for (uint64_t i = 0; i <= random_.Below(3); ++i) {
      actors_.push_back(std::make_unique<Producer>(context_, absl::StrCat("idempotent-", i), true));
    }
    actors_.push_back(std::make_unique<Producer>(context_, "plain", false));
    for (uint64_t i = 0; i <= random_.Below(2); ++i) {
      actors_.push_back(
          std::make_unique<Consumer>(context_, absl::StrCat("consumer-", i), !random_.OneIn(3)));
    }
  }

  // --- with faults --------------------------------------------------------------------------

  void Step() {
    if (!node_.running() && random_.OneIn(10)) Start();
    const uint64_t choice = random_.Below(100);
    if (choice < 40) {
      RunShard(random_.Below(node_.shards()));
    } else if (choice < 45) {
      RunWorker();
    } else if (choice < 55) {
      CompleteSync();
    } else if (choice < 75) {
      actors_[random_.Below(actors_.size())]->Act();
    } else if (choice < 90) {
      PumpOne();
    } else if (choice < 96) {
      AdvanceTime();
    } else {
      MaybeFault();
    }
    if (calm_one_in_ > 0 && random_.OneIn(calm_one_in_)) LetThingsRun();
    if (crash_one_in_ > 0 && node_.running() && random_.OneIn(crash_one_in_)) ChooseCrash();
    if (node_.disk().crashed()) Crash(power_ && random_.OneIn(2));
    if (node_.failed()) Crash(false);
  }

  void Start() {
    const absl::Status started = node_.Start();
    disk_failed_ = disk_is_bad_;
    trace_.Note("start: ", started.ToString());
    if (started.ok() || node_.disk().crashed()) return;
    if (!disk_is_bad_) return trace_.Fail("the node does not start: ", started.ToString());
    HealDisk();
  }

  // A client that waits for something, if there is one.
  void PumpOne() {
    std::vector<SimActor*> waiting;
    for (const auto& actor : actors_) {
      if (actor->session().waiting() > 0) waiting.push_back(actor.get());
    }
    SimActor& actor = waiting.empty() ? *actors_[random_.Below(actors_.size())]
                                      : *waiting[random_.Below(waiting.size())];
    actor.session().Pump(1 + random_.Below(2000));
  }

  // Nothing is slow for a moment: what is under way arrives and is answered.
  void LetThingsRun() {
    for (uint64_t i = 0; i < 20 && node_.running() && !node_.disk().crashed(); ++i) {
      for (size_t shard = 0; shard < node_.shards(); ++shard) RunShard(shard);
      RunWorker();
      while (node_.disk().CompleteOneSync(random_)) {
      }
      for (const auto& actor : actors_) actor->session().Pump();
    }
  }

  void RunShard(size_t shard) {
    if (!node_.running()) return;
    trace_.Note("run ", shard);
    node_.RunShard(shard);
  }

  void RunWorker() {
    if (node_.running() && node_.RunWorker()) trace_.Note("worker");
  }

  void CompleteSync() {
    if (node_.disk().CompleteOneSync(random_)) trace_.Note("sync");
  }

  void AdvanceTime() {
    int64_t ns = static_cast<int64_t>(random_.Below(100 * kNsPerMs));
    if (const auto due = node_.running() ? node_.NextDue() : std::nullopt;
        due.has_value() && random_.OneIn(2)) {
      ns = std::max<int64_t>(*due - node_.clock().Monotonic(), 0);
    }
    trace_.Note("time ", ns);
    node_.clock().Advance(ns);
    for (const auto& actor : actors_) {
      Session& session = actor->session();
      if (session.waiting() == 0) continue;
      if (node_.clock().Monotonic() - session.oldest() > kClientTimeoutNs) session.Close();
    }
  }

  void MaybeFault() {
    switch (random_.Below(8)) {
      case 0:
        trace_.Note("client breaks its connection");
        return actors_[random_.Below(actors_.size())]->session().Reset();
      case 1:
        if (!wall_jumps_) return;
        node_.clock().SetJump(static_cast<int64_t>(random_.Below(7'200'000)) - 3'600'000);
        trace_.Note("wall clock jumps");
        oracle_.compaction().OnClockJump();
        return;
      case 2:
        if (disk_faults_ && random_.OneIn(5)) AddDiskFault();
        return;
      case 3:
        if (full_disk_ && random_.OneIn(3)) FillDisk();
        return;
      case 4:
      case 5:
        return HealDisk();
      default:
        return;
    }
  }

  void AddDiskFault() {
    static constexpr log::FileOp kOps[] = {log::FileOp::kRead, log::FileOp::kAppend,
                                           log::FileOp::kTruncate, log::FileOp::kSync,
                                           log::FileOp::kDirectory};
    log::FileFault fault{kOps[random_.Below(5)]};
    fault.one_in = 1 + random_.Below(20);
    fault.times = static_cast<int64_t>(1 + random_.Below(4));
    if (fault.op == log::FileOp::kRead && random_.OneIn(2)) fault.one_in = 1;
    if (node_.has_two_folders() && !random_.OneIn(4)) fault.path_contains = "/data-too/";
    trace_.Note("disk fault of kind ", static_cast<int>(fault.op));
    node_.disk().InjectFault(fault);
    disk_is_bad_ = disk_failed_ = true;
  }

  void FillDisk() {
    const auto free = node_.disk().FreeBytes("/");
    if (!free.ok()) return;
    const int64_t room = static_cast<int64_t>(random_.Below(20000));
    trace_.Note("disk is full in ", room);
    node_.disk().set_capacity_bytes(kWholeDisk - *free + room);
    disk_is_bad_ = true;
  }

  void HealDisk() {
    if (!disk_is_bad_) return;
    trace_.Note("disk heals");
    node_.disk().ClearFaults();
    node_.disk().set_capacity_bytes(kWholeDisk);
    disk_is_bad_ = false;
  }

  void ChooseCrash() {
    switch (random_.Below(4)) {
      case 0:
        return Crash(false);
      case 1:
        return Crash(power_);
      case 2:
        return random_.OneIn(3) ? Shutdown() : Crash(power_);
      default:
        trace_.Note("crash ahead");
        return node_.disk().CrashAtBoundary(static_cast<int64_t>(random_.Below(60)));
    }
  }

  // Before the node goes: what the network had taken arrives, then every connection ends.
  void PumpAll() {
    for (const auto& actor : actors_) {
      while (actor->session().Pump()) {
      }
      actor->session().Close();
    }
  }

  void Crash(bool power) {
    PumpAll();
    trace_.Note(power ? "power loss" : "kill");
    ++(power ? result_.power_losses : result_.kills);
    group_oracle_.OnCrash(power && !flush_on_ack_);
    if (power) {
      oracle_.OnPowerLoss();
      node_.LosePower();
    } else {
      node_.Kill();
    }
  }

  void Shutdown() {
    PumpAll();
    const absl::Status closed = node_.Shutdown();
    trace_.Note("shutdown: ", closed.ToString());
    ++result_.shutdowns;
    group_oracle_.OnCrash(false);
    if (node_.disk().crashed()) return;
    node_.disk().KillProcess();  // open files and locks are gone
  }

  // --- without faults -----------------------------------------------------------------------

  // Until `done`, or nothing happens any more in the time that everything has. `act` is what
  // clients do meanwhile; true while they have something to do.
  void RunUntil(const std::function<bool()>& done, const std::function<bool()>& act = nullptr) {
    const MonotonicNs end = node_.clock().Monotonic() + kHealingNs;
    while (!done() && node_.clock().Monotonic() < end && !trace_.failed()) {
      bool busy = false;
      for (size_t i = 0; i < node_.shards(); ++i) {
        if (!node_.HasWork(i)) continue;
        busy = true;
        node_.RunShard(i);
      }
      busy |= node_.RunWorker();
      while (node_.disk().CompleteOneSync(random_)) {
        busy = true;
        for (size_t i = 0; i < node_.shards(); ++i) node_.RunShard(i);
      }
      for (const auto& actor : actors_) busy |= actor->session().Pump();
      if (act) busy |= act();
      if (busy) continue;
      const std::optional<MonotonicNs> due = node_.NextDue();
      int64_t wait = due.has_value() ? *due - node_.clock().Monotonic() : kHealingNs;
      if (act) wait = std::min<int64_t>(wait, 50 * kNsPerMs);
      node_.clock().Advance(std::max<int64_t>(wait, kNsPerMs));
    }
  }

  void HealAll() {
    HealDisk();
    node_.disk().CrashAtBoundary(int64_t{1} << 60);
    network_.options() = SimNetwork::Options();
  }

  bool StartHealthy() {
    for (int i = 0; !node_.running() && i < 2; ++i) Start();
    if (!node_.running()) return false;
    RunUntil([this] { return node_.ready(); });
    if (!node_.ready()) trace_.Fail("the node started and does not get ready");
    return node_.ready();
  }

  // Everything that was asked is answered, whatever broke before.
  void Heal() {
    trace_.Note("all heals");
    HealAll();
    if (!node_.running() && !StartHealthy()) return;
    RunUntil([this] { return Waiting() == 0 || node_.failed(); });
    if (node_.failed()) {  // by what happened before
      Crash(false);
      if (!StartHealthy()) return;
      RunUntil([this] { return Waiting() == 0; });
    }
    if (Waiting() == 0) RunUntil([this] { return Readers() == 0; });
    if (Waiting() == 0 && Readers() > 0) trace_.Fail(Readers(), " readers wait, no client does");
    // A partition that could not be opened stays so until the node starts again.
    if (Waiting() == 0 && has_groups_ && !disk_failed_) {
      SettleGroups();
      ReadOffsets();
    }
    if (trace_.failed() || Waiting() == 0) return;
    for (const auto& actor : actors_) {
      if (actor->session().waiting() > 0) {
        trace_.Fail(actor->session().name(), ": a request was never answered");
      }
    }
  }
  // Groups with live members work, in the end.
  void SettleGroups() {
    cast_.Behave();
    RunUntil([this] { return cast_.IsSettled(); }, [this] { return cast_.Act(); });
    if (!cast_.IsSettled()) trace_.Fail("liveness: ", cast_.Complaint());
    RunUntil([this] { return Waiting() == 0; });
  }
  // What is told of committed offsets when nothing is under way, all must agree with.
  void ReadOffsets() {
    RunUntil([this] { return !flush_on_ack_ || !AppendsWait(); });
    if (flush_on_ack_) group_oracle_.OnQuiet();
    OffsetVerifier offsets(context_, cast_.admin());
    RunUntil([&] { return offsets.done(); }, [&] { return offsets.Act(); });
    if (!offsets.done()) trace_.Fail("committed offsets are not told");
  }
  size_t Waiting() const {
    size_t waiting = 0;
    for (const auto& actor : actors_) waiting += actor->session().waiting();
    return waiting;
  }

  // After one more crash, everything is there and nothing else.
  void Verify() {
    switch (random_.Below(3)) {
      case 0:
        Shutdown();
        break;
      case 1:
        Crash(false);
        break;
      default:
        Crash(power_);
        break;
    }
    HealAll();
    if (!StartHealthy()) return;
    actors_.clear();
    auto owned = std::make_unique<Verifier>(context_, "verifier");
    Verifier& verifier = *owned;
    actors_.push_back(std::move(owned));
    verifier.Act();
    RunUntil([&] {
      if (verifier.session().waiting() == 0 && !verifier.done()) verifier.Act();
      return verifier.done();
    });
    if (!verifier.done()) return trace_.Fail("the verifier did not finish");
    verifier.session().Close();
    if (has_groups_) VerifyGroups();
    if (!trace_.failed()) CheckNothingIsLeft();
  }

  // Committed offsets are there; new members with old names get the groups to work.
  void VerifyGroups() {
    actors_.clear();
    cast_.AddTo(&actors_, "new-");
    ReadOffsets();
    if (trace_.failed()) return;
    SettleGroups();
    cast_.VanishAll();
  }

  // Once every client has gone and every time-out has passed.
  void CheckNothingIsLeft() {
    const auto nothing = [this] {
      return Connections() == 0 && GroupRequests() == 0 && GroupTimers() == 0 && Readers() == 0 &&
             !(flush_on_ack_ && AppendsWait());
    };
    RunUntil(nothing);
    if (Connections() != 0) trace_.Fail(Connections(), " connections are left");
    if (GroupRequests() != 0) trace_.Fail(GroupRequests(), " requests wait in groups");
    if (GroupTimers() != 0) trace_.Fail(GroupTimers(), " timers of groups are left");
    if (Readers() != 0) trace_.Fail(Readers(), " readers wait");
    if (flush_on_ack_ && AppendsWait()) trace_.Fail("appends wait and nobody is there");
    for (size_t i = 0; i < node_.shards(); ++i) {
      if (node_.timers(i) <= kLoopTimersMax) continue;
      trace_.Fail(node_.timers(i), " timers are left on shard ", i);
    }
  }
  template <class Of>
  size_t Sum(Of of) const {
    size_t sum = 0;
    for (server::Shard* shard : node_.core().node().shards) sum += of(*shard);
    return sum;
  }
  size_t GroupRequests() const {
    return Sum([](server::Shard& shard) { return shard.groups().waiting(); });
  }
  size_t GroupTimers() const {
    return Sum([](server::Shard& shard) { return shard.groups().timeouts(); });
  }
  size_t Readers() const {
    return Sum([](server::Shard& shard) { return shard.partitions().readers(); });
  }
  size_t Connections() const {
    return Sum([](server::Shard& shard) { return shard.connections().size(); });
  }
  bool AppendsWait() const {
    return Sum([](server::Shard& shard) { return shard.partitions().appends_wait(); }) > 0;
  }

  static constexpr int64_t kWholeDisk = int64_t{1} << 50;
  // Of housekeeping, checkpoints, compaction, appends, groups, the controller and the broker in it.
  static constexpr size_t kLoopTimersMax = 9;

  SeededRandom random_;
  Trace trace_;
  SimNetwork network_;
  const bool flush_on_ack_;
  const SimNode::Options options_;
  SimNode node_;
  Oracle oracle_;
  GroupOracle group_oracle_;
  BrokerMap brokers_;
  ClientContext context_;
  GroupCast cast_;
  std::vector<std::unique_ptr<SimActor>> actors_;
  uint64_t crash_one_in_ = 0, calm_one_in_ = 0;
  bool power_ = false, disk_faults_ = false, full_disk_ = false, wall_jumps_ = false;
  bool has_groups_ = false, disk_is_bad_ = false;
  bool disk_failed_ = false;  // may have, since the node started
  NodeRunResult result_;
};

inline NodeRunResult RunNode(uint64_t seed, int64_t steps, bool verbose) {
  return NodeRun(seed, verbose).Run(steps);
}

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_NODE_RUN_H_

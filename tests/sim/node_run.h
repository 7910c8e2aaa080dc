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
#include "tests/sim/oracle.h"
#include "tests/sim/sim_clients.h"
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
};

class NodeRun {
 public:
  NodeRun(uint64_t seed, bool verbose)
      : random_(seed),
        trace_(verbose),
        network_(random_),
        flush_on_ack_(!random_.OneIn(4)),
        node_(random_, network_, trace_, 1 + random_.Below(3), flush_on_ack_,
              static_cast<int64_t>(500 + random_.Below(20000))),
        oracle_(trace_, !flush_on_ack_),
        context_{random_, node_.clock(), trace_, oracle_, network_, SimNode::kPort} {
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
    return result_;
  }

 private:
  static constexpr int64_t kClientTimeoutNs = 30'000 * kNsPerMs;
  static constexpr int64_t kHealingNs = 120'000 * kNsPerMs;

  // Each run has some kinds of faults and not others: they hide each other's consequences.
  void ChooseFaults() {
    crash_one_in_ = random_.OneIn(8) ? 0 : 100 + random_.Below(600);
    power_ = random_.OneIn(2);
    disk_faults_ = random_.OneIn(3);
    full_disk_ = random_.OneIn(4);
    wall_jumps_ = random_.OneIn(3);
    network_.options().late_one_in = random_.OneIn(2) ? 4 : 0;
    network_.options().chunk_bytes_max = random_.OneIn(2) ? 64 : 1 << 20;
    network_.options().reset_one_in = random_.OneIn(3) ? 300 : 0;
  }

  void AddClients() {
    actors_.push_back(std::make_unique<Administrator>(context_, "admin"));
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
    if (choice < 45) {
      RunShard(random_.Below(node_.shards()));
    } else if (choice < 55) {
      CompleteSync();
    } else if (choice < 75) {
      actors_[random_.Below(actors_.size())]->Act();
    } else if (choice < 90) {
      actors_[random_.Below(actors_.size())]->session().Pump(1 + random_.Below(2000));
    } else if (choice < 96) {
      AdvanceTime();
    } else {
      MaybeFault();
    }
    if (crash_one_in_ > 0 && node_.running() && random_.OneIn(crash_one_in_)) ChooseCrash();
    if (node_.disk().crashed()) Crash(power_ && random_.OneIn(2));
  }

  void Start() {
    const absl::Status started = node_.Start();
    trace_.Note("start: ", started.ToString());
    if (started.ok() || node_.disk().crashed()) return;
    if (!disk_is_bad_) return trace_.Fail("the node does not start: ", started.ToString());
    HealDisk();
  }

  void RunShard(size_t shard) {
    if (!node_.running()) return;
    trace_.Note("run ", shard);
    node_.RunShard(shard);
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
    log::FileFault fault;
    fault.op = kOps[random_.Below(5)];
    fault.one_in = 1 + random_.Below(20);
    fault.times = static_cast<int64_t>(1 + random_.Below(3));
    trace_.Note("disk fault of kind ", static_cast<int>(fault.op));
    node_.disk().InjectFault(fault);
    disk_is_bad_ = true;
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
    if (node_.disk().crashed()) return;
    node_.disk().KillProcess();  // open files and locks are gone
  }

  // --- without faults -----------------------------------------------------------------------

  // Until `done`, or nothing happens any more in the time that everything has.
  void RunUntil(const std::function<bool()>& done) {
    const MonotonicNs end = node_.clock().Monotonic() + kHealingNs;
    while (!done() && node_.clock().Monotonic() < end && !trace_.failed()) {
      bool busy = false;
      for (size_t i = 0; i < node_.shards(); ++i) {
        if (!node_.HasWork(i)) continue;
        busy = true;
        node_.RunShard(i);
      }
      while (node_.disk().CompleteOneSync(random_)) {
        busy = true;
        for (size_t i = 0; i < node_.shards(); ++i) node_.RunShard(i);
      }
      for (const auto& actor : actors_) busy |= actor->session().Pump();
      if (busy) continue;
      const std::optional<MonotonicNs> due = node_.NextDue();
      const int64_t wait = due.has_value() ? *due - node_.clock().Monotonic() : kHealingNs;
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
    RunUntil([this] { return Waiting() == 0; });
    if (Waiting() == 0) return;
    for (const auto& actor : actors_) {
      if (actor->session().waiting() > 0) {
        trace_.Fail(actor->session().name(), ": a request was never answered");
      }
    }
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
    RunUntil([this] { return Connections() == 0; });
    if (Connections() != 0) trace_.Fail(Connections(), " connections are left");
    if (flush_on_ack_ && AppendsWait()) trace_.Fail("appends wait and nobody is there");
  }
  size_t Connections() const {
    size_t count = 0;
    for (server::Shard* shard : node_.core().node().shards) count += shard->connections().size();
    return count;
  }
  bool AppendsWait() const {
    for (server::Shard* shard : node_.core().node().shards) {
      if (shard->partitions().needs_timer()) return true;
    }
    return false;
  }

  static constexpr int64_t kWholeDisk = int64_t{1} << 50;

  SeededRandom random_;
  Trace trace_;
  SimNetwork network_;
  const bool flush_on_ack_;
  SimNode node_;
  Oracle oracle_;
  ClientContext context_;
  std::vector<std::unique_ptr<SimActor>> actors_;
  uint64_t crash_one_in_ = 0;
  bool power_ = false, disk_faults_ = false, full_disk_ = false, wall_jumps_ = false;
  bool disk_is_bad_ = false;
  NodeRunResult result_;
};

inline NodeRunResult RunNode(uint64_t seed, int64_t steps, bool verbose) {
  return NodeRun(seed, verbose).Run(steps);
}

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_NODE_RUN_H_

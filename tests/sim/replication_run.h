// -----------------------------------------------------------------------------
// File: tests/sim/replication_run.h
// -----------------------------------------------------------------------------
// One simulated life of a cluster that replicates, drawn from a seed: clients, and what happens to
// brokers; then everything heals, and it must come to rest with nothing lost.
// Threading: one thread.
#ifndef WEIR_TESTS_SIM_REPLICATION_RUN_H_
#define WEIR_TESTS_SIM_REPLICATION_RUN_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "log/log.h"
#include "log/memory_file.h"
#include "replication/partition.h"
#include "replication/partition_events.h"
#include "replication/replication_quota.h"
#include "replication/stream_messages.h"
#include "tests/sim/replication_clients.h"
#include "tests/sim/replication_oracle.h"
#include "tests/sim/replication_world.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {

struct ReplicationOutcome {
  std::string failure;
  uint64_t hash = 0;
  int64_t acknowledged = 0;
  int64_t deaths = 0;
  int64_t elections = 0;
  int64_t truncations = 0;
};

class ReplicationRun {
 public:
  ReplicationRun(uint64_t seed, int64_t steps, bool verbose)
      : random_(seed),
        steps_(steps),
        trace_(verbose),
        config_(Draw(&random_)),
        world_(config_, &random_, &trace_,
               [this](BrokerId from, const TopicPartition& id, const replication::AppendDone& done,
                      size_t isr) { clients_.Answered(from, id, done, isr); }),
        clients_(config_, &world_, &random_, &trace_) {}

  ReplicationOutcome Go() {
    for (int64_t i = 0; i < steps_ && !trace_.failed(); ++i) Act();
    if (!trace_.failed()) Heal();
    for (const TopicPartition& id : world_.ids()) {
      world_.OracleOf(id).CheckProducers();
      outcome_.acknowledged += world_.OracleOf(id).acknowledged();
      outcome_.elections += world_.controller().Get(id).leader_epoch.value();
    }
    outcome_.truncations = world_.truncations();
    outcome_.failure = trace_.failure();
    outcome_.hash = trace_.hash();
    return outcome_;
  }

 private:
  using Node = ReplicationWorld::Node;
  using Death = ReplicationWorld::Death;

  static ReplicationConfig Draw(Random* random) {
    ReplicationConfig config;
    config.brokers = 3 + static_cast<int>(random->Below(3));
    config.partitions = 1 + static_cast<int>(random->Below(3));
    config.unclean_elections = random->OneIn(8);
    config.partition.durability =
        random->OneIn(3) ? replication::Durability::kOs : replication::Durability::kAck;
    config.partition.min_insync_replicas = 1 + static_cast<int32_t>(random->Below(3)) % 3;
    if (random->OneIn(2)) config.partition.min_insync_replicas = 2;
    config.partition.replica_lag_time_max_ns =
        (100 + static_cast<int64_t>(random->Below(900))) * kNsPerMs;
    config.log.segment_bytes = random->OneIn(2) ? 700 : 1 << 20;
    config.log.retention_ms = -1;
    return config;
  }

  // --- one step -------------------------------------------------------------------------------

  void Act() {
    const uint64_t dice = random_.Below(1000);
    if (dice < 300) {
      for (uint64_t n = 1 + random_.Below(8); n > 0; --n) world_.network().Deliver(random_);
    } else if (dice < 500) {
      Node* node = Running();
      if (node != nullptr) node->broker->EndTick(/*cold=*/!random_.OneIn(3));
    } else if (dice < 560) {
      Round();
    } else if (dice < 660) {
      Sync();
    } else if (dice < 780) {
      clients_.Produce();
    } else if (dice < 850) {
      Node* node = Running();
      if (node != nullptr) world_.Read(node);
    } else if (dice < 890) {
      world_.HandleRequest(/*faults=*/true);
    } else if (dice < 930) {
      world_.Advance(static_cast<int64_t>(random_.Below(random_.OneIn(20) ? 2000 : 40)) * kNsPerMs);
    } else if (dice < 940) {
      Node* node = Running();
      if (node != nullptr) clients_.Consume(node);
    } else if (dice < 972) {
      Watch();
    } else if (dice < 982) {
      world_.CheckPartition(world_.ids()[random_.Below(world_.ids().size())]);
    } else if (dice < 990) {
      Node* node = Running();
      if (node != nullptr) {
        node->broker->WriteCheckpoints();
        node->broker->FinishCold();
      }
    } else {
      Misfortune();
    }
    for (auto& node : world_.nodes()) {
      if (node->broker != nullptr && !node->broker->fault().empty()) {
        trace_.Fail("broker ", node->id.value(), ": ", node->broker->fault());
      }
      if (node->failed && node->broker != nullptr)
        Die(node.get(), MayLosePower(*node) ? Death::kPower : Death::kKill);
    }
  }

  // All that is well goes on for a while.
  void Round() {
    for (int i = 0; i < 3; ++i) {
      world_.Advance(kNsPerMs);
      for (auto& node : world_.nodes()) {
        if (node->broker == nullptr || node->paused || node->failed) continue;
        if (random_.OneIn(2)) node->files.CompleteOneSync(random_);
        node->broker->TakeSyncs();
        if (!node->failed) node->broker->EndTick();
      }
      for (int n = 0; n < 12; ++n) world_.network().Deliver(random_);
    }
  }

  Node* Running() {
    Node* node = world_.nodes()[random_.Below(world_.nodes().size())].get();
    return node->broker == nullptr || node->paused ? nullptr : node;
  }

  void Sync() {
    Node* node = Running();
    if (node == nullptr) return;
    for (uint64_t n = random_.Below(4); n > 0; --n) node->files.CompleteOneSync(random_);
    node->broker->TakeSyncs();
  }

  // The controller notices what became of brokers; or takes one for dead that is not.
  void Watch() {
    for (auto& node : world_.nodes()) {
      const bool lives = node->broker != nullptr && !node->paused;
      if (node->broker == nullptr && random_.OneIn(3)) {
        if (world_.controller().is_active(node->id)) {
          world_.Fence(node->id);
        } else {
          world_.Start(node.get());
        }
      } else if (lives && !node->registered && random_.OneIn(2)) {
        world_.Register(node.get());
      } else if (lives && node->registered && !world_.controller().is_active(node->id)) {
        while (world_.Read(node.get())) {
        }
        if (node->broker != nullptr && !node->failed) world_.Unfence(node.get());
      } else if (node->paused && random_.OneIn(3)) {
        if (world_.controller().is_active(node->id)) world_.Fence(node->id);
      } else if (random_.OneIn(40)) {
        world_.Fence(node->id);
      }
    }
    if (random_.OneIn(6)) world_.Prefer(world_.ids()[random_.Below(world_.ids().size())]);
  }

  void Misfortune() {
    Node* node = world_.nodes()[random_.Below(world_.nodes().size())].get();
    switch (random_.Below(13)) {
      case 0:
      case 1:
        if (node->broker != nullptr) Die(node, Death::kKill);
        return;
      case 2:
        if (node->broker != nullptr && MayLosePower(*node)) Die(node, Death::kPower);
        return;
      case 3:
        if (node->broker != nullptr && node->registered && world_.MayLose(*node) &&
            random_.OneIn(2)) {
          Die(node, Death::kWipe);
        }
        return;
      case 4:
        if (config_.partition.durability != replication::Durability::kAck || !random_.OneIn(4)) {
          return;
        }
        for (auto& each : world_.nodes()) {
          if (each->broker != nullptr) Die(each.get(), Death::kPower);
        }
        return;
      case 5:
        if (node->broker != nullptr) node->paused = !node->paused;
        return;
      case 6:
      case 7:
        world_.network().Break(random_, [](const replication::StreamHello&) { return true; });
        return;
      case 8: {
        const BrokerId other(static_cast<int32_t>(1 + random_.Below(world_.nodes().size())));
        if (!world_.blocked().erase({node->id, other})) world_.blocked().insert({node->id, other});
        if (random_.OneIn(3)) world_.blocked().clear();
        return;
      }
      case 9:
        node->files.set_capacity_bytes(random_.OneIn(3) ? 0 : int64_t{1} << 40);
        return;
      case 10:
        if (random_.OneIn(4) && MayLosePower(*node)) {
          node->files.InjectFault({log::FileOp::kSync, "", 1, 1});
        }
        return;
      case 11:
        if (node->broker != nullptr) Throttle(&node->broker->quotas());
        return;
      default:
        Delete(node);
        return;
    }
  }
  void Throttle(replication::ReplicationQuotas* quotas) {
    constexpr int64_t kRates[] = {0, 100, 10'000, replication::ReplicationQuota::kNoLimit};
    quotas->leader.SetRate(kRates[random_.Below(std::size(kRates))]);
    quotas->follower.SetRate(kRates[random_.Below(std::size(kRates))]);
  }
  void Die(Node* node, Death death) {
    ++outcome_.deaths;
    // Under `os`, and of a log that has failed, what was not durable may be gone.
    world_.Die(node, death);
  }
  bool MayLosePower(const Node& node) const {
    return config_.partition.durability == replication::Durability::kAck || world_.MayLose(node);
  }
  void Delete(Node* node) {
    const TopicPartition& id = world_.ids()[random_.Below(world_.ids().size())];
    replication::Partition* partition = node->broker == nullptr ? nullptr : node->broker->Find(id);
    if (partition == nullptr || !partition->is_leader() || node->failed) return;
    const int64_t room = partition->high_watermark() - partition->log().log_start_offset();
    if (room <= 0) return;
    const Offset to = partition->log().log_start_offset() +
                      static_cast<int64_t>(random_.Below(static_cast<uint64_t>(room) + 1));
    trace_.Note(node->id.value(), " deletes ", id.partition.value(), " to ", to.value());
    (void)node->broker->DeleteRecords(id, to);
    world_.OracleOf(id).Deleted(to);
    (void)node->broker->Retain(id);
  }

  // --- the end --------------------------------------------------------------------------------

  // No more faults: everything comes to rest, within bounds.
  void Heal() {
    trace_.Note("heal");
    world_.blocked().clear();
    for (auto& node : world_.nodes()) {
      node->paused = false;
      if (node->broker != nullptr) {
        node->broker->quotas().leader.SetRate(replication::ReplicationQuota::kNoLimit);
        node->broker->quotas().follower.SetRate(replication::ReplicationQuota::kNoLimit);
      }
      node->files.ClearFaults();
      node->files.set_capacity_bytes(int64_t{1} << 40);
    }
    int quiet = 0;
    for (int round = 0; round < 3000 && quiet < 5 && !trace_.failed(); ++round) {
      world_.Advance(10 * kNsPerMs);
      for (auto& node : world_.nodes()) {
        if (node->failed && node->broker != nullptr)
          Die(node.get(), MayLosePower(*node) ? Death::kPower : Death::kKill);
        if (node->broker == nullptr) {
          if (world_.controller().is_active(node->id)) world_.Fence(node->id);
          world_.Start(node.get());
        }
        if (node->broker == nullptr) continue;
        if (!node->registered) world_.Register(node.get());
        while (node->broker != nullptr && world_.Read(node.get())) {
        }
        if (!world_.controller().is_active(node->id)) world_.Unfence(node.get());
      }
      for (int i = 0; i < 2 && round < 60; ++i) clients_.Produce();
      for (auto& node : world_.nodes()) {
        while (node->files.CompleteOneSync(random_)) {
        }
        node->broker->TakeSyncs();
        while (node->broker->FinishCold()) {
        }
        node->broker->EndTick();
      }
      while (world_.network().Deliver(random_)) {
      }
      while (world_.HandleRequest(/*faults=*/false)) {
      }
      quiet = round > 60 && AtRest() ? quiet + 1 : 0;
    }
    if (quiet < 5) {
      trace_.Fail("it does not come to rest (invariant 27)", WhatIsLeft());
      return;
    }
    for (const TopicPartition& id : world_.ids()) {
      world_.CheckPartition(id);
      CheckEqual(id);
    }
  }

  bool AtRest() {
    if (world_.has_requests()) return false;
    for (const TopicPartition& id : world_.ids()) {
      const ModelPartition& p = world_.controller().Get(id);
      if (p.leader == kNoBroker || p.isr.size() != p.replicas.size() || p.recovery_state != 0) {
        return false;
      }
      for (const BrokerId replica : p.replicas) {
        const Node& node = world_.NodeOf(replica);
        if (node.broker == nullptr) return false;
        const replication::Partition& partition = *node.broker->Find(id);
        const replication::Partition& leader = *world_.NodeOf(p.leader).broker->Find(id);
        if (partition.leader_epoch() != p.leader_epoch ||
            partition.log().log_end_offset() != leader.log().log_end_offset() ||
            partition.high_watermark() != leader.log().log_end_offset() ||
            partition.log().log_start_offset() < leader.log().log_start_offset()) {
          return false;
        }
      }
    }
    return true;
  }
  std::string WhatIsLeft() {
    std::string text;
    for (const TopicPartition& id : world_.ids()) {
      const ModelPartition& p = world_.controller().Get(id);
      absl::StrAppend(&text, "; partition ", id.partition.value(), " leader ", p.leader.value(),
                      " isr ", ReplicationWorld::IdsText(p.isr), " elr ",
                      ReplicationWorld::IdsText(p.elr));
      for (const BrokerId replica : p.replicas) {
        const Node& node = world_.NodeOf(replica);
        if (node.broker == nullptr) continue;
        const replication::Partition& partition = *node.broker->Find(id);
        absl::StrAppend(
            &text, " ", replica.value(), ":", partition.log().log_start_offset().value(), "-",
            partition.high_watermark().value(), "-", partition.log().log_end_offset().value(),
            " epoch ", partition.leader_epoch().value());
        if (!partition.is_leader()) continue;
        for (const auto& other : partition.others()) {
          absl::StrAppend(&text, " (of ", other.broker.value(), " follow ", other.follow, " end ",
                          other.end.value(), " durable ", other.flushed.value(),
                          other.stalled ? " stalled" : "", ")");
        }
      }
    }
    return text;
  }
  void CheckEqual(const TopicPartition& id) {
    const ModelPartition& p = world_.controller().Get(id);
    Offset start{0};
    for (const BrokerId replica : p.replicas) {
      start = std::max(start, world_.NodeOf(replica).broker->Find(id)->log().log_start_offset());
    }
    std::optional<std::vector<SeenBatch>> first;
    for (const BrokerId replica : p.replicas) {
      log::Log& log = world_.NodeOf(replica).broker->Find(id)->log();
      auto batches = BatchesOf(log, start, log.log_end_offset());
      if (!batches.ok()) {
        trace_.Fail("broker ", replica.value(), ": ", batches.status().message());
        return;
      }
      if (!first.has_value()) first = *batches;
      if (*first != *batches) {
        trace_.Fail("broker ", replica.value(), " differs in partition ", id.partition.value(),
                    " (invariant 3)");
      }
    }
  }

  SeededRandom random_;
  const int64_t steps_;
  Trace trace_;
  const ReplicationConfig config_;
  ReplicationOutcome outcome_;
  ReplicationWorld world_;
  ReplicationClients clients_;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_REPLICATION_RUN_H_

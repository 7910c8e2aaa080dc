// -----------------------------------------------------------------------------
// File: tests/sim/replication_controller.h
// -----------------------------------------------------------------------------
// A controller in small for the simulator of replication: brokers, leaders, ISR and eligible leader
// replicas by the rules of coordination/metadata (KIP-497, 841, 903, 966), in one piece that never
// fails. What it decided stands in a log that each broker reads in its own time.
#ifndef WEIR_TESTS_SIM_REPLICATION_CONTROLLER_H_
#define WEIR_TESTS_SIM_REPLICATION_CONTROLLER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "protocol/error_code.h"
#include "replication/partition_events.h"

namespace weir::sim {

using BrokerIds = std::vector<BrokerId>;

inline bool HasBroker(const BrokerIds& ids, BrokerId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}
inline void RemoveBroker(BrokerIds* ids, BrokerId id) {
  ids->erase(std::remove(ids->begin(), ids->end(), id), ids->end());
}

struct ModelPartition {
  BrokerId leader = kNoBroker;
  LeaderEpoch leader_epoch{0};
  int32_t partition_epoch = 0;
  BrokerIds replicas;
  BrokerIds isr;
  BrokerIds elr;
  int8_t recovery_state = 0;
  int64_t unclean = 0;  // elections
};

class ModelController {
 public:
  struct Config {
    size_t min_insync = 1;
    bool unclean_elections = false;
  };
  struct Change {
    TopicPartition id;
    ModelPartition partition;
  };
  struct Answer {
    protocol::ErrorCode error = protocol::ErrorCode::kNone;
    ModelPartition partition;
  };

  explicit ModelController(const Config& config) : config_(config) {}

  void Create(const TopicPartition& id, BrokerIds replicas) {
    ModelPartition& p = partitions_[id];
    p.isr = replicas;
    p.replicas = std::move(replicas);
    p.leader = p.replicas[0];
    log_.push_back({id, p});
  }

  // A broker starts. `lost` what it had: it counts as a replica with nothing.
  void Register(BrokerId broker, int64_t epoch, bool lost) {
    Fence(broker);
    epochs_[broker] = epoch;
    if (lost) Lose(broker);
  }
  // What the broker had is gone.
  void Lose(BrokerId broker) {
    Fence(broker);
    for (auto& [id, p] : partitions_) {
      if (!HasBroker(p.isr, broker) && !HasBroker(p.elr, broker)) continue;
      ModelPartition after = p;
      RemoveBroker(&after.isr, broker);
      RemoveBroker(&after.elr, broker);
      Commit(id, std::move(after), broker);
    }
  }
  void Fence(BrokerId broker) {
    active_[broker] = false;
    for (auto& [id, p] : partitions_) {
      if (p.leader != broker && !HasBroker(p.isr, broker)) continue;
      ModelPartition after = p;
      RemoveBroker(&after.isr, broker);
      Commit(id, std::move(after), kNoBroker);
    }
  }
  void Unfence(BrokerId broker) {
    active_[broker] = true;
    for (auto& [id, p] : partitions_) {
      if (p.leader == kNoBroker) Commit(id, p, kNoBroker);
    }
  }
  // The first replica, if it is in sync, is to lead.
  void Prefer(const TopicPartition& id) {
    const ModelPartition& p = partitions_.at(id);
    const BrokerId preferred = p.replicas[0];
    if (p.leader == preferred || !HasBroker(p.isr, preferred) || !is_active(preferred)) return;
    ModelPartition after = p;
    after.leader = preferred;
    Commit(id, std::move(after), kNoBroker);
  }

  Answer Alter(BrokerId from, int64_t broker_epoch, const TopicPartition& id,
               const replication::ProposeIsr& change) {
    using protocol::ErrorCode;
    const ModelPartition& p = partitions_.at(id);
    const auto epoch = epochs_.find(from);
    if (epoch == epochs_.end() || epoch->second != broker_epoch) {
      return {ErrorCode::kStaleBrokerEpoch, p};
    }
    if (change.leader_epoch > p.leader_epoch) return {ErrorCode::kNotController, p};
    if (change.leader_epoch < p.leader_epoch) return {ErrorCode::kFencedLeaderEpoch, p};
    if (p.leader != from) return {ErrorCode::kInvalidRequest, p};
    if (change.partition_epoch != p.partition_epoch) return {ErrorCode::kInvalidUpdateVersion, p};
    ModelPartition after = p;
    after.isr.clear();
    for (const replication::ProposeIsr::Member& member : change.isr) {
      if (!HasBroker(p.replicas, member.broker)) return {ErrorCode::kInvalidRequest, p};
      if (!is_active(member.broker) ||
          (member.broker_epoch != -1 && member.broker_epoch != epochs_[member.broker])) {
        return {ErrorCode::kIneligibleReplica, p};
      }
      after.isr.push_back(member.broker);
    }
    if (!HasBroker(after.isr, from)) return {ErrorCode::kInvalidRequest, p};
    after.recovery_state = change.recovery_state;
    Commit(id, std::move(after), kNoBroker);
    return {ErrorCode::kNone, partitions_.at(id)};
  }

  bool is_active(BrokerId broker) const {
    const auto found = active_.find(broker);
    return found != active_.end() && found->second;
  }
  const ModelPartition& Get(const TopicPartition& id) const { return partitions_.at(id); }
  const std::map<TopicPartition, ModelPartition>& partitions() const { return partitions_; }
  const std::vector<Change>& log() const { return log_; }

 private:
  void Commit(const TopicPartition& id, ModelPartition after, BrokerId lost) {
    ModelPartition& p = partitions_.at(id);
    // Who leaves while too few are in sync has all that was acknowledged: it stays eligible.
    if (after.isr.size() >= std::min(config_.min_insync, p.replicas.size())) {
      after.elr.clear();
    } else {
      for (const BrokerId broker : p.isr) {
        if (!HasBroker(after.isr, broker) && !HasBroker(after.elr, broker) && broker != lost) {
          after.elr.push_back(broker);
        }
      }
      for (const BrokerId broker : after.isr) RemoveBroker(&after.elr, broker);
    }
    if (after.leader != kNoBroker &&
        (!is_active(after.leader) || !HasBroker(after.isr, after.leader))) {
      after.leader = kNoBroker;
    }
    if (after.leader == kNoBroker) Elect(&after);
    if (after.leader != p.leader) after.leader_epoch = LeaderEpoch(p.leader_epoch.value() + 1);
    ++after.partition_epoch;
    p = std::move(after);
    log_.push_back({id, p});
  }
  void Elect(ModelPartition* p) {
    for (const BrokerId broker : p->replicas) {
      if (!is_active(broker) || !HasBroker(p->isr, broker)) continue;
      p->leader = broker;
      return;
    }
    for (const BrokerId broker : p->replicas) {
      if (!is_active(broker) || !HasBroker(p->elr, broker)) continue;
      p->leader = broker;
      p->isr.push_back(broker);
      RemoveBroker(&p->elr, broker);
      if (p->isr.size() >= std::min(config_.min_insync, p->replicas.size())) p->elr.clear();
      return;
    }
    if (!config_.unclean_elections) return;
    for (const BrokerId broker : p->replicas) {
      if (!is_active(broker)) continue;
      p->leader = broker;
      p->isr = {broker};
      p->elr.clear();
      p->recovery_state = 1;
      ++p->unclean;
      return;
    }
  }

  const Config config_;
  std::map<TopicPartition, ModelPartition> partitions_;
  std::map<BrokerId, int64_t> epochs_;
  std::map<BrokerId, bool> active_;
  std::vector<Change> log_;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_REPLICATION_CONTROLLER_H_

// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/isr_changes.h
// -----------------------------------------------------------------------------
// Whether a leader may change the ISR of its partitions: the rules of Kafka's controller for
// AlterPartition (KIP-497, KIP-841, KIP-903).
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_ISR_CHANGES_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_ISR_CHANGES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/ids.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/internal/elections.h"
#include "coordination/metadata/internal/partition_apply.h"
#include "coordination/metadata/internal/partition_change.h"
#include "coordination/metadata/records.h"
#include "protocol/error_code.h"

namespace weir::metadata::metadata_internal {

// Plans one AlterPartition of a broker whose epoch was checked. Partitions fail one by one.
class IsrChanger {
 public:
  IsrChanger(const MetadataState& image, const ControllerConfig& config)
      : image_(image), elections_(image, config) {}

  PartitionsAltered Plan(const AlterPartition& event, std::vector<MetadataRecord>* records) {
    PartitionsAltered response;
    std::set<TopicPartition> changed;
    for (const AlterPartition::Change& change : event.changes) {
      PartitionsAltered::Result& result = response.results.emplace_back();
      result.partition = change.partition;
      if (!changed.insert(change.partition).second) {
        result.error = protocol::ErrorCode::kInvalidRequest;  // twice in one request
      } else {
        PlanPartition(event.broker, change, records, &result);
      }
    }
    return response;
  }

 private:
  static constexpr int8_t kRecovered = 0;
  static constexpr int8_t kRecovering = 1;

  void PlanPartition(BrokerId leader, const AlterPartition::Change& change,
                     std::vector<MetadataRecord>* records, PartitionsAltered::Result* result) {
    if (image_.FindTopic(change.partition.topic_id) == nullptr) {
      result->error = protocol::ErrorCode::kUnknownTopicId;
      return;
    }
    const PartitionImage* before = image_.FindPartition(change.partition);
    if (before == nullptr) {
      result->error = protocol::ErrorCode::kUnknownTopicOrPartition;
      return;
    }
    result->error = Check(leader, change, *before);
    if (result->error != protocol::ErrorCode::kNone) return;
    BrokerIdList isr;
    for (const AlterPartition::Member& member : change.isr) isr.push_back(member.broker);
    PartitionImage after = *before;
    std::optional<PartitionChangeRecord> record =
        elections_.Of(change.partition, *before)
            .SetIsr(std::move(isr))
            .SetRecoveryState(change.leader_recovery_state)
            .Build();
    if (record.has_value()) {
      WEIR_CHECK(ApplyPartitionChange(*record, &after).ok());
      records->push_back(*std::move(record));
      // The end of a reassignment may give the partition to another leader.
      if (after.leader != leader) {
        result->error = protocol::ErrorCode::kNewLeaderElected;
        return;
      }
    }
    result->leader = after.leader;
    result->leader_epoch = after.leader_epoch;
    result->partition_epoch = after.partition_epoch;
    result->isr = std::move(after.isr);
    result->leader_recovery_state = after.leader_recovery_state;
  }

  protocol::ErrorCode Check(BrokerId leader, const AlterPartition::Change& change,
                            const PartitionImage& p) const {
    using protocol::ErrorCode;
    // Who knows more than this controller had better ask another one.
    if (change.leader_epoch > p.leader_epoch) return ErrorCode::kNotController;
    if (change.partition_epoch > p.partition_epoch) return ErrorCode::kNotController;
    if (change.leader_epoch < p.leader_epoch) return ErrorCode::kFencedLeaderEpoch;
    if (leader != p.leader) return ErrorCode::kInvalidRequest;
    if (change.partition_epoch < p.partition_epoch) return ErrorCode::kInvalidUpdateVersion;
    if (!IsWellFormed(leader, change, p)) return ErrorCode::kInvalidRequest;
    for (const AlterPartition::Member& member : change.isr) {
      if (!MayJoin(member, p)) return ErrorCode::kIneligibleReplica;
    }
    return ErrorCode::kNone;
  }

  static bool IsWellFormed(BrokerId leader, const AlterPartition::Change& change,
                           const PartitionImage& p) {
    std::set<BrokerId> members;
    for (const AlterPartition::Member& member : change.isr) {
      if (!members.insert(member.broker).second || !Has(p.replicas, member.broker)) return false;
    }
    if (members.count(leader) == 0) return false;
    const int8_t state = change.leader_recovery_state;
    if (state != kRecovered && state != kRecovering) return false;
    // A leader recovers alone, and only once after an election.
    return state == kRecovered || (members.size() == 1 && p.leader_recovery_state == kRecovering);
  }

  bool MayJoin(const AlterPartition::Member& member, const PartitionImage& p) const {
    const BrokerImage* broker = image_.FindBroker(member.broker);
    if (broker == nullptr || !broker->is_active()) return false;
    if (member.broker_epoch != -1 && member.broker_epoch != broker->epoch) return false;
    // Its directory may have failed since it caught up.
    for (size_t i = 0; i < p.replicas.size(); ++i) {
      if (p.replicas[i] == member.broker) return broker->HasOnline(p.directories[i]);
    }
    return false;
  }

  const MetadataState& image_;
  ElectionPlanner elections_;
};

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_ISR_CHANGES_H_

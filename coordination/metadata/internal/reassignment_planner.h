// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/reassignment_planner.h
// -----------------------------------------------------------------------------
// Which records move partitions to other replicas, or stop doing so: the rules of Kafka's
// controller for AlterPartitionReassignments (KIP-455, KIP-860).
//
// While a partition moves, its replicas are those that it is to have, in their order, and behind
// them those that are to go. Replicas that it had before are in sync or not as they were; what is
// new is in `adding`. partition_change.h ends the move once all that are to stay are in sync.
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_REASSIGNMENT_PLANNER_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_REASSIGNMENT_PLANNER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/internal/elections.h"
#include "coordination/metadata/internal/partition_change.h"
#include "coordination/metadata/internal/placement.h"
#include "coordination/metadata/records.h"
#include "protocol/api/alter_partition_reassignments.h"
#include "protocol/error_code.h"

namespace weir::metadata::metadata_internal {

// Plans one request against an image. Partitions fail one by one.
class ReassignmentPlanner {
 public:
  using Request = protocol::AlterPartitionReassignmentsRequest;
  using Response = protocol::AlterPartitionReassignmentsResponse;

  ReassignmentPlanner(const MetadataState& image, const ControllerConfig& config)
      : image_(image), elections_(image, config) {}

  Response Plan(const Request& request, std::vector<MetadataRecord>* records) {
    Response response;
    response.allow_replication_factor_change = request.allow_replication_factor_change;
    response.error_message.reset();
    for (const Request::ReassignableTopic& asked : request.topics) {
      Response::ReassignableTopicResponse& topic = response.responses.emplace_back();
      topic.name = asked.name;
      for (const Request::ReassignablePartition& partition : asked.partitions) {
        PlanError error =
            PlanPartition(asked.name, partition, request.allow_replication_factor_change, records);
        Response::ReassignablePartitionResponse& result = topic.partitions.emplace_back();
        result.partition_index = partition.partition_index;
        result.error_code = static_cast<int16_t>(error.code);
        result.error_message.reset();
        if (!error.ok()) result.error_message = std::move(error.message);
      }
    }
    return response;
  }

 private:
  PlanError PlanPartition(const std::string& name, const Request::ReassignablePartition& asked,
                          bool may_change_count, std::vector<MetadataRecord>* records) {
    const TopicImage* topic = image_.FindTopic(name);
    const PartitionImage* p =
        topic == nullptr ? nullptr : topic->Find(PartitionIndex(asked.partition_index));
    if (p == nullptr) {
      return {
          protocol::ErrorCode::kUnknownTopicOrPartition,
          absl::StrCat("There is no partition ", asked.partition_index, " of topic '", name, "'")};
    }
    const TopicPartition tp{topic->id, PartitionIndex(asked.partition_index)};
    if (!planned_.insert(tp).second) {
      return {protocol::ErrorCode::kInvalidRequest, "Partition appears twice in the request"};
    }
    if (!asked.replicas.has_value()) return Cancel(tp, *p, records);
    BrokerIdList target;
    for (const int32_t id : *asked.replicas) target.push_back(BrokerId(id));
    if (PlanError error = CheckTarget(target); !error.ok()) return error;
    const BrokerIdList original = Without(p->replicas, p->adding_replicas);
    // As many as there are when what is under way has ended (KIP-860).
    const size_t count = Without(p->replicas, p->removing_replicas).size();
    if (!may_change_count && target.size() != count) {
      return {protocol::ErrorCode::kInvalidReplicationFactor,
              absl::StrCat("Expected ", count, " replicas as before, came ", target.size())};
    }
    BrokerIdList replicas = target;
    for (const BrokerId id : Without(p->replicas, target)) replicas.push_back(id);
    PartitionChange change = elections_.Of(tp, *p);
    BrokerIdList adding = Without(replicas, original);
    BrokerIdList removing = Without(replicas, target);
    change.SetReplicas(std::move(replicas), std::move(adding), std::move(removing));
    ElectionPlanner::Add(std::move(change), records);
    return {};
  }

  // Back to the replicas of before. If those are all out of sync, one of them leads without what
  // was written since, which the topic has to allow.
  PlanError Cancel(const TopicPartition& tp, const PartitionImage& p,
                   std::vector<MetadataRecord>* records) {
    if (p.adding_replicas.empty() && p.removing_replicas.empty()) {
      return {protocol::ErrorCode::kNoReassignmentInProgress,
              "The partition is not being reassigned"};
    }
    BrokerIdList replicas = Without(p.replicas, p.adding_replicas);
    BrokerIdList isr = Without(p.isr, p.adding_replicas);
    const BrokerIdList eligible = Without(p.eligible_leader_replicas, p.adding_replicas);
    const bool loses = isr.empty() && eligible.empty();
    if (replicas.empty() || (loses && !elections_.RulesFor(tp).unclean_election)) {
      return {protocol::ErrorCode::kInvalidReplicaAssignment,
              "None of the replicas of before is in sync: to go back would need an unclean "
              "election, which the topic does not allow"};
    }
    PartitionChange change = elections_.Of(tp, p);
    change.SetIsr(std::move(isr));
    change.SetReplicas(std::move(replicas), {}, {});
    ElectionPlanner::Add(std::move(change), records);
    return {};
  }

  PlanError CheckTarget(const BrokerIdList& target) const {
    const auto refuse = [](std::string message) {
      return PlanError{protocol::ErrorCode::kInvalidReplicaAssignment, std::move(message)};
    };
    if (target.empty()) return refuse("The assignment has no replicas");
    std::set<BrokerId> seen;
    for (const BrokerId id : target) {
      if (!seen.insert(id).second) {
        return refuse(absl::StrCat("The assignment names broker ", id.value(), " twice"));
      }
      if (image_.FindBroker(id) == nullptr) {
        return refuse(absl::StrCat("Broker ", id.value(), " is not registered"));
      }
    }
    return {};
  }

  const MetadataState& image_;
  ElectionPlanner elections_;
  std::set<TopicPartition> planned_;
};

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_REASSIGNMENT_PLANNER_H_

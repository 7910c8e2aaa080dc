// -----------------------------------------------------------------------------
// File: client/partition_admin.h
// -----------------------------------------------------------------------------
// Administration of where partitions have their replicas (KIP-455), and of who leads them
// (KIP-460).
// Threading: that of its Cluster.
// Errors: as client/admin.h; each partition has a Status of its own.
#ifndef WEIR_CLIENT_PARTITION_ADMIN_H_
#define WEIR_CLIENT_PARTITION_ADMIN_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "client/admin.h"
#include "client/admin_types.h"
#include "client/cluster.h"
#include "client/topic_and_partition.h"
#include "protocol/api/alter_partition_reassignments.h"
#include "protocol/api/describe_topic_partitions.h"
#include "protocol/api/elect_leaders.h"
#include "protocol/api/list_partition_reassignments.h"
#include "protocol/error_code.h"

namespace weir::client {

class PartitionAdmin {
 public:
  explicit PartitionAdmin(Admin& admin) : admin_(admin), cluster_(admin.cluster()) {}

  // Begins to move partitions, or ends that.
  absl::StatusOr<std::vector<PartitionOutcome>> AlterReassignments(
      absl::Span<const PartitionMove> moves, bool may_change_factor = true) {
    protocol::AlterPartitionReassignmentsRequest request;
    request.timeout_ms = static_cast<int32_t>(cluster_.config().request_timeout_ms);
    request.allow_replication_factor_change = may_change_factor;
    std::map<std::string, size_t> topics;
    for (const PartitionMove& move : moves) {
      const auto [at, is_new] = topics.try_emplace(move.topic, request.topics.size());
      if (is_new) request.topics.push_back({move.topic, {}});
      request.topics[at->second].partitions.push_back({move.partition, move.replicas});
    }
    const auto source = [request](int16_t version) {
      protocol::AlterPartitionReassignmentsRequest asked = request;
      if (version < 1) asked.allow_replication_factor_change = true;
      return asked;
    };
    WEIR_ASSIGN_OR_RETURN(
        const protocol::AlterPartitionReassignmentsResponse response,
        admin_.CallController<protocol::AlterPartitionReassignmentsRequest>(source, TopError));
    WEIR_RETURN_IF_ERROR(Admin::Error(response.error_code, "", response.error_message));
    std::vector<PartitionOutcome> outcomes;
    for (const auto& topic : response.responses) {
      for (const auto& partition : topic.partitions) {
        outcomes.push_back({topic.name, partition.partition_index,
                            Admin::Error(partition.error_code,
                                         absl::StrCat(topic.name, "-", partition.partition_index),
                                         partition.error_message)});
      }
    }
    return outcomes;
  }

  // Those that are under way, of all topics.
  absl::StatusOr<std::vector<OngoingMove>> ListReassignments() {
    protocol::ListPartitionReassignmentsRequest request;
    request.timeout_ms = static_cast<int32_t>(cluster_.config().request_timeout_ms);
    WEIR_ASSIGN_OR_RETURN(
        protocol::ListPartitionReassignmentsResponse response,
        admin_.CallController<protocol::ListPartitionReassignmentsRequest>(request, TopError));
    WEIR_RETURN_IF_ERROR(Admin::Error(response.error_code, "", response.error_message));
    std::vector<OngoingMove> moves;
    for (auto& topic : response.topics) {
      for (auto& partition : topic.partitions) {
        moves.push_back({topic.name, partition.partition_index, std::move(partition.replicas),
                         std::move(partition.adding_replicas),
                         std::move(partition.removing_replicas)});
      }
    }
    return moves;
  }

  // Of all partitions of these topics; kUnimplemented where brokers do not tell (before KIP-966),
  // kInternal where one begins a page where the last one did, or before.
  absl::StatusOr<std::map<TopicAndPartition, EligibleReplicas>> ListEligible(
      absl::Span<const std::string> topics) {
    protocol::DescribeTopicPartitionsRequest request;
    for (const std::string& topic : topics) request.topics.push_back({topic});
    std::map<TopicAndPartition, EligibleReplicas> found;
    while (!request.topics.empty()) {
      WEIR_ASSIGN_OR_RETURN(protocol::DescribeTopicPartitionsResponse response,
                            cluster_.CallAny(request, cluster_.Deadline()));
      for (auto& topic : response.topics) {
        for (auto& partition : topic.partitions) {
          found[{topic.name.value_or(""), partition.partition_index}] = {
              std::move(partition.eligible_leader_replicas).value_or(std::vector<int32_t>()),
              std::move(partition.last_known_elr).value_or(std::vector<int32_t>())};
        }
      }
      if (!response.next_cursor.has_value()) break;
      const TopicAndPartition next{std::move(response.next_cursor->topic_name),
                                   response.next_cursor->partition_index};
      if (request.cursor.has_value() &&
          next <= TopicAndPartition{request.cursor->topic_name, request.cursor->partition_index}) {
        return absl::InternalError(absl::StrCat(
            "expected a page behind ", request.cursor->topic_name, "-",
            request.cursor->partition_index, ", came one at ", next.topic, "-", next.partition));
      }
      request.cursor = {next.topic, next.partition};
    }
    return found;
  }

  // Elects the first replicas (kPreferredElection), or anybody where nobody leads
  // (kUncleanElection); without `partitions` wherever that changes something.
  absl::StatusOr<std::vector<ElectionOutcome>> ElectLeaders(
      int8_t type, const std::optional<std::vector<TopicAndPartition>>& partitions) {
    protocol::ElectLeadersRequest request;
    request.election_type = type;
    request.timeout_ms = static_cast<int32_t>(cluster_.config().request_timeout_ms);
    if (!partitions.has_value()) {
      request.topic_partitions.reset();
    } else {
      std::map<std::string, std::vector<int32_t>> topics;
      for (const TopicAndPartition& tp : *partitions) topics[tp.topic].push_back(tp.partition);
      for (auto& [topic, indexes] : topics) {
        request.topic_partitions->push_back({topic, std::move(indexes)});
      }
    }
    WEIR_ASSIGN_OR_RETURN(const protocol::ElectLeadersResponse response,
                          admin_.CallController<protocol::ElectLeadersRequest>(request, TopError));
    WEIR_RETURN_IF_ERROR(Admin::Error(response.error_code, ""));
    std::vector<ElectionOutcome> outcomes;
    for (const auto& topic : response.replica_election_results) {
      for (const auto& result : topic.partition_result) {
        const auto code = static_cast<protocol::ErrorCode>(result.error_code);
        const bool is_there = code == protocol::ErrorCode::kElectionNotNeeded;
        outcomes.push_back({topic.topic, result.partition_id,
                            is_there
                                ? absl::OkStatus()
                                : Admin::Error(result.error_code,
                                               absl::StrCat(topic.topic, "-", result.partition_id),
                                               result.error_message),
                            code == protocol::ErrorCode::kNone});
      }
    }
    return outcomes;
  }

 private:
  // Another controller is to be asked.
  static constexpr auto TopError = [](const auto& response) {
    return Admin::IsOtherController(response.error_code) ? protocol::ErrorCode::kNotController
                                                         : protocol::ErrorCode::kNone;
  };

  Admin& admin_;
  Cluster& cluster_;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_PARTITION_ADMIN_H_

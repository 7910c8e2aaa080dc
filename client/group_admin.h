// -----------------------------------------------------------------------------
// File: client/group_admin.h
// -----------------------------------------------------------------------------
// Administration of consumer groups and the offsets that they committed. Each call goes to the
// group's coordinator, which is found first and found again when it moved or is loading; every call
// blocks until it is answered or its time is over.
// Threading: that of its Cluster.
// Errors: as client/admin.h; kUnavailable or kDeadlineExceeded when no coordinator took the call in
// time. What each group or partition came to is in its own Status.
#ifndef WEIR_CLIENT_GROUP_ADMIN_H_
#define WEIR_CLIENT_GROUP_ADMIN_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/sort.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "client/admin.h"
#include "client/admin_types.h"
#include "client/cluster.h"
#include "client/topic_and_partition.h"
#include "protocol/api/delete_groups.h"
#include "protocol/api/describe_groups.h"
#include "protocol/api/find_coordinator.h"
#include "protocol/api/list_groups.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_delete.h"
#include "protocol/api/offset_fetch.h"
#include "protocol/consumer_protocol.h"
#include "protocol/error_code.h"

namespace weir::client {

// The partitions in what a consumer's leader assigned to a member; none where it cannot be read.
inline std::vector<TopicAndPartition> PartitionsOfAssignment(absl::string_view bytes) {
  std::vector<TopicAndPartition> partitions;
  const auto assignment =
      protocol::DecodeConsumerProtocol<protocol::ConsumerProtocolAssignment>(bytes);
  if (!assignment.ok()) return partitions;
  for (const protocol::ConsumerProtocolTopic& topic : assignment->assigned_partitions) {
    for (const int32_t partition : topic.partitions) partitions.push_back({topic.topic, partition});
  }
  Sort(partitions);
  return partitions;
}

class GroupAdmin {
 public:
  explicit GroupAdmin(Admin& admin) : admin_(admin), cluster_(admin.cluster()) {}

  // The groups that all brokers coordinate, in the order of their ids; filters by state and by type
  // ("classic", "consumer") where they are not empty.
  absl::StatusOr<std::vector<GroupListing>> ListGroups(std::vector<std::string> states = {},
                                                       std::vector<std::string> types = {}) {
    protocol::ListGroupsRequest request;
    request.states_filter = std::move(states);
    request.types_filter = std::move(types);
    const MonotonicNs deadline = cluster_.Deadline();
    WEIR_RETURN_IF_ERROR(cluster_.Refresh({}, deadline));
    std::vector<int32_t> brokers;
    for (const auto& [id, broker] : cluster_.metadata().brokers()) brokers.push_back(id);
    std::vector<GroupListing> groups;
    for (const int32_t broker : brokers) {
      WEIR_RETURN_IF_ERROR(Retry(deadline, [&]() -> absl::Status {
        WEIR_ASSIGN_OR_RETURN(
            const protocol::ListGroupsResponse response,
            cluster_.Call<protocol::ListGroupsRequest>(broker, request, deadline));
        WEIR_RETURN_IF_ERROR(Admin::Error(response.error_code, absl::StrCat("broker ", broker)));
        for (const auto& group : response.groups) {
          groups.push_back(
              {group.group_id, group.protocol_type, group.group_state, group.group_type});
        }
        return absl::OkStatus();
      }));
    }
    Sort(groups, [](const GroupListing& a, const GroupListing& b) { return a.id < b.id; });
    return groups;
  }

  absl::StatusOr<std::vector<GroupDescription>> DescribeGroups(
      absl::Span<const std::string> groups) {
    std::vector<GroupDescription> descriptions;
    for (const std::string& group : groups) {
      GroupDescription description;
      description.status = WithCoordinator(group, [&](int32_t node, MonotonicNs deadline) {
        return DescribeAt(node, deadline, group, &description);
      });
      description.id = group;
      descriptions.push_back(std::move(description));
    }
    return descriptions;
  }

  // Groups that have members are not deleted.
  absl::StatusOr<std::vector<GroupOutcome>> DeleteGroups(absl::Span<const std::string> groups) {
    std::vector<GroupOutcome> outcomes;
    for (const std::string& group : groups) {
      protocol::DeleteGroupsRequest request;
      request.groups_names.push_back(group);
      const absl::Status status =
          WithCoordinator(group, [&](int32_t node, MonotonicNs deadline) -> absl::Status {
            WEIR_ASSIGN_OR_RETURN(
                const protocol::DeleteGroupsResponse response,
                cluster_.Call<protocol::DeleteGroupsRequest>(node, request, deadline));
            for (const auto& result : response.results) {
              if (result.group_id == group) return Admin::Error(result.error_code, group);
            }
            return LeftOut("DeleteGroups", group);
          });
      outcomes.push_back({group, status});
    }
    return outcomes;
  }

  // All offsets that the group has committed, in the order of topics and partitions.
  absl::StatusOr<std::vector<GroupOffset>> ListGroupOffsets(const std::string& group) {
    std::vector<GroupOffset> offsets;
    WEIR_RETURN_IF_ERROR(WithCoordinator(group, [&](int32_t node, MonotonicNs deadline) {
      return FetchOffsetsAt(node, deadline, group, &offsets);
    }));
    Sort(offsets, [](const GroupOffset& a, const GroupOffset& b) {
      return a.topic != b.topic ? a.topic < b.topic : a.partition < b.partition;
    });
    return offsets;
  }

  // Commits in the place of a group that has no members.
  absl::StatusOr<std::vector<PartitionOutcome>> AlterGroupOffsets(
      const std::string& group, absl::Span<const GroupOffset> offsets) {
    protocol::OffsetCommitRequest request;
    request.group_id = group;
    for (const GroupOffset& offset : offsets) {
      if (request.topics.empty() || request.topics.back().name != offset.topic) {
        request.topics.push_back({offset.topic, Uuid(), {}});
      }
      request.topics.back().partitions.push_back(
          {offset.partition, offset.offset.value(), offset.leader_epoch, offset.metadata});
    }
    return PartitionOutcomes<protocol::OffsetCommitRequest>(group, request);
  }

  // Offsets of topics that the group is subscribed to are not deleted.
  absl::StatusOr<std::vector<PartitionOutcome>> DeleteGroupOffsets(
      const std::string& group, absl::Span<const TopicAndPartition> partitions) {
    protocol::OffsetDeleteRequest request;
    request.group_id = group;
    for (const TopicAndPartition& tp : partitions) {
      if (request.topics.empty() || request.topics.back().name != tp.topic) {
        request.topics.push_back({tp.topic, {}});
      }
      request.topics.back().partitions.push_back({tp.partition});
    }
    return PartitionOutcomes<protocol::OffsetDeleteRequest>(group, request);
  }

 private:
  // Newer ones name topics by ids alone, which need not exist any more.
  static constexpr int16_t kOffsetsVersionMax = 9;

  static absl::Status LeftOut(absl::string_view api, absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(api, ": the broker left out ", what));
  }

  // Again until it is not kUnavailable, which retriable codes are too, or the time is over.
  absl::Status Retry(MonotonicNs deadline, absl::FunctionRef<absl::Status()> call) {
    for (int failures = 0;; ++failures) {
      const absl::Status status = call();
      if (!cluster_.MayRetry(status, deadline)) return status;
      cluster_.Pause(failures, deadline);
    }
  }

  absl::Status WithCoordinator(const std::string& group,
                               absl::FunctionRef<absl::Status(int32_t, MonotonicNs)> call) {
    const MonotonicNs deadline = cluster_.Deadline();
    return Retry(deadline, [&]() -> absl::Status {
      auto it = coordinators_.find(group);
      if (it == coordinators_.end()) {
        WEIR_ASSIGN_OR_RETURN(const int32_t node, FindCoordinator(group, deadline));
        it = coordinators_.emplace(group, node).first;
      }
      const absl::Status status = call(it->second, deadline);
      if (status.code() == absl::StatusCode::kUnavailable) coordinators_.erase(group);
      return status;
    });
  }

  absl::StatusOr<int32_t> FindCoordinator(const std::string& group, MonotonicNs deadline) {
    WEIR_ASSIGN_OR_RETURN(const protocol::FindCoordinatorResponse response,
                          cluster_.Call<protocol::FindCoordinatorRequest>(
                              cluster_.AnyNode(),
                              [group](int16_t version) {
                                protocol::FindCoordinatorRequest request;
                                if (version < 4) {
                                  request.key = group;
                                } else {
                                  request.coordinator_keys.push_back(group);
                                }
                                return request;
                              },
                              deadline));
    protocol::FindCoordinatorResponse::Coordinator found{
        group,         response.node_id,    response.host,
        response.port, response.error_code, response.error_message};
    if (!response.coordinators.empty()) found = response.coordinators[0];
    WEIR_RETURN_IF_ERROR(Admin::Error(found.error_code, group, found.error_message));
    cluster_.network().SetNode(found.node_id, found.host, found.port);
    return found.node_id;
  }

  absl::Status DescribeAt(int32_t node, MonotonicNs deadline, const std::string& group,
                          GroupDescription* out) {
    protocol::DescribeGroupsRequest request;
    request.groups.push_back(group);
    WEIR_ASSIGN_OR_RETURN(const protocol::DescribeGroupsResponse response,
                          cluster_.Call<protocol::DescribeGroupsRequest>(node, request, deadline));
    if (response.groups.size() != 1) return LeftOut("DescribeGroups", group);
    const auto& found = response.groups[0];
    WEIR_RETURN_IF_ERROR(Admin::Error(found.error_code, group, found.error_message));
    // Brokers before version 6 have no error for a group that they do not know.
    if (found.group_state == "Dead") {
      return Admin::Error(static_cast<int16_t>(protocol::ErrorCode::kGroupIdNotFound), group);
    }
    *out = {
        group, absl::OkStatus(), found.group_state, found.protocol_type, found.protocol_data, node,
        {}};
    for (const auto& member : found.members) {
      out->members.push_back({member.member_id, member.group_instance_id, member.client_id,
                              member.client_host,
                              PartitionsOfAssignment(member.member_assignment.value)});
    }
    return absl::OkStatus();
  }

  absl::Status FetchOffsetsAt(int32_t node, MonotonicNs deadline, const std::string& group,
                              std::vector<GroupOffset>* out) {
    WEIR_ASSIGN_OR_RETURN(const protocol::OffsetFetchResponse response,
                          cluster_.Call<protocol::OffsetFetchRequest>(
                              node,
                              [group](int16_t version) {
                                protocol::OffsetFetchRequest request;
                                if (version < 8) {
                                  request.group_id = group;
                                  request.topics.reset();
                                } else {
                                  request.groups.emplace_back();
                                  request.groups[0].group_id = group;
                                  request.groups[0].topics.reset();
                                }
                                return request;
                              },
                              deadline, kOffsetsVersionMax));
    out->clear();
    WEIR_RETURN_IF_ERROR(Admin::Error(response.error_code, group));
    for (const auto& found : response.groups) {
      WEIR_RETURN_IF_ERROR(Admin::Error(found.error_code, group));
      AddOffsets(found.topics, out);
    }
    AddOffsets(response.topics, out);
    return absl::OkStatus();
  }

  template <class Topics>
  static void AddOffsets(const Topics& topics, std::vector<GroupOffset>* out) {
    for (const auto& topic : topics) {
      for (const auto& partition : topic.partitions) {
        const absl::Status status = Admin::Error(
            partition.error_code, absl::StrCat(topic.name, "-", partition.partition_index));
        if (status.ok() && partition.committed_offset < 0) continue;  // nothing is committed
        out->push_back({topic.name, partition.partition_index, Offset(partition.committed_offset),
                        partition.committed_leader_epoch, partition.metadata.value_or(""), status});
      }
    }
  }

  static int16_t ErrorOf(const protocol::OffsetCommitResponse&) { return 0; }
  static int16_t ErrorOf(const protocol::OffsetDeleteResponse& response) {
    return response.error_code;
  }

  template <class Request>
  absl::StatusOr<std::vector<PartitionOutcome>> PartitionOutcomes(const std::string& group,
                                                                  const Request& request) {
    std::vector<PartitionOutcome> outcomes;
    WEIR_RETURN_IF_ERROR(
        WithCoordinator(group, [&](int32_t node, MonotonicNs deadline) -> absl::Status {
          WEIR_ASSIGN_OR_RETURN(const auto response, cluster_.Call<Request>(node, request, deadline,
                                                                            kOffsetsVersionMax));
          outcomes.clear();
          WEIR_RETURN_IF_ERROR(Admin::Error(ErrorOf(response), group));
          for (const auto& topic : response.topics) {
            for (const auto& partition : topic.partitions) {
              const std::string what = absl::StrCat(topic.name, "-", partition.partition_index);
              outcomes.push_back({topic.name, partition.partition_index,
                                  Admin::Error(partition.error_code, what)});
              // To write an offset twice is no different from writing it once.
              const absl::Status& status = outcomes.back().status;
              if (status.code() == absl::StatusCode::kUnavailable) return status;
            }
          }
          return absl::OkStatus();
        }));
    return outcomes;
  }

  Admin& admin_;
  Cluster& cluster_;
  std::map<std::string, int32_t> coordinators_;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_GROUP_ADMIN_H_

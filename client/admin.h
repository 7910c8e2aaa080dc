// -----------------------------------------------------------------------------
// File: client/admin.h
// -----------------------------------------------------------------------------
// Administration of a cluster's topics, configurations and offsets. Every call blocks until it is
// answered or its time is over. Groups are in client/group_admin.h, what lies on disks in
// client/log_admin.h, voters of the metadata quorum in client/quorum_admin.h.
// Threading: that of its Cluster.
// Errors: a call's own Status says whether brokers could be asked; where several things are asked
// at once, each has a Status of its own, as StatusOfError() makes it. Errors that pass (no leader
// yet, another controller) are retried until the time is over.
#ifndef WEIR_CLIENT_ADMIN_H_
#define WEIR_CLIENT_ADMIN_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/sort.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "client/admin_types.h"
#include "client/cluster.h"
#include "client/connection.h"
#include "client/leader_calls.h"
#include "protocol/api/api_versions.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/describe_cluster.h"
#include "protocol/api/describe_configs.h"
#include "protocol/api/incremental_alter_configs.h"
#include "protocol/api/list_offsets.h"
#include "protocol/api/metadata.h"
#include "protocol/error_code.h"

namespace weir::client {

class Admin {
 public:
  explicit Admin(Cluster& cluster) : cluster_(cluster) {}

  absl::StatusOr<std::vector<TopicOutcome>> CreateTopics(absl::Span<const NewTopic> topics,
                                                         bool validate_only = false) {
    protocol::CreateTopicsRequest request;
    for (const NewTopic& topic : topics) {
      protocol::CreateTopicsRequest::CreatableTopic entry;
      entry.name = topic.name;
      entry.num_partitions = topic.partitions;
      entry.replication_factor = topic.replication_factor;
      for (size_t i = 0; i < topic.assignment.size(); ++i) {
        entry.assignments.push_back({static_cast<int32_t>(i), topic.assignment[i]});
      }
      for (const auto& [key, value] : topic.configs) entry.configs.push_back({key, value});
      request.topics.push_back(std::move(entry));
    }
    request.validate_only = validate_only;
    request.timeout_ms = static_cast<int32_t>(cluster_.config().request_timeout_ms);
    WEIR_ASSIGN_OR_RETURN(
        const protocol::CreateTopicsResponse response,
        CallController<protocol::CreateTopicsRequest>(
            request, [](const auto& answer) { return AnyOtherController(answer.topics); }));
    std::vector<TopicOutcome> outcomes;
    for (const auto& topic : response.topics) {
      outcomes.push_back(
          {topic.name, Error(topic.error_code, topic.name, topic.error_message), topic.topic_id});
    }
    return outcomes;
  }

  absl::StatusOr<std::vector<TopicOutcome>> DeleteTopics(absl::Span<const std::string> names) {
    const std::vector<std::string> topics(names.begin(), names.end());
    const int32_t timeout_ms = static_cast<int32_t>(cluster_.config().request_timeout_ms);
    WEIR_ASSIGN_OR_RETURN(
        const protocol::DeleteTopicsResponse response,
        CallController<protocol::DeleteTopicsRequest>(
            [topics, timeout_ms](int16_t version) {
              protocol::DeleteTopicsRequest request;
              request.timeout_ms = timeout_ms;
              if (version < 6) {
                request.topic_names = topics;
              } else {
                for (const std::string& topic : topics) request.topics.push_back({topic, Uuid()});
              }
              return request;
            },
            [](const auto& answer) { return AnyOtherController(answer.responses); }));
    std::vector<TopicOutcome> outcomes;
    for (const auto& topic : response.responses) {
      const std::string name = topic.name.value_or(topic.topic_id.ToString());
      outcomes.push_back(
          {name, Error(topic.error_code, name, topic.error_message), topic.topic_id});
      cluster_.mutable_metadata().Forget(name);
    }
    return outcomes;
  }

  // Gives each topic as many partitions as the map says; topics never lose partitions.
  absl::StatusOr<std::vector<TopicOutcome>> CreatePartitions(
      const std::map<std::string, int32_t>& counts, bool validate_only = false) {
    protocol::CreatePartitionsRequest request;
    for (const auto& [name, count] : counts) request.topics.push_back({name, count, std::nullopt});
    request.validate_only = validate_only;
    request.timeout_ms = static_cast<int32_t>(cluster_.config().request_timeout_ms);
    WEIR_ASSIGN_OR_RETURN(
        const protocol::CreatePartitionsResponse response,
        CallController<protocol::CreatePartitionsRequest>(
            request, [](const auto& answer) { return AnyOtherController(answer.results); }));
    std::vector<TopicOutcome> outcomes;
    for (const auto& topic : response.results) {
      outcomes.push_back(
          {topic.name, Error(topic.error_code, topic.name, topic.error_message), Uuid()});
      cluster_.mutable_metadata().Forget(topic.name);
    }
    return outcomes;
  }

  // All topics, in the order of their names.
  absl::StatusOr<std::vector<protocol::MetadataResponse::Topic>> ListTopics() {
    WEIR_ASSIGN_OR_RETURN(protocol::MetadataResponse response,
                          cluster_.DescribeAll(cluster_.Deadline()));
    return Sorted(std::move(response.topics));
  }

  // These topics, each with an error code of its own; none is created by asking.
  absl::StatusOr<std::vector<protocol::MetadataResponse::Topic>> DescribeTopics(
      absl::Span<const std::string> names) {
    WEIR_ASSIGN_OR_RETURN(protocol::MetadataResponse response,
                          cluster_.Describe(names, cluster_.Deadline()));
    return Sorted(std::move(response.topics));
  }

  // The configuration of one resource: kTopicResource and so on of protocol/api/describe_configs.h.
  absl::StatusOr<ConfigOutcome> DescribeConfigs(int8_t resource_type, const std::string& name) {
    protocol::DescribeConfigsRequest request;
    request.resources.push_back({resource_type, name, std::nullopt});
    request.include_synonyms = true;
    WEIR_ASSIGN_OR_RETURN(protocol::DescribeConfigsResponse response,
                          CallOwner(resource_type, name, request));
    if (response.results.size() != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("DescribeConfigs: expected one result, came ", response.results.size()));
    }
    auto& result = response.results[0];
    return ConfigOutcome{result.resource_type, result.resource_name,
                         Error(result.error_code, name, result.error_message),
                         std::move(result.configs)};
  }

  // Changes single keys of one resource, all or none, and leaves the others (KIP-339).
  absl::Status IncrementalAlterConfigs(int8_t resource_type, const std::string& name,
                                       absl::Span<const ConfigEdit> edits,
                                       bool validate_only = false) {
    protocol::IncrementalAlterConfigsRequest request;
    request.validate_only = validate_only;
    request.resources.push_back({resource_type, name, {}});
    for (const ConfigEdit& edit : edits) {
      const bool deletes = edit.operation == protocol::kDeleteConfig;
      request.resources[0].configs.push_back(
          {edit.name, edit.operation, deletes ? std::nullopt : std::optional(edit.value)});
    }
    WEIR_ASSIGN_OR_RETURN(const protocol::IncrementalAlterConfigsResponse response,
                          CallOwner(resource_type, name, request));
    if (response.responses.size() != 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          "IncrementalAlterConfigs: expected one result, came ", response.responses.size()));
    }
    const auto& result = response.responses[0];
    return Error(result.error_code, name, result.error_message);
  }

  absl::StatusOr<protocol::DescribeClusterResponse> DescribeCluster() {
    WEIR_ASSIGN_OR_RETURN(
        protocol::DescribeClusterResponse response,
        cluster_.CallAny(protocol::DescribeClusterRequest(), cluster_.Deadline()));
    WEIR_RETURN_IF_ERROR(Error(response.error_code, "cluster", response.error_message));
    return response;
  }

  // What one broker, or any, says that it speaks.
  absl::StatusOr<protocol::ApiVersionsResponse> ApiVersions(int32_t node = kNoNode) {
    if (node == kNoNode) node = cluster_.AnyNode();
    protocol::ApiVersionsRequest request;
    request.client_software_name = "weir";
    request.client_software_version = "0.1";
    return cluster_.Call<protocol::ApiVersionsRequest>(node, request, cluster_.Deadline());
  }

  // Asks the leaders. The answers are in the order of the queries.
  absl::StatusOr<std::vector<OffsetAnswer>> ListOffsets(absl::Span<const OffsetQuery> queries) {
    std::vector<OffsetAnswer> answers;
    for (const OffsetQuery& query : queries) {
      answers.push_back({query.topic, query.partition, absl::UnavailableError("not asked")});
    }
    const MonotonicNs deadline = cluster_.Deadline();
    WEIR_RETURN_IF_ERROR(AskLeaders(cluster_, queries, deadline, &answers,
                                    [&](int32_t leader, const LeaderShare<OffsetQuery>& share) {
                                      AskOffsets(leader, queries, share, deadline, &answers);
                                    }));
    return answers;
  }

  Cluster& cluster() { return cluster_; }

  // --- For this class and its companions -------------------------------------------------------

  static absl::Status Error(int16_t code, absl::string_view what,
                            const std::optional<std::string>& message = std::nullopt) {
    return StatusOfError(static_cast<protocol::ErrorCode>(code), what, message);
  }

  // Calls a broker whose address may have to be found first.
  template <class Request, class Source>
  absl::StatusOr<ResponseOf<Request>> CallNode(int32_t node, Source source) {
    const MonotonicNs deadline = cluster_.Deadline();
    if (!cluster_.network().HasNode(node)) {
      WEIR_RETURN_IF_ERROR(cluster_.Refresh({}, deadline));
    }
    return cluster_.Call<Request>(node, std::move(source), deadline);
  }

  // The configuration of a broker is its own business; all else any broker knows.
  template <class Request>
  absl::StatusOr<ResponseOf<Request>> CallOwner(int8_t resource_type, const std::string& name,
                                                const Request& request) {
    int32_t broker = kNoNode;
    const bool of_broker = resource_type == protocol::kBrokerResource ||
                           resource_type == protocol::kBrokerLoggerResource;
    if (of_broker && absl::SimpleAtoi(name, &broker)) return CallNode<Request>(broker, request);
    return cluster_.CallAny(request, cluster_.Deadline());
  }

  // Calls the controller, again when it moved. `error_of` finds a code in the response that asks
  // for another try.
  template <class Request, class Source, class ErrorOf>
  absl::StatusOr<ResponseOf<Request>> CallController(Source source, ErrorOf error_of) {
    const MonotonicNs deadline = cluster_.Deadline();
    for (int failures = 0;; ++failures) {
      const absl::Status known = cluster_.Refresh({}, deadline);
      if (!known.ok()) return known;
      auto response = cluster_.Call<Request>(cluster_.ControllerNode(), source, deadline);
      const bool again = response.ok() ? error_of(*response) != protocol::ErrorCode::kNone &&
                                             cluster_.Now() < deadline
                                       : cluster_.MayRetry(response.status(), deadline);
      if (!again) return response;
      cluster_.Pause(failures, deadline);
    }
  }

  static bool IsOtherController(int16_t code) {
    return code == static_cast<int16_t>(protocol::ErrorCode::kNotController);
  }
  // kNotController where one of a response's entries says so.
  template <class Entries>
  static protocol::ErrorCode AnyOtherController(const Entries& entries) {
    for (const auto& entry : entries) {
      if (IsOtherController(entry.error_code)) return protocol::ErrorCode::kNotController;
    }
    return protocol::ErrorCode::kNone;
  }

 private:
  static std::vector<protocol::MetadataResponse::Topic> Sorted(
      std::vector<protocol::MetadataResponse::Topic> topics) {
    Sort(topics, [](const auto& a, const auto& b) { return a.name < b.name; });
    for (auto& topic : topics) {
      Sort(topic.partitions,
           [](const auto& a, const auto& b) { return a.partition_index < b.partition_index; });
    }
    return topics;
  }

  void AskOffsets(int32_t leader, absl::Span<const OffsetQuery> queries,
                  const LeaderShare<OffsetQuery>& share, MonotonicNs deadline,
                  std::vector<OffsetAnswer>* answers) {
    using Partition = protocol::ListOffsetsRequest::ListOffsetsPartition;
    protocol::ListOffsetsRequest request;
    request.replica_id = -1;
    share.Fill(&request.topics, [&](size_t i) {
      const OffsetQuery& query = queries[i];
      const PartitionInfo* info = cluster_.metadata().Find(query.topic, query.partition);
      return Partition{query.partition, info->leader_epoch, query.time};
    });
    const auto response =
        cluster_.Call<protocol::ListOffsetsRequest>(leader, std::move(request), deadline);
    for (const size_t i : share.indices()) {
      (*answers)[i].status =
          response.ok() ? absl::InvalidArgumentError("ListOffsets: the broker left a partition out")
                        : response.status();
    }
    if (!response.ok()) return;
    for (const auto& topic : response->topics) {
      for (const auto& partition : topic.partitions) {
        for (const size_t i : share.Find(topic.name, partition.partition_index)) {
          OffsetAnswer& answer = (*answers)[i];
          answer.status =
              Error(partition.error_code, absl::StrCat(topic.name, "-", partition.partition_index));
          answer.offset = Offset(partition.offset);
          answer.timestamp = partition.timestamp;
          answer.leader_epoch = partition.leader_epoch;
        }
      }
    }
  }

  Cluster& cluster_;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_ADMIN_H_

// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/refusal.h
// -----------------------------------------------------------------------------
// Answers of a controller that does not lead, or no longer does.
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_REFUSAL_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_REFUSAL_H_

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "base/uuid.h"
#include "coordination/metadata/controller_types.h"
#include "protocol/api/alter_client_quotas.h"
#include "protocol/api/alter_partition_reassignments.h"
#include "protocol/api/alter_user_scram_credentials.h"
#include "protocol/api/create_acls.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_acls.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/elect_leaders.h"
#include "protocol/error_code.h"

namespace weir::metadata::metadata_internal {

// One entry for each topic asked about, without an error yet.
inline protocol::CreateTopicsResponse RefusalOf(const protocol::CreateTopicsRequest& request) {
  protocol::CreateTopicsResponse response;
  for (const auto& topic : request.topics) {
    protocol::CreateTopicsResponse::CreatableTopicResult result;
    result.name = topic.name;
    response.topics.push_back(std::move(result));
  }
  return response;
}
inline protocol::DeleteTopicsResponse RefusalOf(const protocol::DeleteTopicsRequest& request) {
  protocol::DeleteTopicsResponse response;
  for (const std::string& name : request.topic_names) {
    protocol::DeleteTopicsResponse::DeletableTopicResult result;
    result.name = name;
    response.responses.push_back(std::move(result));
  }
  for (const auto& topic : request.topics) {
    protocol::DeleteTopicsResponse::DeletableTopicResult result;
    result.name = topic.name;
    result.topic_id = topic.topic_id;
    response.responses.push_back(std::move(result));
  }
  return response;
}

inline protocol::CreatePartitionsResponse RefusalOf(
    const protocol::CreatePartitionsRequest& request) {
  protocol::CreatePartitionsResponse response;
  for (const auto& topic : request.topics) {
    protocol::CreatePartitionsResponse::CreatePartitionsTopicResult result;
    result.name = topic.name;
    response.results.push_back(std::move(result));
  }
  return response;
}
inline ConfigsAltered RefusalOf(const AlterConfigs& request) {
  ConfigsAltered response;
  response.results.resize(request.changes.size());
  return response;
}

inline protocol::ElectLeadersResponse RefusalOf(const protocol::ElectLeadersRequest& request) {
  protocol::ElectLeadersResponse response;
  if (!request.topic_partitions.has_value()) return response;
  for (const auto& topic : *request.topic_partitions) {
    auto& results = response.replica_election_results.emplace_back();
    results.topic = topic.topic;
    for (const int32_t index : topic.partitions) {
      results.partition_result.emplace_back().partition_id = index;
    }
  }
  return response;
}

inline protocol::AlterPartitionReassignmentsResponse RefusalOf(
    const protocol::AlterPartitionReassignmentsRequest&) {
  return {};
}
inline protocol::AlterClientQuotasResponse RefusalOf(
    const protocol::AlterClientQuotasRequest& request) {
  protocol::AlterClientQuotasResponse response;
  for (const auto& entry : request.entries) {
    auto& result = response.entries.emplace_back();
    for (const auto& part : entry.entity) {
      result.entity.push_back({part.entity_type, part.entity_name});
    }
  }
  return response;
}
inline protocol::AlterUserScramCredentialsResponse RefusalOf(
    const protocol::AlterUserScramCredentialsRequest& request) {
  std::set<std::string> users;
  for (const auto& deletion : request.deletions) users.insert(deletion.name);
  for (const auto& upsertion : request.upsertions) users.insert(upsertion.name);
  protocol::AlterUserScramCredentialsResponse response;
  for (const std::string& user : users) response.results.emplace_back().user = user;
  return response;
}
inline protocol::CreateAclsResponse RefusalOf(const protocol::CreateAclsRequest& request) {
  protocol::CreateAclsResponse response;
  response.results.resize(request.creations.size());
  return response;
}
inline protocol::DeleteAclsResponse RefusalOf(const protocol::DeleteAclsRequest& request) {
  protocol::DeleteAclsResponse response;
  response.filter_results.resize(request.filters.size());
  return response;
}

// Makes every part of the answer say `error`.
class ErrorSetter {
 public:
  explicit ErrorSetter(protocol::ErrorCode error)
      : error_(error), message_(protocol::ErrorMessage(error)) {}

  void operator()(protocol::CreateTopicsResponse& created) const {
    for (auto& topic : created.topics) {
      protocol::CreateTopicsResponse::CreatableTopicResult failed;
      failed.name = std::move(topic.name);
      topic = std::move(failed);
      Set(&topic);
    }
  }
  void operator()(protocol::DeleteTopicsResponse& deleted) const {
    for (auto& topic : deleted.responses) Set(&topic);
  }
  void operator()(protocol::CreatePartitionsResponse& added) const {
    for (auto& topic : added.results) Set(&topic);
  }
  void operator()(protocol::ElectLeadersResponse& elected) const {
    elected.error_code = static_cast<int16_t>(error_);
    for (auto& topic : elected.replica_election_results) {
      for (auto& partition : topic.partition_result) Set(&partition);
    }
  }
  void operator()(protocol::AlterPartitionReassignmentsResponse& altered) const {
    Set(&altered);
    altered.responses.clear();
  }
  void operator()(protocol::AlterClientQuotasResponse& altered) const {
    for (auto& entry : altered.entries) Set(&entry);
  }
  void operator()(protocol::AlterUserScramCredentialsResponse& altered) const {
    for (auto& result : altered.results) Set(&result);
  }
  void operator()(protocol::CreateAclsResponse& created) const {
    for (auto& result : created.results) Set(&result);
  }
  void operator()(protocol::DeleteAclsResponse& deleted) const {
    for (auto& result : deleted.filter_results) {
      Set(&result);
      result.matching_acls.clear();
    }
  }
  void operator()(ReplicasAssigned& assigned) const { assigned = {.error = error_, .errors = {}}; }
  void operator()(ConfigsAltered& altered) const {
    for (ConfigsAltered::Result& result : altered.results) result = {error_, message_};
  }
  void operator()(PartitionsAltered& altered) const { altered = {.error = error_, .results = {}}; }
  void operator()(FeaturesUpdated& updated) const { updated = {error_, message_}; }
  void operator()(ProducerIdBlock& block) const { block = {.error = error_}; }
  void operator()(BrokerRegistered& registered) const {
    registered = {.error = error_, .message = message_};
  }
  void operator()(BrokerHeartbeatReply& reply) const { reply = {.error = error_}; }
  void operator()(BrokerUnregistered& unregistered) const { unregistered = {error_, message_}; }
  void operator()(BrokerFencingSet& set) const { set.error = error_; }

 private:
  template <class Result>
  void Set(Result* result) const {
    result->error_code = static_cast<int16_t>(error_);
    result->error_message = message_;
  }

  const protocol::ErrorCode error_;
  const std::string message_;
};

inline void SetError(protocol::ErrorCode error, ControllerResponse* response) {
  std::visit(ErrorSetter(error), *response);
}

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_REFUSAL_H_

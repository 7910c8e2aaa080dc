// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/refusal.h
// -----------------------------------------------------------------------------
// Answers of a controller that does not lead, or no longer does.
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_REFUSAL_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_REFUSAL_H_

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "base/uuid.h"
#include "coordination/metadata/controller_types.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_topics.h"
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

// Makes every part of the answer say `error`.
inline void SetError(protocol::ErrorCode error, ControllerResponse* response) {
  const std::string message(protocol::ErrorMessage(error));
  if (auto* created = std::get_if<protocol::CreateTopicsResponse>(response)) {
    for (auto& topic : created->topics) {
      protocol::CreateTopicsResponse::CreatableTopicResult failed;
      failed.name = std::move(topic.name);
      failed.error_code = static_cast<int16_t>(error);
      failed.error_message = message;
      topic = std::move(failed);
    }
  } else if (auto* deleted = std::get_if<protocol::DeleteTopicsResponse>(response)) {
    for (auto& topic : deleted->responses) {
      topic.error_code = static_cast<int16_t>(error);
      topic.error_message = message;
    }
  } else if (auto* added = std::get_if<protocol::CreatePartitionsResponse>(response)) {
    for (auto& topic : added->results) {
      topic.error_code = static_cast<int16_t>(error);
      topic.error_message = message;
    }
  } else if (auto* altered = std::get_if<ConfigsAltered>(response)) {
    for (ConfigsAltered::Result& result : altered->results) result = {error, message};
  } else if (auto* updated = std::get_if<FeaturesUpdated>(response)) {
    *updated = {error, message};
  } else if (auto* block = std::get_if<ProducerIdBlock>(response)) {
    *block = {.error = error};
  } else if (auto* registered = std::get_if<BrokerRegistered>(response)) {
    *registered = {.error = error, .message = message};
  } else {
    std::get<BrokerFencingSet>(*response).error = error;
  }
}

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_REFUSAL_H_

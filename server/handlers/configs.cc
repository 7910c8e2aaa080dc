// DescribeConfigs: the effective settings of topics and of this broker, with where they come from.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "coordination/metadata/topic_name.h"
#include "protocol/api/describe_configs.h"
#include "protocol/error_code.h"
#include "server/handlers/handlers.h"
#include "server/request.h"
#include "server/shard.h"
#include "server/topic_config.h"

namespace weir::server {
namespace {

using protocol::DescribeConfigsRequest;
using protocol::DescribeConfigsResponse;
using protocol::ErrorCode;
using Resource = DescribeConfigsRequest::DescribeConfigsResource;
using Result = DescribeConfigsResponse::DescribeConfigsResult;

Result Refuse(const Resource& resource, ErrorCode error, std::string message) {
  Result result;
  result.error_code = WireCode(error);
  result.error_message = std::move(message);
  result.resource_type = resource.resource_type;
  result.resource_name = resource.resource_name;
  return result;
}

Result List(const DescribeConfigsRequest& request, const Resource& resource,
            std::vector<ConfigEntry> entries) {
  Result result;
  result.error_message = "";  // as Kafka, which has null only where there is an error
  result.resource_type = resource.resource_type;
  result.resource_name = resource.resource_name;
  const std::optional<std::vector<std::string>>& keys = resource.configuration_keys;
  for (ConfigEntry& entry : entries) {
    // No keys are all of them, as null is.
    if (keys.has_value() && !keys->empty() &&
        std::find(keys->begin(), keys->end(), entry.name) == keys->end()) {
      continue;
    }
    DescribeConfigsResponse::DescribeConfigsResourceResult& config = result.configs.emplace_back();
    config.name = std::move(entry.name);
    config.value = std::move(entry.value);
    config.read_only = entry.read_only;
    config.config_source = static_cast<int8_t>(entry.source);
    config.is_sensitive = entry.sensitive;
    config.config_type = static_cast<int8_t>(entry.type);
    config.documentation = std::nullopt;
    if (request.include_documentation) config.documentation = std::move(entry.doc);
    if (!request.include_synonyms) continue;
    for (ConfigSynonym& synonym : entry.synonyms) {
      config.synonyms.push_back(
          {std::move(synonym.name), std::move(synonym.value), static_cast<int8_t>(synonym.source)});
    }
  }
  return result;
}

Result DescribeBroker(const Shard& shard, const DescribeConfigsRequest& request,
                      const Resource& resource) {
  const BrokerConfig& config = shard.node().config;
  if (resource.resource_name.empty()) return List(request, resource, {});  // no dynamic defaults
  if (resource.resource_name != absl::StrCat(config.node_id.value())) {
    return Refuse(resource, ErrorCode::kInvalidRequest,
                  absl::StrCat("expected broker ", config.node_id.value(), ", came '",
                               resource.resource_name, "'"));
  }
  return List(request, resource, DescribeBrokerConfigs(config));
}

Result Describe(const Shard& shard, const DescribeConfigsRequest& request,
                const Resource& resource) {
  switch (resource.resource_type) {
    case protocol::kTopicResource:
      if (const absl::Status name = metadata::ValidateTopicName(resource.resource_name);
          !name.ok()) {
        return Refuse(resource, ErrorCode::kInvalidTopicException, std::string(name.message()));
      }
      if (shard.topics().Find(resource.resource_name) == nullptr) {
        return Refuse(resource, ErrorCode::kUnknownTopicOrPartition,
                      absl::StrCat("no topic '", resource.resource_name, "'"));
      }
      return List(request, resource,
                  DescribeTopicConfigs(shard.node().config,
                                       shard.topics().Overrides(resource.resource_name)));
    case protocol::kBrokerResource:
      return DescribeBroker(shard, request, resource);
    default:
      return Refuse(resource, ErrorCode::kInvalidRequest,
                    absl::StrCat("expected a topic (2) or broker (4), came resource type ",
                                 static_cast<int>(resource.resource_type)));
  }
}

}  // namespace

void HandleDescribeConfigs(const RequestRef& request) {
  const absl::StatusOr<DescribeConfigsRequest> asked = request->Decode<DescribeConfigsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  DescribeConfigsResponse response;
  for (const Resource& resource : asked->resources) {
    response.results.push_back(Describe(request->shard(), *asked, resource));
  }
  request->Respond(response);
}

}  // namespace weir::server

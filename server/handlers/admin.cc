// What administrators ask for: topics, settings, features; and what clients are asked to report.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/sort.h"
#include "base/uuid.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/topic_name.h"
#include "protocol/api/alter_configs.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/describe_configs.h"
#include "protocol/api/get_telemetry_subscriptions.h"
#include "protocol/api/incremental_alter_configs.h"
#include "protocol/api/list_config_resources.h"
#include "protocol/api/update_features.h"
#include "protocol/error_code.h"
#include "server/controller_driver.h"
#include "server/handlers/ask_controller.h"
#include "server/handlers/handlers.h"
#include "server/request.h"
#include "server/shard.h"
#include "server/topic_config.h"
#include "server/topic_table.h"

namespace weir::server {

using protocol::ErrorCode;

// --- Topics --------------------------------------------------------------------------------------
// CreateTopics, CreatePartitions and DeleteTopics: decided by the controller, answered once
// committed.

void HandleCreateTopics(const RequestRef& request) {
  absl::StatusOr<protocol::CreateTopicsRequest> asked =
      request->Decode<protocol::CreateTopicsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  AskController<protocol::CreateTopicsResponse>(request,
                                                metadata::CreateTopics{0, *std::move(asked)});
}

void HandleCreatePartitions(const RequestRef& request) {
  absl::StatusOr<protocol::CreatePartitionsRequest> asked =
      request->Decode<protocol::CreatePartitionsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  AskController<protocol::CreatePartitionsResponse>(
      request, metadata::CreatePartitions{0, *std::move(asked)});
}

void HandleDeleteTopics(const RequestRef& request) {
  absl::StatusOr<protocol::DeleteTopicsRequest> asked =
      request->Decode<protocol::DeleteTopicsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  if (request->version() < 6) {
    for (std::string& name : asked->topic_names) {
      asked->topics.emplace_back().name = std::move(name);
    }
    asked->topic_names.clear();
  }
  AskController<protocol::DeleteTopicsResponse>(request,
                                                metadata::DeleteTopics{0, *std::move(asked)});
}

// --- DescribeConfigs -----------------------------------------------------------------------------
// DescribeConfigs: the effective settings of topics and of this broker, with where they come from.

namespace {

using protocol::DescribeConfigsRequest;
using protocol::DescribeConfigsResponse;
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
  const ClusterOverrides cluster = ClusterOverridesOf(*shard.image());
  if (resource.resource_name.empty()) {
    return List(request, resource, DescribeClusterConfigs(cluster));
  }
  if (resource.resource_name != absl::StrCat(config.node_id.value())) {
    return Refuse(resource, ErrorCode::kInvalidRequest,
                  absl::StrCat("expected broker ", config.node_id.value(), ", came '",
                               resource.resource_name, "'"));
  }
  return List(
      request, resource,
      DescribeBrokerConfigs(config, cluster, BrokerOverridesOf(*shard.image(), config.node_id)));
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
                                       TopicOverridesOf(*shard.image(), resource.resource_name),
                                       ClusterOverridesOf(*shard.image())));
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
  std::set<std::pair<int8_t, absl::string_view>> described;
  for (const Resource& resource : asked->resources) {
    // Once: a request must not be answered with a thousand times its size.
    if (!described.emplace(resource.resource_type, resource.resource_name).second) continue;
    response.results.push_back(Describe(request->shard(), *asked, resource));
  }
  request->Respond(response);
}

// --- Alterations of configs ----------------------------------------------------------------------
// IncrementalAlterConfigs and AlterConfigs: decided by the controller, in force on every shard when
// they are answered. ListConfigResources: what has, or may have, settings.

namespace {

metadata::ConfigEdit EditOf(protocol::IncrementalAlterConfigsRequest::AlterableConfig config) {
  return {std::move(config.name), config.config_operation, std::move(config.value)};
}
metadata::ConfigEdit EditOf(protocol::AlterConfigsRequest::AlterableConfig config) {
  return {std::move(config.name), metadata::ConfigEdit::kSet, std::move(config.value)};
}

template <class Asked>
metadata::AlterConfigs EventOf(Asked asked, bool replace) {
  metadata::AlterConfigs event;
  event.replace = replace;
  event.validate_only = asked.validate_only;
  for (auto& resource : asked.resources) {
    metadata::ConfigChange& change = event.changes.emplace_back();
    change.type = resource.resource_type;
    change.name = std::move(resource.resource_name);
    for (auto& config : resource.configs) change.edits.push_back(EditOf(std::move(config)));
  }
  return event;
}

template <class Asked, class Response>
void Alter(const RequestRef& request, bool replace) {
  absl::StatusOr<Asked> asked = request->Decode<Asked>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  Response response;
  for (const auto& resource : asked->resources) {
    auto& part = response.responses.emplace_back();
    part.resource_type = resource.resource_type;
    part.resource_name = resource.resource_name;
    part.error_message = std::nullopt;
  }
  AskController<metadata::ConfigsAltered>(
      request, EventOf(*std::move(asked), replace),
      [response = std::move(response)](metadata::ConfigsAltered altered) mutable {
        altered.results.resize(response.responses.size(),
                               {ErrorCode::kUnknownServerError, "the controller did not say"});
        for (size_t i = 0; i < altered.results.size(); ++i) {
          if (altered.results[i].error == ErrorCode::kNone) continue;
          response.responses[i].error_code = WireCode(altered.results[i].error);
          response.responses[i].error_message = altered.results[i].message;
        }
        return std::move(response);
      });
}

// Of the types that Kafka lists: brokers and topics are there without settings of their own too.
std::vector<std::string> ResourcesOf(const Shard& shard, metadata::ConfigResourceType type) {
  std::vector<std::string> names;
  if (type == metadata::ConfigResourceType::kTopic) {
    for (const metadata::TopicImage* topic : shard.topics().SortedByName()) {
      names.push_back(topic->name);
    }
    return names;
  }
  if (type == metadata::ConfigResourceType::kBroker ||
      type == metadata::ConfigResourceType::kBrokerLogger) {
    shard.image()->brokers.ForEach([&](BrokerId id, const metadata::BrokerImage&) {
      names.push_back(absl::StrCat(id.value()));
    });
  } else {
    shard.image()->configs.ForEach(
        [&](const metadata::ConfigResource& resource, const metadata::ConfigMap&) {
          if (resource.type == type) names.push_back(resource.name);
        });
  }
  Sort(names);
  return names;
}

}  // namespace

void HandleIncrementalAlterConfigs(const RequestRef& request) {
  Alter<protocol::IncrementalAlterConfigsRequest, protocol::IncrementalAlterConfigsResponse>(
      request, /*replace=*/false);
}

void HandleAlterConfigs(const RequestRef& request) {
  Alter<protocol::AlterConfigsRequest, protocol::AlterConfigsResponse>(request, /*replace=*/true);
}

void HandleListConfigResources(const RequestRef& request) {
  using Type = metadata::ConfigResourceType;
  const absl::StatusOr<protocol::ListConfigResourcesRequest> asked =
      request->Decode<protocol::ListConfigResourcesRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  constexpr Type kListed[] = {Type::kTopic, Type::kBroker, Type::kBrokerLogger,
                              Type::kClientMetrics, Type::kGroup};
  protocol::ListConfigResourcesResponse response;
  for (const int8_t type : asked->resource_types) {
    if (std::find(std::begin(kListed), std::end(kListed), static_cast<Type>(type)) ==
        std::end(kListed)) {
      response.error_code = WireCode(ErrorCode::kUnsupportedVersion);
      return request->Respond(response);
    }
  }
  const auto wanted = [&](Type type) {
    if (request->version() == 0) return type == Type::kClientMetrics;
    const std::vector<int8_t>& types = asked->resource_types;
    return types.empty() ||
           std::find(types.begin(), types.end(), static_cast<int8_t>(type)) != types.end();
  };
  for (const Type type : kListed) {
    if (!wanted(type)) continue;
    for (std::string& name : ResourcesOf(request->shard(), type)) {
      response.config_resources.push_back({std::move(name), static_cast<int8_t>(type)});
    }
  }
  request->Respond(response);
}

// --- GetTelemetrySubscriptions -------------------------------------------------------------------
// Nobody subscribes to clients' metrics here: every client is told that nothing is asked of it.

void HandleGetTelemetrySubscriptions(const RequestRef& request) {
  constexpr int32_t kPushIntervalMs = 300'000;     // Kafka's default of interval.ms
  constexpr int32_t kTelemetryBytesMax = 1 << 20;  // Kafka's default of telemetry.max.bytes
  const auto asked = request->Decode<protocol::GetTelemetrySubscriptionsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  protocol::GetTelemetrySubscriptionsResponse response;
  response.client_instance_id = asked->client_instance_id.is_zero()
                                    ? Uuid::Random(request->shard().random())
                                    : asked->client_instance_id;
  response.accepted_compression_types = {4, 3, 1, 2};  // zstd, lz4, gzip, snappy: Kafka's order
  response.push_interval_ms = kPushIntervalMs;
  response.telemetry_max_bytes = kTelemetryBytesMax;
  response.delta_temporality = true;
  request->Respond(response);
}

// --- UpdateFeatures ------------------------------------------------------------------------------
// UpdateFeatures: decided by the controller, answered once committed.

namespace {

using protocol::UpdateFeaturesRequest;
using protocol::UpdateFeaturesResponse;

metadata::UpdateFeatures EventOf(const UpdateFeaturesRequest& asked, int16_t version) {
  using Kind = metadata::FeatureUpdate::Kind;
  metadata::UpdateFeatures event;
  event.validate_only = asked.validate_only;
  for (const UpdateFeaturesRequest::FeatureUpdateKey& update : asked.feature_updates) {
    Kind kind = static_cast<Kind>(update.upgrade_type);
    if (version == 0) kind = update.allow_downgrade ? Kind::kSafeDowngrade : Kind::kUpgrade;
    event.updates.push_back({update.feature, update.max_version_level, kind});
  }
  return event;
}

}  // namespace

void HandleUpdateFeatures(const RequestRef& request) {
  const absl::StatusOr<UpdateFeaturesRequest> asked = request->Decode<UpdateFeaturesRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  AskController<metadata::FeaturesUpdated>(
      request, EventOf(*asked, request->version()),
      [asked = *asked, version = request->version()](const metadata::FeaturesUpdated& updated) {
        UpdateFeaturesResponse response;
        response.error_message = std::nullopt;
        if (updated.error != protocol::ErrorCode::kNone) {
          response.error_code = WireCode(updated.error);
          response.error_message = updated.message;
          return response;
        }
        for (const UpdateFeaturesRequest::FeatureUpdateKey& update : asked.feature_updates) {
          if (version > 1) break;
          response.results.push_back({update.feature, 0, std::nullopt});
        }
        return response;
      });
}

}  // namespace weir::server

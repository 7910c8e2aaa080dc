// IncrementalAlterConfigs and AlterConfigs: decided by the controller, in force on every shard when
// they are answered. ListConfigResources: what has, or may have, settings.

#include "protocol/api/alter_configs.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "protocol/api/incremental_alter_configs.h"
#include "protocol/api/list_config_resources.h"
#include "protocol/error_code.h"
#include "server/controller_driver.h"
#include "server/handlers/handlers.h"
#include "server/request.h"
#include "server/shard.h"

namespace weir::server {
namespace {

using protocol::ErrorCode;

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
  request->shard().Call<metadata::ConfigsAltered>(
      kControllerShard,
      [event = EventOf(*std::move(asked), replace)](Shard& controller, auto reply) mutable {
        controller.controller().AlterConfigs(std::move(event), std::move(reply));
      },
      [request, response = std::move(response)](const metadata::ConfigsAltered& altered) mutable {
        for (size_t i = 0; i < altered.results.size(); ++i) {
          if (altered.results[i].error == ErrorCode::kNone) continue;
          response.responses[i].error_code = WireCode(altered.results[i].error);
          response.responses[i].error_message = altered.results[i].message;
        }
        request->Respond(response);
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
  std::sort(names.begin(), names.end());
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

}  // namespace weir::server

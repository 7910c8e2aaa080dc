// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/config_planner.h
// -----------------------------------------------------------------------------
// Which records change the settings of topics and other resources, and what the client is told: the
// rules of Kafka's controller for AlterConfigs and IncrementalAlterConfigs (KIP-133, KIP-339).
//
// Only values that change are checked: what Kafka wrote into this directory may stay, even where it
// could not be set here.
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_CONFIG_PLANNER_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_CONFIG_PLANNER_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/features.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/internal/placement.h"
#include "coordination/metadata/internal/topic_rules.h"
#include "coordination/metadata/records.h"
#include "coordination/metadata/throttle_rates.h"
#include "coordination/metadata/topic_name.h"
#include "protocol/error_code.h"

namespace weir::metadata::metadata_internal {

class ConfigPlanner {
 public:
  ConfigPlanner(const MetadataImage& image, const ControllerConfig& config)
      : image_(image), config_(config) {}

  // Appends to *records what changes the resources that can be changed; each of them changes as it
  // was asked to, or not at all.
  ConfigsAltered Plan(const AlterConfigs& request, std::vector<MetadataRecord>* records) const {
    std::map<std::pair<int8_t, absl::string_view>, int> times;
    for (const ConfigChange& change : request.changes) ++times[{change.type, change.name}];
    ConfigsAltered response;
    for (const ConfigChange& change : request.changes) {
      std::vector<MetadataRecord> own;
      PlanError error;
      if (times[{change.type, change.name}] > 1) {
        error = {protocol::ErrorCode::kInvalidRequest, "Resource appears twice in the request"};
      } else {
        error = PlanResource(change, request.replace, &own);
      }
      if (error.ok() && !request.validate_only) {
        MoveRecords(&own, records);
      }
      response.results.push_back({error.code, std::move(error.message)});
    }
    return response;
  }

 private:
  PlanError PlanResource(const ConfigChange& change, bool replace,
                         std::vector<MetadataRecord>* records) const {
    if (PlanError error = CheckForm(change); !error.ok()) return error;
    const ConfigMap* set =
        image_.FindConfigs(static_cast<ConfigResourceType>(change.type), change.name);
    const ConfigMap before = set == nullptr ? ConfigMap() : *set;
    ConfigMap after = replace ? ConfigMap() : before;
    for (const ConfigEdit& edit : change.edits) {
      if (PlanError error = Apply(edit, &after); !error.ok()) return error;
    }
    if (PlanError error = CheckResource(change, before, after); !error.ok()) return error;
    for (const auto& [name, value] : after) {
      const auto old = before.find(name);
      if (old == before.end() || old->second != value) AddRecord(change, name, value, records);
    }
    for (const auto& [name, value] : before) {
      if (after.count(name) == 0) AddRecord(change, name, std::nullopt, records);
    }
    return {};
  }

  static PlanError CheckForm(const ConfigChange& change) {
    const auto refuse = [](std::string message) {
      return PlanError{protocol::ErrorCode::kInvalidRequest, std::move(message)};
    };
    std::set<absl::string_view> names;
    for (const ConfigEdit& edit : change.edits) {
      if (!names.insert(edit.name).second) {
        return refuse(absl::StrCat("Config ", edit.name, " appears twice"));
      }
      if (edit.operation < ConfigEdit::kSet || edit.operation > ConfigEdit::kSubtract) {
        return refuse(absl::StrCat("Expected operation 0 to 3 on config ", edit.name, ", came ",
                                   static_cast<int>(edit.operation)));
      }
      if (edit.operation != ConfigEdit::kDelete && !edit.value.has_value()) {
        return refuse(absl::StrCat("Config ", edit.name, " has a null value"));
      }
    }
    return {};
  }

  PlanError Apply(const ConfigEdit& edit, ConfigMap* configs) const {
    if (edit.operation == ConfigEdit::kDelete) {
      configs->erase(edit.name);
      return {};
    }
    if (edit.operation == ConfigEdit::kSet) {
      (*configs)[edit.name] = *edit.value;
      return {};
    }
    const std::optional<std::string> standard =
        config_.topic_list_default ? config_.topic_list_default(edit.name) : std::nullopt;
    if (!standard.has_value()) {
      return {protocol::ErrorCode::kInvalidConfig,
              absl::StrCat("Config ", edit.name, " is not a list: it can only be set or deleted")};
    }
    const auto found = configs->find(edit.name);
    std::vector<std::string> elements =
        absl::StrSplit(found == configs->end() ? *standard : found->second, ',', absl::SkipEmpty());
    for (const absl::string_view element : absl::StrSplit(*edit.value, ',', absl::SkipEmpty())) {
      const auto place = std::find(elements.begin(), elements.end(), element);
      if (edit.operation == ConfigEdit::kAppend) {
        if (place == elements.end()) elements.emplace_back(element);
      } else if (place != elements.end()) {
        elements.erase(place);
      }
    }
    (*configs)[edit.name] = absl::StrJoin(elements, ",");
    return {};
  }

  PlanError CheckResource(const ConfigChange& change, const ConfigMap& before,
                          const ConfigMap& after) const {
    switch (static_cast<ConfigResourceType>(change.type)) {
      case ConfigResourceType::kTopic:
        return CheckTopic(change.name, before, after);
      case ConfigResourceType::kBroker:
        return CheckBroker(change.name, before, after);
      case ConfigResourceType::kBrokerLogger:
      case ConfigResourceType::kClientMetrics:
      case ConfigResourceType::kGroup:
        break;
      default:
        return {protocol::ErrorCode::kInvalidRequest,
                absl::StrCat("Unknown resource type ", static_cast<int>(change.type))};
    }
    return {protocol::ErrorCode::kInvalidRequest,
            absl::StrCat("Resources of type ", static_cast<int>(change.type),
                         " have no settings in Weir yet")};
  }

  PlanError CheckValue(const std::string& key, const std::string& value) const {
    if (!config_.validate_topic_config) return {};
    const absl::Status status = config_.validate_topic_config(key, value);
    if (status.ok()) return {};
    return {protocol::ErrorCode::kInvalidConfig, std::string(status.message())};
  }

  PlanError CheckTopic(const std::string& name, const ConfigMap& before,
                       const ConfigMap& after) const {
    if (name.empty()) return {protocol::ErrorCode::kInvalidRequest, "Expected a topic name"};
    if (absl::Status status = ValidateTopicName(name); !status.ok()) {
      return {protocol::ErrorCode::kInvalidTopicException, std::string(status.message())};
    }
    for (const auto& [key, value] : after) {
      const auto old = before.find(key);
      if (old != before.end() && old->second == value) continue;
      if (PlanError error = CheckValue(key, value); !error.ok()) return error;
    }
    if (config_.validate_topic_configs) {
      if (absl::Status status = config_.validate_topic_configs(after); !status.ok()) {
        return {protocol::ErrorCode::kInvalidConfig, std::string(status.message())};
      }
    }
    if (image_.FindTopic(name) == nullptr) {
      return {protocol::ErrorCode::kUnknownTopicOrPartition,
              absl::StrCat("There is no topic '", name, "'")};
    }
    return {};
  }

  // A broker's settings come from its file, but for throttles of replication, and the minimum of
  // replicas in sync, which is one for all brokers. What Kafka set dynamically in this directory
  // may be deleted.
  PlanError CheckBroker(const std::string& name, const ConfigMap& before,
                        const ConfigMap& after) const {
    int32_t id = 0;
    if (!name.empty() &&
        (!absl::SimpleAtoi(name, &id) || image_.FindBroker(BrokerId(id)) == nullptr)) {
      return {protocol::ErrorCode::kInvalidRequest,
              absl::StrCat("There is no broker '", name, "'")};
    }
    for (const auto& [key, value] : after) {
      const auto old = before.find(key);
      if (old != before.end() && old->second == value) continue;
      if (name.empty() && key == kMinInsyncReplicas) {
        if (PlanError error = CheckValue(key, value); !error.ok()) return error;
        continue;
      }
      if (FindThrottledRate(key) != nullptr) {
        const absl::Status status = ParseThrottledRate(key, value).status();
        if (status.ok()) continue;
        return {protocol::ErrorCode::kInvalidConfig, std::string(status.message())};
      }
      return {protocol::ErrorCode::kInvalidRequest,
              absl::StrCat("Config ", key,
                           " of a broker cannot change while it runs: set it in "
                           "the broker's properties file")};
    }
    const std::string minimum(kMinInsyncReplicas);
    if (name.empty() && image_.FeatureLevel(kElrFeature) > 0 && before.count(minimum) != 0 &&
        after.count(minimum) == 0) {
      return {protocol::ErrorCode::kInvalidConfig,
              absl::StrCat("Config ", minimum, " of all brokers cannot be deleted while ",
                           kElrFeature, " is at ", image_.FeatureLevel(kElrFeature), ": set it")};
    }
    return {};
  }

  static void AddRecord(const ConfigChange& change, const std::string& name,
                        std::optional<std::string> value, std::vector<MetadataRecord>* records) {
    ConfigRecord record;
    record.resource_type = change.type;
    record.resource_name = change.name;
    record.name = name;
    record.value = std::move(value);
    records->push_back(std::move(record));
  }

  const MetadataImage& image_;
  const ControllerConfig& config_;
};

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_CONFIG_PLANNER_H_

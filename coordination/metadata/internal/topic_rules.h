// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/topic_rules.h
// -----------------------------------------------------------------------------
// The settings that elections go by: of the topic, else of all brokers, else of the controller.
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_TOPIC_RULES_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_TOPIC_RULES_H_

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/features.h"
#include "coordination/metadata/image.h"

namespace weir::metadata::metadata_internal {

inline constexpr absl::string_view kMinInsyncReplicas = "min.insync.replicas";
inline constexpr absl::string_view kUncleanElection = "unclean.leader.election.enable";

struct TopicRules {
  int32_t min_insync_replicas = 1;
  bool unclean_election = false;
  bool elr = false;
};

// Null where it is not set.
inline const std::string* FindConfig(const MetadataState& image, ConfigResourceType type,
                                     absl::string_view resource, absl::string_view name) {
  const ConfigMap* configs = image.FindConfigs(type, resource);
  if (configs == nullptr) return nullptr;
  const auto found = configs->find(std::string(name));
  return found == configs->end() ? nullptr : &found->second;
}
// What is set for all brokers.
inline const std::string* FindClusterConfig(const MetadataState& image, absl::string_view name) {
  return FindConfig(image, ConfigResourceType::kBroker, "", name);
}
// What is set for the topic, or for all brokers.
inline const std::string* FindTopicConfig(const MetadataState& image, absl::string_view topic,
                                          absl::string_view name) {
  const std::string* own = FindConfig(image, ConfigResourceType::kTopic, topic, name);
  return own != nullptr ? own : FindClusterConfig(image, name);
}

inline TopicRules RulesOf(const MetadataState& image, const ControllerConfig& config,
                          absl::string_view topic) {
  TopicRules rules;
  rules.elr = image.FeatureLevel(kElrFeature) > 0;
  rules.min_insync_replicas = config.min_insync_replicas.value_or(1);
  if (const std::string* value = FindTopicConfig(image, topic, kMinInsyncReplicas)) {
    int32_t parsed = 0;
    if (absl::SimpleAtoi(*value, &parsed)) rules.min_insync_replicas = std::max(parsed, 1);
  }
  rules.unclean_election = config.unclean_leader_election_enable;
  if (const std::string* value = FindTopicConfig(image, topic, kUncleanElection)) {
    rules.unclean_election = absl::AsciiStrToLower(*value) == "true";
  }
  return rules;
}

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_TOPIC_RULES_H_

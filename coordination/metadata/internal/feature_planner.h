// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/feature_planner.h
// -----------------------------------------------------------------------------
// Which records bring features to other levels: the rules of Kafka's controller (KIP-584, KIP-778).
// All updates of a request happen, or none.
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_FEATURE_PLANNER_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_FEATURE_PLANNER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/features.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/records.h"
#include "protocol/error_code.h"

namespace weir::metadata::metadata_internal {

// Features of Kafka 4.2 that are not among kSupportedFeatures: they stay at level 0.
inline constexpr absl::string_view kFeaturesAtZero[] = {
    "group.version", "kraft.version", "share.version", "streams.version", "transaction.version",
};

// Whether metadata.version `level` brought records that the level before it cannot read (Kafka's
// didMetadataChange, of 4.2.0).
inline bool ChangesMetadata(int16_t level) {
  for (const int16_t changed : {7, 8, 11, 13, 14, 15, 17, 23}) {
    if (level == changed) return true;
  }
  return false;
}

// Empty when all registered brokers can work at that level, fenced ones too: they may come back.
inline std::string BrokerFault(const MetadataImage& image, const FeatureUpdate& update) {
  if (update.level == 0) return "";
  std::string fault;
  image.brokers.ForEach([&](BrokerId id, const BrokerImage& broker) {
    if (broker.features.empty()) return;  // of a release that did not say
    const auto found = broker.features.find(update.feature);
    const FeatureRange range = found == broker.features.end() ? FeatureRange() : found->second;
    if (update.level >= range.min && update.level <= range.max) return;
    fault = absl::StrCat("broker ", id.value(), " supports levels ", range.min, " to ", range.max);
  });
  return fault;
}

// Empty when the feature may go to that level.
inline std::string FeatureFault(const MetadataImage& image, const FeatureUpdate& update) {
  using Kind = FeatureUpdate::Kind;
  if (update.kind < Kind::kUpgrade || update.kind > Kind::kUnsafeDowngrade) {
    return absl::StrCat("expected upgrade type 1, 2 or 3, came ", static_cast<int>(update.kind));
  }
  bool known = false;
  FeatureRange range;
  for (const SupportedFeature& feature : kSupportedFeatures) {
    if (feature.name == update.feature) {
      known = true;
      range = {feature.min, feature.max};
    }
  }
  for (const absl::string_view name : kFeaturesAtZero) known = known || name == update.feature;
  if (!known) return "there is no such feature";
  if (update.level < range.min || update.level > range.max) {
    return absl::StrCat("this release supports levels ", range.min, " to ", range.max);
  }
  if (std::string fault = BrokerFault(image, update); !fault.empty()) return fault;
  const int16_t current = image.FeatureLevel(update.feature);
  if (update.level > current && update.kind != Kind::kUpgrade) {
    return absl::StrCat("it is at ", current, ": a downgrade cannot raise it");
  }
  if (update.level >= current) return "";
  if (update.kind == Kind::kUpgrade) {
    return absl::StrCat("it is at ", current, ": an upgrade cannot lower it");
  }
  if (update.feature != kMetadataVersionFeature) return "";
  for (int16_t level = current; level > update.level; --level) {
    if (!ChangesMetadata(level)) continue;
    return absl::StrCat("the downgrade might lose metadata that level ", level, " brought");
  }
  return "";
}

inline FeaturesUpdated PlanFeatures(const MetadataImage& image, const UpdateFeatures& request,
                                    std::vector<MetadataRecord>* records) {
  std::vector<MetadataRecord> own;
  for (const FeatureUpdate& update : request.updates) {
    const std::string fault = FeatureFault(image, update);
    if (!fault.empty()) {
      return {protocol::ErrorCode::kInvalidUpdateVersion,
              absl::StrCat("No feature was updated: ", update.feature, " cannot go to level ",
                           update.level, ": ", fault)};
    }
    if (image.FeatureLevel(update.feature) == update.level) continue;
    FeatureLevelRecord record;
    record.name = update.feature;
    record.feature_level = update.level;
    own.push_back(std::move(record));
  }
  if (!request.validate_only) {
    MoveRecords(&own, records);
  }
  return {};
}

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_FEATURE_PLANNER_H_

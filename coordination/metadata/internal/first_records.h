// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/first_records.h
// -----------------------------------------------------------------------------
// What a controller's epoch begins with where it needs to: the end of a transaction that the one
// before left open, on an empty log the bootstrap records in a transaction (KIP-868), and the
// minimum of replicas in sync that controllers and brokers share.
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_FIRST_RECORDS_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_FIRST_RECORDS_H_

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/features.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/internal/topic_rules.h"
#include "coordination/metadata/records.h"

namespace weir::metadata::metadata_internal {

inline std::vector<MetadataRecord> FirstRecords(const MetadataImage& image,
                                                const ControllerConfig& config) {
  std::vector<MetadataRecord> records;
  if (image.transaction.has_value()) {
    AbortTransactionRecord abort;
    abort.reason = "Controller failover";
    records.push_back(std::move(abort));
  }
  if (!image.IsEmpty()) return records;
  BeginTransactionRecord begin;
  begin.name = "Bootstrap records";
  records.push_back(std::move(begin));
  for (const MetadataRecord& record : config.bootstrap_records) records.push_back(record);
  if (config.bootstrap_records.empty()) {
    const auto finalize = [&](absl::string_view feature, int16_t level) {
      FeatureLevelRecord& record =
          std::get<FeatureLevelRecord>(records.emplace_back(FeatureLevelRecord()));
      record.name = std::string(feature);
      record.feature_level = level;
    };
    finalize(kMetadataVersionFeature, kMetadataVersionNewest);
    finalize(kElrFeature, kElrNewest);
  }
  records.push_back(EndTransactionRecord());
  return records;
}

inline bool LacksMinimum(const MetadataImage& image, const ControllerConfig& config) {
  return config.min_insync_replicas.has_value() && image.FeatureLevel(kElrFeature) > 0 &&
         FindClusterConfig(image, kMinInsyncReplicas) == nullptr;
}

// A replica that left the ISR is eligible only because the high watermark waits for
// min.insync.replicas: the leader must not wait for fewer than the controller counts on. So what
// the controller's file says holds for the cluster from then on (KIP-966, as Kafka 4.1 does it).
inline std::vector<MetadataRecord> MinimumRecords(const MetadataImage& image,
                                                  const ControllerConfig& config) {
  if (!LacksMinimum(image, config)) return {};
  ConfigRecord record;
  record.resource_type = static_cast<int8_t>(ConfigResourceType::kBroker);
  record.name = std::string(kMinInsyncReplicas);
  record.value = absl::StrCat(*config.min_insync_replicas);
  return {std::move(record)};
}

inline bool LacksFirstRecords(const MetadataImage& image, const ControllerConfig& config) {
  return image.transaction.has_value() || image.IsEmpty() || LacksMinimum(image, config);
}

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_FIRST_RECORDS_H_

// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/first_records.h
// -----------------------------------------------------------------------------
// What a controller's epoch begins with where it needs to: the end of a transaction that the one
// before left open, and on an empty log the bootstrap records in a transaction (KIP-868).
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_FIRST_RECORDS_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_FIRST_RECORDS_H_

#include <string>
#include <utility>
#include <vector>

#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/features.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/records.h"

namespace weir::metadata::metadata_internal {

inline bool LacksFirstRecords(const MetadataImage& image) {
  return image.transaction.has_value() || image.IsEmpty();
}

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
    FeatureLevelRecord version;
    version.name = std::string(kMetadataVersionFeature);
    version.feature_level = kMetadataVersionNewest;
    records.push_back(std::move(version));
  }
  records.push_back(EndTransactionRecord());
  return records;
}

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_FIRST_RECORDS_H_

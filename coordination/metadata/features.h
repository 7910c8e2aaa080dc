// -----------------------------------------------------------------------------
// File: coordination/metadata/features.h
// -----------------------------------------------------------------------------
// The features whose levels the cluster metadata log finalizes (KIP-584, KIP-778), and the levels
// this release works at. A feature is offered only once it is implemented; absent means 0.
#ifndef WEIR_COORDINATION_METADATA_FEATURES_H_
#define WEIR_COORDINATION_METADATA_FEATURES_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace weir::metadata {

inline constexpr absl::string_view kMetadataVersionFeature = "metadata.version";
// From level 1 on the controller keeps eligible leader replicas (KIP-966).
inline constexpr absl::string_view kElrFeature = "eligible.leader.replicas.version";
inline constexpr int16_t kElrNewest = 1;
inline constexpr int16_t kMetadataVersionOldest = 7;   // 3.3-IV3, the oldest that Kafka 4 reads
inline constexpr int16_t kMetadataVersionNewest = 29;  // 4.2-IV1, the production level of Kafka 4.2

struct SupportedFeature {
  absl::string_view name;
  int16_t min = 0;
  int16_t max = 0;
};

// What a broker of this release says in its registration and in ApiVersions, by name.
inline constexpr SupportedFeature kSupportedFeatures[] = {
    {kElrFeature, 0, kElrNewest},
    {kMetadataVersionFeature, kMetadataVersionOldest, kMetadataVersionNewest},
};

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_FEATURES_H_

// -----------------------------------------------------------------------------
// File: protocol/api/update_features.h
// -----------------------------------------------------------------------------
// Feature levels of the cluster to raise or lower (KIP-584).
// Source: UpdateFeaturesRequest.json and UpdateFeaturesResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_UPDATE_FEATURES_H_
#define WEIR_PROTOCOL_API_UPDATE_FEATURES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

// Values of `upgrade_type`.
inline constexpr int8_t kUpgradeFeature = 1;
inline constexpr int8_t kSafeDowngradeFeature = 2;
inline constexpr int8_t kUnsafeDowngradeFeature = 3;

struct UpdateFeaturesRequest {
  static constexpr ApiInfo kApi{.key = 57, .versions = {0, 2}, .flexible_since = 0};

  struct FeatureUpdateKey {
    std::string feature;
    int16_t max_version_level = 0;
    bool allow_downgrade = false;
    int8_t upgrade_type = 1;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"feature", Since(0)}, m.feature);
      v.Field({"max_version_level", Since(0)}, m.max_version_level);
      v.Field({"allow_downgrade", Since(0), Until(0)}, m.allow_downgrade);
      v.Field({"upgrade_type", Since(1)}, m.upgrade_type);
    }
  };

  int32_t timeout_ms = 60000;
  std::vector<FeatureUpdateKey> feature_updates;
  bool validate_only = false;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"timeout_ms", Since(0)}, m.timeout_ms);
    v.Field({"feature_updates", Since(0)}, m.feature_updates);
    v.Field({"validate_only", Since(1)}, m.validate_only);
  }
};

struct UpdateFeaturesResponse {
  static constexpr ApiInfo kApi{.key = 57, .versions = {0, 2}, .flexible_since = 0};

  struct UpdatableFeatureResult {
    std::string feature;
    int16_t error_code = 0;
    std::optional<std::string> error_message{std::in_place};

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"feature", Since(0)}, m.feature);
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message{std::in_place};
  std::vector<UpdatableFeatureResult> results;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
    v.Field({"results", Since(0), Until(1), Ignorable()}, m.results);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_UPDATE_FEATURES_H_

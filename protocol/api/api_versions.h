// -----------------------------------------------------------------------------
// File: protocol/api/api_versions.h
// -----------------------------------------------------------------------------
// Which APIs a broker speaks, at which versions, and the feature levels of its cluster (KIP-35,
// KIP-511, KIP-584). The response to a version above ours is written as version 0.
// Source: ApiVersionsRequest.json and ApiVersionsResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_API_VERSIONS_H_
#define WEIR_PROTOCOL_API_API_VERSIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct ApiVersionsRequest {
  static constexpr ApiInfo kApi{.key = 18, .versions = {0, 4}, .flexible_since = 3, .hot = true};

  std::string client_software_name;
  std::string client_software_version;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"client_software_name", Since(3), Ignorable()}, m.client_software_name);
    v.Field({"client_software_version", Since(3), Ignorable()}, m.client_software_version);
  }
};

struct ApiVersionsResponse {
  static constexpr ApiInfo kApi{.key = 18, .versions = {0, 4}, .flexible_since = 3, .hot = true};

  struct ApiVersion {
    int16_t api_key = 0;
    int16_t min_version = 0;
    int16_t max_version = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"api_key", Since(0)}, m.api_key);
      v.Field({"min_version", Since(0)}, m.min_version);
      v.Field({"max_version", Since(0)}, m.max_version);
    }
  };

  struct SupportedFeatureKey {
    std::string name;
    int16_t min_version = 0;
    int16_t max_version = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(3)}, m.name);
      v.Field({"min_version", Since(3)}, m.min_version);
      v.Field({"max_version", Since(3)}, m.max_version);
    }
  };

  struct FinalizedFeatureKey {
    std::string name;
    int16_t max_version_level = 0;
    int16_t min_version_level = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(3)}, m.name);
      v.Field({"max_version_level", Since(3)}, m.max_version_level);
      v.Field({"min_version_level", Since(3)}, m.min_version_level);
    }
  };

  int16_t error_code = 0;
  std::vector<ApiVersion> api_keys;
  int32_t throttle_time_ms = 0;
  std::vector<SupportedFeatureKey> supported_features;
  int64_t finalized_features_epoch = -1;
  std::vector<FinalizedFeatureKey> finalized_features;
  bool zk_migration_ready = false;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"api_keys", Since(0)}, m.api_keys);
    v.Field({"throttle_time_ms", Since(1), Ignorable()}, m.throttle_time_ms);
    v.Field({"supported_features", Since(3), Tag(0), Ignorable()}, m.supported_features);
    v.Field({"finalized_features_epoch", Since(3), Tag(1), Ignorable()},
            m.finalized_features_epoch);
    v.Field({"finalized_features", Since(3), Tag(2), Ignorable()}, m.finalized_features);
    v.Field({"zk_migration_ready", Since(3), Tag(3), Ignorable()}, m.zk_migration_ready);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_API_VERSIONS_H_

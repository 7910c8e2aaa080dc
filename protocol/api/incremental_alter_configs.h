// -----------------------------------------------------------------------------
// File: protocol/api/incremental_alter_configs.h
// -----------------------------------------------------------------------------
// Single settings of topics, brokers and other resources to set, clear or, of lists, to extend or
// shorten (KIP-339).
// Source: IncrementalAlterConfigsRequest.json and IncrementalAlterConfigsResponse.json of Apache
// Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_INCREMENTAL_ALTER_CONFIGS_H_
#define WEIR_PROTOCOL_API_INCREMENTAL_ALTER_CONFIGS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

// Values of `config_operation`.
inline constexpr int8_t kSetConfig = 0;
inline constexpr int8_t kDeleteConfig = 1;
inline constexpr int8_t kAppendConfig = 2;
inline constexpr int8_t kSubtractConfig = 3;

struct IncrementalAlterConfigsRequest {
  static constexpr ApiInfo kApi{.key = 44, .versions = {0, 1}, .flexible_since = 1};

  struct AlterableConfig {
    std::string name;
    int8_t config_operation = 0;
    std::optional<std::string> value{std::in_place};

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"config_operation", Since(0)}, m.config_operation);
      v.Field({"value", Since(0), NullableSince(0)}, m.value);
    }
  };

  struct AlterConfigsResource {
    int8_t resource_type = 0;
    std::string resource_name;
    std::vector<AlterableConfig> configs;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"resource_type", Since(0)}, m.resource_type);
      v.Field({"resource_name", Since(0)}, m.resource_name);
      v.Field({"configs", Since(0)}, m.configs);
    }
  };

  std::vector<AlterConfigsResource> resources;
  bool validate_only = false;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"resources", Since(0)}, m.resources);
    v.Field({"validate_only", Since(0)}, m.validate_only);
  }
};

struct IncrementalAlterConfigsResponse {
  static constexpr ApiInfo kApi{.key = 44, .versions = {0, 1}, .flexible_since = 1};

  struct AlterConfigsResourceResponse {
    int16_t error_code = 0;
    std::optional<std::string> error_message{std::in_place};
    int8_t resource_type = 0;
    std::string resource_name;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
      v.Field({"resource_type", Since(0)}, m.resource_type);
      v.Field({"resource_name", Since(0)}, m.resource_name);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<AlterConfigsResourceResponse> responses;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"responses", Since(0)}, m.responses);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_INCREMENTAL_ALTER_CONFIGS_H_

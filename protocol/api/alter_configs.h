// -----------------------------------------------------------------------------
// File: protocol/api/alter_configs.h
// -----------------------------------------------------------------------------
// All settings of topics, brokers and other resources: what is not named is cleared (KIP-133).
// Source: AlterConfigsRequest.json and AlterConfigsResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_ALTER_CONFIGS_H_
#define WEIR_PROTOCOL_API_ALTER_CONFIGS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct AlterConfigsRequest {
  static constexpr ApiInfo kApi{.key = 33, .versions = {0, 2}, .flexible_since = 2};

  struct AlterableConfig {
    std::string name;
    std::optional<std::string> value{std::in_place};

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
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

struct AlterConfigsResponse {
  static constexpr ApiInfo kApi{.key = 33, .versions = {0, 2}, .flexible_since = 2};

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

#endif  // WEIR_PROTOCOL_API_ALTER_CONFIGS_H_

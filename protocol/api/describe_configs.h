// -----------------------------------------------------------------------------
// File: protocol/api/describe_configs.h
// -----------------------------------------------------------------------------
// Configuration of topics, brokers and other resources.
// Source: DescribeConfigsRequest.json and DescribeConfigsResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_DESCRIBE_CONFIGS_H_
#define WEIR_PROTOCOL_API_DESCRIBE_CONFIGS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

// Values of `resource_type`.
inline constexpr int8_t kTopicResource = 2;
inline constexpr int8_t kBrokerResource = 4;
inline constexpr int8_t kBrokerLoggerResource = 8;
inline constexpr int8_t kClientMetricsResource = 16;
inline constexpr int8_t kGroupResource = 32;

// Values of `config_source` and of a synonym's `source`: who set the value.
inline constexpr int8_t kUnknownConfigSource = 0;
inline constexpr int8_t kTopicConfigSource = 1;
inline constexpr int8_t kDynamicBrokerConfigSource = 2;
inline constexpr int8_t kDynamicDefaultBrokerConfigSource = 3;
inline constexpr int8_t kStaticBrokerConfigSource = 4;
inline constexpr int8_t kDefaultConfigSource = 5;

struct DescribeConfigsRequest {
  static constexpr ApiInfo kApi{.key = 32, .versions = {1, 4}, .flexible_since = 4};

  struct DescribeConfigsResource {
    int8_t resource_type = 0;
    std::string resource_name;
    std::optional<std::vector<std::string>> configuration_keys{std::in_place};

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"resource_type", Since(0)}, m.resource_type);
      v.Field({"resource_name", Since(0)}, m.resource_name);
      v.Field({"configuration_keys", Since(0), NullableSince(0)}, m.configuration_keys);
    }
  };

  std::vector<DescribeConfigsResource> resources;
  bool include_synonyms = false;
  bool include_documentation = false;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"resources", Since(0)}, m.resources);
    v.Field({"include_synonyms", Since(1)}, m.include_synonyms);
    v.Field({"include_documentation", Since(3)}, m.include_documentation);
  }
};

struct DescribeConfigsResponse {
  static constexpr ApiInfo kApi{.key = 32, .versions = {1, 4}, .flexible_since = 4};

  struct DescribeConfigsSynonym {
    std::string name;
    std::optional<std::string> value{std::in_place};
    int8_t source = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(1)}, m.name);
      v.Field({"value", Since(1), NullableSince(0)}, m.value);
      v.Field({"source", Since(1)}, m.source);
    }
  };

  struct DescribeConfigsResourceResult {
    std::string name;
    std::optional<std::string> value{std::in_place};
    bool read_only = false;
    int8_t config_source = -1;
    bool is_sensitive = false;
    std::vector<DescribeConfigsSynonym> synonyms;
    int8_t config_type = 0;
    std::optional<std::string> documentation{std::in_place};

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"value", Since(0), NullableSince(0)}, m.value);
      v.Field({"read_only", Since(0)}, m.read_only);
      v.Field({"config_source", Since(1), Ignorable()}, m.config_source);
      v.Field({"is_sensitive", Since(0)}, m.is_sensitive);
      v.Field({"synonyms", Since(1), Ignorable()}, m.synonyms);
      v.Field({"config_type", Since(3), Ignorable()}, m.config_type);
      v.Field({"documentation", Since(3), NullableSince(0), Ignorable()}, m.documentation);
    }
  };

  struct DescribeConfigsResult {
    int16_t error_code = 0;
    std::optional<std::string> error_message{std::in_place};
    int8_t resource_type = 0;
    std::string resource_name;
    std::vector<DescribeConfigsResourceResult> configs;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
      v.Field({"resource_type", Since(0)}, m.resource_type);
      v.Field({"resource_name", Since(0)}, m.resource_name);
      v.Field({"configs", Since(0)}, m.configs);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<DescribeConfigsResult> results;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"results", Since(0)}, m.results);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_DESCRIBE_CONFIGS_H_

// -----------------------------------------------------------------------------
// File: protocol/api/list_config_resources.h
// -----------------------------------------------------------------------------
// The resources that have settings (KIP-714, KIP-1142). Version 0 is of client metrics only.
// Source: ListConfigResourcesRequest.json and ListConfigResourcesResponse.json of Apache Kafka
// 4.2.0.
#ifndef WEIR_PROTOCOL_API_LIST_CONFIG_RESOURCES_H_
#define WEIR_PROTOCOL_API_LIST_CONFIG_RESOURCES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct ListConfigResourcesRequest {
  static constexpr ApiInfo kApi{.key = 74, .versions = {0, 1}, .flexible_since = 0};

  std::vector<int8_t> resource_types;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"resource_types", Since(1)}, m.resource_types);
  }
};

struct ListConfigResourcesResponse {
  static constexpr ApiInfo kApi{.key = 74, .versions = {0, 1}, .flexible_since = 0};

  struct ConfigResource {
    std::string resource_name;
    int8_t resource_type = 16;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"resource_name", Since(0)}, m.resource_name);
      v.Field({"resource_type", Since(1), Ignorable()}, m.resource_type);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<ConfigResource> config_resources;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"config_resources", Since(0)}, m.config_resources);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_LIST_CONFIG_RESOURCES_H_

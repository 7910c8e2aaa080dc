// -----------------------------------------------------------------------------
// File: protocol/api/describe_client_quotas.h
// -----------------------------------------------------------------------------
// The quotas of users, clients and addresses that match a filter (KIP-546).
// Source: DescribeClientQuotasRequest.json and DescribeClientQuotasResponse.json of Apache Kafka
// 4.2.0.
#ifndef WEIR_PROTOCOL_API_DESCRIBE_CLIENT_QUOTAS_H_
#define WEIR_PROTOCOL_API_DESCRIBE_CLIENT_QUOTAS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct DescribeClientQuotasRequest {
  static constexpr ApiInfo kApi{.key = 48, .versions = {0, 1}, .flexible_since = 1};

  struct ComponentData {
    std::string entity_type;
    int8_t match_type = 0;
    std::optional<std::string> match{std::in_place};

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"entity_type", Since(0)}, m.entity_type);
      v.Field({"match_type", Since(0)}, m.match_type);
      v.Field({"match", Since(0), NullableSince(0)}, m.match);
    }
  };

  std::vector<ComponentData> components;
  bool strict = false;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"components", Since(0)}, m.components);
    v.Field({"strict", Since(0)}, m.strict);
  }
};

struct DescribeClientQuotasResponse {
  static constexpr ApiInfo kApi{.key = 48, .versions = {0, 1}, .flexible_since = 1};

  struct EntityData {
    std::string entity_type;
    std::optional<std::string> entity_name{std::in_place};

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"entity_type", Since(0)}, m.entity_type);
      v.Field({"entity_name", Since(0), NullableSince(0)}, m.entity_name);
    }
  };

  struct ValueData {
    std::string key;
    double value = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"key", Since(0)}, m.key);
      v.Field({"value", Since(0)}, m.value);
    }
  };

  struct EntryData {
    std::vector<EntityData> entity;
    std::vector<ValueData> values;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"entity", Since(0)}, m.entity);
      v.Field({"values", Since(0)}, m.values);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message{std::in_place};
  std::optional<std::vector<EntryData>> entries{std::in_place};
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
    v.Field({"entries", Since(0), NullableSince(0)}, m.entries);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_DESCRIBE_CLIENT_QUOTAS_H_

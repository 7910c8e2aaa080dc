// -----------------------------------------------------------------------------
// File: protocol/api/alter_client_quotas.h
// -----------------------------------------------------------------------------
// Quotas of users, clients and addresses to set or remove (KIP-546).
// Source: AlterClientQuotasRequest.json and AlterClientQuotasResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_ALTER_CLIENT_QUOTAS_H_
#define WEIR_PROTOCOL_API_ALTER_CLIENT_QUOTAS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct AlterClientQuotasRequest {
  static constexpr ApiInfo kApi{.key = 49, .versions = {0, 1}, .flexible_since = 1};

  struct EntityData {
    std::string entity_type;
    std::optional<std::string> entity_name{std::in_place};

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"entity_type", Since(0)}, m.entity_type);
      v.Field({"entity_name", Since(0), NullableSince(0)}, m.entity_name);
    }
  };

  struct OpData {
    std::string key;
    double value = 0;
    bool remove = false;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"key", Since(0)}, m.key);
      v.Field({"value", Since(0)}, m.value);
      v.Field({"remove", Since(0)}, m.remove);
    }
  };

  struct EntryData {
    std::vector<EntityData> entity;
    std::vector<OpData> ops;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"entity", Since(0)}, m.entity);
      v.Field({"ops", Since(0)}, m.ops);
    }
  };

  std::vector<EntryData> entries;
  bool validate_only = false;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"entries", Since(0)}, m.entries);
    v.Field({"validate_only", Since(0)}, m.validate_only);
  }
};

struct AlterClientQuotasResponse {
  static constexpr ApiInfo kApi{.key = 49, .versions = {0, 1}, .flexible_since = 1};

  using EntityData = AlterClientQuotasRequest::EntityData;

  struct EntryData {
    int16_t error_code = 0;
    std::optional<std::string> error_message{std::in_place};
    std::vector<EntityData> entity;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
      v.Field({"entity", Since(0)}, m.entity);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<EntryData> entries;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"entries", Since(0)}, m.entries);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_ALTER_CLIENT_QUOTAS_H_

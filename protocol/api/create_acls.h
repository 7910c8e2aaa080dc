// -----------------------------------------------------------------------------
// File: protocol/api/create_acls.h
// -----------------------------------------------------------------------------
// Access control entries to add (KIP-140, KIP-290).
// Source: CreateAclsRequest.json and CreateAclsResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_CREATE_ACLS_H_
#define WEIR_PROTOCOL_API_CREATE_ACLS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct CreateAclsRequest {
  static constexpr ApiInfo kApi{.key = 30, .versions = {1, 3}, .flexible_since = 2};

  struct AclCreation {
    int8_t resource_type = 0;
    std::string resource_name;
    int8_t resource_pattern_type = 3;
    std::string principal;
    std::string host;
    int8_t operation = 0;
    int8_t permission_type = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"resource_type", Since(0)}, m.resource_type);
      v.Field({"resource_name", Since(0)}, m.resource_name);
      v.Field({"resource_pattern_type", Since(1)}, m.resource_pattern_type);
      v.Field({"principal", Since(0)}, m.principal);
      v.Field({"host", Since(0)}, m.host);
      v.Field({"operation", Since(0)}, m.operation);
      v.Field({"permission_type", Since(0)}, m.permission_type);
    }
  };

  std::vector<AclCreation> creations;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"creations", Since(0)}, m.creations);
  }
};

struct CreateAclsResponse {
  static constexpr ApiInfo kApi{.key = 30, .versions = {1, 3}, .flexible_since = 2};

  struct AclCreationResult {
    int16_t error_code = 0;
    std::optional<std::string> error_message{std::in_place};

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<AclCreationResult> results;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"results", Since(0)}, m.results);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_CREATE_ACLS_H_

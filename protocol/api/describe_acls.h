// -----------------------------------------------------------------------------
// File: protocol/api/describe_acls.h
// -----------------------------------------------------------------------------
// Access control entries that match a filter (KIP-140, KIP-290).
// Source: DescribeAclsRequest.json and DescribeAclsResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_DESCRIBE_ACLS_H_
#define WEIR_PROTOCOL_API_DESCRIBE_ACLS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct DescribeAclsRequest {
  static constexpr ApiInfo kApi{.key = 29, .versions = {1, 3}, .flexible_since = 2};

  int8_t resource_type_filter = 0;
  std::optional<std::string> resource_name_filter{std::in_place};
  int8_t pattern_type_filter = 3;
  std::optional<std::string> principal_filter{std::in_place};
  std::optional<std::string> host_filter{std::in_place};
  int8_t operation = 0;
  int8_t permission_type = 0;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"resource_type_filter", Since(0)}, m.resource_type_filter);
    v.Field({"resource_name_filter", Since(0), NullableSince(0)}, m.resource_name_filter);
    v.Field({"pattern_type_filter", Since(1)}, m.pattern_type_filter);
    v.Field({"principal_filter", Since(0), NullableSince(0)}, m.principal_filter);
    v.Field({"host_filter", Since(0), NullableSince(0)}, m.host_filter);
    v.Field({"operation", Since(0)}, m.operation);
    v.Field({"permission_type", Since(0)}, m.permission_type);
  }
};

struct DescribeAclsResponse {
  static constexpr ApiInfo kApi{.key = 29, .versions = {1, 3}, .flexible_since = 2};

  struct AclDescription {
    std::string principal;
    std::string host;
    int8_t operation = 0;
    int8_t permission_type = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"principal", Since(0)}, m.principal);
      v.Field({"host", Since(0)}, m.host);
      v.Field({"operation", Since(0)}, m.operation);
      v.Field({"permission_type", Since(0)}, m.permission_type);
    }
  };

  struct DescribeAclsResource {
    int8_t resource_type = 0;
    std::string resource_name;
    int8_t pattern_type = 3;
    std::vector<AclDescription> acls;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"resource_type", Since(0)}, m.resource_type);
      v.Field({"resource_name", Since(0)}, m.resource_name);
      v.Field({"pattern_type", Since(1)}, m.pattern_type);
      v.Field({"acls", Since(0)}, m.acls);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message{std::in_place};
  std::vector<DescribeAclsResource> resources;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
    v.Field({"resources", Since(0)}, m.resources);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_DESCRIBE_ACLS_H_

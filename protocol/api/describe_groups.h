// -----------------------------------------------------------------------------
// File: protocol/api/describe_groups.h
// -----------------------------------------------------------------------------
// DescribeGroups (key 15, versions 0 to 6).
// State and members of classic groups.
// Source: DescribeGroupsRequest.json and DescribeGroupsResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_DESCRIBE_GROUPS_H_
#define WEIR_PROTOCOL_API_DESCRIBE_GROUPS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct DescribeGroupsRequest {
  static constexpr ApiInfo kApi{.key = 15, .versions = {0, 6}, .flexible_since = 5};
  std::vector<std::string> groups;
  bool include_authorized_operations = false;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"groups", Since(0)}, m.groups);
    v.Field({"include_authorized_operations", Since(3)}, m.include_authorized_operations);
  }
};

struct DescribeGroupsResponse {
  static constexpr ApiInfo kApi{.key = 15, .versions = {0, 6}, .flexible_since = 5};

  struct Group {
    struct Member {
      std::string member_id;
      std::optional<std::string> group_instance_id;
      std::string client_id;
      std::string client_host;
      Bytes member_metadata;
      Bytes member_assignment;

      template <class Self, class V>
      static constexpr void Describe(Self& m, V& v) {
        v.Field({"member_id", Since(0)}, m.member_id);
        v.Field({"group_instance_id", Since(4), NullableSince(4), Ignorable()},
                m.group_instance_id);
        v.Field({"client_id", Since(0)}, m.client_id);
        v.Field({"client_host", Since(0)}, m.client_host);
        v.Field({"member_metadata", Since(0)}, m.member_metadata);
        v.Field({"member_assignment", Since(0)}, m.member_assignment);
      }
    };

    int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::string group_id;
    std::string group_state;
    std::string protocol_type;
    std::string protocol_data;
    std::vector<Member> members;
    int32_t authorized_operations = INT32_MIN;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"error_message", Since(6), NullableSince(6)}, m.error_message);
      v.Field({"group_id", Since(0)}, m.group_id);
      v.Field({"group_state", Since(0)}, m.group_state);
      v.Field({"protocol_type", Since(0)}, m.protocol_type);
      v.Field({"protocol_data", Since(0)}, m.protocol_data);
      v.Field({"members", Since(0)}, m.members);
      v.Field({"authorized_operations", Since(3)}, m.authorized_operations);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<Group> groups;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(1), Ignorable()}, m.throttle_time_ms);
    v.Field({"groups", Since(0)}, m.groups);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_DESCRIBE_GROUPS_H_

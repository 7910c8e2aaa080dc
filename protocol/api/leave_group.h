// -----------------------------------------------------------------------------
// File: protocol/api/leave_group.h
// -----------------------------------------------------------------------------
// LeaveGroup (key 13, versions 0 to 5).
// Members leave a group; from version 3 several at once, also by their instance id (KIP-345).
// Source: LeaveGroupRequest.json and LeaveGroupResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_LEAVE_GROUP_H_
#define WEIR_PROTOCOL_API_LEAVE_GROUP_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct LeaveGroupRequest {
  static constexpr ApiInfo kApi{.key = 13, .versions = {0, 5}, .flexible_since = 4};

  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::optional<std::string> reason;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"member_id", Since(3)}, m.member_id);
      v.Field({"group_instance_id", Since(3), NullableSince(3)}, m.group_instance_id);
      v.Field({"reason", Since(5), NullableSince(5), Ignorable()}, m.reason);
    }
  };

  std::string group_id;
  std::string member_id;
  std::vector<Member> members;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"group_id", Since(0)}, m.group_id);
    v.Field({"member_id", Since(0), Until(2)}, m.member_id);
    v.Field({"members", Since(3)}, m.members);
  }
};

struct LeaveGroupResponse {
  static constexpr ApiInfo kApi{.key = 13, .versions = {0, 5}, .flexible_since = 4};

  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id{std::in_place};
    int16_t error_code = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"member_id", Since(3)}, m.member_id);
      v.Field({"group_instance_id", Since(3), NullableSince(3)}, m.group_instance_id);
      v.Field({"error_code", Since(3)}, m.error_code);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<Member> members;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(1), Ignorable()}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"members", Since(3)}, m.members);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_LEAVE_GROUP_H_

// -----------------------------------------------------------------------------
// File: protocol/api/join_group.h
// -----------------------------------------------------------------------------
// JoinGroup (key 11, versions 0 to 9).
// A member enters a group, or enters it again for the next generation. The answer comes when the
// group has a generation; the leader gets every member's metadata. Version 4 makes a new member
// come back with the id it is given (KIP-394), 5 has static members (KIP-345), 9 skip_assignment
// (KIP-814).
// Source: JoinGroupRequest.json and JoinGroupResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_JOIN_GROUP_H_
#define WEIR_PROTOCOL_API_JOIN_GROUP_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct JoinGroupRequest {
  static constexpr ApiInfo kApi{.key = 11, .versions = {0, 9}, .flexible_since = 6, .hot = true};

  struct Protocol {
    std::string name;
    Bytes metadata;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"metadata", Since(0)}, m.metadata);
    }
  };

  std::string group_id;
  int32_t session_timeout_ms = 0;
  int32_t rebalance_timeout_ms = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::string protocol_type;
  std::vector<Protocol> protocols;
  std::optional<std::string> reason;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"group_id", Since(0)}, m.group_id);
    v.Field({"session_timeout_ms", Since(0)}, m.session_timeout_ms);
    v.Field({"rebalance_timeout_ms", Since(1), Ignorable()}, m.rebalance_timeout_ms);
    v.Field({"member_id", Since(0)}, m.member_id);
    v.Field({"group_instance_id", Since(5), NullableSince(5)}, m.group_instance_id);
    v.Field({"protocol_type", Since(0)}, m.protocol_type);
    v.Field({"protocols", Since(0)}, m.protocols);
    v.Field({"reason", Since(8), NullableSince(8), Ignorable()}, m.reason);
  }
};

struct JoinGroupResponse {
  static constexpr ApiInfo kApi{.key = 11, .versions = {0, 9}, .flexible_since = 6, .hot = true};

  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    Bytes metadata;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"member_id", Since(0)}, m.member_id);
      v.Field({"group_instance_id", Since(5), NullableSince(5), Ignorable()}, m.group_instance_id);
      v.Field({"metadata", Since(0)}, m.metadata);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int32_t generation_id = -1;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name{std::in_place};
  std::string leader;
  bool skip_assignment = false;
  std::string member_id;
  std::vector<Member> members;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(2), Ignorable()}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"generation_id", Since(0)}, m.generation_id);
    v.Field({"protocol_type", Since(7), NullableSince(7), Ignorable()}, m.protocol_type);
    v.Field({"protocol_name", Since(0), NullableSince(7)}, m.protocol_name);
    v.Field({"leader", Since(0)}, m.leader);
    v.Field({"skip_assignment", Since(9)}, m.skip_assignment);
    v.Field({"member_id", Since(0)}, m.member_id);
    v.Field({"members", Since(0)}, m.members);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_JOIN_GROUP_H_

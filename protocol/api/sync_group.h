// -----------------------------------------------------------------------------
// File: protocol/api/sync_group.h
// -----------------------------------------------------------------------------
// SyncGroup (key 14, versions 0 to 5).
// The second half of a rebalance: the leader hands in the assignments, every member gets its own.
// Source: SyncGroupRequest.json and SyncGroupResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_SYNC_GROUP_H_
#define WEIR_PROTOCOL_API_SYNC_GROUP_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct SyncGroupRequest {
  static constexpr ApiInfo kApi{.key = 14, .versions = {0, 5}, .flexible_since = 4};

  struct Assignment {
    std::string member_id;
    Bytes assignment;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"member_id", Since(0)}, m.member_id);
      v.Field({"assignment", Since(0)}, m.assignment);
    }
  };

  std::string group_id;
  int32_t generation_id = 0;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::vector<Assignment> assignments;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"group_id", Since(0)}, m.group_id);
    v.Field({"generation_id", Since(0)}, m.generation_id);
    v.Field({"member_id", Since(0)}, m.member_id);
    v.Field({"group_instance_id", Since(3), NullableSince(3)}, m.group_instance_id);
    v.Field({"protocol_type", Since(5), NullableSince(5), Ignorable()}, m.protocol_type);
    v.Field({"protocol_name", Since(5), NullableSince(5), Ignorable()}, m.protocol_name);
    v.Field({"assignments", Since(0)}, m.assignments);
  }
};

struct SyncGroupResponse {
  static constexpr ApiInfo kApi{.key = 14, .versions = {0, 5}, .flexible_since = 4};
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  Bytes assignment;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(1), Ignorable()}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"protocol_type", Since(5), NullableSince(5), Ignorable()}, m.protocol_type);
    v.Field({"protocol_name", Since(5), NullableSince(5), Ignorable()}, m.protocol_name);
    v.Field({"assignment", Since(0)}, m.assignment);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_SYNC_GROUP_H_

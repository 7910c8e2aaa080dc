// -----------------------------------------------------------------------------
// File: protocol/api/heartbeat.h
// -----------------------------------------------------------------------------
// Heartbeat (key 12, versions 0 to 4).
// A member says that it is alive and learns whether the group rebalances.
// Source: HeartbeatRequest.json and HeartbeatResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_HEARTBEAT_H_
#define WEIR_PROTOCOL_API_HEARTBEAT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "protocol/describe.h"

namespace weir::protocol {

struct HeartbeatRequest {
  static constexpr ApiInfo kApi{.key = 12, .versions = {0, 4}, .flexible_since = 4};
  std::string group_id;
  int32_t generation_id = 0;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"group_id", Since(0)}, m.group_id);
    v.Field({"generation_id", Since(0)}, m.generation_id);
    v.Field({"member_id", Since(0)}, m.member_id);
    v.Field({"group_instance_id", Since(3), NullableSince(3)}, m.group_instance_id);
  }
};

struct HeartbeatResponse {
  static constexpr ApiInfo kApi{.key = 12, .versions = {0, 4}, .flexible_since = 4};
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(1), Ignorable()}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_HEARTBEAT_H_

// -----------------------------------------------------------------------------
// File: protocol/api/broker_heartbeat.h
// -----------------------------------------------------------------------------
// A broker says that it lives, how far it has followed the metadata log and what it wants (KIP-631,
// KIP-858).
// Source: BrokerHeartbeatRequest.json and BrokerHeartbeatResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_BROKER_HEARTBEAT_H_
#define WEIR_PROTOCOL_API_BROKER_HEARTBEAT_H_

#include <cstdint>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::protocol {

struct BrokerHeartbeatRequest {
  static constexpr ApiInfo kApi{.key = 63, .versions = {0, 1}, .flexible_since = 0};

  int32_t broker_id = 0;
  int64_t broker_epoch = -1;
  int64_t current_metadata_offset = 0;
  bool want_fence = false;
  bool want_shut_down = false;
  std::vector<Uuid> offline_log_dirs;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"broker_id", Since(0)}, m.broker_id);
    v.Field({"broker_epoch", Since(0)}, m.broker_epoch);
    v.Field({"current_metadata_offset", Since(0)}, m.current_metadata_offset);
    v.Field({"want_fence", Since(0)}, m.want_fence);
    v.Field({"want_shut_down", Since(0)}, m.want_shut_down);
    v.Field({"offline_log_dirs", Since(1), Tag(0, 1)}, m.offline_log_dirs);
  }
};

struct BrokerHeartbeatResponse {
  static constexpr ApiInfo kApi{.key = 63, .versions = {0, 1}, .flexible_since = 0};

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  bool is_caught_up = false;
  bool is_fenced = true;
  bool should_shut_down = false;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"is_caught_up", Since(0)}, m.is_caught_up);
    v.Field({"is_fenced", Since(0)}, m.is_fenced);
    v.Field({"should_shut_down", Since(0)}, m.should_shut_down);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_BROKER_HEARTBEAT_H_

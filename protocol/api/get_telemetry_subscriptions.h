// -----------------------------------------------------------------------------
// File: protocol/api/get_telemetry_subscriptions.h
// -----------------------------------------------------------------------------
// Which of its metrics a client is asked to push, and how often (KIP-714).
// Source: GetTelemetrySubscriptionsRequest.json and GetTelemetrySubscriptionsResponse.json of
// Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_GET_TELEMETRY_SUBSCRIPTIONS_H_
#define WEIR_PROTOCOL_API_GET_TELEMETRY_SUBSCRIPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::protocol {

struct GetTelemetrySubscriptionsRequest {
  static constexpr ApiInfo kApi{.key = 71, .versions = {0, 0}, .flexible_since = 0};

  Uuid client_instance_id;  // zero: the client has none yet
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"client_instance_id", Since(0)}, m.client_instance_id);
  }
};

struct GetTelemetrySubscriptionsResponse {
  static constexpr ApiInfo kApi{.key = 71, .versions = {0, 0}, .flexible_since = 0};

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  Uuid client_instance_id;
  int32_t subscription_id = 0;
  std::vector<int8_t> accepted_compression_types;
  int32_t push_interval_ms = 0;
  int32_t telemetry_max_bytes = 0;
  bool delta_temporality = false;
  std::vector<std::string> requested_metrics;  // prefixes of names; none: nothing is asked for
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"client_instance_id", Since(0)}, m.client_instance_id);
    v.Field({"subscription_id", Since(0)}, m.subscription_id);
    v.Field({"accepted_compression_types", Since(0)}, m.accepted_compression_types);
    v.Field({"push_interval_ms", Since(0)}, m.push_interval_ms);
    v.Field({"telemetry_max_bytes", Since(0)}, m.telemetry_max_bytes);
    v.Field({"delta_temporality", Since(0)}, m.delta_temporality);
    v.Field({"requested_metrics", Since(0)}, m.requested_metrics);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_GET_TELEMETRY_SUBSCRIPTIONS_H_

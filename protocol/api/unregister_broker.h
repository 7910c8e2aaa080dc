// -----------------------------------------------------------------------------
// File: protocol/api/unregister_broker.h
// -----------------------------------------------------------------------------
// Takes a broker that is gone off the cluster (KIP-500).
// Source: UnregisterBrokerRequest.json and UnregisterBrokerResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_UNREGISTER_BROKER_H_
#define WEIR_PROTOCOL_API_UNREGISTER_BROKER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "protocol/describe.h"

namespace weir::protocol {

struct UnregisterBrokerRequest {
  static constexpr ApiInfo kApi{.key = 64, .versions = {0, 0}, .flexible_since = 0};

  int32_t broker_id = 0;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"broker_id", Since(0)}, m.broker_id);
  }
};

struct UnregisterBrokerResponse {
  static constexpr ApiInfo kApi{.key = 64, .versions = {0, 0}, .flexible_since = 0};

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message{std::in_place};
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_UNREGISTER_BROKER_H_

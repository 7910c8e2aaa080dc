// -----------------------------------------------------------------------------
// File: protocol/api/init_producer_id.h
// -----------------------------------------------------------------------------
// A producer id and epoch for an idempotent or transactional producer (KIP-98, KIP-360). Version 6,
// which Kafka 4.2 counts as unstable (KIP-939), is not here.
// Source: InitProducerIdRequest.json and InitProducerIdResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_INIT_PRODUCER_ID_H_
#define WEIR_PROTOCOL_API_INIT_PRODUCER_ID_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "protocol/describe.h"

namespace weir::protocol {

struct InitProducerIdRequest {
  static constexpr ApiInfo kApi{.key = 22, .versions = {0, 5}, .flexible_since = 2};

  std::optional<std::string> transactional_id{std::in_place};
  int32_t transaction_timeout_ms = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"transactional_id", Since(0), NullableSince(0)}, m.transactional_id);
    v.Field({"transaction_timeout_ms", Since(0)}, m.transaction_timeout_ms);
    v.Field({"producer_id", Since(3)}, m.producer_id);
    v.Field({"producer_epoch", Since(3)}, m.producer_epoch);
  }
};

struct InitProducerIdResponse {
  static constexpr ApiInfo kApi{.key = 22, .versions = {0, 5}, .flexible_since = 2};

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = 0;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0), Ignorable()}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"producer_id", Since(0)}, m.producer_id);
    v.Field({"producer_epoch", Since(0)}, m.producer_epoch);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_INIT_PRODUCER_ID_H_

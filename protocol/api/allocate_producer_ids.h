// -----------------------------------------------------------------------------
// File: protocol/api/allocate_producer_ids.h
// -----------------------------------------------------------------------------
// A broker asks the controller for a block of producer ids to hand out (KIP-730).
// Source: AllocateProducerIdsRequest.json and AllocateProducerIdsResponse.json of Apache Kafka
// 4.2.0.
#ifndef WEIR_PROTOCOL_API_ALLOCATE_PRODUCER_IDS_H_
#define WEIR_PROTOCOL_API_ALLOCATE_PRODUCER_IDS_H_

#include <cstdint>

#include "protocol/describe.h"

namespace weir::protocol {

struct AllocateProducerIdsRequest {
  static constexpr ApiInfo kApi{.key = 67, .versions = {0, 0}, .flexible_since = 0};

  int32_t broker_id = 0;
  int64_t broker_epoch = -1;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"broker_id", Since(0)}, m.broker_id);
    v.Field({"broker_epoch", Since(0)}, m.broker_epoch);
  }
};

struct AllocateProducerIdsResponse {
  static constexpr ApiInfo kApi{.key = 67, .versions = {0, 0}, .flexible_since = 0};

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int64_t producer_id_start = 0;
  int32_t producer_id_len = 0;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"producer_id_start", Since(0)}, m.producer_id_start);
    v.Field({"producer_id_len", Since(0)}, m.producer_id_len);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_ALLOCATE_PRODUCER_IDS_H_

// -----------------------------------------------------------------------------
// File: protocol/api/end_txn.h
// -----------------------------------------------------------------------------
// Commits or aborts a transaction (KIP-98). From version 5 on the response has the id and the epoch
// for the next one (KIP-890).
// Source: EndTxnRequest.json and EndTxnResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_END_TXN_H_
#define WEIR_PROTOCOL_API_END_TXN_H_

#include <cstdint>
#include <string>

#include "protocol/describe.h"

namespace weir::protocol {

struct EndTxnRequest {
  static constexpr ApiInfo kApi{.key = 26, .versions = {0, 5}, .flexible_since = 3};

  std::string transactional_id;
  int64_t producer_id = 0;
  int16_t producer_epoch = 0;
  bool committed = false;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"transactional_id", Since(0)}, m.transactional_id);
    v.Field({"producer_id", Since(0)}, m.producer_id);
    v.Field({"producer_epoch", Since(0)}, m.producer_epoch);
    v.Field({"committed", Since(0)}, m.committed);
  }
};

struct EndTxnResponse {
  static constexpr ApiInfo kApi{.key = 26, .versions = {0, 5}, .flexible_since = 3};

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"producer_id", Since(5), Ignorable()}, m.producer_id);
    v.Field({"producer_epoch", Since(5), Ignorable()}, m.producer_epoch);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_END_TXN_H_

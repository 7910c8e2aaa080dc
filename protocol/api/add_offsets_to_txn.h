// -----------------------------------------------------------------------------
// File: protocol/api/add_offsets_to_txn.h
// -----------------------------------------------------------------------------
// The group whose offsets a transaction is about to commit, told to the transaction's coordinator
// (KIP-98).
// Source: AddOffsetsToTxnRequest.json and AddOffsetsToTxnResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_ADD_OFFSETS_TO_TXN_H_
#define WEIR_PROTOCOL_API_ADD_OFFSETS_TO_TXN_H_

#include <cstdint>
#include <string>

#include "protocol/describe.h"

namespace weir::protocol {

struct AddOffsetsToTxnRequest {
  static constexpr ApiInfo kApi{.key = 25, .versions = {0, 4}, .flexible_since = 3};

  std::string transactional_id;
  int64_t producer_id = 0;
  int16_t producer_epoch = 0;
  std::string group_id;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"transactional_id", Since(0)}, m.transactional_id);
    v.Field({"producer_id", Since(0)}, m.producer_id);
    v.Field({"producer_epoch", Since(0)}, m.producer_epoch);
    v.Field({"group_id", Since(0)}, m.group_id);
  }
};

struct AddOffsetsToTxnResponse {
  static constexpr ApiInfo kApi{.key = 25, .versions = {0, 4}, .flexible_since = 3};

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_ADD_OFFSETS_TO_TXN_H_

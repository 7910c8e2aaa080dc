// -----------------------------------------------------------------------------
// File: protocol/api/list_transactions.h
// -----------------------------------------------------------------------------
// The transactional ids of a coordinator, filtered by state, producer, age (KIP-994) or a pattern
// of their names (KIP-1152).
// Source: ListTransactionsRequest.json and ListTransactionsResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_LIST_TRANSACTIONS_H_
#define WEIR_PROTOCOL_API_LIST_TRANSACTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct ListTransactionsRequest {
  static constexpr ApiInfo kApi{.key = 66, .versions = {0, 2}, .flexible_since = 0};

  std::vector<std::string> state_filters;
  std::vector<int64_t> producer_id_filters;
  int64_t duration_filter = -1;
  std::optional<std::string> transactional_id_pattern;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"state_filters", Since(0)}, m.state_filters);
    v.Field({"producer_id_filters", Since(0)}, m.producer_id_filters);
    v.Field({"duration_filter", Since(1)}, m.duration_filter);
    v.Field({"transactional_id_pattern", Since(2), NullableSince(2)}, m.transactional_id_pattern);
  }
};

struct ListTransactionsResponse {
  static constexpr ApiInfo kApi{.key = 66, .versions = {0, 2}, .flexible_since = 0};

  struct TransactionState {
    std::string transactional_id;
    int64_t producer_id = 0;
    std::string transaction_state;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"transactional_id", Since(0)}, m.transactional_id);
      v.Field({"producer_id", Since(0)}, m.producer_id);
      v.Field({"transaction_state", Since(0)}, m.transaction_state);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<std::string> unknown_state_filters;
  std::vector<TransactionState> transaction_states;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"unknown_state_filters", Since(0)}, m.unknown_state_filters);
    v.Field({"transaction_states", Since(0)}, m.transaction_states);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_LIST_TRANSACTIONS_H_

// -----------------------------------------------------------------------------
// File: protocol/api/describe_transactions.h
// -----------------------------------------------------------------------------
// What the coordinator knows of transactional ids (KIP-664).
// Source: DescribeTransactionsRequest.json and DescribeTransactionsResponse.json of Apache Kafka
// 4.2.0.
#ifndef WEIR_PROTOCOL_API_DESCRIBE_TRANSACTIONS_H_
#define WEIR_PROTOCOL_API_DESCRIBE_TRANSACTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct DescribeTransactionsRequest {
  static constexpr ApiInfo kApi{.key = 65, .versions = {0, 0}, .flexible_since = 0};

  std::vector<std::string> transactional_ids;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"transactional_ids", Since(0)}, m.transactional_ids);
  }
};

struct DescribeTransactionsResponse {
  static constexpr ApiInfo kApi{.key = 65, .versions = {0, 0}, .flexible_since = 0};

  struct TopicData {
    std::string topic;
    std::vector<int32_t> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic", Since(0)}, m.topic);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  struct TransactionState {
    int16_t error_code = 0;
    std::string transactional_id;
    std::string transaction_state;
    int32_t transaction_timeout_ms = 0;
    int64_t transaction_start_time_ms = 0;
    int64_t producer_id = 0;
    int16_t producer_epoch = 0;
    std::vector<TopicData> topics;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"transactional_id", Since(0)}, m.transactional_id);
      v.Field({"transaction_state", Since(0)}, m.transaction_state);
      v.Field({"transaction_timeout_ms", Since(0)}, m.transaction_timeout_ms);
      v.Field({"transaction_start_time_ms", Since(0)}, m.transaction_start_time_ms);
      v.Field({"producer_id", Since(0)}, m.producer_id);
      v.Field({"producer_epoch", Since(0)}, m.producer_epoch);
      v.Field({"topics", Since(0)}, m.topics);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<TransactionState> transaction_states;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"transaction_states", Since(0)}, m.transaction_states);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_DESCRIBE_TRANSACTIONS_H_

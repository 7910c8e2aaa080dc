// -----------------------------------------------------------------------------
// File: protocol/api/add_partitions_to_txn.h
// -----------------------------------------------------------------------------
// Partitions that a transaction is about to write to, told to its coordinator (KIP-98). Up to
// version 3 from producers, one transaction each; from version 4 on between brokers, with many,
// which may only ask whether a partition is in (KIP-890).
// Source: AddPartitionsToTxnRequest.json and AddPartitionsToTxnResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_ADD_PARTITIONS_TO_TXN_H_
#define WEIR_PROTOCOL_API_ADD_PARTITIONS_TO_TXN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct AddPartitionsToTxnRequest {
  static constexpr ApiInfo kApi{.key = 24, .versions = {0, 5}, .flexible_since = 3};

  struct AddPartitionsToTxnTopic {
    std::string name;
    std::vector<int32_t> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  struct AddPartitionsToTxnTransaction {
    std::string transactional_id;
    int64_t producer_id = 0;
    int16_t producer_epoch = 0;
    bool verify_only = false;
    std::vector<AddPartitionsToTxnTopic> topics;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"transactional_id", Since(4)}, m.transactional_id);
      v.Field({"producer_id", Since(4)}, m.producer_id);
      v.Field({"producer_epoch", Since(4)}, m.producer_epoch);
      v.Field({"verify_only", Since(4)}, m.verify_only);
      v.Field({"topics", Since(4)}, m.topics);
    }
  };

  std::vector<AddPartitionsToTxnTransaction> transactions;
  std::string v3_and_below_transactional_id;
  int64_t v3_and_below_producer_id = 0;
  int16_t v3_and_below_producer_epoch = 0;
  std::vector<AddPartitionsToTxnTopic> v3_and_below_topics;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"transactions", Since(4)}, m.transactions);
    v.Field({"v3_and_below_transactional_id", Since(0), Until(3)}, m.v3_and_below_transactional_id);
    v.Field({"v3_and_below_producer_id", Since(0), Until(3)}, m.v3_and_below_producer_id);
    v.Field({"v3_and_below_producer_epoch", Since(0), Until(3)}, m.v3_and_below_producer_epoch);
    v.Field({"v3_and_below_topics", Since(0), Until(3)}, m.v3_and_below_topics);
  }
};

struct AddPartitionsToTxnResponse {
  static constexpr ApiInfo kApi{.key = 24, .versions = {0, 5}, .flexible_since = 3};

  struct AddPartitionsToTxnPartitionResult {
    int32_t partition_index = 0;
    int16_t partition_error_code = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"partition_error_code", Since(0)}, m.partition_error_code);
    }
  };

  struct AddPartitionsToTxnTopicResult {
    std::string name;
    std::vector<AddPartitionsToTxnPartitionResult> results_by_partition;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"results_by_partition", Since(0)}, m.results_by_partition);
    }
  };

  struct AddPartitionsToTxnResult {
    std::string transactional_id;
    std::vector<AddPartitionsToTxnTopicResult> topic_results;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"transactional_id", Since(4)}, m.transactional_id);
      v.Field({"topic_results", Since(4)}, m.topic_results);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<AddPartitionsToTxnResult> results_by_transaction;
  std::vector<AddPartitionsToTxnTopicResult> results_by_topic_v3_and_below;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(4), Ignorable()}, m.error_code);
    v.Field({"results_by_transaction", Since(4)}, m.results_by_transaction);
    v.Field({"results_by_topic_v3_and_below", Since(0), Until(3)}, m.results_by_topic_v3_and_below);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_ADD_PARTITIONS_TO_TXN_H_

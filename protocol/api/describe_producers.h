// -----------------------------------------------------------------------------
// File: protocol/api/describe_producers.h
// -----------------------------------------------------------------------------
// The producers that a partition's leader knows (KIP-664).
// Source: DescribeProducersRequest.json and DescribeProducersResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_DESCRIBE_PRODUCERS_H_
#define WEIR_PROTOCOL_API_DESCRIBE_PRODUCERS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct DescribeProducersRequest {
  static constexpr ApiInfo kApi{.key = 61, .versions = {0, 0}, .flexible_since = 0};

  struct TopicRequest {
    std::string name;
    std::vector<int32_t> partition_indexes;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"partition_indexes", Since(0)}, m.partition_indexes);
    }
  };

  std::vector<TopicRequest> topics;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"topics", Since(0)}, m.topics);
  }
};

struct DescribeProducersResponse {
  static constexpr ApiInfo kApi{.key = 61, .versions = {0, 0}, .flexible_since = 0};

  struct ProducerState {
    int64_t producer_id = 0;
    int32_t producer_epoch = 0;
    int32_t last_sequence = -1;
    int64_t last_timestamp = -1;
    int32_t coordinator_epoch = 0;
    int64_t current_txn_start_offset = -1;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"producer_id", Since(0)}, m.producer_id);
      v.Field({"producer_epoch", Since(0)}, m.producer_epoch);
      v.Field({"last_sequence", Since(0)}, m.last_sequence);
      v.Field({"last_timestamp", Since(0)}, m.last_timestamp);
      v.Field({"coordinator_epoch", Since(0)}, m.coordinator_epoch);
      v.Field({"current_txn_start_offset", Since(0)}, m.current_txn_start_offset);
    }
  };

  struct PartitionResponse {
    int32_t partition_index = 0;
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::vector<ProducerState> active_producers;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
      v.Field({"active_producers", Since(0)}, m.active_producers);
    }
  };

  struct TopicResponse {
    std::string name;
    std::vector<PartitionResponse> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<TopicResponse> topics;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"topics", Since(0)}, m.topics);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_DESCRIBE_PRODUCERS_H_

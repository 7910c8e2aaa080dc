// -----------------------------------------------------------------------------
// File: protocol/api/produce.h
// -----------------------------------------------------------------------------
// Record batches to append, by topic and partition; a response goes back only if acks is not 0.
// Kafka advertises versions 0 to 2 for the sake of old clients but serves none of them (KIP-896).
// They are declared here, other than in Kafka's definitions, so that a broker can refuse them with
// an error for each partition. Source: ProduceRequest.json and ProduceResponse.json of Apache Kafka
// 4.2.0; versions 0 to 2 as in 3.9.
#ifndef WEIR_PROTOCOL_API_PRODUCE_H_
#define WEIR_PROTOCOL_API_PRODUCE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::protocol {

struct ProduceRequest {
  static constexpr ApiInfo kApi{.key = 0, .versions = {0, 13}, .flexible_since = 9, .hot = true};

  struct PartitionProduceData {
    int32_t index = 0;
    Records records;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"index", Since(0)}, m.index);
      v.Field({"records", Since(0), NullableSince(0)}, m.records);
    }
  };

  struct TopicProduceData {
    std::string name;
    Uuid topic_id;
    std::vector<PartitionProduceData> partition_data;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0), Until(12), Ignorable()}, m.name);
      v.Field({"topic_id", Since(13), Ignorable()}, m.topic_id);
      v.Field({"partition_data", Since(0)}, m.partition_data);
    }
  };

  std::optional<std::string> transactional_id;
  int16_t acks = 0;
  int32_t timeout_ms = 0;
  std::vector<TopicProduceData> topic_data;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"transactional_id", Since(3), NullableSince(3)}, m.transactional_id);
    v.Field({"acks", Since(0)}, m.acks);
    v.Field({"timeout_ms", Since(0)}, m.timeout_ms);
    v.Field({"topic_data", Since(0)}, m.topic_data);
  }
};

struct ProduceResponse {
  static constexpr ApiInfo kApi{.key = 0, .versions = {0, 13}, .flexible_since = 9, .hot = true};

  struct BatchIndexAndErrorMessage {
    int32_t batch_index = 0;
    std::optional<std::string> batch_index_error_message;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"batch_index", Since(8)}, m.batch_index);
      v.Field({"batch_index_error_message", Since(8), NullableSince(8)},
              m.batch_index_error_message);
    }
  };

  struct LeaderIdAndEpoch {
    int32_t leader_id = -1;
    int32_t leader_epoch = -1;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"leader_id", Since(10)}, m.leader_id);
      v.Field({"leader_epoch", Since(10)}, m.leader_epoch);
    }
  };

  struct PartitionProduceResponse {
    int32_t index = 0;
    int16_t error_code = 0;
    int64_t base_offset = 0;
    int64_t log_append_time_ms = -1;
    int64_t log_start_offset = -1;
    std::vector<BatchIndexAndErrorMessage> record_errors;
    std::optional<std::string> error_message;
    LeaderIdAndEpoch current_leader;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"index", Since(0)}, m.index);
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"base_offset", Since(0)}, m.base_offset);
      v.Field({"log_append_time_ms", Since(2), Ignorable()}, m.log_append_time_ms);
      v.Field({"log_start_offset", Since(5), Ignorable()}, m.log_start_offset);
      v.Field({"record_errors", Since(8), Ignorable()}, m.record_errors);
      v.Field({"error_message", Since(8), NullableSince(8), Ignorable()}, m.error_message);
      v.Field({"current_leader", Since(10), Tag(0)}, m.current_leader);
    }
  };

  struct TopicProduceResponse {
    std::string name;
    Uuid topic_id;
    std::vector<PartitionProduceResponse> partition_responses;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0), Until(12), Ignorable()}, m.name);
      v.Field({"topic_id", Since(13), Ignorable()}, m.topic_id);
      v.Field({"partition_responses", Since(0)}, m.partition_responses);
    }
  };

  struct NodeEndpoint {
    int32_t node_id = 0;
    std::string host;
    int32_t port = 0;
    std::optional<std::string> rack;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"node_id", Since(10)}, m.node_id);
      v.Field({"host", Since(10)}, m.host);
      v.Field({"port", Since(10)}, m.port);
      v.Field({"rack", Since(10), NullableSince(10)}, m.rack);
    }
  };

  std::vector<TopicProduceResponse> responses;
  int32_t throttle_time_ms = 0;
  std::vector<NodeEndpoint> node_endpoints;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"responses", Since(0)}, m.responses);
    v.Field({"throttle_time_ms", Since(1), Ignorable()}, m.throttle_time_ms);
    v.Field({"node_endpoints", Since(10), Tag(0)}, m.node_endpoints);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_PRODUCE_H_

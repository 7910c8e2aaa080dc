// -----------------------------------------------------------------------------
// File: protocol/api/describe_topic_partitions.h
// -----------------------------------------------------------------------------
// The partitions of topics, page by page, with eligible leaders (KIP-966).
// Source: DescribeTopicPartitionsRequest.json and DescribeTopicPartitionsResponse.json of Apache
// Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_DESCRIBE_TOPIC_PARTITIONS_H_
#define WEIR_PROTOCOL_API_DESCRIBE_TOPIC_PARTITIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::protocol {

struct DescribeTopicPartitionsRequest {
  static constexpr ApiInfo kApi{.key = 75, .versions = {0, 0}, .flexible_since = 0};

  struct TopicRequest {
    std::string name;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
    }
  };

  struct Cursor {
    std::string topic_name;
    int32_t partition_index = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic_name", Since(0)}, m.topic_name);
      v.Field({"partition_index", Since(0)}, m.partition_index);
    }
  };

  std::vector<TopicRequest> topics;
  int32_t response_partition_limit = 2000;
  std::optional<Cursor> cursor;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"topics", Since(0)}, m.topics);
    v.Field({"response_partition_limit", Since(0)}, m.response_partition_limit);
    v.Field({"cursor", Since(0), NullableSince(0)}, m.cursor);
  }
};

struct DescribeTopicPartitionsResponse {
  static constexpr ApiInfo kApi{.key = 75, .versions = {0, 0}, .flexible_since = 0};

  struct Partition {
    int16_t error_code = 0;
    int32_t partition_index = 0;
    int32_t leader_id = 0;
    int32_t leader_epoch = -1;
    std::vector<int32_t> replica_nodes;
    std::vector<int32_t> isr_nodes;
    std::optional<std::vector<int32_t>> eligible_leader_replicas;
    std::optional<std::vector<int32_t>> last_known_elr;
    std::vector<int32_t> offline_replicas;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"leader_id", Since(0)}, m.leader_id);
      v.Field({"leader_epoch", Since(0), Ignorable()}, m.leader_epoch);
      v.Field({"replica_nodes", Since(0)}, m.replica_nodes);
      v.Field({"isr_nodes", Since(0)}, m.isr_nodes);
      v.Field({"eligible_leader_replicas", Since(0), NullableSince(0)}, m.eligible_leader_replicas);
      v.Field({"last_known_elr", Since(0), NullableSince(0)}, m.last_known_elr);
      v.Field({"offline_replicas", Since(0), Ignorable()}, m.offline_replicas);
    }
  };

  struct Topic {
    int16_t error_code = 0;
    std::optional<std::string> name{std::in_place};
    Uuid topic_id;
    bool is_internal = false;
    std::vector<Partition> partitions;
    int32_t topic_authorized_operations = INT32_MIN;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"name", Since(0), NullableSince(0)}, m.name);
      v.Field({"topic_id", Since(0), Ignorable()}, m.topic_id);
      v.Field({"is_internal", Since(0), Ignorable()}, m.is_internal);
      v.Field({"partitions", Since(0)}, m.partitions);
      v.Field({"topic_authorized_operations", Since(0)}, m.topic_authorized_operations);
    }
  };

  struct Cursor {
    std::string topic_name;
    int32_t partition_index = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic_name", Since(0)}, m.topic_name);
      v.Field({"partition_index", Since(0)}, m.partition_index);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  std::optional<Cursor> next_cursor;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0), Ignorable()}, m.throttle_time_ms);
    v.Field({"topics", Since(0)}, m.topics);
    v.Field({"next_cursor", Since(0), NullableSince(0)}, m.next_cursor);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_DESCRIBE_TOPIC_PARTITIONS_H_

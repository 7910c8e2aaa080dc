// -----------------------------------------------------------------------------
// File: protocol/api/describe_quorum.h
// -----------------------------------------------------------------------------
// Leader, voters and observers of the metadata quorum and how far they are (KIP-595, KIP-836,
// KIP-853).
// Source: DescribeQuorumRequest.json and DescribeQuorumResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_DESCRIBE_QUORUM_H_
#define WEIR_PROTOCOL_API_DESCRIBE_QUORUM_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::protocol {

struct DescribeQuorumRequest {
  static constexpr ApiInfo kApi{.key = 55, .versions = {0, 2}, .flexible_since = 0};

  struct PartitionData {
    int32_t partition_index = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
    }
  };

  struct TopicData {
    std::string topic_name;
    std::vector<PartitionData> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic_name", Since(0)}, m.topic_name);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  std::vector<TopicData> topics;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"topics", Since(0)}, m.topics);
  }
};

struct DescribeQuorumResponse {
  static constexpr ApiInfo kApi{.key = 55, .versions = {0, 2}, .flexible_since = 0};

  struct ReplicaState {
    int32_t replica_id = 0;
    Uuid replica_directory_id;
    int64_t log_end_offset = 0;
    int64_t last_fetch_timestamp = -1;
    int64_t last_caught_up_timestamp = -1;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"replica_id", Since(0)}, m.replica_id);
      v.Field({"replica_directory_id", Since(2)}, m.replica_directory_id);
      v.Field({"log_end_offset", Since(0)}, m.log_end_offset);
      v.Field({"last_fetch_timestamp", Since(1), Ignorable()}, m.last_fetch_timestamp);
      v.Field({"last_caught_up_timestamp", Since(1), Ignorable()}, m.last_caught_up_timestamp);
    }
  };

  struct PartitionData {
    int32_t partition_index = 0;
    int16_t error_code = 0;
    std::optional<std::string> error_message{std::in_place};
    int32_t leader_id = 0;
    int32_t leader_epoch = 0;
    int64_t high_watermark = 0;
    std::vector<ReplicaState> current_voters;
    std::vector<ReplicaState> observers;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"error_message", Since(2), NullableSince(2), Ignorable()}, m.error_message);
      v.Field({"leader_id", Since(0)}, m.leader_id);
      v.Field({"leader_epoch", Since(0)}, m.leader_epoch);
      v.Field({"high_watermark", Since(0)}, m.high_watermark);
      v.Field({"current_voters", Since(0)}, m.current_voters);
      v.Field({"observers", Since(0)}, m.observers);
    }
  };

  struct TopicData {
    std::string topic_name;
    std::vector<PartitionData> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic_name", Since(0)}, m.topic_name);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  struct Listener {
    std::string name;
    std::string host;
    uint16_t port = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(2)}, m.name);
      v.Field({"host", Since(2)}, m.host);
      v.Field({"port", Since(2)}, m.port);
    }
  };

  struct Node {
    int32_t node_id = 0;
    std::vector<Listener> listeners;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"node_id", Since(2)}, m.node_id);
      v.Field({"listeners", Since(2)}, m.listeners);
    }
  };

  int16_t error_code = 0;
  std::optional<std::string> error_message{std::in_place};
  std::vector<TopicData> topics;
  std::vector<Node> nodes;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"error_message", Since(2), NullableSince(2), Ignorable()}, m.error_message);
    v.Field({"topics", Since(0)}, m.topics);
    v.Field({"nodes", Since(2)}, m.nodes);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_DESCRIBE_QUORUM_H_

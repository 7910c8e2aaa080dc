// -----------------------------------------------------------------------------
// File: protocol/api/fetch.h
// -----------------------------------------------------------------------------
// Record batches to read, by topic and partition, within a fetch session (KIP-227). Topics go by
// name up to version 12 and by id from version 13 on (KIP-516).
// Source: FetchRequest.json and FetchResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_FETCH_H_
#define WEIR_PROTOCOL_API_FETCH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::protocol {

// Values of `isolation_level`, here and in ListOffsets.
inline constexpr int8_t kReadUncommitted = 0;
inline constexpr int8_t kReadCommitted = 1;

struct FetchRequest {
  static constexpr ApiInfo kApi{.key = 1, .versions = {4, 18}, .flexible_since = 12, .hot = true};

  struct ReplicaState {
    int32_t replica_id = -1;
    int64_t replica_epoch = -1;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"replica_id", Since(15)}, m.replica_id);
      v.Field({"replica_epoch", Since(15)}, m.replica_epoch);
    }
  };

  struct FetchPartition {
    int32_t partition = 0;
    int32_t current_leader_epoch = -1;
    int64_t fetch_offset = 0;
    int32_t last_fetched_epoch = -1;
    int64_t log_start_offset = -1;
    int32_t partition_max_bytes = 0;
    Uuid replica_directory_id;
    int64_t high_watermark = INT64_MAX;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition", Since(0)}, m.partition);
      v.Field({"current_leader_epoch", Since(9), Ignorable()}, m.current_leader_epoch);
      v.Field({"fetch_offset", Since(0)}, m.fetch_offset);
      v.Field({"last_fetched_epoch", Since(12)}, m.last_fetched_epoch);
      v.Field({"log_start_offset", Since(5), Ignorable()}, m.log_start_offset);
      v.Field({"partition_max_bytes", Since(0)}, m.partition_max_bytes);
      v.Field({"replica_directory_id", Since(17), Tag(0), Ignorable()}, m.replica_directory_id);
      v.Field({"high_watermark", Since(18), Tag(1), Ignorable()}, m.high_watermark);
    }
  };

  struct FetchTopic {
    std::string topic;
    Uuid topic_id;
    std::vector<FetchPartition> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic", Since(0), Until(12), Ignorable()}, m.topic);
      v.Field({"topic_id", Since(13), Ignorable()}, m.topic_id);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  struct ForgottenTopic {
    std::string topic;
    Uuid topic_id;
    std::vector<int32_t> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic", Since(7), Until(12), Ignorable()}, m.topic);
      v.Field({"topic_id", Since(13), Ignorable()}, m.topic_id);
      v.Field({"partitions", Since(7)}, m.partitions);
    }
  };

  std::optional<std::string> cluster_id;
  int32_t replica_id = -1;
  ReplicaState replica_state;
  int32_t max_wait_ms = 0;
  int32_t min_bytes = 0;
  int32_t max_bytes = INT32_MAX;
  int8_t isolation_level = 0;
  int32_t session_id = 0;
  int32_t session_epoch = -1;
  std::vector<FetchTopic> topics;
  std::vector<ForgottenTopic> forgotten_topics_data;
  std::string rack_id;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"cluster_id", Since(12), NullableSince(12), Tag(0), Ignorable()}, m.cluster_id);
    v.Field({"replica_id", Since(0), Until(14)}, m.replica_id);
    v.Field({"replica_state", Since(15), Tag(1)}, m.replica_state);
    v.Field({"max_wait_ms", Since(0)}, m.max_wait_ms);
    v.Field({"min_bytes", Since(0)}, m.min_bytes);
    v.Field({"max_bytes", Since(3), Ignorable()}, m.max_bytes);
    v.Field({"isolation_level", Since(4), Ignorable()}, m.isolation_level);
    v.Field({"session_id", Since(7), Ignorable()}, m.session_id);
    v.Field({"session_epoch", Since(7), Ignorable()}, m.session_epoch);
    v.Field({"topics", Since(0)}, m.topics);
    v.Field({"forgotten_topics_data", Since(7)}, m.forgotten_topics_data);
    v.Field({"rack_id", Since(11), Ignorable()}, m.rack_id);
  }
};

struct FetchResponse {
  static constexpr ApiInfo kApi{.key = 1, .versions = {4, 18}, .flexible_since = 12, .hot = true};

  struct EpochEndOffset {
    int32_t epoch = -1;
    int64_t end_offset = -1;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"epoch", Since(12)}, m.epoch);
      v.Field({"end_offset", Since(12)}, m.end_offset);
    }
  };

  struct LeaderIdAndEpoch {
    int32_t leader_id = -1;
    int32_t leader_epoch = -1;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"leader_id", Since(12)}, m.leader_id);
      v.Field({"leader_epoch", Since(12)}, m.leader_epoch);
    }
  };

  struct SnapshotId {
    int64_t end_offset = -1;
    int32_t epoch = -1;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"end_offset", Since(0)}, m.end_offset);
      v.Field({"epoch", Since(0)}, m.epoch);
    }
  };

  struct AbortedTransaction {
    int64_t producer_id = 0;
    int64_t first_offset = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"producer_id", Since(4)}, m.producer_id);
      v.Field({"first_offset", Since(4)}, m.first_offset);
    }
  };

  struct PartitionData {
    int32_t partition_index = 0;
    int16_t error_code = 0;
    int64_t high_watermark = 0;
    int64_t last_stable_offset = -1;
    int64_t log_start_offset = -1;
    EpochEndOffset diverging_epoch;
    LeaderIdAndEpoch current_leader;
    SnapshotId snapshot_id;
    std::optional<std::vector<AbortedTransaction>> aborted_transactions{std::in_place};
    int32_t preferred_read_replica = -1;
    Records records;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"high_watermark", Since(0)}, m.high_watermark);
      v.Field({"last_stable_offset", Since(4), Ignorable()}, m.last_stable_offset);
      v.Field({"log_start_offset", Since(5), Ignorable()}, m.log_start_offset);
      v.Field({"diverging_epoch", Since(12), Tag(0)}, m.diverging_epoch);
      v.Field({"current_leader", Since(12), Tag(1)}, m.current_leader);
      v.Field({"snapshot_id", Since(12), Tag(2)}, m.snapshot_id);
      v.Field({"aborted_transactions", Since(4), NullableSince(4), Ignorable()},
              m.aborted_transactions);
      v.Field({"preferred_read_replica", Since(11)}, m.preferred_read_replica);
      v.Field({"records", Since(0), NullableSince(0)}, m.records);
    }
  };

  struct FetchableTopicResponse {
    std::string topic;
    Uuid topic_id;
    std::vector<PartitionData> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic", Since(0), Until(12), Ignorable()}, m.topic);
      v.Field({"topic_id", Since(13), Ignorable()}, m.topic_id);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  struct NodeEndpoint {
    int32_t node_id = 0;
    std::string host;
    int32_t port = 0;
    std::optional<std::string> rack;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"node_id", Since(16)}, m.node_id);
      v.Field({"host", Since(16)}, m.host);
      v.Field({"port", Since(16)}, m.port);
      v.Field({"rack", Since(16), NullableSince(16)}, m.rack);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int32_t session_id = 0;
  std::vector<FetchableTopicResponse> responses;
  std::vector<NodeEndpoint> node_endpoints;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(1), Ignorable()}, m.throttle_time_ms);
    v.Field({"error_code", Since(7), Ignorable()}, m.error_code);
    v.Field({"session_id", Since(7)}, m.session_id);
    v.Field({"responses", Since(0)}, m.responses);
    v.Field({"node_endpoints", Since(16), Tag(0)}, m.node_endpoints);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_FETCH_H_

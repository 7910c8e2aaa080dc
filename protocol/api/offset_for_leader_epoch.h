// -----------------------------------------------------------------------------
// File: protocol/api/offset_for_leader_epoch.h
// -----------------------------------------------------------------------------
// Where a leader epoch ended in the leader's log (KIP-101, KIP-320).
// Source: OffsetForLeaderEpochRequest.json and OffsetForLeaderEpochResponse.json of Apache Kafka
// 4.2.0.
#ifndef WEIR_PROTOCOL_API_OFFSET_FOR_LEADER_EPOCH_H_
#define WEIR_PROTOCOL_API_OFFSET_FOR_LEADER_EPOCH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct OffsetForLeaderEpochRequest {
  static constexpr ApiInfo kApi{.key = 23, .versions = {2, 4}, .flexible_since = 4};

  struct OffsetForLeaderPartition {
    int32_t partition = 0;
    int32_t current_leader_epoch = -1;
    int32_t leader_epoch = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition", Since(0)}, m.partition);
      v.Field({"current_leader_epoch", Since(2), Ignorable()}, m.current_leader_epoch);
      v.Field({"leader_epoch", Since(0)}, m.leader_epoch);
    }
  };

  struct OffsetForLeaderTopic {
    std::string topic;
    std::vector<OffsetForLeaderPartition> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic", Since(0)}, m.topic);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  int32_t replica_id = -2;
  std::vector<OffsetForLeaderTopic> topics;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"replica_id", Since(3), Ignorable()}, m.replica_id);
    v.Field({"topics", Since(0)}, m.topics);
  }
};

struct OffsetForLeaderEpochResponse {
  static constexpr ApiInfo kApi{.key = 23, .versions = {2, 4}, .flexible_since = 4};

  struct EpochEndOffset {
    int16_t error_code = 0;
    int32_t partition = 0;
    int32_t leader_epoch = -1;
    int64_t end_offset = -1;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"partition", Since(0)}, m.partition);
      v.Field({"leader_epoch", Since(1), Ignorable()}, m.leader_epoch);
      v.Field({"end_offset", Since(0)}, m.end_offset);
    }
  };

  struct OffsetForLeaderTopicResult {
    std::string topic;
    std::vector<EpochEndOffset> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic", Since(0)}, m.topic);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<OffsetForLeaderTopicResult> topics;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(2), Ignorable()}, m.throttle_time_ms);
    v.Field({"topics", Since(0)}, m.topics);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_OFFSET_FOR_LEADER_EPOCH_H_

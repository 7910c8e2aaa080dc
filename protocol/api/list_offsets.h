// -----------------------------------------------------------------------------
// File: protocol/api/list_offsets.h
// -----------------------------------------------------------------------------
// The offset of the first record at or after a timestamp, or one of the special ones below.
// Source: ListOffsetsRequest.json and ListOffsetsResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_LIST_OFFSETS_H_
#define WEIR_PROTOCOL_API_LIST_OFFSETS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

// Values of `timestamp` that ask for something else than a time.
inline constexpr int64_t kLatestTimestamp = -1;
inline constexpr int64_t kEarliestTimestamp = -2;
inline constexpr int64_t kMaxTimestamp = -3;                    // since version 7 (KIP-734)
inline constexpr int64_t kEarliestLocalTimestamp = -4;          // since version 8 (KIP-405)
inline constexpr int64_t kLatestTieredTimestamp = -5;           // since version 9 (KIP-1005)
inline constexpr int64_t kEarliestPendingUploadTimestamp = -6;  // since version 11 (KIP-1023)

struct ListOffsetsRequest {
  static constexpr ApiInfo kApi{.key = 2, .versions = {1, 11}, .flexible_since = 6};

  struct ListOffsetsPartition {
    int32_t partition_index = 0;
    int32_t current_leader_epoch = -1;
    int64_t timestamp = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"current_leader_epoch", Since(4), Ignorable()}, m.current_leader_epoch);
      v.Field({"timestamp", Since(0)}, m.timestamp);
    }
  };

  struct ListOffsetsTopic {
    std::string name;
    std::vector<ListOffsetsPartition> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  int32_t replica_id = 0;
  int8_t isolation_level = 0;
  std::vector<ListOffsetsTopic> topics;
  int32_t timeout_ms = 0;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"replica_id", Since(0)}, m.replica_id);
    v.Field({"isolation_level", Since(2)}, m.isolation_level);
    v.Field({"topics", Since(0)}, m.topics);
    v.Field({"timeout_ms", Since(10), Ignorable()}, m.timeout_ms);
  }
};

struct ListOffsetsResponse {
  static constexpr ApiInfo kApi{.key = 2, .versions = {1, 11}, .flexible_since = 6};

  struct ListOffsetsPartitionResponse {
    int32_t partition_index = 0;
    int16_t error_code = 0;
    int64_t timestamp = -1;
    int64_t offset = -1;
    int32_t leader_epoch = -1;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"timestamp", Since(1)}, m.timestamp);
      v.Field({"offset", Since(1)}, m.offset);
      v.Field({"leader_epoch", Since(4)}, m.leader_epoch);
    }
  };

  struct ListOffsetsTopicResponse {
    std::string name;
    std::vector<ListOffsetsPartitionResponse> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<ListOffsetsTopicResponse> topics;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(2), Ignorable()}, m.throttle_time_ms);
    v.Field({"topics", Since(0)}, m.topics);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_LIST_OFFSETS_H_

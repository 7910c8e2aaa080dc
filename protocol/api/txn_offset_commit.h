// -----------------------------------------------------------------------------
// File: protocol/api/txn_offset_commit.h
// -----------------------------------------------------------------------------
// Offsets that a group commits as a part of a transaction (KIP-98); with the member's generation
// since 3 (KIP-447). Version 5 adds the group to the transaction by itself (KIP-890).
// Source: TxnOffsetCommitRequest.json and TxnOffsetCommitResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_TXN_OFFSET_COMMIT_H_
#define WEIR_PROTOCOL_API_TXN_OFFSET_COMMIT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct TxnOffsetCommitRequest {
  static constexpr ApiInfo kApi{.key = 28, .versions = {0, 5}, .flexible_since = 3};

  struct TxnOffsetCommitRequestPartition {
    int32_t partition_index = 0;
    int64_t committed_offset = 0;
    int32_t committed_leader_epoch = -1;
    std::optional<std::string> committed_metadata{std::in_place};

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"committed_offset", Since(0)}, m.committed_offset);
      v.Field({"committed_leader_epoch", Since(2), Ignorable()}, m.committed_leader_epoch);
      v.Field({"committed_metadata", Since(0), NullableSince(0)}, m.committed_metadata);
    }
  };

  struct TxnOffsetCommitRequestTopic {
    std::string name;
    std::vector<TxnOffsetCommitRequestPartition> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  std::string transactional_id;
  std::string group_id;
  int64_t producer_id = 0;
  int16_t producer_epoch = 0;
  int32_t generation_id = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::vector<TxnOffsetCommitRequestTopic> topics;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"transactional_id", Since(0)}, m.transactional_id);
    v.Field({"group_id", Since(0)}, m.group_id);
    v.Field({"producer_id", Since(0)}, m.producer_id);
    v.Field({"producer_epoch", Since(0)}, m.producer_epoch);
    v.Field({"generation_id", Since(3)}, m.generation_id);
    v.Field({"member_id", Since(3)}, m.member_id);
    v.Field({"group_instance_id", Since(3), NullableSince(3)}, m.group_instance_id);
    v.Field({"topics", Since(0)}, m.topics);
  }
};

struct TxnOffsetCommitResponse {
  static constexpr ApiInfo kApi{.key = 28, .versions = {0, 5}, .flexible_since = 3};

  struct TxnOffsetCommitResponsePartition {
    int32_t partition_index = 0;
    int16_t error_code = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"error_code", Since(0)}, m.error_code);
    }
  };

  struct TxnOffsetCommitResponseTopic {
    std::string name;
    std::vector<TxnOffsetCommitResponsePartition> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<TxnOffsetCommitResponseTopic> topics;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"topics", Since(0)}, m.topics);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_TXN_OFFSET_COMMIT_H_

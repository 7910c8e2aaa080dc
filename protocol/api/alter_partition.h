// -----------------------------------------------------------------------------
// File: protocol/api/alter_partition.h
// -----------------------------------------------------------------------------
// A leader tells the controller which replicas are in sync (KIP-497); topic ids from version 2 on
// (KIP-841), the epochs of the replicas from version 3 on (KIP-903).
// Source: AlterPartitionRequest.json and AlterPartitionResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_ALTER_PARTITION_H_
#define WEIR_PROTOCOL_API_ALTER_PARTITION_H_

#include <cstdint>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::protocol {

struct AlterPartitionRequest {
  static constexpr ApiInfo kApi{.key = 56, .versions = {2, 3}, .flexible_since = 0};

  struct BrokerState {
    int32_t broker_id = 0;
    int64_t broker_epoch = -1;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"broker_id", Since(3)}, m.broker_id);
      v.Field({"broker_epoch", Since(3)}, m.broker_epoch);
    }
  };

  struct PartitionData {
    int32_t partition_index = 0;
    int32_t leader_epoch = 0;
    std::vector<int32_t> new_isr;
    std::vector<BrokerState> new_isr_with_epochs;
    int8_t leader_recovery_state = 0;
    int32_t partition_epoch = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"leader_epoch", Since(0)}, m.leader_epoch);
      v.Field({"new_isr", Since(0), Until(2)}, m.new_isr);
      v.Field({"new_isr_with_epochs", Since(3)}, m.new_isr_with_epochs);
      v.Field({"leader_recovery_state", Since(1)}, m.leader_recovery_state);
      v.Field({"partition_epoch", Since(0)}, m.partition_epoch);
    }
  };

  struct TopicData {
    Uuid topic_id;
    std::vector<PartitionData> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic_id", Since(2), Ignorable()}, m.topic_id);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  int32_t broker_id = 0;
  int64_t broker_epoch = -1;
  std::vector<TopicData> topics;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"broker_id", Since(0)}, m.broker_id);
    v.Field({"broker_epoch", Since(0)}, m.broker_epoch);
    v.Field({"topics", Since(0)}, m.topics);
  }
};

struct AlterPartitionResponse {
  static constexpr ApiInfo kApi{.key = 56, .versions = {2, 3}, .flexible_since = 0};

  struct PartitionData {
    int32_t partition_index = 0;
    int16_t error_code = 0;
    int32_t leader_id = 0;
    int32_t leader_epoch = 0;
    std::vector<int32_t> isr;
    int8_t leader_recovery_state = 0;
    int32_t partition_epoch = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"leader_id", Since(0)}, m.leader_id);
      v.Field({"leader_epoch", Since(0)}, m.leader_epoch);
      v.Field({"isr", Since(0)}, m.isr);
      v.Field({"leader_recovery_state", Since(1), Ignorable()}, m.leader_recovery_state);
      v.Field({"partition_epoch", Since(0)}, m.partition_epoch);
    }
  };

  struct TopicData {
    Uuid topic_id;
    std::vector<PartitionData> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic_id", Since(2), Ignorable()}, m.topic_id);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<TopicData> topics;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"topics", Since(0)}, m.topics);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_ALTER_PARTITION_H_

// -----------------------------------------------------------------------------
// File: protocol/api/assign_replicas_to_dirs.h
// -----------------------------------------------------------------------------
// A broker tells the controller in which of its directories its replicas are (KIP-858).
// Source: AssignReplicasToDirsRequest.json and AssignReplicasToDirsResponse.json of Apache Kafka
// 4.2.0.
#ifndef WEIR_PROTOCOL_API_ASSIGN_REPLICAS_TO_DIRS_H_
#define WEIR_PROTOCOL_API_ASSIGN_REPLICAS_TO_DIRS_H_

#include <cstdint>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::protocol {

struct AssignReplicasToDirsRequest {
  static constexpr ApiInfo kApi{.key = 73, .versions = {0, 0}, .flexible_since = 0};

  struct PartitionData {
    int32_t partition_index = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
    }
  };

  struct TopicData {
    Uuid topic_id;
    std::vector<PartitionData> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic_id", Since(0)}, m.topic_id);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  struct DirectoryData {
    Uuid id;
    std::vector<TopicData> topics;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"id", Since(0)}, m.id);
      v.Field({"topics", Since(0)}, m.topics);
    }
  };

  int32_t broker_id = 0;
  int64_t broker_epoch = -1;
  std::vector<DirectoryData> directories;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"broker_id", Since(0)}, m.broker_id);
    v.Field({"broker_epoch", Since(0)}, m.broker_epoch);
    v.Field({"directories", Since(0)}, m.directories);
  }
};

struct AssignReplicasToDirsResponse {
  static constexpr ApiInfo kApi{.key = 73, .versions = {0, 0}, .flexible_since = 0};

  struct PartitionData {
    int32_t partition_index = 0;
    int16_t error_code = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"error_code", Since(0)}, m.error_code);
    }
  };

  struct TopicData {
    Uuid topic_id;
    std::vector<PartitionData> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic_id", Since(0)}, m.topic_id);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  struct DirectoryData {
    Uuid id;
    std::vector<TopicData> topics;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"id", Since(0)}, m.id);
      v.Field({"topics", Since(0)}, m.topics);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<DirectoryData> directories;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"directories", Since(0)}, m.directories);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_ASSIGN_REPLICAS_TO_DIRS_H_

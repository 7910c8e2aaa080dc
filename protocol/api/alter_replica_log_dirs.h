// -----------------------------------------------------------------------------
// File: protocol/api/alter_replica_log_dirs.h
// -----------------------------------------------------------------------------
// Moves a broker's replicas between its own log directories (KIP-113).
// Source: AlterReplicaLogDirsRequest.json and AlterReplicaLogDirsResponse.json of Apache Kafka
// 4.2.0.
#ifndef WEIR_PROTOCOL_API_ALTER_REPLICA_LOG_DIRS_H_
#define WEIR_PROTOCOL_API_ALTER_REPLICA_LOG_DIRS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct AlterReplicaLogDirsRequest {
  static constexpr ApiInfo kApi{.key = 34, .versions = {1, 2}, .flexible_since = 2};

  struct AlterReplicaLogDirTopic {
    std::string name;
    std::vector<int32_t> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  struct AlterReplicaLogDir {
    std::string path;
    std::vector<AlterReplicaLogDirTopic> topics;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"path", Since(0)}, m.path);
      v.Field({"topics", Since(0)}, m.topics);
    }
  };

  std::vector<AlterReplicaLogDir> dirs;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"dirs", Since(0)}, m.dirs);
  }
};

struct AlterReplicaLogDirsResponse {
  static constexpr ApiInfo kApi{.key = 34, .versions = {1, 2}, .flexible_since = 2};

  struct AlterReplicaLogDirPartitionResult {
    int32_t partition_index = 0;
    int16_t error_code = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"error_code", Since(0)}, m.error_code);
    }
  };

  struct AlterReplicaLogDirTopicResult {
    std::string topic_name;
    std::vector<AlterReplicaLogDirPartitionResult> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic_name", Since(0)}, m.topic_name);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<AlterReplicaLogDirTopicResult> results;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"results", Since(0)}, m.results);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_ALTER_REPLICA_LOG_DIRS_H_

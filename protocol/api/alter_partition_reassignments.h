// -----------------------------------------------------------------------------
// File: protocol/api/alter_partition_reassignments.h
// -----------------------------------------------------------------------------
// Replicas that partitions are to move to, or null to stop a move (KIP-455). Version 1 may forbid
// other replication factors (KIP-860).
// Source: AlterPartitionReassignmentsRequest.json and AlterPartitionReassignmentsResponse.json of
// Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_ALTER_PARTITION_REASSIGNMENTS_H_
#define WEIR_PROTOCOL_API_ALTER_PARTITION_REASSIGNMENTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct AlterPartitionReassignmentsRequest {
  static constexpr ApiInfo kApi{.key = 45, .versions = {0, 1}, .flexible_since = 0};

  struct ReassignablePartition {
    int32_t partition_index = 0;
    std::optional<std::vector<int32_t>> replicas;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"replicas", Since(0), NullableSince(0)}, m.replicas);
    }
  };

  struct ReassignableTopic {
    std::string name;
    std::vector<ReassignablePartition> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  int32_t timeout_ms = 60000;
  bool allow_replication_factor_change = true;
  std::vector<ReassignableTopic> topics;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"timeout_ms", Since(0)}, m.timeout_ms);
    v.Field({"allow_replication_factor_change", Since(1)}, m.allow_replication_factor_change);
    v.Field({"topics", Since(0)}, m.topics);
  }
};

struct AlterPartitionReassignmentsResponse {
  static constexpr ApiInfo kApi{.key = 45, .versions = {0, 1}, .flexible_since = 0};

  struct ReassignablePartitionResponse {
    int32_t partition_index = 0;
    int16_t error_code = 0;
    std::optional<std::string> error_message{std::in_place};

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
    }
  };

  struct ReassignableTopicResponse {
    std::string name;
    std::vector<ReassignablePartitionResponse> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  int32_t throttle_time_ms = 0;
  bool allow_replication_factor_change = true;
  int16_t error_code = 0;
  std::optional<std::string> error_message{std::in_place};
  std::vector<ReassignableTopicResponse> responses;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"allow_replication_factor_change", Since(1), Ignorable()},
            m.allow_replication_factor_change);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
    v.Field({"responses", Since(0)}, m.responses);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_ALTER_PARTITION_REASSIGNMENTS_H_

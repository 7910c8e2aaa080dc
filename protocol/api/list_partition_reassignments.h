// -----------------------------------------------------------------------------
// File: protocol/api/list_partition_reassignments.h
// -----------------------------------------------------------------------------
// Partitions that are moving to other replicas (KIP-455).
// Source: ListPartitionReassignmentsRequest.json and ListPartitionReassignmentsResponse.json of
// Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_LIST_PARTITION_REASSIGNMENTS_H_
#define WEIR_PROTOCOL_API_LIST_PARTITION_REASSIGNMENTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct ListPartitionReassignmentsRequest {
  static constexpr ApiInfo kApi{.key = 46, .versions = {0, 0}, .flexible_since = 0};

  struct ListPartitionReassignmentsTopics {
    std::string name;
    std::vector<int32_t> partition_indexes;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"partition_indexes", Since(0)}, m.partition_indexes);
    }
  };

  int32_t timeout_ms = 60000;
  std::optional<std::vector<ListPartitionReassignmentsTopics>> topics;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"timeout_ms", Since(0)}, m.timeout_ms);
    v.Field({"topics", Since(0), NullableSince(0)}, m.topics);
  }
};

struct ListPartitionReassignmentsResponse {
  static constexpr ApiInfo kApi{.key = 46, .versions = {0, 0}, .flexible_since = 0};

  struct OngoingPartitionReassignment {
    int32_t partition_index = 0;
    std::vector<int32_t> replicas;
    std::vector<int32_t> adding_replicas;
    std::vector<int32_t> removing_replicas;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"replicas", Since(0)}, m.replicas);
      v.Field({"adding_replicas", Since(0)}, m.adding_replicas);
      v.Field({"removing_replicas", Since(0)}, m.removing_replicas);
    }
  };

  struct OngoingTopicReassignment {
    std::string name;
    std::vector<OngoingPartitionReassignment> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message{std::in_place};
  std::vector<OngoingTopicReassignment> topics;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
    v.Field({"topics", Since(0)}, m.topics);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_LIST_PARTITION_REASSIGNMENTS_H_

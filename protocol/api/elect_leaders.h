// -----------------------------------------------------------------------------
// File: protocol/api/elect_leaders.h
// -----------------------------------------------------------------------------
// Elections of preferred leaders (KIP-183) or, from version 1 on, of replicas out of sync
// (KIP-460).
// Source: ElectLeadersRequest.json and ElectLeadersResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_ELECT_LEADERS_H_
#define WEIR_PROTOCOL_API_ELECT_LEADERS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct ElectLeadersRequest {
  static constexpr ApiInfo kApi{.key = 43, .versions = {0, 2}, .flexible_since = 2};

  struct TopicPartitions {
    std::string topic;
    std::vector<int32_t> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic", Since(0)}, m.topic);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  int8_t election_type = 0;
  std::optional<std::vector<TopicPartitions>> topic_partitions{std::in_place};
  int32_t timeout_ms = 60000;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"election_type", Since(1)}, m.election_type);
    v.Field({"topic_partitions", Since(0), NullableSince(0)}, m.topic_partitions);
    v.Field({"timeout_ms", Since(0)}, m.timeout_ms);
  }
};

struct ElectLeadersResponse {
  static constexpr ApiInfo kApi{.key = 43, .versions = {0, 2}, .flexible_since = 2};

  struct PartitionResult {
    int32_t partition_id = 0;
    int16_t error_code = 0;
    std::optional<std::string> error_message{std::in_place};

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_id", Since(0)}, m.partition_id);
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
    }
  };

  struct ReplicaElectionResult {
    std::string topic;
    std::vector<PartitionResult> partition_result;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic", Since(0)}, m.topic);
      v.Field({"partition_result", Since(0)}, m.partition_result);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<ReplicaElectionResult> replica_election_results;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(1)}, m.error_code);
    v.Field({"replica_election_results", Since(0)}, m.replica_election_results);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_ELECT_LEADERS_H_

// -----------------------------------------------------------------------------
// File: protocol/api/create_partitions.h
// -----------------------------------------------------------------------------
// Partitions to add to topics, up to a new count (KIP-195).
// Source: CreatePartitionsRequest.json and CreatePartitionsResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_CREATE_PARTITIONS_H_
#define WEIR_PROTOCOL_API_CREATE_PARTITIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct CreatePartitionsRequest {
  static constexpr ApiInfo kApi{.key = 37, .versions = {0, 3}, .flexible_since = 2};

  struct CreatePartitionsAssignment {
    std::vector<int32_t> broker_ids;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"broker_ids", Since(0)}, m.broker_ids);
    }
  };

  struct CreatePartitionsTopic {
    std::string name;
    int32_t count = 0;
    std::optional<std::vector<CreatePartitionsAssignment>> assignments{std::in_place};

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"count", Since(0)}, m.count);
      v.Field({"assignments", Since(0), NullableSince(0)}, m.assignments);
    }
  };

  std::vector<CreatePartitionsTopic> topics;
  int32_t timeout_ms = 0;
  bool validate_only = false;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"topics", Since(0)}, m.topics);
    v.Field({"timeout_ms", Since(0)}, m.timeout_ms);
    v.Field({"validate_only", Since(0)}, m.validate_only);
  }
};

struct CreatePartitionsResponse {
  static constexpr ApiInfo kApi{.key = 37, .versions = {0, 3}, .flexible_since = 2};

  struct CreatePartitionsTopicResult {
    std::string name;
    int16_t error_code = 0;
    std::optional<std::string> error_message;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<CreatePartitionsTopicResult> results;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"results", Since(0)}, m.results);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_CREATE_PARTITIONS_H_

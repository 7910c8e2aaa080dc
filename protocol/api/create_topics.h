// -----------------------------------------------------------------------------
// File: protocol/api/create_topics.h
// -----------------------------------------------------------------------------
// Topics to create: with counts, or with the replicas of every partition laid down.
// Source: CreateTopicsRequest.json and CreateTopicsResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_CREATE_TOPICS_H_
#define WEIR_PROTOCOL_API_CREATE_TOPICS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::protocol {

struct CreateTopicsRequest {
  static constexpr ApiInfo kApi{.key = 19, .versions = {2, 7}, .flexible_since = 5};

  struct CreatableReplicaAssignment {
    int32_t partition_index = 0;
    std::vector<int32_t> broker_ids;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"broker_ids", Since(0)}, m.broker_ids);
    }
  };

  struct CreatableTopicConfig {
    std::string name;
    std::optional<std::string> value{std::in_place};

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"value", Since(0), NullableSince(0)}, m.value);
    }
  };

  struct CreatableTopic {
    std::string name;
    int32_t num_partitions = 0;
    int16_t replication_factor = 0;
    std::vector<CreatableReplicaAssignment> assignments;
    std::vector<CreatableTopicConfig> configs;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"num_partitions", Since(0)}, m.num_partitions);
      v.Field({"replication_factor", Since(0)}, m.replication_factor);
      v.Field({"assignments", Since(0)}, m.assignments);
      v.Field({"configs", Since(0)}, m.configs);
    }
  };

  std::vector<CreatableTopic> topics;
  int32_t timeout_ms = 60000;
  bool validate_only = false;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"topics", Since(0)}, m.topics);
    v.Field({"timeout_ms", Since(0)}, m.timeout_ms);
    v.Field({"validate_only", Since(1)}, m.validate_only);
  }
};

struct CreateTopicsResponse {
  static constexpr ApiInfo kApi{.key = 19, .versions = {2, 7}, .flexible_since = 5};

  struct CreatableTopicConfigs {
    std::string name;
    std::optional<std::string> value{std::in_place};
    bool read_only = false;
    int8_t config_source = -1;
    bool is_sensitive = false;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(5)}, m.name);
      v.Field({"value", Since(5), NullableSince(5)}, m.value);
      v.Field({"read_only", Since(5)}, m.read_only);
      v.Field({"config_source", Since(5), Ignorable()}, m.config_source);
      v.Field({"is_sensitive", Since(5)}, m.is_sensitive);
    }
  };

  struct CreatableTopicResult {
    std::string name;
    Uuid topic_id;
    int16_t error_code = 0;
    std::optional<std::string> error_message{std::in_place};
    int16_t topic_config_error_code = 0;
    int32_t num_partitions = -1;
    int16_t replication_factor = -1;
    std::optional<std::vector<CreatableTopicConfigs>> configs{std::in_place};

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"topic_id", Since(7), Ignorable()}, m.topic_id);
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"error_message", Since(1), NullableSince(0), Ignorable()}, m.error_message);
      v.Field({"topic_config_error_code", Since(5), Tag(0), Ignorable()},
              m.topic_config_error_code);
      v.Field({"num_partitions", Since(5), Ignorable()}, m.num_partitions);
      v.Field({"replication_factor", Since(5), Ignorable()}, m.replication_factor);
      v.Field({"configs", Since(5), NullableSince(5), Ignorable()}, m.configs);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<CreatableTopicResult> topics;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(2), Ignorable()}, m.throttle_time_ms);
    v.Field({"topics", Since(0)}, m.topics);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_CREATE_TOPICS_H_

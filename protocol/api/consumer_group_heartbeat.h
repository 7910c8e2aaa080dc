// -----------------------------------------------------------------------------
// File: protocol/api/consumer_group_heartbeat.h
// -----------------------------------------------------------------------------
// A member of a consumer group under KIP-848 joins, reports what it owns, learns what it is
// assigned, and leaves.
// Source: ConsumerGroupHeartbeatRequest.json and ConsumerGroupHeartbeatResponse.json of Apache
// Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_CONSUMER_GROUP_HEARTBEAT_H_
#define WEIR_PROTOCOL_API_CONSUMER_GROUP_HEARTBEAT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::protocol {

struct ConsumerGroupHeartbeatRequest {
  static constexpr ApiInfo kApi{.key = 68, .versions = {0, 1}, .flexible_since = 0};

  struct TopicPartitions {
    Uuid topic_id;
    std::vector<int32_t> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic_id", Since(0)}, m.topic_id);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  std::string group_id;
  std::string member_id;
  int32_t member_epoch = 0;
  std::optional<std::string> instance_id;
  std::optional<std::string> rack_id;
  int32_t rebalance_timeout_ms = -1;
  std::optional<std::vector<std::string>> subscribed_topic_names;
  std::optional<std::string> subscribed_topic_regex;
  std::optional<std::string> server_assignor;
  std::optional<std::vector<TopicPartitions>> topic_partitions;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"group_id", Since(0)}, m.group_id);
    v.Field({"member_id", Since(0)}, m.member_id);
    v.Field({"member_epoch", Since(0)}, m.member_epoch);
    v.Field({"instance_id", Since(0), NullableSince(0)}, m.instance_id);
    v.Field({"rack_id", Since(0), NullableSince(0)}, m.rack_id);
    v.Field({"rebalance_timeout_ms", Since(0)}, m.rebalance_timeout_ms);
    v.Field({"subscribed_topic_names", Since(0), NullableSince(0)}, m.subscribed_topic_names);
    v.Field({"subscribed_topic_regex", Since(1), NullableSince(1)}, m.subscribed_topic_regex);
    v.Field({"server_assignor", Since(0), NullableSince(0)}, m.server_assignor);
    v.Field({"topic_partitions", Since(0), NullableSince(0)}, m.topic_partitions);
  }
};

struct ConsumerGroupHeartbeatResponse {
  static constexpr ApiInfo kApi{.key = 68, .versions = {0, 1}, .flexible_since = 0};

  using TopicPartitions = ConsumerGroupHeartbeatRequest::TopicPartitions;

  struct Assignment {
    std::vector<TopicPartitions> topic_partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic_partitions", Since(0)}, m.topic_partitions);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::optional<std::string> member_id;
  int32_t member_epoch = 0;
  int32_t heartbeat_interval_ms = 0;
  std::optional<Assignment> assignment;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
    v.Field({"member_id", Since(0), NullableSince(0)}, m.member_id);
    v.Field({"member_epoch", Since(0)}, m.member_epoch);
    v.Field({"heartbeat_interval_ms", Since(0)}, m.heartbeat_interval_ms);
    v.Field({"assignment", Since(0), NullableSince(0)}, m.assignment);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_CONSUMER_GROUP_HEARTBEAT_H_

// -----------------------------------------------------------------------------
// File: protocol/api/consumer_group_describe.h
// -----------------------------------------------------------------------------
// State, members and assignments of consumer groups under KIP-848.
// Source: ConsumerGroupDescribeRequest.json and ConsumerGroupDescribeResponse.json of Apache Kafka
// 4.2.0.
#ifndef WEIR_PROTOCOL_API_CONSUMER_GROUP_DESCRIBE_H_
#define WEIR_PROTOCOL_API_CONSUMER_GROUP_DESCRIBE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::protocol {

struct ConsumerGroupDescribeRequest {
  static constexpr ApiInfo kApi{.key = 69, .versions = {0, 1}, .flexible_since = 0};

  std::vector<std::string> group_ids;
  bool include_authorized_operations = false;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"group_ids", Since(0)}, m.group_ids);
    v.Field({"include_authorized_operations", Since(0)}, m.include_authorized_operations);
  }
};

struct ConsumerGroupDescribeResponse {
  static constexpr ApiInfo kApi{.key = 69, .versions = {0, 1}, .flexible_since = 0};

  struct TopicPartitions {
    Uuid topic_id;
    std::string topic_name;
    std::vector<int32_t> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic_id", Since(0)}, m.topic_id);
      v.Field({"topic_name", Since(0)}, m.topic_name);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  struct Assignment {
    std::vector<TopicPartitions> topic_partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic_partitions", Since(0)}, m.topic_partitions);
    }
  };

  struct Member {
    std::string member_id;
    std::optional<std::string> instance_id;
    std::optional<std::string> rack_id;
    int32_t member_epoch = 0;
    std::string client_id;
    std::string client_host;
    std::vector<std::string> subscribed_topic_names;
    std::optional<std::string> subscribed_topic_regex;
    Assignment assignment;
    Assignment target_assignment;
    int8_t member_type = -1;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"member_id", Since(0)}, m.member_id);
      v.Field({"instance_id", Since(0), NullableSince(0)}, m.instance_id);
      v.Field({"rack_id", Since(0), NullableSince(0)}, m.rack_id);
      v.Field({"member_epoch", Since(0)}, m.member_epoch);
      v.Field({"client_id", Since(0)}, m.client_id);
      v.Field({"client_host", Since(0)}, m.client_host);
      v.Field({"subscribed_topic_names", Since(0)}, m.subscribed_topic_names);
      v.Field({"subscribed_topic_regex", Since(0), NullableSince(0)}, m.subscribed_topic_regex);
      v.Field({"assignment", Since(0)}, m.assignment);
      v.Field({"target_assignment", Since(0)}, m.target_assignment);
      v.Field({"member_type", Since(1), Ignorable()}, m.member_type);
    }
  };

  struct DescribedGroup {
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::string group_id;
    std::string group_state;
    int32_t group_epoch = 0;
    int32_t assignment_epoch = 0;
    std::string assignor_name;
    std::vector<Member> members;
    int32_t authorized_operations = INT32_MIN;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
      v.Field({"group_id", Since(0)}, m.group_id);
      v.Field({"group_state", Since(0)}, m.group_state);
      v.Field({"group_epoch", Since(0)}, m.group_epoch);
      v.Field({"assignment_epoch", Since(0)}, m.assignment_epoch);
      v.Field({"assignor_name", Since(0)}, m.assignor_name);
      v.Field({"members", Since(0)}, m.members);
      v.Field({"authorized_operations", Since(0)}, m.authorized_operations);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<DescribedGroup> groups;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"groups", Since(0)}, m.groups);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_CONSUMER_GROUP_DESCRIBE_H_

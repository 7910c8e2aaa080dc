// -----------------------------------------------------------------------------
// File: coordination/group/consumer_group_records.h
// -----------------------------------------------------------------------------
// What a coordinator of consumer groups under KIP-848 writes to __consumer_offsets beside the
// offsets (coordination/group/records.h). Keys are never flexible; values always are.
// Format: a key is int16 type and its fields; a value is int16 version and its fields; a record
// without a value deletes what its key names. Types 3 to 8 and 16.
// Source: ConsumerGroup*Key.json and ConsumerGroup*Value.json of Apache Kafka 4.2.0.
#ifndef WEIR_COORDINATION_GROUP_CONSUMER_GROUP_RECORDS_H_
#define WEIR_COORDINATION_GROUP_CONSUMER_GROUP_RECORDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::group {

using protocol::NullableSince;
using protocol::Since;
using protocol::Tag;

// A group, and the hash of the topics it is subscribed to.
struct ConsumerGroupMetadataKey {
  static constexpr protocol::RecordInfo kRecord{.type = 3, .versions = {0, 0}};

  std::string group_id;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"group_id", Since(0)}, m.group_id);
  }
};

struct ConsumerGroupMetadataValue {
  static constexpr protocol::RecordInfo kRecord{.type = 3, .versions = {0, 0}, .flexible_since = 0};

  int32_t epoch = 0;
  int64_t metadata_hash = 0;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"epoch", Since(0)}, m.epoch);
    v.Field({"metadata_hash", Since(0), Tag(0, 0)}, m.metadata_hash);
  }
};

// The topics that a group is subscribed to. Superseded by the hash above: Kafka only removes it.
struct ConsumerGroupPartitionMetadataKey {
  static constexpr protocol::RecordInfo kRecord{.type = 4, .versions = {0, 0}};

  std::string group_id;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"group_id", Since(0)}, m.group_id);
  }
};

struct ConsumerGroupPartitionMetadataValue {
  static constexpr protocol::RecordInfo kRecord{.type = 4, .versions = {0, 0}, .flexible_since = 0};

  struct PartitionMetadata {
    int32_t partition = 0;
    std::vector<std::string> racks;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition", Since(0)}, m.partition);
      v.Field({"racks", Since(0)}, m.racks);
    }
  };

  struct TopicMetadata {
    Uuid topic_id;
    std::string topic_name;
    int32_t num_partitions = 0;
    std::vector<PartitionMetadata> partition_metadata;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic_id", Since(0)}, m.topic_id);
      v.Field({"topic_name", Since(0)}, m.topic_name);
      v.Field({"num_partitions", Since(0)}, m.num_partitions);
      v.Field({"partition_metadata", Since(0)}, m.partition_metadata);
    }
  };

  std::vector<TopicMetadata> topics;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"topics", Since(0)}, m.topics);
  }
};

// A member and what it subscribes to; one of the classic protocol also has its protocols.
struct ConsumerGroupMemberMetadataKey {
  static constexpr protocol::RecordInfo kRecord{.type = 5, .versions = {0, 0}};

  std::string group_id;
  std::string member_id;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"group_id", Since(0)}, m.group_id);
    v.Field({"member_id", Since(0)}, m.member_id);
  }
};

// A protocol that a member of the classic protocol supports, and what it said with it.
struct ClassicProtocol {
  std::string name;
  protocol::Bytes metadata;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"name", Since(0)}, m.name);
    v.Field({"metadata", Since(0)}, m.metadata);
  }
};

// Not inside the struct that has one by default: clang 16 cannot make it before that is complete.
struct ClassicMemberMetadata {
  int32_t session_timeout_ms = 0;
  std::vector<ClassicProtocol> supported_protocols;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"session_timeout_ms", Since(0)}, m.session_timeout_ms);
    v.Field({"supported_protocols", Since(0)}, m.supported_protocols);
  }
};

struct ConsumerGroupMemberMetadataValue {
  static constexpr protocol::RecordInfo kRecord{.type = 5, .versions = {0, 0}, .flexible_since = 0};

  std::optional<std::string> instance_id{std::in_place};
  std::optional<std::string> rack_id{std::in_place};
  std::string client_id;
  std::string client_host;
  std::vector<std::string> subscribed_topic_names;
  std::optional<std::string> subscribed_topic_regex{std::in_place};
  int32_t rebalance_timeout_ms = -1;
  std::optional<std::string> server_assignor{std::in_place};
  std::optional<ClassicMemberMetadata> classic_member_metadata{std::in_place};
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"instance_id", Since(0), NullableSince(0)}, m.instance_id);
    v.Field({"rack_id", Since(0), NullableSince(0)}, m.rack_id);
    v.Field({"client_id", Since(0)}, m.client_id);
    v.Field({"client_host", Since(0)}, m.client_host);
    v.Field({"subscribed_topic_names", Since(0)}, m.subscribed_topic_names);
    v.Field({"subscribed_topic_regex", Since(0), NullableSince(0)}, m.subscribed_topic_regex);
    v.Field({"rebalance_timeout_ms", Since(0)}, m.rebalance_timeout_ms);
    v.Field({"server_assignor", Since(0), NullableSince(0)}, m.server_assignor);
    v.Field({"classic_member_metadata", Since(0), NullableSince(0), Tag(0, 0)},
            m.classic_member_metadata);
  }
};

// The epoch of the assignment that members are to get to.
struct ConsumerGroupTargetAssignmentMetadataKey {
  static constexpr protocol::RecordInfo kRecord{.type = 6, .versions = {0, 0}};

  std::string group_id;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"group_id", Since(0)}, m.group_id);
  }
};

struct ConsumerGroupTargetAssignmentMetadataValue {
  static constexpr protocol::RecordInfo kRecord{.type = 6, .versions = {0, 0}, .flexible_since = 0};

  int32_t assignment_epoch = 0;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"assignment_epoch", Since(0)}, m.assignment_epoch);
  }
};

// What a member is to get.
struct ConsumerGroupTargetAssignmentMemberKey {
  static constexpr protocol::RecordInfo kRecord{.type = 7, .versions = {0, 0}};

  std::string group_id;
  std::string member_id;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"group_id", Since(0)}, m.group_id);
    v.Field({"member_id", Since(0)}, m.member_id);
  }
};

struct AssignedTopic {
  Uuid topic_id;
  std::vector<int32_t> partitions;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"topic_id", Since(0)}, m.topic_id);
    v.Field({"partitions", Since(0)}, m.partitions);
  }
};

struct ConsumerGroupTargetAssignmentMemberValue {
  static constexpr protocol::RecordInfo kRecord{.type = 7, .versions = {0, 0}, .flexible_since = 0};

  std::vector<AssignedTopic> topic_partitions;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"topic_partitions", Since(0)}, m.topic_partitions);
  }
};

// What a member has, and what it has yet to give up.
struct ConsumerGroupCurrentMemberAssignmentKey {
  static constexpr protocol::RecordInfo kRecord{.type = 8, .versions = {0, 0}};

  std::string group_id;
  std::string member_id;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"group_id", Since(0)}, m.group_id);
    v.Field({"member_id", Since(0)}, m.member_id);
  }
};

struct ConsumerGroupCurrentMemberAssignmentValue {
  static constexpr protocol::RecordInfo kRecord{.type = 8, .versions = {0, 0}, .flexible_since = 0};

  int32_t member_epoch = 0;
  int32_t previous_member_epoch = 0;
  int8_t state = 0;
  std::vector<AssignedTopic> assigned_partitions;
  std::vector<AssignedTopic> partitions_pending_revocation;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"member_epoch", Since(0)}, m.member_epoch);
    v.Field({"previous_member_epoch", Since(0)}, m.previous_member_epoch);
    v.Field({"state", Since(0)}, m.state);
    v.Field({"assigned_partitions", Since(0)}, m.assigned_partitions);
    v.Field({"partitions_pending_revocation", Since(0)}, m.partitions_pending_revocation);
  }
};

// The topics that match an expression that members subscribe to.
struct ConsumerGroupRegularExpressionKey {
  static constexpr protocol::RecordInfo kRecord{.type = 16, .versions = {0, 0}};

  std::string group_id;
  std::string regular_expression;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"group_id", Since(0)}, m.group_id);
    v.Field({"regular_expression", Since(0)}, m.regular_expression);
  }
};

struct ConsumerGroupRegularExpressionValue {
  static constexpr protocol::RecordInfo kRecord{
      .type = 16, .versions = {0, 0}, .flexible_since = 0};

  std::vector<std::string> topics;
  int64_t version = 0;
  int64_t timestamp = 0;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"topics", Since(0)}, m.topics);
    v.Field({"version", Since(0)}, m.version);
    v.Field({"timestamp", Since(0)}, m.timestamp);
  }
};

}  // namespace weir::group

#endif  // WEIR_COORDINATION_GROUP_CONSUMER_GROUP_RECORDS_H_

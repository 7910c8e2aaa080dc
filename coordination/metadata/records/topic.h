// -----------------------------------------------------------------------------
// File: coordination/metadata/records/topic.h
// -----------------------------------------------------------------------------
// Records of the cluster metadata log: what topics, partitions and configs are made of.
// Format: docs/formats/metadata.md; types, versions and fields are those of Apache Kafka 4.2.
#ifndef WEIR_COORDINATION_METADATA_RECORDS_TOPIC_H_
#define WEIR_COORDINATION_METADATA_RECORDS_TOPIC_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::metadata {

using protocol::NullableSince;
using protocol::Since;
using protocol::Tag;

// A new topic; its configs and partitions follow in records of their own.
struct TopicRecord {
  static constexpr protocol::RecordInfo kRecord{
      .type = 2, .versions = {0, 0}, .flexible_since = 0, .hot = true};
  std::string name;
  Uuid topic_id;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"name", Since(0)}, m.name);
    v.Field({"topic_id", Since(0)}, m.topic_id);
  }
};

// A new partition, or all of a partition in a snapshot. Directories: KIP-858; ELR: KIP-966.
struct PartitionRecord {
  static constexpr protocol::RecordInfo kRecord{
      .type = 3, .versions = {0, 2}, .flexible_since = 0, .hot = true};
  int32_t partition_id = -1;
  Uuid topic_id;
  std::vector<int32_t> replicas;
  std::vector<int32_t> isr;
  std::vector<int32_t> removing_replicas;
  std::vector<int32_t> adding_replicas;
  int32_t leader = -1;
  int8_t leader_recovery_state = 0;
  int32_t leader_epoch = -1;
  int32_t partition_epoch = -1;
  std::vector<Uuid> directories;
  std::optional<std::vector<int32_t>> eligible_leader_replicas;
  std::optional<std::vector<int32_t>> last_known_elr;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"partition_id", Since(0)}, m.partition_id);
    v.Field({"topic_id", Since(0)}, m.topic_id);
    v.Field({"replicas", Since(0)}, m.replicas);
    v.Field({"isr", Since(0)}, m.isr);
    v.Field({"removing_replicas", Since(0)}, m.removing_replicas);
    v.Field({"adding_replicas", Since(0)}, m.adding_replicas);
    v.Field({"leader", Since(0)}, m.leader);
    v.Field({"leader_recovery_state", Since(0), Tag(0, 0)}, m.leader_recovery_state);
    v.Field({"leader_epoch", Since(0)}, m.leader_epoch);
    v.Field({"partition_epoch", Since(0)}, m.partition_epoch);
    v.Field({"directories", Since(1)}, m.directories);
    v.Field({"eligible_leader_replicas", Since(2), NullableSince(2), Tag(1, 2)},
            m.eligible_leader_replicas);
    v.Field({"last_known_elr", Since(2), NullableSince(2), Tag(2, 2)}, m.last_known_elr);
  }
};

// What changes of a partition. Absent fields stay; a leader bumps the leader epoch even when it
// stays the same; every record bumps the partition epoch.
struct PartitionChangeRecord {
  static constexpr protocol::RecordInfo kRecord{
      .type = 5, .versions = {0, 2}, .flexible_since = 0, .hot = true};
  int32_t partition_id = -1;
  Uuid topic_id;
  std::optional<std::vector<int32_t>> isr;
  int32_t leader = -2;
  std::optional<std::vector<int32_t>> replicas;
  std::optional<std::vector<int32_t>> removing_replicas;
  std::optional<std::vector<int32_t>> adding_replicas;
  int8_t leader_recovery_state = -1;
  std::optional<std::vector<Uuid>> directories;
  std::optional<std::vector<int32_t>> eligible_leader_replicas;
  std::optional<std::vector<int32_t>> last_known_elr;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"partition_id", Since(0)}, m.partition_id);
    v.Field({"topic_id", Since(0)}, m.topic_id);
    v.Field({"isr", Since(0), NullableSince(0), Tag(0, 0)}, m.isr);
    v.Field({"leader", Since(0), Tag(1, 0)}, m.leader);
    v.Field({"replicas", Since(0), NullableSince(0), Tag(2, 0)}, m.replicas);
    v.Field({"removing_replicas", Since(0), NullableSince(0), Tag(3, 0)}, m.removing_replicas);
    v.Field({"adding_replicas", Since(0), NullableSince(0), Tag(4, 0)}, m.adding_replicas);
    v.Field({"leader_recovery_state", Since(0), Tag(5, 0)}, m.leader_recovery_state);
    v.Field({"directories", Since(1), NullableSince(1), Tag(8, 1)}, m.directories);
    v.Field({"eligible_leader_replicas", Since(2), NullableSince(2), Tag(6, 2)},
            m.eligible_leader_replicas);
    v.Field({"last_known_elr", Since(2), NullableSince(2), Tag(7, 2)}, m.last_known_elr);
  }
};

// Deletes a topic with its partitions and configs.
struct RemoveTopicRecord {
  static constexpr protocol::RecordInfo kRecord{.type = 9, .versions = {0, 0}, .flexible_since = 0};
  Uuid topic_id;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"topic_id", Since(0)}, m.topic_id);
  }
};

// Clears the eligible leader replicas of one topic, or of all when the name is empty (KIP-966).
struct ClearElrRecord {
  static constexpr protocol::RecordInfo kRecord{
      .type = 28, .versions = {0, 0}, .flexible_since = 0};
  std::string topic_name;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"topic_name", Since(0)}, m.topic_name);
  }
};

// Sets one config of a resource, or clears it (null).
struct ConfigRecord {
  static constexpr protocol::RecordInfo kRecord{.type = 4, .versions = {0, 0}, .flexible_since = 0};
  int8_t resource_type = 0;
  std::string resource_name;
  std::string name;
  std::optional<std::string> value{std::in_place};
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"resource_type", Since(0)}, m.resource_type);
    v.Field({"resource_name", Since(0)}, m.resource_name);
    v.Field({"name", Since(0)}, m.name);
    v.Field({"value", Since(0), NullableSince(0)}, m.value);
  }
};

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_RECORDS_TOPIC_H_

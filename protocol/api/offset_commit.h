// -----------------------------------------------------------------------------
// File: protocol/api/offset_commit.h
// -----------------------------------------------------------------------------
// OffsetCommit (key 8, versions 2 to 10).
// Stores how far a group has read. Version 10 names topics by id.
// Source: OffsetCommitRequest.json and OffsetCommitResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_OFFSET_COMMIT_H_
#define WEIR_PROTOCOL_API_OFFSET_COMMIT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::protocol {

struct OffsetCommitRequest {
  static constexpr ApiInfo kApi{.key = 8, .versions = {2, 10}, .flexible_since = 8, .hot = true};

  struct Topic {
    struct Partition {
      int32_t partition_index = 0;
      int64_t committed_offset = 0;
      int32_t committed_leader_epoch = -1;
      std::optional<std::string> committed_metadata{std::in_place};

      template <class Self, class V>
      static constexpr void Describe(Self& m, V& v) {
        v.Field({"partition_index", Since(0)}, m.partition_index);
        v.Field({"committed_offset", Since(0)}, m.committed_offset);
        v.Field({"committed_leader_epoch", Since(6), Ignorable()}, m.committed_leader_epoch);
        v.Field({"committed_metadata", Since(0), NullableSince(0)}, m.committed_metadata);
      }
    };

    std::string name;
    Uuid topic_id;
    std::vector<Partition> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0), Until(9), Ignorable()}, m.name);
      v.Field({"topic_id", Since(10), Ignorable()}, m.topic_id);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  std::string group_id;
  int32_t generation_id_or_member_epoch = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  int64_t retention_time_ms = -1;
  std::vector<Topic> topics;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"group_id", Since(0)}, m.group_id);
    v.Field({"generation_id_or_member_epoch", Since(1), Ignorable()},
            m.generation_id_or_member_epoch);
    v.Field({"member_id", Since(1), Ignorable()}, m.member_id);
    v.Field({"group_instance_id", Since(7), NullableSince(7)}, m.group_instance_id);
    v.Field({"retention_time_ms", Since(2), Until(4), Ignorable()}, m.retention_time_ms);
    v.Field({"topics", Since(0)}, m.topics);
  }
};

struct OffsetCommitResponse {
  static constexpr ApiInfo kApi{.key = 8, .versions = {2, 10}, .flexible_since = 8, .hot = true};

  struct Topic {
    struct Partition {
      int32_t partition_index = 0;
      int16_t error_code = 0;

      template <class Self, class V>
      static constexpr void Describe(Self& m, V& v) {
        v.Field({"partition_index", Since(0)}, m.partition_index);
        v.Field({"error_code", Since(0)}, m.error_code);
      }
    };

    std::string name;
    Uuid topic_id;
    std::vector<Partition> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0), Until(9), Ignorable()}, m.name);
      v.Field({"topic_id", Since(10), Ignorable()}, m.topic_id);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(3), Ignorable()}, m.throttle_time_ms);
    v.Field({"topics", Since(0)}, m.topics);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_OFFSET_COMMIT_H_

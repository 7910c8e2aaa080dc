// -----------------------------------------------------------------------------
// File: protocol/api/offset_fetch.h
// -----------------------------------------------------------------------------
// OffsetFetch (key 9, versions 1 to 10).
// Reads how far groups have read: of one group up to version 7, of several from version 8 on. Null
// topics ask for all. Version 10 names topics by id.
// Source: OffsetFetchRequest.json and OffsetFetchResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_OFFSET_FETCH_H_
#define WEIR_PROTOCOL_API_OFFSET_FETCH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::protocol {

struct OffsetFetchRequest {
  static constexpr ApiInfo kApi{.key = 9, .versions = {1, 10}, .flexible_since = 6};

  struct Topic {
    std::string name;
    std::vector<int32_t> partition_indexes;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0), Until(7)}, m.name);
      v.Field({"partition_indexes", Since(0), Until(7)}, m.partition_indexes);
    }
  };

  struct Group {
    struct GroupTopic {
      std::string name;
      Uuid topic_id;
      std::vector<int32_t> partition_indexes;

      template <class Self, class V>
      static constexpr void Describe(Self& m, V& v) {
        v.Field({"name", Since(8), Until(9), Ignorable()}, m.name);
        v.Field({"topic_id", Since(10), Ignorable()}, m.topic_id);
        v.Field({"partition_indexes", Since(8)}, m.partition_indexes);
      }
    };

    std::string group_id;
    std::optional<std::string> member_id;
    int32_t member_epoch = -1;
    std::optional<std::vector<GroupTopic>> topics{std::in_place};

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"group_id", Since(8)}, m.group_id);
      v.Field({"member_id", Since(9), NullableSince(9), Ignorable()}, m.member_id);
      v.Field({"member_epoch", Since(9), Ignorable()}, m.member_epoch);
      v.Field({"topics", Since(8), NullableSince(8)}, m.topics);
    }
  };

  std::string group_id;
  std::optional<std::vector<Topic>> topics{std::in_place};
  std::vector<Group> groups;
  bool require_stable = false;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"group_id", Since(0), Until(7)}, m.group_id);
    v.Field({"topics", Since(0), Until(7), NullableSince(2)}, m.topics);
    v.Field({"groups", Since(8)}, m.groups);
    v.Field({"require_stable", Since(7)}, m.require_stable);
  }
};

struct OffsetFetchResponse {
  static constexpr ApiInfo kApi{.key = 9, .versions = {1, 10}, .flexible_since = 6};

  struct Topic {
    struct Partition {
      int32_t partition_index = 0;
      int64_t committed_offset = 0;
      int32_t committed_leader_epoch = -1;
      std::optional<std::string> metadata{std::in_place};
      int16_t error_code = 0;

      template <class Self, class V>
      static constexpr void Describe(Self& m, V& v) {
        v.Field({"partition_index", Since(0), Until(7)}, m.partition_index);
        v.Field({"committed_offset", Since(0), Until(7)}, m.committed_offset);
        v.Field({"committed_leader_epoch", Since(5), Until(7), Ignorable()},
                m.committed_leader_epoch);
        v.Field({"metadata", Since(0), Until(7), NullableSince(0)}, m.metadata);
        v.Field({"error_code", Since(0), Until(7)}, m.error_code);
      }
    };

    std::string name;
    std::vector<Partition> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0), Until(7)}, m.name);
      v.Field({"partitions", Since(0), Until(7)}, m.partitions);
    }
  };

  struct Group {
    struct GroupTopic {
      struct Partition {
        int32_t partition_index = 0;
        int64_t committed_offset = 0;
        int32_t committed_leader_epoch = -1;
        std::optional<std::string> metadata{std::in_place};
        int16_t error_code = 0;

        template <class Self, class V>
        static constexpr void Describe(Self& m, V& v) {
          v.Field({"partition_index", Since(8)}, m.partition_index);
          v.Field({"committed_offset", Since(8)}, m.committed_offset);
          v.Field({"committed_leader_epoch", Since(8), Ignorable()}, m.committed_leader_epoch);
          v.Field({"metadata", Since(8), NullableSince(8)}, m.metadata);
          v.Field({"error_code", Since(8)}, m.error_code);
        }
      };

      std::string name;
      Uuid topic_id;
      std::vector<Partition> partitions;

      template <class Self, class V>
      static constexpr void Describe(Self& m, V& v) {
        v.Field({"name", Since(8), Until(9), Ignorable()}, m.name);
        v.Field({"topic_id", Since(10), Ignorable()}, m.topic_id);
        v.Field({"partitions", Since(8)}, m.partitions);
      }
    };

    std::string group_id;
    std::vector<GroupTopic> topics;
    int16_t error_code = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"group_id", Since(8)}, m.group_id);
      v.Field({"topics", Since(8)}, m.topics);
      v.Field({"error_code", Since(8)}, m.error_code);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  int16_t error_code = 0;
  std::vector<Group> groups;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(3), Ignorable()}, m.throttle_time_ms);
    v.Field({"topics", Since(0), Until(7)}, m.topics);
    v.Field({"error_code", Since(2), Until(7), Ignorable()}, m.error_code);
    v.Field({"groups", Since(8)}, m.groups);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_OFFSET_FETCH_H_

// -----------------------------------------------------------------------------
// File: protocol/api/offset_delete.h
// -----------------------------------------------------------------------------
// OffsetDelete (key 47, versions 0 to 0).
// Forgets how far a group has read (KIP-496).
// Source: OffsetDeleteRequest.json and OffsetDeleteResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_OFFSET_DELETE_H_
#define WEIR_PROTOCOL_API_OFFSET_DELETE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct OffsetDeleteRequest {
  static constexpr ApiInfo kApi{.key = 47, .versions = {0, 0}};

  struct Topic {
    struct Partition {
      int32_t partition_index = 0;

      template <class Self, class V>
      static constexpr void Describe(Self& m, V& v) {
        v.Field({"partition_index", Since(0)}, m.partition_index);
      }
    };

    std::string name;
    std::vector<Partition> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  std::string group_id;
  std::vector<Topic> topics;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"group_id", Since(0)}, m.group_id);
    v.Field({"topics", Since(0)}, m.topics);
  }
};

struct OffsetDeleteResponse {
  static constexpr ApiInfo kApi{.key = 47, .versions = {0, 0}};

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
    std::vector<Partition> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  int16_t error_code = 0;
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"throttle_time_ms", Since(0), Ignorable()}, m.throttle_time_ms);
    v.Field({"topics", Since(0)}, m.topics);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_OFFSET_DELETE_H_

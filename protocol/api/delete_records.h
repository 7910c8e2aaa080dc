// -----------------------------------------------------------------------------
// File: protocol/api/delete_records.h
// -----------------------------------------------------------------------------
// Offsets before which the records of partitions go (KIP-107).
// Source: DeleteRecordsRequest.json and DeleteRecordsResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_DELETE_RECORDS_H_
#define WEIR_PROTOCOL_API_DELETE_RECORDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

// As `offset`: everything that can be read.
inline constexpr int64_t kDeleteToHighWatermark = -1;

struct DeleteRecordsRequest {
  static constexpr ApiInfo kApi{.key = 21, .versions = {0, 2}, .flexible_since = 2};

  struct DeleteRecordsPartition {
    int32_t partition_index = 0;
    int64_t offset = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"offset", Since(0)}, m.offset);
    }
  };

  struct DeleteRecordsTopic {
    std::string name;
    std::vector<DeleteRecordsPartition> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  std::vector<DeleteRecordsTopic> topics;
  int32_t timeout_ms = 0;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"topics", Since(0)}, m.topics);
    v.Field({"timeout_ms", Since(0)}, m.timeout_ms);
  }
};

struct DeleteRecordsResponse {
  static constexpr ApiInfo kApi{.key = 21, .versions = {0, 2}, .flexible_since = 2};

  struct DeleteRecordsPartitionResult {
    int32_t partition_index = 0;
    int64_t low_watermark = 0;
    int16_t error_code = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"low_watermark", Since(0)}, m.low_watermark);
      v.Field({"error_code", Since(0)}, m.error_code);
    }
  };

  struct DeleteRecordsTopicResult {
    std::string name;
    std::vector<DeleteRecordsPartitionResult> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<DeleteRecordsTopicResult> topics;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"topics", Since(0)}, m.topics);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_DELETE_RECORDS_H_

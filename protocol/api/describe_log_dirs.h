// -----------------------------------------------------------------------------
// File: protocol/api/describe_log_dirs.h
// -----------------------------------------------------------------------------
// The folders of a broker with the partitions that are in them and their sizes (KIP-113, KIP-827).
// Source: DescribeLogDirsRequest.json and DescribeLogDirsResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_DESCRIBE_LOG_DIRS_H_
#define WEIR_PROTOCOL_API_DESCRIBE_LOG_DIRS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct DescribeLogDirsRequest {
  static constexpr ApiInfo kApi{.key = 35, .versions = {1, 4}, .flexible_since = 2};

  struct DescribableLogDirTopic {
    std::string topic;
    std::vector<int32_t> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic", Since(0)}, m.topic);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  std::optional<std::vector<DescribableLogDirTopic>> topics{std::in_place};
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"topics", Since(0), NullableSince(0)}, m.topics);
  }
};

struct DescribeLogDirsResponse {
  static constexpr ApiInfo kApi{.key = 35, .versions = {1, 4}, .flexible_since = 2};

  struct DescribeLogDirsPartition {
    int32_t partition_index = 0;
    int64_t partition_size = 0;
    int64_t offset_lag = 0;
    bool is_future_key = false;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"partition_size", Since(0)}, m.partition_size);
      v.Field({"offset_lag", Since(0)}, m.offset_lag);
      v.Field({"is_future_key", Since(0)}, m.is_future_key);
    }
  };

  struct DescribeLogDirsTopic {
    std::string name;
    std::vector<DescribeLogDirsPartition> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  struct DescribeLogDirsResult {
    int16_t error_code = 0;
    std::string log_dir;
    std::vector<DescribeLogDirsTopic> topics;
    int64_t total_bytes = -1;
    int64_t usable_bytes = -1;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"log_dir", Since(0)}, m.log_dir);
      v.Field({"topics", Since(0)}, m.topics);
      v.Field({"total_bytes", Since(4), Ignorable()}, m.total_bytes);
      v.Field({"usable_bytes", Since(4), Ignorable()}, m.usable_bytes);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<DescribeLogDirsResult> results;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(3), Ignorable()}, m.error_code);
    v.Field({"results", Since(0)}, m.results);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_DESCRIBE_LOG_DIRS_H_

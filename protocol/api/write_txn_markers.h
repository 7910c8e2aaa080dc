// -----------------------------------------------------------------------------
// File: protocol/api/write_txn_markers.h
// -----------------------------------------------------------------------------
// From a transaction's coordinator to the leaders of its partitions: the markers that end it
// (KIP-98), with the transaction version since 2.
// Source: WriteTxnMarkersRequest.json and WriteTxnMarkersResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_WRITE_TXN_MARKERS_H_
#define WEIR_PROTOCOL_API_WRITE_TXN_MARKERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct WriteTxnMarkersRequest {
  static constexpr ApiInfo kApi{.key = 27, .versions = {1, 2}, .flexible_since = 1};

  struct WritableTxnMarkerTopic {
    std::string name;
    std::vector<int32_t> partition_indexes;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"partition_indexes", Since(0)}, m.partition_indexes);
    }
  };

  struct WritableTxnMarker {
    int64_t producer_id = 0;
    int16_t producer_epoch = 0;
    bool transaction_result = false;
    std::vector<WritableTxnMarkerTopic> topics;
    int32_t coordinator_epoch = 0;
    int8_t transaction_version = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"producer_id", Since(0)}, m.producer_id);
      v.Field({"producer_epoch", Since(0)}, m.producer_epoch);
      v.Field({"transaction_result", Since(0)}, m.transaction_result);
      v.Field({"topics", Since(0)}, m.topics);
      v.Field({"coordinator_epoch", Since(0)}, m.coordinator_epoch);
      v.Field({"transaction_version", Since(2), Ignorable()}, m.transaction_version);
    }
  };

  std::vector<WritableTxnMarker> markers;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"markers", Since(0)}, m.markers);
  }
};

struct WriteTxnMarkersResponse {
  static constexpr ApiInfo kApi{.key = 27, .versions = {1, 2}, .flexible_since = 1};

  struct WritableTxnMarkerPartitionResult {
    int32_t partition_index = 0;
    int16_t error_code = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"error_code", Since(0)}, m.error_code);
    }
  };

  struct WritableTxnMarkerTopicResult {
    std::string name;
    std::vector<WritableTxnMarkerPartitionResult> partitions;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"partitions", Since(0)}, m.partitions);
    }
  };

  struct WritableTxnMarkerResult {
    int64_t producer_id = 0;
    std::vector<WritableTxnMarkerTopicResult> topics;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"producer_id", Since(0)}, m.producer_id);
      v.Field({"topics", Since(0)}, m.topics);
    }
  };

  std::vector<WritableTxnMarkerResult> markers;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"markers", Since(0)}, m.markers);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_WRITE_TXN_MARKERS_H_

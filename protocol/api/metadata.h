// -----------------------------------------------------------------------------
// File: protocol/api/metadata.h
// -----------------------------------------------------------------------------
// Brokers, the controller, and topics with their partitions. `topics` null: all of them; in
// version 0, which has no null, empty says so. A topic is named by name, from version 12 on also
// by id alone.
// Source: MetadataRequest.json and MetadataResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_METADATA_H_
#define WEIR_PROTOCOL_API_METADATA_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::protocol {

struct MetadataRequest {
  static constexpr ApiInfo kApi{.key = 3, .versions = {0, 13}, .flexible_since = 9, .hot = true};

  struct Topic {
    Uuid topic_id;
    std::optional<std::string> name{std::in_place};

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic_id", Since(10), Ignorable()}, m.topic_id);
      v.Field({"name", Since(0), NullableSince(10)}, m.name);
    }
  };

  std::optional<std::vector<Topic>> topics{std::in_place};
  bool allow_auto_topic_creation = true;
  bool include_cluster_authorized_operations = false;
  bool include_topic_authorized_operations = false;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"topics", Since(0), NullableSince(1)}, m.topics);
    v.Field({"allow_auto_topic_creation", Since(4)}, m.allow_auto_topic_creation);
    v.Field({"include_cluster_authorized_operations", Since(8), Until(10)},
            m.include_cluster_authorized_operations);
    v.Field({"include_topic_authorized_operations", Since(8)},
            m.include_topic_authorized_operations);
  }
};

struct MetadataResponse {
  static constexpr ApiInfo kApi{.key = 3, .versions = {0, 13}, .flexible_since = 9, .hot = true};

  struct Broker {
    int32_t node_id = 0;
    std::string host;
    int32_t port = 0;
    std::optional<std::string> rack;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"node_id", Since(0)}, m.node_id);
      v.Field({"host", Since(0)}, m.host);
      v.Field({"port", Since(0)}, m.port);
      v.Field({"rack", Since(1), NullableSince(1), Ignorable()}, m.rack);
    }
  };

  // Takes no more room than a std::vector, and up to four ids without an allocation: allocating
  // and freeing two lists for each partition took most of the time of decoding.
  using NodeIds = absl::InlinedVector<int32_t, 4>;

  struct Partition {
    int16_t error_code = 0;
    int32_t partition_index = 0;
    int32_t leader_id = 0;
    int32_t leader_epoch = -1;
    NodeIds replica_nodes;
    NodeIds isr_nodes;
    NodeIds offline_replicas;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"partition_index", Since(0)}, m.partition_index);
      v.Field({"leader_id", Since(0)}, m.leader_id);
      v.Field({"leader_epoch", Since(7), Ignorable()}, m.leader_epoch);
      v.Field({"replica_nodes", Since(0)}, m.replica_nodes);
      v.Field({"isr_nodes", Since(0)}, m.isr_nodes);
      v.Field({"offline_replicas", Since(5), Ignorable()}, m.offline_replicas);
    }
  };

  struct Topic {
    int16_t error_code = 0;
    std::optional<std::string> name{std::in_place};
    Uuid topic_id;
    bool is_internal = false;
    std::vector<Partition> partitions;
    int32_t topic_authorized_operations = INT32_MIN;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"name", Since(0), NullableSince(12)}, m.name);
      v.Field({"topic_id", Since(10), Ignorable()}, m.topic_id);
      v.Field({"is_internal", Since(1), Ignorable()}, m.is_internal);
      v.Field({"partitions", Since(0)}, m.partitions);
      v.Field({"topic_authorized_operations", Since(8)}, m.topic_authorized_operations);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<Broker> brokers;
  std::optional<std::string> cluster_id;
  int32_t controller_id = -1;
  std::vector<Topic> topics;
  int32_t cluster_authorized_operations = INT32_MIN;
  int16_t error_code = 0;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(3), Ignorable()}, m.throttle_time_ms);
    v.Field({"brokers", Since(0)}, m.brokers);
    v.Field({"cluster_id", Since(2), NullableSince(2), Ignorable()}, m.cluster_id);
    v.Field({"controller_id", Since(1), Ignorable()}, m.controller_id);
    v.Field({"topics", Since(0)}, m.topics);
    v.Field({"cluster_authorized_operations", Since(8), Until(10)},
            m.cluster_authorized_operations);
    v.Field({"error_code", Since(13), Ignorable()}, m.error_code);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_METADATA_H_

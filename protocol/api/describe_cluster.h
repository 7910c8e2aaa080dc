// -----------------------------------------------------------------------------
// File: protocol/api/describe_cluster.h
// -----------------------------------------------------------------------------
// The brokers or the controllers of the cluster (KIP-700, KIP-919).
// Source: DescribeClusterRequest.json and DescribeClusterResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_DESCRIBE_CLUSTER_H_
#define WEIR_PROTOCOL_API_DESCRIBE_CLUSTER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

// Values of `endpoint_type`.
inline constexpr int8_t kBrokerEndpoint = 1;
inline constexpr int8_t kControllerEndpoint = 2;

struct DescribeClusterRequest {
  static constexpr ApiInfo kApi{.key = 60, .versions = {0, 2}, .flexible_since = 0};

  bool include_cluster_authorized_operations = false;
  int8_t endpoint_type = 1;
  bool include_fenced_brokers = false;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"include_cluster_authorized_operations", Since(0)},
            m.include_cluster_authorized_operations);
    v.Field({"endpoint_type", Since(1)}, m.endpoint_type);
    v.Field({"include_fenced_brokers", Since(2)}, m.include_fenced_brokers);
  }
};

struct DescribeClusterResponse {
  static constexpr ApiInfo kApi{.key = 60, .versions = {0, 2}, .flexible_since = 0};

  struct DescribeClusterBroker {
    int32_t broker_id = 0;
    std::string host;
    int32_t port = 0;
    std::optional<std::string> rack;
    bool is_fenced = false;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"broker_id", Since(0)}, m.broker_id);
      v.Field({"host", Since(0)}, m.host);
      v.Field({"port", Since(0)}, m.port);
      v.Field({"rack", Since(0), NullableSince(0)}, m.rack);
      v.Field({"is_fenced", Since(2)}, m.is_fenced);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message;
  int8_t endpoint_type = 1;
  std::string cluster_id;
  int32_t controller_id = -1;
  std::vector<DescribeClusterBroker> brokers;
  int32_t cluster_authorized_operations = INT32_MIN;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
    v.Field({"endpoint_type", Since(1)}, m.endpoint_type);
    v.Field({"cluster_id", Since(0)}, m.cluster_id);
    v.Field({"controller_id", Since(0)}, m.controller_id);
    v.Field({"brokers", Since(0)}, m.brokers);
    v.Field({"cluster_authorized_operations", Since(0)}, m.cluster_authorized_operations);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_DESCRIBE_CLUSTER_H_

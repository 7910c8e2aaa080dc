// -----------------------------------------------------------------------------
// File: protocol/api/find_coordinator.h
// -----------------------------------------------------------------------------
// The broker that coordinates a group, a transactional id or a share group; from version 4 on
// several at once (KIP-699).
// Source: FindCoordinatorRequest.json and FindCoordinatorResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_FIND_COORDINATOR_H_
#define WEIR_PROTOCOL_API_FIND_COORDINATOR_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

// Values of `key_type`.
inline constexpr int8_t kGroupCoordinator = 0;
inline constexpr int8_t kTransactionCoordinator = 1;
inline constexpr int8_t kShareCoordinator = 2;

struct FindCoordinatorRequest {
  static constexpr ApiInfo kApi{.key = 10, .versions = {0, 6}, .flexible_since = 3};

  std::string key;
  int8_t key_type = 0;
  std::vector<std::string> coordinator_keys;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"key", Since(0), Until(3)}, m.key);
    v.Field({"key_type", Since(1)}, m.key_type);
    v.Field({"coordinator_keys", Since(4)}, m.coordinator_keys);
  }
};

struct FindCoordinatorResponse {
  static constexpr ApiInfo kApi{.key = 10, .versions = {0, 6}, .flexible_since = 3};

  struct Coordinator {
    std::string key;
    int32_t node_id = 0;
    std::string host;
    int32_t port = 0;
    int16_t error_code = 0;
    std::optional<std::string> error_message{std::in_place};

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"key", Since(4)}, m.key);
      v.Field({"node_id", Since(4)}, m.node_id);
      v.Field({"host", Since(4)}, m.host);
      v.Field({"port", Since(4)}, m.port);
      v.Field({"error_code", Since(4)}, m.error_code);
      v.Field({"error_message", Since(4), NullableSince(4), Ignorable()}, m.error_message);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message{std::in_place};
  int32_t node_id = 0;
  std::string host;
  int32_t port = 0;
  std::vector<Coordinator> coordinators;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(1), Ignorable()}, m.throttle_time_ms);
    v.Field({"error_code", Since(0), Until(3)}, m.error_code);
    v.Field({"error_message", Since(1), Until(3), NullableSince(1), Ignorable()}, m.error_message);
    v.Field({"node_id", Since(0), Until(3)}, m.node_id);
    v.Field({"host", Since(0), Until(3)}, m.host);
    v.Field({"port", Since(0), Until(3)}, m.port);
    v.Field({"coordinators", Since(4)}, m.coordinators);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_FIND_COORDINATOR_H_

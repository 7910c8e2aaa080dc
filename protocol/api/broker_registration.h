// -----------------------------------------------------------------------------
// File: protocol/api/broker_registration.h
// -----------------------------------------------------------------------------
// A process that wants to be a broker asks the controller to be one (KIP-631).
// Source: BrokerRegistrationRequest.json and BrokerRegistrationResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_BROKER_REGISTRATION_H_
#define WEIR_PROTOCOL_API_BROKER_REGISTRATION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::protocol {

struct BrokerRegistrationRequest {
  static constexpr ApiInfo kApi{.key = 62, .versions = {0, 4}, .flexible_since = 0};

  struct Listener {
    std::string name;
    std::string host;
    uint16_t port = 0;
    int16_t security_protocol = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"host", Since(0)}, m.host);
      v.Field({"port", Since(0)}, m.port);
      v.Field({"security_protocol", Since(0)}, m.security_protocol);
    }
  };

  struct Feature {
    std::string name;
    int16_t min_supported_version = 0;
    int16_t max_supported_version = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"min_supported_version", Since(0)}, m.min_supported_version);
      v.Field({"max_supported_version", Since(0)}, m.max_supported_version);
    }
  };

  int32_t broker_id = 0;
  std::string cluster_id;
  Uuid incarnation_id;
  std::vector<Listener> listeners;
  std::vector<Feature> features;
  std::optional<std::string> rack{std::in_place};
  bool is_migrating_zk_broker = false;
  std::vector<Uuid> log_dirs;
  int64_t previous_broker_epoch = -1;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"broker_id", Since(0)}, m.broker_id);
    v.Field({"cluster_id", Since(0)}, m.cluster_id);
    v.Field({"incarnation_id", Since(0)}, m.incarnation_id);
    v.Field({"listeners", Since(0)}, m.listeners);
    v.Field({"features", Since(0)}, m.features);
    v.Field({"rack", Since(0), NullableSince(0)}, m.rack);
    v.Field({"is_migrating_zk_broker", Since(1)}, m.is_migrating_zk_broker);
    v.Field({"log_dirs", Since(2), Ignorable()}, m.log_dirs);
    v.Field({"previous_broker_epoch", Since(3), Ignorable()}, m.previous_broker_epoch);
  }
};

struct BrokerRegistrationResponse {
  static constexpr ApiInfo kApi{.key = 62, .versions = {0, 4}, .flexible_since = 0};

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int64_t broker_epoch = -1;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"broker_epoch", Since(0)}, m.broker_epoch);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_BROKER_REGISTRATION_H_

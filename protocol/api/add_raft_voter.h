// -----------------------------------------------------------------------------
// File: protocol/api/add_raft_voter.h
// -----------------------------------------------------------------------------
// Makes an observer of the metadata quorum a voter (KIP-853). Version 1 may leave it to the voter
// to see the change committed (KIP-1186).
// Source: AddRaftVoterRequest.json and AddRaftVoterResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_ADD_RAFT_VOTER_H_
#define WEIR_PROTOCOL_API_ADD_RAFT_VOTER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::protocol {

struct AddRaftVoterRequest {
  static constexpr ApiInfo kApi{.key = 80, .versions = {0, 1}, .flexible_since = 0};

  struct Listener {
    std::string name;
    std::string host;
    uint16_t port = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"host", Since(0)}, m.host);
      v.Field({"port", Since(0)}, m.port);
    }
  };

  std::optional<std::string> cluster_id{std::in_place};
  int32_t timeout_ms = 0;
  int32_t voter_id = 0;
  Uuid voter_directory_id;
  std::vector<Listener> listeners;
  bool ack_when_committed = true;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"cluster_id", Since(0), NullableSince(0)}, m.cluster_id);
    v.Field({"timeout_ms", Since(0)}, m.timeout_ms);
    v.Field({"voter_id", Since(0)}, m.voter_id);
    v.Field({"voter_directory_id", Since(0)}, m.voter_directory_id);
    v.Field({"listeners", Since(0)}, m.listeners);
    v.Field({"ack_when_committed", Since(1)}, m.ack_when_committed);
  }
};

struct AddRaftVoterResponse {
  static constexpr ApiInfo kApi{.key = 80, .versions = {0, 1}, .flexible_since = 0};

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message{std::in_place};
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"error_message", Since(0), NullableSince(0), Ignorable()}, m.error_message);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_ADD_RAFT_VOTER_H_

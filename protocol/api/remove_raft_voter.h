// -----------------------------------------------------------------------------
// File: protocol/api/remove_raft_voter.h
// -----------------------------------------------------------------------------
// Takes a voter off the metadata quorum (KIP-853).
// Source: RemoveRaftVoterRequest.json and RemoveRaftVoterResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_REMOVE_RAFT_VOTER_H_
#define WEIR_PROTOCOL_API_REMOVE_RAFT_VOTER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::protocol {

struct RemoveRaftVoterRequest {
  static constexpr ApiInfo kApi{.key = 81, .versions = {0, 0}, .flexible_since = 0};

  std::optional<std::string> cluster_id{std::in_place};
  int32_t voter_id = 0;
  Uuid voter_directory_id;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"cluster_id", Since(0), NullableSince(0)}, m.cluster_id);
    v.Field({"voter_id", Since(0)}, m.voter_id);
    v.Field({"voter_directory_id", Since(0)}, m.voter_directory_id);
  }
};

struct RemoveRaftVoterResponse {
  static constexpr ApiInfo kApi{.key = 81, .versions = {0, 0}, .flexible_since = 0};

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

#endif  // WEIR_PROTOCOL_API_REMOVE_RAFT_VOTER_H_

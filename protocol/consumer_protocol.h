// -----------------------------------------------------------------------------
// File: protocol/consumer_protocol.h
// -----------------------------------------------------------------------------
// What consumers say to the leader of their group through JoinGroup and SyncGroup: what they want
// to read and what they hold, and which partitions each of them gets. Coordinators pass it on.
// Format: int16 version, then the fields of that version; what a newer version adds lies behind
// them (ConsumerProtocolSubscription.json and ConsumerProtocolAssignment.json of Kafka 4.2).
// Version 1 has the owned partitions (KIP-429), 2 the generation they are of, 3 the rack (KIP-881).
// Threading: none of this keeps state.
// Errors: kInvalidArgument for bytes that are not such a message.
#ifndef WEIR_PROTOCOL_CONSUMER_PROTOCOL_H_
#define WEIR_PROTOCOL_CONSUMER_PROTOCOL_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "protocol/describe.h"
#include "protocol/message.h"
#include "protocol/prefixed.h"

namespace weir::protocol {

inline constexpr absl::string_view kConsumerProtocolType = "consumer";

struct ConsumerProtocolTopic {
  std::string topic;
  std::vector<int32_t> partitions;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"topic", Since(0)}, m.topic);
    v.Field({"partitions", Since(0)}, m.partitions);
  }
};

struct ConsumerProtocolSubscription {
  static constexpr RecordInfo kRecord{.type = -1, .versions = {0, 3}};

  std::vector<std::string> topics;
  std::optional<Bytes> user_data;
  std::vector<ConsumerProtocolTopic> owned_partitions;
  int32_t generation_id = -1;
  std::optional<std::string> rack_id;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"topics", Since(0)}, m.topics);
    v.Field({"user_data", Since(0), NullableSince(0)}, m.user_data);
    v.Field({"owned_partitions", Since(1), Ignorable()}, m.owned_partitions);
    v.Field({"generation_id", Since(2), Ignorable()}, m.generation_id);
    v.Field({"rack_id", Since(3), NullableSince(3), Ignorable()}, m.rack_id);
  }
};

struct ConsumerProtocolAssignment {
  static constexpr RecordInfo kRecord{.type = -1, .versions = {0, 3}};

  std::vector<ConsumerProtocolTopic> assigned_partitions;
  std::optional<Bytes> user_data;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"assigned_partitions", Since(0)}, m.assigned_partitions);
    v.Field({"user_data", Since(0), NullableSince(0)}, m.user_data);
  }
};

// What cooperative-sticky members older than version 2 of the subscription have in its user data:
// the generation of what they own (KIP-429). Newer ones may have more behind it.
struct StickyUserData {
  static constexpr RecordInfo kRecord{.type = -1, .versions = {0, 0}};

  int32_t generation = -1;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"generation", Since(0)}, m.generation);
  }
};

// M is the subscription or the assignment; its version stands before it.
template <class M>
std::string EncodeConsumerProtocol(const M& m, int16_t version = M::kRecord.versions.max) {
  return EncodeVersioned(m, version);
}

// A version that is newer than ours is read as our newest.
template <class M>
absl::StatusOr<M> DecodeConsumerProtocol(absl::string_view bytes) {
  WEIR_ASSIGN_OR_RETURN(const int16_t version, TakePrefix(&bytes, "consumer protocol version"));
  if (version < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("consumer protocol: expected a version of at least 0, came ", version));
  }
  return DecodePrefix<M>(&bytes, std::min(version, M::kRecord.versions.max));
}

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_CONSUMER_PROTOCOL_H_

// -----------------------------------------------------------------------------
// File: coordination/group/records.h
// -----------------------------------------------------------------------------
// What the group coordinator writes to __consumer_offsets: committed offsets and classic groups.
// Format: a key is int16 type and its fields; a value is int16 version and its fields; a record
// without a value deletes what its key names. Types 0 and 1 are committed offsets, 2 is a classic
// group. Source: OffsetCommitKey/Value.json and GroupMetadataKey/Value.json of Apache Kafka 4.2.0.
// Decision: values are written at the versions Kafka 4.2 writes: offsets at 4, at 1 when a client
// gave an expiry of its own; groups at 3.
// Errors: kInvalidArgument for bytes that are not such a record, kUnimplemented for a value of a
// version above ours. A key type that is not ours is no error: it is Skipped.
#ifndef WEIR_COORDINATION_GROUP_RECORDS_H_
#define WEIR_COORDINATION_GROUP_RECORDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "protocol/describe.h"
#include "protocol/message.h"
#include "protocol/prefixed.h"

namespace weir::group {

inline constexpr int16_t kLegacyOffsetCommitType = 0;  // same fields as type 1
inline constexpr int16_t kOffsetCommitType = 1;
inline constexpr int16_t kGroupMetadataType = 2;

struct OffsetCommitKey {
  static constexpr protocol::RecordInfo kRecord{
      .type = kOffsetCommitType, .versions = {0, 0}, .hot = true};

  std::string group;
  std::string topic;
  int32_t partition = 0;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"group", protocol::Since(0)}, m.group);
    v.Field({"topic", protocol::Since(0)}, m.topic);
    v.Field({"partition", protocol::Since(0)}, m.partition);
  }
};

struct OffsetCommitValue {
  static constexpr protocol::RecordInfo kRecord{
      .type = kOffsetCommitType, .versions = {0, 4}, .flexible_since = 4, .hot = true};

  int64_t offset = 0;
  int32_t leader_epoch = -1;
  std::string metadata;
  int64_t commit_timestamp = 0;   // wall clock, ms
  int64_t expire_timestamp = -1;  // wall clock, ms; only when a client asked for a retention
  Uuid topic_id;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    using namespace protocol;  // NOLINT: attributes
    v.Field({"offset", Since(0)}, m.offset);
    v.Field({"leader_epoch", Since(3), Ignorable()}, m.leader_epoch);
    v.Field({"metadata", Since(0)}, m.metadata);
    v.Field({"commit_timestamp", Since(0)}, m.commit_timestamp);
    v.Field({"expire_timestamp", Since(1), Until(1), Ignorable()}, m.expire_timestamp);
    v.Field({"topic_id", Since(4), Tag(0, 4), Ignorable()}, m.topic_id);
  }
};

struct GroupMetadataKey {
  static constexpr protocol::RecordInfo kRecord{.type = kGroupMetadataType, .versions = {0, 0}};

  std::string group;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"group", protocol::Since(0)}, m.group);
  }
};

struct GroupMetadataValue {
  static constexpr protocol::RecordInfo kRecord{
      .type = kGroupMetadataType, .versions = {0, 4}, .flexible_since = 4};

  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::string client_id;
    std::string client_host;
    int32_t rebalance_timeout = -1;  // ms
    int32_t session_timeout = 0;     // ms
    protocol::Bytes subscription;
    protocol::Bytes assignment;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      using namespace protocol;  // NOLINT: attributes
      v.Field({"member_id", Since(0)}, m.member_id);
      v.Field({"group_instance_id", Since(3), NullableSince(3), Ignorable()}, m.group_instance_id);
      v.Field({"client_id", Since(0)}, m.client_id);
      v.Field({"client_host", Since(0)}, m.client_host);
      v.Field({"rebalance_timeout", Since(1), Ignorable()}, m.rebalance_timeout);
      v.Field({"session_timeout", Since(0)}, m.session_timeout);
      v.Field({"subscription", Since(0)}, m.subscription);
      v.Field({"assignment", Since(0)}, m.assignment);
    }
  };

  std::string protocol_type;
  int32_t generation = 0;
  std::optional<std::string> protocol{std::in_place};
  std::optional<std::string> leader{std::in_place};
  int64_t current_state_timestamp = -1;  // wall clock, ms
  std::vector<Member> members;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    using protocol::Ignorable, protocol::NullableSince, protocol::Since;
    v.Field({"protocol_type", Since(0)}, m.protocol_type);
    v.Field({"generation", Since(0)}, m.generation);
    v.Field({"protocol", Since(0), NullableSince(0)}, m.protocol);
    v.Field({"leader", Since(0), NullableSince(0)}, m.leader);
    v.Field({"current_state_timestamp", Since(2), Ignorable()}, m.current_state_timestamp);
    v.Field({"members", Since(0)}, m.members);
  }
};

// Key and value as they stand in the log; no value is a tombstone.
struct Record {
  std::string key;
  std::optional<std::string> value;

  friend bool operator==(const Record&, const Record&) = default;
};

namespace group_internal {

inline constexpr int16_t kOffsetCommitVersion = 4;
inline constexpr int16_t kOffsetCommitVersionWithExpiry = 1;
inline constexpr int16_t kGroupMetadataVersion = 3;

template <class Value>
absl::StatusOr<std::optional<Value>> DecodeValue(std::optional<absl::string_view> bytes) {
  if (!bytes.has_value()) return std::optional<Value>();
  WEIR_ASSIGN_OR_RETURN(const int16_t version, protocol::TakePrefix(&*bytes, "value version"));
  WEIR_ASSIGN_OR_RETURN(Value value, protocol::Decode<Value>(*bytes, version));
  return std::optional<Value>(std::move(value));
}

}  // namespace group_internal

inline Record OffsetCommitRecord(const OffsetCommitKey& key, const OffsetCommitValue& value) {
  using namespace group_internal;  // NOLINT: versions
  const int16_t version =
      value.expire_timestamp >= 0 ? kOffsetCommitVersionWithExpiry : kOffsetCommitVersion;
  return {protocol::EncodePrefixed(kOffsetCommitType, key, 0),
          protocol::EncodeVersioned(value, version)};
}

inline Record OffsetCommitTombstone(const OffsetCommitKey& key) {
  return {protocol::EncodePrefixed(kOffsetCommitType, key, 0), std::nullopt};
}

inline Record GroupMetadataRecord(const std::string& group, const GroupMetadataValue& value) {
  using namespace group_internal;  // NOLINT: versions
  return {protocol::EncodePrefixed(kGroupMetadataType, GroupMetadataKey{group}, 0),
          protocol::EncodeVersioned(value, kGroupMetadataVersion)};
}

inline Record GroupMetadataTombstone(const std::string& group) {
  return {protocol::EncodePrefixed(kGroupMetadataType, GroupMetadataKey{group}, 0), std::nullopt};
}

struct OffsetCommit {
  OffsetCommitKey key;
  std::optional<OffsetCommitValue> value;
};

struct GroupMetadata {
  GroupMetadataKey key;
  std::optional<GroupMetadataValue> value;
};

// A record of a kind that this coordinator does not have (consumer, share and streams groups).
struct Skipped {
  int16_t type = 0;
};

using DecodedRecord = std::variant<OffsetCommit, GroupMetadata, Skipped>;

inline absl::StatusOr<DecodedRecord> DecodeRecord(absl::string_view key,
                                                  std::optional<absl::string_view> value) {
  using namespace group_internal;  // NOLINT: helpers
  WEIR_ASSIGN_OR_RETURN(const int16_t type, protocol::TakePrefix(&key, "key type"));
  if (type == kLegacyOffsetCommitType || type == kOffsetCommitType) {
    OffsetCommit record;
    WEIR_ASSIGN_OR_RETURN(record.key, protocol::Decode<OffsetCommitKey>(key, 0));
    WEIR_ASSIGN_OR_RETURN(record.value, DecodeValue<OffsetCommitValue>(value));
    return DecodedRecord(std::move(record));
  }
  if (type == kGroupMetadataType) {
    GroupMetadata record;
    WEIR_ASSIGN_OR_RETURN(record.key, protocol::Decode<GroupMetadataKey>(key, 0));
    WEIR_ASSIGN_OR_RETURN(record.value, DecodeValue<GroupMetadataValue>(value));
    return DecodedRecord(std::move(record));
  }
  return DecodedRecord(Skipped{type});
}

}  // namespace weir::group

#endif  // WEIR_COORDINATION_GROUP_RECORDS_H_

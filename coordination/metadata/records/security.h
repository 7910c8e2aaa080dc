// -----------------------------------------------------------------------------
// File: coordination/metadata/records/security.h
// -----------------------------------------------------------------------------
// Records of the cluster metadata log: credentials, tokens, access control entries and quotas.
// Format: docs/formats/metadata.md; types, versions and fields are those of Apache Kafka 4.2.
#ifndef WEIR_COORDINATION_METADATA_RECORDS_SECURITY_H_
#define WEIR_COORDINATION_METADATA_RECORDS_SECURITY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::metadata {

using protocol::NullableSince;
using protocol::Since;

struct ClientQuotaEntity {
  std::string entity_type;
  std::optional<std::string> entity_name{std::in_place};
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"entity_type", Since(0)}, m.entity_type);
    v.Field({"entity_name", Since(0), NullableSince(0)}, m.entity_name);
  }
};

// A SCRAM credential (RFC 5802, KIP-554). mechanism: 1 SCRAM-SHA-256, 2 SCRAM-SHA-512.
struct UserScramCredentialRecord {
  static constexpr protocol::RecordInfo kRecord{
      .type = 11, .versions = {0, 0}, .flexible_since = 0};
  std::string name;
  int8_t mechanism = 0;
  protocol::Bytes salt;
  protocol::Bytes stored_key;
  protocol::Bytes server_key;
  int32_t iterations = 0;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"name", Since(0)}, m.name);
    v.Field({"mechanism", Since(0)}, m.mechanism);
    v.Field({"salt", Since(0)}, m.salt);
    v.Field({"stored_key", Since(0)}, m.stored_key);
    v.Field({"server_key", Since(0)}, m.server_key);
    v.Field({"iterations", Since(0)}, m.iterations);
  }
};

struct RemoveUserScramCredentialRecord {
  static constexpr protocol::RecordInfo kRecord{
      .type = 22, .versions = {0, 0}, .flexible_since = 0};
  std::string name;
  int8_t mechanism = 0;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"name", Since(0)}, m.name);
    v.Field({"mechanism", Since(0)}, m.mechanism);
  }
};

// A delegation token (KIP-48, KIP-900).
struct DelegationTokenRecord {
  static constexpr protocol::RecordInfo kRecord{
      .type = 10, .versions = {0, 0}, .flexible_since = 0};
  std::string owner;
  std::string requester;
  std::vector<std::string> renewers;
  int64_t issue_timestamp = 0;
  int64_t max_timestamp = 0;
  int64_t expiration_timestamp = 0;
  std::string token_id;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"owner", Since(0)}, m.owner);
    v.Field({"requester", Since(0)}, m.requester);
    v.Field({"renewers", Since(0)}, m.renewers);
    v.Field({"issue_timestamp", Since(0)}, m.issue_timestamp);
    v.Field({"max_timestamp", Since(0)}, m.max_timestamp);
    v.Field({"expiration_timestamp", Since(0)}, m.expiration_timestamp);
    v.Field({"token_id", Since(0)}, m.token_id);
  }
};

struct RemoveDelegationTokenRecord {
  static constexpr protocol::RecordInfo kRecord{
      .type = 26, .versions = {0, 0}, .flexible_since = 0};
  std::string token_id;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"token_id", Since(0)}, m.token_id);
  }
};

// One access control entry; the codes are those of the wire protocol (KIP-801).
struct AccessControlEntryRecord {
  static constexpr protocol::RecordInfo kRecord{
      .type = 18, .versions = {0, 0}, .flexible_since = 0};
  Uuid id;
  int8_t resource_type = 0;
  std::string resource_name;
  int8_t pattern_type = 0;
  std::string principal;
  std::string host;
  int8_t operation = 0;
  int8_t permission_type = 0;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"id", Since(0)}, m.id);
    v.Field({"resource_type", Since(0)}, m.resource_type);
    v.Field({"resource_name", Since(0)}, m.resource_name);
    v.Field({"pattern_type", Since(0)}, m.pattern_type);
    v.Field({"principal", Since(0)}, m.principal);
    v.Field({"host", Since(0)}, m.host);
    v.Field({"operation", Since(0)}, m.operation);
    v.Field({"permission_type", Since(0)}, m.permission_type);
  }
};

struct RemoveAccessControlEntryRecord {
  static constexpr protocol::RecordInfo kRecord{
      .type = 19, .versions = {0, 0}, .flexible_since = 0};
  Uuid id;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"id", Since(0)}, m.id);
  }
};

// Sets or removes one quota of an entity, such as (user=a, client-id=null) (KIP-546). A null name
// is the default entity.
struct ClientQuotaRecord {
  static constexpr protocol::RecordInfo kRecord{
      .type = 14, .versions = {0, 0}, .flexible_since = 0};
  std::vector<ClientQuotaEntity> entity;
  std::string key;
  double value = 0;
  bool remove = false;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"entity", Since(0)}, m.entity);
    v.Field({"key", Since(0)}, m.key);
    v.Field({"value", Since(0)}, m.value);
    v.Field({"remove", Since(0)}, m.remove);
  }
};

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_RECORDS_SECURITY_H_

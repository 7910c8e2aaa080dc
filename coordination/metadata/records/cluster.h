// -----------------------------------------------------------------------------
// File: coordination/metadata/records/cluster.h
// -----------------------------------------------------------------------------
// Records of the cluster metadata log: brokers, controllers, features, producer ids and metadata
// transactions.
// Format: docs/formats/metadata.md; types, versions and fields are those of Apache Kafka 4.2.
#ifndef WEIR_COORDINATION_METADATA_RECORDS_CLUSTER_H_
#define WEIR_COORDINATION_METADATA_RECORDS_CLUSTER_H_

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
using protocol::Tag;

// Where a broker or a controller listens. security_protocol: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT,
// 3 SASL_SSL.
struct MetadataEndpoint {
  std::string name;
  std::string host;
  uint16_t port = 0;
  int16_t security_protocol = 0;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"name", Since(0)}, m.name);
    v.Field({"host", Since(0)}, m.host);
    v.Field({"port", Since(0)}, m.port);
    v.Field({"security_protocol", Since(0)}, m.security_protocol);
  }
};

// The levels of a feature that a node can work at.
struct MetadataFeature {
  std::string name;
  int16_t min_supported_version = 0;
  int16_t max_supported_version = 0;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"name", Since(0)}, m.name);
    v.Field({"min_supported_version", Since(0)}, m.min_supported_version);
    v.Field({"max_supported_version", Since(0)}, m.max_supported_version);
  }
};

// A broker that joined, or joined again as a new incarnation (KIP-631); log_dirs: KIP-858.
struct RegisterBrokerRecord {
  static constexpr protocol::RecordInfo kRecord{.type = 0, .versions = {0, 3}, .flexible_since = 0};
  int32_t broker_id = 0;
  bool is_migrating_zk_broker = false;
  Uuid incarnation_id;
  int64_t broker_epoch = 0;
  std::vector<MetadataEndpoint> end_points;
  std::vector<MetadataFeature> features;
  std::optional<std::string> rack{std::in_place};
  bool fenced = true;
  bool in_controlled_shutdown = false;
  std::vector<Uuid> log_dirs;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"broker_id", Since(0)}, m.broker_id);
    v.Field({"is_migrating_zk_broker", Since(2)}, m.is_migrating_zk_broker);
    v.Field({"incarnation_id", Since(0)}, m.incarnation_id);
    v.Field({"broker_epoch", Since(0)}, m.broker_epoch);
    v.Field({"end_points", Since(0)}, m.end_points);
    v.Field({"features", Since(0)}, m.features);
    v.Field({"rack", Since(0), NullableSince(0)}, m.rack);
    v.Field({"fenced", Since(0)}, m.fenced);
    v.Field({"in_controlled_shutdown", Since(1)}, m.in_controlled_shutdown);
    v.Field({"log_dirs", Since(3), Tag(0, 3)}, m.log_dirs);
  }
};

// A broker that an operator took off the cluster.
struct UnregisterBrokerRecord {
  static constexpr protocol::RecordInfo kRecord{.type = 1, .versions = {0, 0}, .flexible_since = 0};
  int32_t broker_id = 0;
  int64_t broker_epoch = 0;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"broker_id", Since(0)}, m.broker_id);
    v.Field({"broker_epoch", Since(0)}, m.broker_epoch);
  }
};

// Superseded by BrokerRegistrationChange; still read.
struct FenceBrokerRecord {
  static constexpr protocol::RecordInfo kRecord{.type = 7, .versions = {0, 0}, .flexible_since = 0};
  int32_t id = 0;
  int64_t epoch = 0;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"id", Since(0)}, m.id);
    v.Field({"epoch", Since(0)}, m.epoch);
  }
};

// Superseded by BrokerRegistrationChange; still read.
struct UnfenceBrokerRecord {
  static constexpr protocol::RecordInfo kRecord{.type = 8, .versions = {0, 0}, .flexible_since = 0};
  int32_t id = 0;
  int64_t epoch = 0;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"id", Since(0)}, m.id);
    v.Field({"epoch", Since(0)}, m.epoch);
  }
};

// fenced and in_controlled_shutdown: 1 sets, -1 clears, 0 leaves as it is.
struct BrokerRegistrationChangeRecord {
  static constexpr protocol::RecordInfo kRecord{
      .type = 17, .versions = {0, 2}, .flexible_since = 0};
  int32_t broker_id = 0;
  int64_t broker_epoch = 0;
  int8_t fenced = 0;
  int8_t in_controlled_shutdown = 0;
  std::vector<Uuid> log_dirs;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"broker_id", Since(0)}, m.broker_id);
    v.Field({"broker_epoch", Since(0)}, m.broker_epoch);
    v.Field({"fenced", Since(0), Tag(0, 0)}, m.fenced);
    v.Field({"in_controlled_shutdown", Since(1), Tag(1, 1)}, m.in_controlled_shutdown);
    v.Field({"log_dirs", Since(2), Tag(2, 2)}, m.log_dirs);
  }
};

// A controller that is up, and where it listens (KIP-919).
struct RegisterControllerRecord {
  static constexpr protocol::RecordInfo kRecord{
      .type = 27, .versions = {0, 0}, .flexible_since = 0};
  int32_t controller_id = 0;
  Uuid incarnation_id;
  bool zk_migration_ready = false;
  std::vector<MetadataEndpoint> end_points;
  std::vector<MetadataFeature> features;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"controller_id", Since(0)}, m.controller_id);
    v.Field({"incarnation_id", Since(0)}, m.incarnation_id);
    v.Field({"zk_migration_ready", Since(0)}, m.zk_migration_ready);
    v.Field({"end_points", Since(0)}, m.end_points);
    v.Field({"features", Since(0)}, m.features);
  }
};

// Finalizes a feature at a level; level 0 removes it.
struct FeatureLevelRecord {
  static constexpr protocol::RecordInfo kRecord{
      .type = 12, .versions = {0, 0}, .flexible_since = 0};
  std::string name;
  int16_t feature_level = 0;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"name", Since(0)}, m.name);
    v.Field({"feature_level", Since(0)}, m.feature_level);
  }
};

// The first producer id that no broker has been given.
struct ProducerIdsRecord {
  static constexpr protocol::RecordInfo kRecord{
      .type = 15, .versions = {0, 0}, .flexible_since = 0};
  int32_t broker_id = 0;
  int64_t broker_epoch = -1;
  int64_t next_producer_id = 0;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"broker_id", Since(0)}, m.broker_id);
    v.Field({"broker_epoch", Since(0)}, m.broker_epoch);
    v.Field({"next_producer_id", Since(0)}, m.next_producer_id);
  }
};

// Opens a metadata transaction: what follows counts only from its end on (KIP-868).
struct BeginTransactionRecord {
  static constexpr protocol::RecordInfo kRecord{
      .type = 23, .versions = {0, 0}, .flexible_since = 0};
  std::optional<std::string> name;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"name", Since(0), NullableSince(0), Tag(0, 0)}, m.name);
  }
};

struct EndTransactionRecord {
  static constexpr protocol::RecordInfo kRecord{
      .type = 24, .versions = {0, 0}, .flexible_since = 0};
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self&, V&) {}
};

// Undoes everything since BeginTransaction.
struct AbortTransactionRecord {
  static constexpr protocol::RecordInfo kRecord{
      .type = 25, .versions = {0, 0}, .flexible_since = 0};
  std::optional<std::string> reason;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"reason", Since(0), NullableSince(0), Tag(0, 0)}, m.reason);
  }
};

// Moves the offset on, so that followers see a live leader (KIP-835).
struct NoOpRecord {
  static constexpr protocol::RecordInfo kRecord{
      .type = 20, .versions = {0, 0}, .flexible_since = 0};
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self&, V&) {}
};

// Left over from clusters that Kafka 3.4 to 3.9 founded; read and ignored.
struct ZkMigrationStateRecord {
  static constexpr protocol::RecordInfo kRecord{
      .type = 21, .versions = {0, 0}, .flexible_since = 0};
  int8_t zk_migration_state = 0;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"zk_migration_state", Since(0)}, m.zk_migration_state);
  }
};

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_RECORDS_CLUSTER_H_

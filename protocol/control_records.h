// -----------------------------------------------------------------------------
// File: protocol/control_records.h
// -----------------------------------------------------------------------------
// Values of control records in the cluster metadata log and in snapshots. kRecord.type is the type
// in the record's key.
// Format: docs/formats/metadata.md.
#ifndef WEIR_PROTOCOL_CONTROL_RECORDS_H_
#define WEIR_PROTOCOL_CONTROL_RECORDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::protocol {

// Who leads from here on, and who voted (KIP-595). Directory ids since version 1 (KIP-853), which
// clusters with kraft.version 1 write.
struct LeaderChangeMessage {
  static constexpr RecordInfo kRecord{.type = 2, .versions = {0, 1}, .flexible_since = 0};

  struct Voter {
    int32_t voter_id = 0;
    Uuid voter_directory_id;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"voter_id", Since(0)}, m.voter_id);
      v.Field({"voter_directory_id", Since(1)}, m.voter_directory_id);
    }
  };

  int16_t version = 0;  // also in the value itself
  int32_t leader_id = 0;
  std::vector<Voter> voters;
  std::vector<Voter> granting_voters;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"version", Since(0)}, m.version);
    v.Field({"leader_id", Since(0)}, m.leader_id);
    v.Field({"voters", Since(0)}, m.voters);
    v.Field({"granting_voters", Since(0)}, m.granting_voters);
  }
};

// The first and the last record of a snapshot (KIP-630).
struct SnapshotHeaderRecord {
  static constexpr RecordInfo kRecord{.type = 3, .versions = {0, 0}, .flexible_since = 0};
  int16_t version = 0;
  int64_t last_contained_log_timestamp = 0;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"version", Since(0)}, m.version);
    v.Field({"last_contained_log_timestamp", Since(0)}, m.last_contained_log_timestamp);
  }
};

struct SnapshotFooterRecord {
  static constexpr RecordInfo kRecord{.type = 4, .versions = {0, 0}, .flexible_since = 0};
  int16_t version = 0;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"version", Since(0)}, m.version);
  }
};

// The level at which the quorum works: 1 has its voters in the log (KIP-853).
struct KRaftVersionRecord {
  static constexpr RecordInfo kRecord{.type = 5, .versions = {0, 0}, .flexible_since = 0};

  int16_t version = 0;
  int16_t k_raft_version = 0;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"version", Since(0)}, m.version);
    v.Field({"k_raft_version", Since(0)}, m.k_raft_version);
  }
};

// The voters from here on (KIP-853), where they listen and what they can work at.
struct VotersRecord {
  static constexpr RecordInfo kRecord{.type = 6, .versions = {0, 0}, .flexible_since = 0};

  struct Endpoint {
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

  struct KRaftVersionFeature {
    int16_t min_supported_version = 0;
    int16_t max_supported_version = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"min_supported_version", Since(0)}, m.min_supported_version);
      v.Field({"max_supported_version", Since(0)}, m.max_supported_version);
    }
  };

  struct Voter {
    int32_t voter_id = 0;
    Uuid voter_directory_id;
    std::vector<Endpoint> endpoints;
    KRaftVersionFeature k_raft_version_feature;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"voter_id", Since(0)}, m.voter_id);
      v.Field({"voter_directory_id", Since(0)}, m.voter_directory_id);
      v.Field({"endpoints", Since(0)}, m.endpoints);
      v.Field({"k_raft_version_feature", Since(0)}, m.k_raft_version_feature);
    }
  };

  int16_t version = 0;
  std::vector<Voter> voters;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"version", Since(0)}, m.version);
    v.Field({"voters", Since(0)}, m.voters);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_CONTROL_RECORDS_H_

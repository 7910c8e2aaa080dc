// -----------------------------------------------------------------------------
// File: coordination/metadata/control_records.h
// -----------------------------------------------------------------------------
// Values of control records in the cluster metadata log and in snapshots. kRecord.type is the type
// in the record's key.
// Format: docs/formats/metadata.md.
#ifndef WEIR_COORDINATION_METADATA_CONTROL_RECORDS_H_
#define WEIR_COORDINATION_METADATA_CONTROL_RECORDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::metadata {

// Who leads from here on, and who voted (KIP-595). Directory ids since version 1 (KIP-853), which
// clusters with kraft.version 1 write.
struct LeaderChangeMessage {
  static constexpr protocol::RecordInfo kRecord{.type = 2, .versions = {0, 1}, .flexible_since = 0};

  struct Voter {
    int32_t voter_id = 0;
    Uuid voter_directory_id;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"voter_id", protocol::Since(0)}, m.voter_id);
      v.Field({"voter_directory_id", protocol::Since(1)}, m.voter_directory_id);
    }
  };

  int16_t version = 0;  // also in the value itself
  int32_t leader_id = 0;
  std::vector<Voter> voters;
  std::vector<Voter> granting_voters;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"version", protocol::Since(0)}, m.version);
    v.Field({"leader_id", protocol::Since(0)}, m.leader_id);
    v.Field({"voters", protocol::Since(0)}, m.voters);
    v.Field({"granting_voters", protocol::Since(0)}, m.granting_voters);
  }
};

// The first and the last record of a snapshot (KIP-630).
struct SnapshotHeaderRecord {
  static constexpr protocol::RecordInfo kRecord{.type = 3, .versions = {0, 0}, .flexible_since = 0};
  int16_t version = 0;
  int64_t last_contained_log_timestamp = 0;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"version", protocol::Since(0)}, m.version);
    v.Field({"last_contained_log_timestamp", protocol::Since(0)}, m.last_contained_log_timestamp);
  }
};

struct SnapshotFooterRecord {
  static constexpr protocol::RecordInfo kRecord{.type = 4, .versions = {0, 0}, .flexible_since = 0};
  int16_t version = 0;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"version", protocol::Since(0)}, m.version);
  }
};

// The level at which the quorum works: 1 has its voters in the log (KIP-853).
struct KRaftVersionRecord {
  static constexpr protocol::RecordInfo kRecord{.type = 5, .versions = {0, 0}, .flexible_since = 0};

  int16_t version = 0;
  int16_t k_raft_version = 0;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"version", protocol::Since(0)}, m.version);
    v.Field({"k_raft_version", protocol::Since(0)}, m.k_raft_version);
  }
};

// The voters from here on (KIP-853), where they listen and what they can work at.
struct VotersRecord {
  static constexpr protocol::RecordInfo kRecord{.type = 6, .versions = {0, 0}, .flexible_since = 0};

  struct Endpoint {
    std::string name;
    std::string host;
    uint16_t port = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", protocol::Since(0)}, m.name);
      v.Field({"host", protocol::Since(0)}, m.host);
      v.Field({"port", protocol::Since(0)}, m.port);
    }
  };

  struct KRaftVersionFeature {
    int16_t min_supported_version = 0;
    int16_t max_supported_version = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"min_supported_version", protocol::Since(0)}, m.min_supported_version);
      v.Field({"max_supported_version", protocol::Since(0)}, m.max_supported_version);
    }
  };

  struct Voter {
    int32_t voter_id = 0;
    Uuid voter_directory_id;
    std::vector<Endpoint> endpoints;
    KRaftVersionFeature k_raft_version_feature;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"voter_id", protocol::Since(0)}, m.voter_id);
      v.Field({"voter_directory_id", protocol::Since(0)}, m.voter_directory_id);
      v.Field({"endpoints", protocol::Since(0)}, m.endpoints);
      v.Field({"k_raft_version_feature", protocol::Since(0)}, m.k_raft_version_feature);
    }
  };

  int16_t version = 0;
  std::vector<Voter> voters;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"version", protocol::Since(0)}, m.version);
    v.Field({"voters", protocol::Since(0)}, m.voters);
  }
};

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_CONTROL_RECORDS_H_

// -----------------------------------------------------------------------------
// File: coordination/raft/entry_batch.h
// -----------------------------------------------------------------------------
// Entries of a Raft log as record batches of Kafka's `__cluster_metadata`. A data entry is a batch
// already; the others are control batches of one record, the same bytes on every replica.
// Format: docs/formats/quorum.md.
// Threading: keeps no state. Errors: kDataLoss with the offset, what was expected and what came.
#ifndef WEIR_COORDINATION_RAFT_ENTRY_BATCH_H_
#define WEIR_COORDINATION_RAFT_ENTRY_BATCH_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "coordination/raft/types.h"
#include "protocol/control_records.h"
#include "protocol/describe.h"
#include "protocol/message.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"
#include "protocol/record_codec.h"

namespace weir::raft_internal {

// Tagged fields that Kafka does not have and skips. Of both records: who wrote it.
inline constexpr uint32_t kWriterTag = 10'000;
// Of a LeaderChangeMessage, which Kafka writes and reads in version 0 alone: the voters' directory
// ids, 16 bytes each.
inline constexpr uint32_t kDirectoriesTag = 10'001;

// What the former has, and one of what the latter has.
struct Directory {
  static constexpr protocol::RecordInfo kRecord{.type = -1, .versions = {0, 0}};
  static constexpr size_t kBytes = 16;

  Uuid id;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"id", protocol::Since(0)}, m.id);
  }
};
struct Writer {
  static constexpr protocol::RecordInfo kRecord{.type = -1, .versions = {0, 0}};

  int32_t id = -1;
  Uuid directory_id;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"id", protocol::Since(0)}, m.id);
    v.Field({"directory_id", protocol::Since(0)}, m.directory_id);
  }
};

inline std::string EncodeWriter(const raft::ReplicaKey& key) {
  std::string bytes;
  protocol::Encode(Writer{key.id.value(), key.directory_id}, 0, &bytes);
  return bytes;
}
// Nobody for bytes that are no writer.
inline raft::ReplicaKey DecodeWriter(absl::string_view bytes) {
  const absl::StatusOr<Writer> writer = protocol::Decode<Writer>(bytes, 0);
  if (!writer.ok()) return {};
  return {BrokerId(writer->id), writer->directory_id};
}

inline protocol::LeaderChangeMessage LeaderChangeMessageOf(const raft::Control& control) {
  protocol::LeaderChangeMessage message;
  message.leader_id = control.leader.id.value();
  std::string directories;
  for (const raft::ReplicaKey& voter : control.voters) {
    message.voters.push_back({voter.id.value(), Uuid()});
    protocol::Encode(Directory{voter.directory_id}, 0, &directories);
  }
  message.granting_voters = {{control.leader.id.value(), Uuid()}};
  message.unknown_tags.Add(kWriterTag, EncodeWriter(control.leader));
  message.unknown_tags.Add(kDirectoriesTag, directories);
  return message;
}

inline protocol::VotersRecord VotersRecordOf(const raft::VoterSet& voters) {
  protocol::VotersRecord record;
  for (const raft::ReplicaKey& key : voters) {
    protocol::VotersRecord::Voter voter;
    voter.voter_id = key.id.value();
    voter.voter_directory_id = key.directory_id;
    voter.k_raft_version_feature = {0, 1};
    record.voters.push_back(std::move(voter));
  }
  return record;
}

// kDataLoss for a set that no leader would write.
template <class Voters>
absl::StatusOr<raft::VoterSet> VoterSetOf(const Voters& listed) {
  std::vector<raft::ReplicaKey> keys;
  for (const auto& voter : listed) {
    keys.push_back({BrokerId(voter.voter_id), voter.voter_directory_id});
  }
  raft::VoterSet voters(std::move(keys));
  if (voters.IsWellFormed()) return voters;
  return absl::DataLossError(absl::StrCat("expected up to ", raft::kVotersMax,
                                          " voters of distinct ids, came ", listed.size()));
}

template <class Tags>
absl::string_view FindTag(const Tags& tags, uint32_t tag) {
  for (size_t i = 0; i < tags.size(); ++i) {
    if (tags[i].tag == tag) return tags[i].bytes;
  }
  return {};
}

inline absl::StatusOr<raft::Control> LeaderChangeOf(absl::string_view value) {
  WEIR_ASSIGN_OR_RETURN(auto message, protocol::Decode<protocol::LeaderChangeMessage>(value, 0));
  absl::string_view directories = FindTag(message.unknown_tags, kDirectoriesTag);
  if (!directories.empty() && directories.size() != message.voters.size() * Directory::kBytes) {
    return absl::DataLossError(absl::StrCat("expected a directory id for each of ",
                                            message.voters.size(), " voters, came ",
                                            directories.size(), " bytes"));
  }
  for (size_t i = 0; !directories.empty(); ++i) {
    WEIR_ASSIGN_OR_RETURN(const auto directory, protocol::DecodePrefix<Directory>(&directories, 0));
    message.voters[i].voter_directory_id = directory.id;
  }
  raft::Control control;
  control.leader = DecodeWriter(FindTag(message.unknown_tags, kWriterTag));
  if (control.leader.is_none()) control.leader.id = BrokerId(message.leader_id);
  WEIR_ASSIGN_OR_RETURN(control.voters, VoterSetOf(message.voters));
  return control;
}

inline absl::StatusOr<raft::Control> VotersOf(absl::string_view value) {
  WEIR_ASSIGN_OR_RETURN(const auto record, protocol::Decode<protocol::VotersRecord>(value, 0));
  raft::Control control;
  control.leader = DecodeWriter(FindTag(record.unknown_tags, kWriterTag));
  WEIR_ASSIGN_OR_RETURN(control.voters, VoterSetOf(record.voters));
  return control;
}

// What a control batch says: the one record of a leader change or of voters, or Kafka's pair of a
// KRaftVersionRecord with the voters that it puts into the log.
inline absl::Status ReadControl(const protocol::RecordBatchView& batch, raft::Entry* entry) {
  protocol::RecordIterator it(batch.records(), batch.record_count());
  protocol::Record record;
  while (it.Next(&record)) {
    const std::optional<protocol::ControlType> type = protocol::GetControlType(record);
    if (type == protocol::ControlType::kRaftVersion) continue;
    absl::StatusOr<raft::Control> control;
    if (type == protocol::ControlType::kLeaderChange && record.value.has_value()) {
      entry->kind = raft::EntryKind::kLeaderChange;
      control = LeaderChangeOf(*record.value);
    } else if (type == protocol::ControlType::kRaftVoters && record.value.has_value()) {
      entry->kind = raft::EntryKind::kVoters;
      control = VotersOf(*record.value);
    } else {
      return absl::DataLossError(absl::StrCat("expected control records of types 2, 5 and 6, came ",
                                              type.has_value() ? static_cast<int>(*type) : -1));
    }
    WEIR_RETURN_IF_ERROR(control.status());
    entry->control = std::make_shared<const raft::Control>(*std::move(control));
  }
  WEIR_RETURN_IF_ERROR(it.status());
  if (entry->control != nullptr) return absl::OkStatus();
  return absl::DataLossError("expected a leader change or voters in a control batch, came neither");
}

}  // namespace weir::raft_internal

namespace weir::raft {

// The control batch of an entry that has no data.
inline std::string EncodeControlEntry(const Entry& entry) {
  WEIR_CHECK(entry.kind != EntryKind::kData && entry.record_count == 1);
  const Control& control = *entry.control;
  std::string value;
  protocol::ControlType type = protocol::ControlType::kLeaderChange;
  if (entry.kind == EntryKind::kLeaderChange) {
    protocol::Encode(raft_internal::LeaderChangeMessageOf(control), 0, &value);
  } else {
    type = protocol::ControlType::kRaftVoters;
    protocol::VotersRecord record = raft_internal::VotersRecordOf(control.voters);
    record.unknown_tags.Add(raft_internal::kWriterTag, raft_internal::EncodeWriter(control.leader));
    protocol::Encode(record, 0, &value);
  }
  protocol::RecordBatchBuilder builder(
      {.base_offset = entry.base_offset, .leader_epoch = entry.epoch, .is_control = true});
  WEIR_CHECK(builder.AppendControl(kNoTimestamp, type, value).ok());
  return builder.Build();
}

// Whether `entry`, of data, is one whole batch that takes as many offsets as it says.
inline absl::Status CheckDataEntry(const Entry& entry) {
  const absl::StatusOr<protocol::RecordBatchView> batch =
      protocol::RecordBatchView::Parse(*entry.data);
  const bool fits = batch.ok() && batch->bytes().size() == entry.data->size() &&
                    batch->magic() == protocol::kRecordBatchMagic && !batch->is_control() &&
                    !batch->has_producer_id() &&
                    int64_t{batch->last_offset_delta()} + 1 == entry.record_count;
  if (fits && batch->CrcIsValid()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("raft: entry at ", entry.base_offset.value(), ": expected one record batch of ",
                   entry.record_count, " offsets without a producer, came ", entry.data->size(),
                   " bytes", batch.ok() ? "" : ": ", batch.ok() ? "" : batch.status().message()));
}

// The entry that a batch of the log is. Its CRC is for the caller to check.
inline absl::StatusOr<Entry> DecodeEntry(const protocol::RecordBatchView& batch) {
  Entry entry;
  entry.base_offset = batch.base_offset();
  entry.epoch = batch.leader_epoch();
  const int32_t delta = batch.last_offset_delta();
  absl::Status status;
  if (delta < 0 || delta == std::numeric_limits<int32_t>::max()) {
    status = absl::DataLossError(absl::StrCat("expected a last offset delta, came ", delta));
  } else if (entry.epoch < LeaderEpoch(0)) {
    status = absl::DataLossError(absl::StrCat("expected an epoch, came ", entry.epoch.value()));
  } else if (!batch.is_control()) {
    entry.data = std::make_shared<const std::string>(batch.bytes());
  } else if (batch.codec() != protocol::Codec::kNone) {
    status = absl::DataLossError("expected a control batch without compression");
  } else {
    status = raft_internal::ReadControl(batch, &entry);
  }
  if (!status.ok()) {
    return absl::DataLossError(
        absl::StrCat("batch at offset ", entry.base_offset.value(), ": ", status.message()));
  }
  entry.record_count = delta + 1;
  return entry;
}

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_RAFT_ENTRY_BATCH_H_

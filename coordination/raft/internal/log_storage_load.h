// -----------------------------------------------------------------------------
// File: coordination/raft/internal/log_storage_load.h
// -----------------------------------------------------------------------------
// What coordination/raft/log_storage.h finds at a start, and reads later.
#ifndef WEIR_COORDINATION_RAFT_INTERNAL_LOG_STORAGE_LOAD_H_
#define WEIR_COORDINATION_RAFT_INTERNAL_LOG_STORAGE_LOAD_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "coordination/raft/entry_batch.h"
#include "coordination/raft/log_storage.h"
#include "coordination/raft/quorum_state.h"
#include "coordination/raft/snapshot_file.h"
#include "coordination/raft/storage.h"
#include "coordination/raft/types.h"
#include "log/checkpoint_file.h"
#include "log/log.h"
#include "log/log_reader.h"
#include "log/log_types.h"
#include "protocol/record_batch.h"

namespace weir::raft {

inline absl::StatusOr<Recovered> LogStorage::Load() {
  WEIR_CHECK(log_ == nullptr);
  Recovered found;
  WEIR_RETURN_IF_ERROR(log::CreateDirectoriesDurably(fs_, directory_));
  WEIR_RETURN_IF_ERROR(CleanDirectory());
  WEIR_RETURN_IF_ERROR(LoadVote(&found));
  WEIR_RETURN_IF_ERROR(LoadSnapshot());
  WEIR_RETURN_IF_ERROR(LoadLog());
  WEIR_RETURN_IF_ERROR(ScanLog(&found));
  // Names that a killed process changed and did not make durable.
  WEIR_RETURN_IF_ERROR(fs_.SyncDirectory(directory_));
  if (options_.is_alone && snapshot_.voters.empty() && found.voters.empty()) {
    snapshot_.voters = VoterSet({options_.self});
  }
  found.snapshot = snapshot_;
  found.log_start = log_->log_start_offset();
  found.log_end = log_->log_end_offset();
  return found;
}

// Removes what an earlier run did not finish.
inline absl::Status LogStorage::CleanDirectory() {
  WEIR_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_.List(directory_));
  for (const std::string& name : names) {
    if (absl::EndsWith(name, kUnfinishedSnapshotEnding) || absl::EndsWith(name, ".tmp")) {
      WEIR_RETURN_IF_ERROR(fs_.Remove(Path(name)));
    }
  }
  return absl::OkStatus();
}

inline absl::Status LogStorage::LoadVote(Recovered* found) {
  const std::string path = Path(kQuorumStateFile);
  const absl::StatusOr<std::string> text = log::ReadWholeFile(fs_, path, kQuorumStateBytesMax);
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  WEIR_RETURN_IF_ERROR(text.status());
  const absl::StatusOr<HardState> state = ParseQuorumState(*text);
  if (!state.ok()) return absl::DataLossError(absl::StrCat(path, ": ", state.status().message()));
  found->hard_state = *state;
  return absl::OkStatus();
}

// The latest one counts. Older ones are left where a crash came before their removal.
inline absl::Status LogStorage::LoadSnapshot() {
  WEIR_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_.List(directory_));
  std::optional<SnapshotId> latest;
  for (const std::string& name : names) {
    if (const auto id = SnapshotIdOfFileName(name)) latest = std::max(latest.value_or(*id), *id);
  }
  if (!latest.has_value()) return absl::OkStatus();
  WEIR_ASSIGN_OR_RETURN(SnapshotContents contents, CheckSnapshotFile(fs_, PathOf(*latest)));
  snapshot_ = {*latest, WithOwnDisk(contents.voters)};
  for (const std::string& name : names) {
    const auto id = SnapshotIdOfFileName(name);
    if (id.has_value() && id != latest) WEIR_RETURN_IF_ERROR(fs_.Remove(Path(name)));
  }
  return absl::OkStatus();
}

inline log::LogConfig LogStorage::LogConfigOf() const {
  log::LogConfig config;
  config.segment_bytes = options_.segment_bytes;
  config.segment_ms = std::numeric_limits<int64_t>::max() / 2;
  config.retention_ms = -1;
  config.retention_bytes = -1;
  config.file_delete_delay_ms = 0;
  return config;
}

inline absl::Status LogStorage::LoadLog() {
  WEIR_ASSIGN_OR_RETURN(const log::PartitionOffsets points, recovery_point_file_.Read());
  const auto point = points.find({kTopic, 0});
  log::RecoveryHint hint;
  if (point != points.end()) hint.recovery_point = recovery_point_ = point->second;
  WEIR_ASSIGN_OR_RETURN(log_,
                        log::Log::Open(fs_, directory_, LogConfigOf(), hint, kNoTimestamp, [this] {
                          ++last_sync_;
                          if (sync_.has_value()) sync_->waiting.insert(last_sync_);
                          return last_sync_;
                        }));
  return absl::OkStatus();
}

inline VoterSet LogStorage::WithOwnDisk(const VoterSet& voters) const {
  const ReplicaKey nameless{options_.self.id, Uuid()};
  if (options_.self.is_none() || !voters.Contains(nameless)) return voters;
  return voters.Without(nameless).With(options_.self);
}

// The epochs and voters of the log, from all of its batches.
inline absl::Status LogStorage::ScanLog(Recovered* found) {
  log::LogReader reader(*log_, log_->log_start_offset());
  Offset next = log_->log_start_offset();
  while (true) {
    WEIR_ASSIGN_OR_RETURN(const auto batch, reader.Next());
    if (!batch.has_value()) break;
    const LeaderEpoch before = found->epochs.empty() ? LeaderEpoch(0) : found->epochs.back().epoch;
    if (batch->base_offset() != next || batch->leader_epoch() < before) {
      return absl::DataLossError(
          absl::StrCat(directory_, ": expected a batch at offset ", next.value(), " of epoch ",
                       before.value(), " or later, came one at ", batch->base_offset().value(),
                       " of ", batch->leader_epoch().value()));
    }
    if (found->epochs.empty() || batch->leader_epoch() != before) {
      found->epochs.push_back({batch->leader_epoch(), next});
    }
    if (batch->is_control()) {
      absl::StatusOr<Entry> entry = DecodeEntry(*batch);
      if (!entry.ok()) {
        return absl::DataLossError(absl::StrCat(directory_, ": ", entry.status().message()));
      }
      found->voters.push_back({next, WithOwnDisk(entry->control->voters)});
    }
    next = batch->next_offset();
  }
  return absl::OkStatus();
}

inline absl::StatusOr<std::vector<Entry>> LogStorage::ReadEntries(Offset from, size_t bytes_max) {
  constexpr size_t kReadBytesMax = size_t{16} << 20;
  const auto no_entry = [&] {
    return absl::NotFoundError(absl::StrCat("raft: no entry begins at ", from.value()));
  };
  const absl::StatusOr<log::LogSlice> slice =
      log_->Read(from, static_cast<int64_t>(std::min(bytes_max, kReadBytesMax)),
                 log_->log_end_offset(), /*at_least_one_batch=*/true);
  if (absl::IsOutOfRange(slice.status())) return no_entry();
  WEIR_RETURN_IF_ERROR(slice.status());
  if (slice->empty() || slice->first_offset != from) return no_entry();
  std::string bytes(static_cast<size_t>(slice->size_bytes), '\0');
  WEIR_ASSIGN_OR_RETURN(
      const size_t got,
      slice->file->ReadAt(slice->position, absl::MakeSpan(bytes.data(), bytes.size())));
  absl::string_view rest = absl::string_view(bytes).substr(0, got);
  std::vector<Entry> entries;
  size_t weight = 0;
  while (!rest.empty()) {
    const absl::StatusOr<protocol::RecordBatchView> batch = protocol::RecordBatchView::Parse(rest);
    absl::Status status = batch.status();
    if (status.ok() && !batch->CrcIsValid()) {
      status = absl::DataLossError(
          absl::StrCat("expected a batch with CRC ", batch->crc(), ", came ", batch->ComputeCrc()));
    }
    absl::StatusOr<Entry> entry = status.ok() ? DecodeEntry(*batch) : status;
    if (!entry.ok()) {
      return absl::DataLossError(absl::StrCat(directory_, ", behind offset ", from.value(), ": ",
                                              entry.status().message()));
    }
    weight += entry->size_bytes();
    if (!entries.empty() && weight > bytes_max) break;
    entries.push_back(*std::move(entry));
    rest.remove_prefix(batch->bytes().size());
  }
  return entries;
}

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_RAFT_INTERNAL_LOG_STORAGE_LOAD_H_

// -----------------------------------------------------------------------------
// File: coordination/raft/internal/log_storage_sync.h
// -----------------------------------------------------------------------------
// How the writes of coordination/raft/log_storage.h become durable: the files all at once, and then
// the names of those that replace others.
#ifndef WEIR_COORDINATION_RAFT_INTERNAL_LOG_STORAGE_SYNC_H_
#define WEIR_COORDINATION_RAFT_INTERNAL_LOG_STORAGE_SYNC_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "coordination/raft/internal/log_storage_load.h"
#include "coordination/raft/internal/log_storage_write.h"
#include "coordination/raft/log_storage.h"
#include "coordination/raft/quorum_state.h"
#include "coordination/raft/snapshot_file.h"
#include "coordination/raft/types.h"
#include "log/file.h"
#include "log/log.h"

namespace weir::raft {

inline absl::Status LogStorage::BeginSync() {
  const auto start = [this](log::File& file) {
    sync_->waiting.insert(++last_sync_);
    file.StartSync(last_sync_);
  };
  if (unsynced_vote_.has_value()) {
    WEIR_ASSIGN_OR_RETURN(sync_->vote, fs_.Open(TemporaryVotePath(), log::OpenMode::kCreate));
    WEIR_RETURN_IF_ERROR(sync_->vote->Truncate(0));
    WEIR_RETURN_IF_ERROR(sync_->vote->Append({EncodeQuorumState(*unsynced_vote_)}));
    unsynced_vote_.reset();
    start(*sync_->vote);
  }
  sync_->snapshots = std::exchange(whole_, {});
  for (const Incoming& snapshot : sync_->snapshots) start(*snapshot.file);
  (void)log_->StartFlush();
  return log_->failed();
}

inline std::vector<std::pair<uint64_t, absl::Status>> LogStorage::TakeSynced() {
  std::vector<std::pair<uint64_t, absl::Status>> synced;
  std::vector<log::SyncDone> done;
  fs_.DrainSyncs(&done);
  for (const log::SyncDone& sync : done) {
    (void)log_->OnSyncDone(sync.token, sync.status);
    if (!sync_.has_value() || sync_->waiting.erase(sync.token) == 0) continue;
    sync_->status.Update(sync.status);
  }
  if (!sync_.has_value() || !sync_->waiting.empty()) return synced;
  sync_->status.Update(log_->failed());
  if (sync_->status.ok()) sync_->status = FinishSync();
  failed_.Update(sync_->status);
  synced.emplace_back(sync_->token, std::move(sync_->status));
  sync_.reset();
  return synced;
}

inline absl::Status LogStorage::FinishSync() {
  if (sync_->vote != nullptr) {
    WEIR_RETURN_IF_ERROR(fs_.Rename(TemporaryVotePath(), Path(kQuorumStateFile)));
  }
  for (const Incoming& snapshot : sync_->snapshots) {
    WEIR_RETURN_IF_ERROR(fs_.Rename(snapshot.path, PathOf(snapshot.meta.id)));
  }
  if (sync_->vote != nullptr || !sync_->snapshots.empty()) {
    WEIR_RETURN_IF_ERROR(fs_.SyncDirectory(directory_));
  }
  for (const Incoming& snapshot : sync_->snapshots) {
    WEIR_RETURN_IF_ERROR(AdoptSnapshot(snapshot.meta));
  }
  if (bytes_since_recovery_point_ < options_.recovery_point_bytes) return absl::OkStatus();
  return SaveRecoveryPoint(log_->flushed_offset());
}

// The file of `meta` is durable: it is the snapshot, and the one before it may go.
inline absl::Status LogStorage::TakeOver(const SnapshotMeta& meta) {
  const SnapshotId before = std::exchange(snapshot_, meta).id;
  snapshot_file_.reset();
  return RemoveSnapshot(before);
}

inline absl::Status LogStorage::RemoveSnapshot(const SnapshotId& id) {
  if (id == snapshot_.id) return absl::OkStatus();
  const absl::Status removed = fs_.Remove(PathOf(id));
  return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
}

inline absl::Status LogStorage::OpenSnapshot() {
  if (snapshot_file_ != nullptr) return absl::OkStatus();
  WEIR_ASSIGN_OR_RETURN(snapshot_file_, fs_.Open(PathOf(snapshot_.id), log::OpenMode::kRead));
  return absl::OkStatus();
}

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_RAFT_INTERNAL_LOG_STORAGE_SYNC_H_

// -----------------------------------------------------------------------------
// File: log/internal/log_flush.h
// -----------------------------------------------------------------------------
// Group flush and closing of log/log.h.
#ifndef WEIR_LOG_INTERNAL_LOG_FLUSH_H_
#define WEIR_LOG_INTERNAL_LOG_FLUSH_H_

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "log/internal/producer_snapshots.h"
#include "log/log.h"

namespace weir::log {

inline bool Log::StartFlush() {
  if (flush_in_flight()) {
    flush_.again = flush_.again || flush_.target < next_offset_;
    return true;
  }
  if (!failed_.ok() || flushed_offset_ >= next_offset_) return false;
  BeginFlush();
  return true;
}

inline void Log::BeginFlush() {
  flush_.again = false;
  flush_.target = next_offset_;
  flush_.indexes = std::move(unsynced_indexes_);
  unsynced_indexes_.clear();
  const auto start = [this](File& file) {
    flush_.tokens.push_back(next_token_());
    file.StartSync(flush_.tokens.back());
  };
  for (auto it = segments_.rbegin(); it != segments_.rend(); ++it) {
    if ((*it)->next_offset() <= flushed_offset_) break;
    start(*(*it)->file());
  }
  for (const std::unique_ptr<File>& index : flush_.indexes) start(*index);
}

inline bool Log::OnSyncDone(SyncToken token, const absl::Status& status) {
  const auto found = std::find(flush_.tokens.begin(), flush_.tokens.end(), token);
  if (found == flush_.tokens.end()) return false;
  flush_.tokens.erase(found);
  if (!status.ok()) {
    // Nothing that was not durable before may be called so now.
    failed_.Update(status);
    flush_ = FlushInFlight();
    return true;
  }
  if (flush_in_flight()) return false;
  flush_.indexes.clear();
  // A sync of a file that nobody will find again is no durability. The log itself never removes the
  // segment that it appends to.
  if (failed_.ok() && !active().file()->HasName()) {
    failed_ = absl::DataLossError(absl::StrCat(active().Path(Segment::kLogSuffix),
                                               ": expected the segment that is written to, it was "
                                               "removed"));
    return true;
  }
  const bool advanced = failed_.ok() && flush_.target > flushed_offset_;
  if (advanced) flushed_offset_ = flush_.target;
  if (flush_.again && failed_.ok() && flushed_offset_ < next_offset_) BeginFlush();
  return advanced;
}

// What a flush in flight covers no longer reaches beyond `end`.
inline void Log::ForgetFlushBeyond(Offset end) {
  flush_.target = std::min(flush_.target, end);
  flushed_offset_ = std::min(flushed_offset_, end);
}

inline absl::Status Log::Flush() {
  WEIR_RETURN_IF_ERROR(failed_);
  const auto sync = [this](File& file) {
    absl::Status status = file.Sync();
    failed_.Update(status);  // even for want of space: the pages may be gone
    return status;
  };
  for (auto it = segments_.rbegin(); it != segments_.rend(); ++it) {
    if ((*it)->next_offset() <= flushed_offset_) break;
    WEIR_RETURN_IF_ERROR(sync(*(*it)->file()));
  }
  // Those of a flush in flight too: its completion may come after this call.
  for (const std::unique_ptr<File>& index : flush_.indexes) WEIR_RETURN_IF_ERROR(sync(*index));
  for (const std::unique_ptr<File>& index : unsynced_indexes_) WEIR_RETURN_IF_ERROR(sync(*index));
  unsynced_indexes_.clear();
  flushed_offset_ = next_offset_;
  return absl::OkStatus();
}

// Removes snapshots that neither a segment starts at nor the log ends at: those of earlier closes.
inline absl::Status Log::RemoveStraySnapshots() {
  WEIR_ASSIGN_OR_RETURN(const std::vector<Offset> snapshots,
                        log_internal::ListSnapshots(fs_, directory_));
  for (const Offset offset : snapshots) {
    const bool used =
        offset == next_offset_ || (offset >= segments_.front()->base_offset() &&
                                   segments_[SegmentIndexFor(offset)]->base_offset() == offset);
    if (used) continue;
    WEIR_RETURN_IF_ERROR(fs_.Remove(log_internal::SnapshotPath(directory_, offset)));
  }
  return absl::OkStatus();
}

inline absl::Status Log::Close() {
  WEIR_RETURN_IF_ERROR(failed_);
  if (!at_rest_) {
    WEIR_RETURN_IF_ERROR(Failed(active().Seal(&unsynced_indexes_)));
    WEIR_RETURN_IF_ERROR(Flush());
    WEIR_RETURN_IF_ERROR(Failed(
        log_internal::WriteSnapshot(fs_, directory_, next_offset_, producers_, /*sync=*/true)));
    WEIR_RETURN_IF_ERROR(Failed(RemoveStraySnapshots()));
    WEIR_RETURN_IF_ERROR(Failed(fs_.SyncDirectory(directory_)));
  }
  failed_ = absl::FailedPreconditionError(absl::StrCat("log ", directory_, " is closed"));
  return absl::OkStatus();
}

}  // namespace weir::log

#endif  // WEIR_LOG_INTERNAL_LOG_FLUSH_H_

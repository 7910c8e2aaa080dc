// -----------------------------------------------------------------------------
// File: log/internal/log_retention.h
// -----------------------------------------------------------------------------
// Retention, truncation and housekeeping of log/log.h.
#ifndef WEIR_LOG_INTERNAL_LOG_RETENTION_H_
#define WEIR_LOG_INTERNAL_LOG_RETENTION_H_

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "log/checkpoint_file.h"
#include "log/file.h"
#include "log/internal/producer_snapshots.h"
#include "log/log.h"
#include "log/producer_state.h"
#include "log/segment.h"

namespace weir::log {

inline absl::Status Log::AdvanceLogStart(Offset offset) {
  if (offset > next_offset_) {
    return absl::OutOfRangeError(absl::StrCat("log start of ", directory_,
                                              ": expected at most the log's end ",
                                              next_offset_.value(), ", came ", offset.value()));
  }
  if (offset <= log_start_offset_) return absl::OkStatus();
  WEIR_RETURN_IF_ERROR(failed_);
  at_rest_ = false;
  WEIR_RETURN_IF_ERROR(Failed(epochs_.TruncateFromStart(offset)));
  log_start_offset_ = offset;
  producers_.ForgetEndedBefore(offset);
  return absl::OkStatus();
}

// Whether retention lets go of a segment that ends at `end`, in a log `bytes_over` too large.
inline bool Log::ShouldDelete(Segment& segment, Offset end, int64_t bytes_over,
                              TimestampMs now_ms) const {
  if (end <= log_start_offset_) return true;
  if (config_.retention_bytes >= 0 && bytes_over >= segment.size_bytes()) return true;
  if (config_.retention_ms < 0) return false;
  const absl::StatusOr<TimestampOffset> latest = segment.MaxTimestamp();
  if (!latest.ok()) return false;
  // Where no record has a timestamp, time counts from when the segment was made or opened.
  const TimestampMs since =
      latest->timestamp != kNoTimestamp ? latest->timestamp : segment.created_ms();
  return since != kNoTimestamp && now_ms - since > config_.retention_ms;
}

inline absl::StatusOr<int> Log::DeleteOldSegments(TimestampMs now_ms, Offset upper_bound) {
  WEIR_RETURN_IF_ERROR(failed_);
  int old = 0;
  int64_t bytes_over = config_.retention_bytes < 0 ? 0 : size_bytes() - config_.retention_bytes;
  for (const std::unique_ptr<Segment>& segment : segments_) {
    const Offset end = segment->next_offset();
    const bool is_new = segment == segments_.back() && segment->size_bytes() == 0;
    if (is_new || end > upper_bound || !ShouldDelete(*segment, end, bytes_over, now_ms)) break;
    bytes_over -= segment->size_bytes();
    ++old;
  }
  if (old == 0) return 0;
  at_rest_ = false;
  if (static_cast<size_t>(old) == segments_.size()) WEIR_RETURN_IF_ERROR(Roll(now_ms));
  const Offset start = segments_[static_cast<size_t>(old)]->base_offset();
  WEIR_RETURN_IF_ERROR(Failed(KeepProducers(start)));
  for (int i = 0; i < old; ++i) WEIR_RETURN_IF_ERROR(Failed(RetireFirstSegment(now_ms)));
  log_start_offset_ = std::max(log_start_offset_, start);
  WEIR_RETURN_IF_ERROR(Failed(epochs_.TruncateFromStart(log_start_offset_)));
  WEIR_RETURN_IF_ERROR(
      Failed(log_internal::RemoveSnapshotsBetween(fs_, directory_, kNoOffset, start)));
  return old;
}

// Makes durable what the batches before `start` say of their producers: without it, a power loss
// would let a producer append one of them again. That is the snapshot made when the segment at
// `start` was begun; where there is no good one, a snapshot of the log's end, which must then be on
// the disk itself.
inline absl::Status Log::KeepProducers(Offset start) {
  const std::string path = log_internal::SnapshotPath(directory_, start);
  const absl::StatusOr<std::string> content = ReadWholeFile(fs_, path);
  if (content.ok() && ProducerState::Decode(*content).ok()) {
    WEIR_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, fs_.Open(path, OpenMode::kCreate));
    WEIR_RETURN_IF_ERROR(file->Sync());
  } else {
    WEIR_RETURN_IF_ERROR(Flush());
    WEIR_RETURN_IF_ERROR(log_internal::WriteSnapshot(fs_, directory_, next_offset_, producers_,
                                                     /*sync=*/true));
  }
  return fs_.SyncDirectory(directory_);
}

// Gives the segments' files the names of deleted ones: the logs' durably before those of their
// indexes, so that none is left without its transactions. Indexes alone mean nothing.
inline absl::Status Log::SetAside(absl::Span<const std::unique_ptr<Segment>> segments,
                                  TimestampMs now_ms) {
  for (const absl::string_view suffix : Segment::kFileSuffixes) {
    for (const std::unique_ptr<Segment>& segment : segments) {
      const std::string path = segment->Path(suffix);
      const std::string deleted = absl::StrCat(path, log_internal::kDeletedSuffix);
      const absl::Status renamed = fs_.Rename(path, deleted);
      if (absl::IsNotFound(renamed)) continue;
      WEIR_RETURN_IF_ERROR(renamed);
      delayed_deletes_.push_back({deleted, now_ms + config_.file_delete_delay_ms});
    }
    if (suffix == Segment::kLogSuffix) WEIR_RETURN_IF_ERROR(fs_.SyncDirectory(directory_));
  }
  return absl::OkStatus();
}

// One by one, so that no crash leaves a gap between the segments that stay.
inline absl::Status Log::RetireFirstSegment(TimestampMs now_ms) {
  WEIR_RETURN_IF_ERROR(SetAside(absl::MakeSpan(segments_).first(1), now_ms));
  segments_.erase(segments_.begin());
  return absl::OkStatus();
}

inline absl::Status Log::RemoveFiles(const Segment& segment) {
  for (const char* const suffix : Segment::kFileSuffixes) {
    const absl::Status removed = fs_.Remove(segment.Path(suffix));
    if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
  }
  return absl::OkStatus();
}

// Between the segments that go, from the last on. No crash may leave a gap in a compacted log:
// recovery would take it as it is.
inline absl::Status Log::SyncRemoval() {
  return config_.compact ? fs_.SyncDirectory(directory_) : absl::OkStatus();
}

inline absl::Status Log::TruncateTo(Offset offset) {
  WEIR_RETURN_IF_ERROR(failed_);
  if (offset >= next_offset_) return absl::OkStatus();
  // At the start itself producers stay: the snapshot there knows those of deleted segments.
  if (offset < log_start_offset_) return TruncateFullyAndStartAt(offset, kNoTimestamp);
  ++truncations_;
  at_rest_ = false;
  const auto truncate = [&]() -> absl::Status {
    while (segments_.size() > 1 && active().base_offset() >= offset) {
      WEIR_RETURN_IF_ERROR(RemoveFiles(active()));
      WEIR_RETURN_IF_ERROR(SyncRemoval());
      segments_.pop_back();
    }
    WEIR_RETURN_IF_ERROR(LoadTransactions(active()));
    WEIR_RETURN_IF_ERROR(active().TruncateTo(offset));
    WEIR_RETURN_IF_ERROR(active().file()->Sync());
    next_offset_ = active().next_offset();
    cleaned_to_ = std::min(cleaned_to_, next_offset_);
    ForgetFlushBeyond(next_offset_);
    WEIR_RETURN_IF_ERROR(epochs_.TruncateFromEnd(next_offset_));
    WEIR_RETURN_IF_ERROR(fs_.SyncDirectory(directory_));
    const ProducerState before = std::move(producers_);
    WEIR_RETURN_IF_ERROR(LoadProducers(kNoTimestamp));
    producers_.TakeEndedOf(before, next_offset_);
    return absl::OkStatus();
  };
  const absl::Status status = truncate();
  failed_.Update(status);  // whatever it is: a part of it is done
  WEIR_RETURN_IF_ERROR(status);
  // The batch that held `offset` may have held the log's start as well.
  if (next_offset_ >= log_start_offset_) return absl::OkStatus();
  return TruncateFullyAndStartAt(log_start_offset_, kNoTimestamp);
}

inline absl::Status Log::TruncateFullyAndStartAt(Offset offset, TimestampMs now_ms) {
  WEIR_RETURN_IF_ERROR(failed_);
  ++truncations_;
  at_rest_ = false;
  cleaned_to_ = Offset(0);
  const auto restart = [&]() -> absl::Status {
    for (size_t i = segments_.size(); i-- > 0;) {
      // The first goes last: a log of which a crash leaves the others would seem to begin there.
      if (i == 0) WEIR_RETURN_IF_ERROR(fs_.SyncDirectory(directory_));
      WEIR_RETURN_IF_ERROR(RemoveFiles(*segments_[i]));
      WEIR_RETURN_IF_ERROR(SyncRemoval());
    }
    WEIR_RETURN_IF_ERROR(log_internal::RemoveSnapshotsBetween(fs_, directory_, kNoOffset,
                                                              std::max(next_offset_, offset) + 1));
    // Before the new segment comes: a crash must not leave both.
    WEIR_RETURN_IF_ERROR(fs_.SyncDirectory(directory_));
    WEIR_ASSIGN_OR_RETURN(std::unique_ptr<Segment> segment,
                          Segment::Create(&fs_, directory_, offset, config_, now_ms));
    segments_.clear();
    segments_.push_back(std::move(segment));
    WEIR_RETURN_IF_ERROR(fs_.SyncDirectory(directory_));
    unsynced_indexes_.clear();
    producers_.Clear();
    log_start_offset_ = next_offset_ = flushed_offset_ = offset;
    flush_.target = std::min(flush_.target, offset);
    return epochs_.Clear();
  };
  absl::Status status = restart();
  failed_.Update(status);  // whatever it is: a part of it is done
  return status;
}

inline void Log::RemoveRetiredFiles(TimestampMs now_ms) {
  const auto due = [&](const DelayedDelete& file) {
    if (file.at_ms > now_ms) return false;
    (void)fs_.Remove(file.path);  // what stays goes when the log is opened
    return true;
  };
  delayed_deletes_.erase(std::remove_if(delayed_deletes_.begin(), delayed_deletes_.end(), due),
                         delayed_deletes_.end());
}

inline void Log::Tick(TimestampMs now_ms) {
  RemoveRetiredFiles(now_ms);
  ExpireProducers(now_ms);
  for (const std::unique_ptr<Segment>& segment : segments_) segment->ReleaseIndexes();
}

}  // namespace weir::log

#endif  // WEIR_LOG_INTERNAL_LOG_RETENTION_H_

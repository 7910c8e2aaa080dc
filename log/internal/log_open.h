// -----------------------------------------------------------------------------
// File: log/internal/log_open.h
// -----------------------------------------------------------------------------
// Opening and recovery of log/log.h.
#ifndef WEIR_LOG_INTERNAL_LOG_OPEN_H_
#define WEIR_LOG_INTERNAL_LOG_OPEN_H_

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "log/internal/batch_reader.h"
#include "log/internal/producer_snapshots.h"
#include "log/internal/swap_recovery.h"
#include "log/log.h"
#include "log/producer_state.h"
#include "log/transaction_marker.h"
#include "protocol/record_batch.h"

namespace weir::log {

namespace log_internal {

inline SyncToken NextProcessWideToken() {
  static std::atomic<SyncToken> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace log_internal

inline Log::Log(FileSystem& fs, std::string directory, const LogConfig& config,
                std::function<SyncToken()> next_token)
    : fs_(fs),
      directory_(std::move(directory)),
      config_(config),
      next_token_(next_token ? std::move(next_token) : log_internal::NextProcessWideToken),
      epochs_(&fs, directory_) {}

inline absl::StatusOr<std::unique_ptr<Log>> Log::Open(FileSystem& fs, std::string directory,
                                                      const LogConfig& config,
                                                      const RecoveryHint& hint, TimestampMs now_ms,
                                                      std::function<SyncToken()> next_token) {
  if (!hint.clean || !fs.Exists(directory)) {
    WEIR_RETURN_IF_ERROR(CreateDirectoriesDurably(fs, directory));
  }
  std::unique_ptr<Log> log(new Log(fs, std::move(directory), config, std::move(next_token)));
  WEIR_RETURN_IF_ERROR(log->epochs_.Load());
  WEIR_RETURN_IF_ERROR(log->OpenSegments(hint, now_ms));
  if (hint.clean) {
    WEIR_RETURN_IF_ERROR(log->LoadTransactions(log->active()));
    WEIR_RETURN_IF_ERROR(log->active().Unseal());
  } else {
    WEIR_RETURN_IF_ERROR(log->RecoverSegments(hint));
  }
  log->next_offset_ = log->active().next_offset();
  WEIR_RETURN_IF_ERROR(log->CheckReached(MustReach(hint)));
  log->flushed_offset_ = log->next_offset_;
  WEIR_RETURN_IF_ERROR(log->epochs_.TruncateFromEnd(log->next_offset_));
  WEIR_RETURN_IF_ERROR(log->LoadProducers(now_ms));
  log->log_start_offset_ = std::max(hint.log_start_offset, log->segments_.front()->base_offset());
  log->at_rest_ = hint.clean && !config.preallocate;
  if (log->log_start_offset_ > log->next_offset_) {
    // Records were deleted up to there that had not been flushed when the log was cut off.
    WEIR_RETURN_IF_ERROR(log->TruncateFullyAndStartAt(log->log_start_offset_, now_ms));
  }
  log->cleaned_to_ = std::min(hint.cleaned_to, log->next_offset_);
  return log;
}

// Removes what an earlier run left over; the base offsets of the segments, ascending.
inline absl::StatusOr<std::vector<Offset>> Log::CleanDirectory() {
  WEIR_ASSIGN_OR_RETURN(report_.replacements_finished,
                        log_internal::FinishReplacements(fs_, directory_));
  WEIR_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_.List(directory_));
  std::vector<Offset> bases;
  std::set<Offset> known;
  for (const std::string& name : names) {
    if (const auto base = log_internal::OffsetOfFileName(name, Segment::kLogSuffix)) {
      bases.push_back(*base);
      known.insert(*base);
    }
  }
  for (const std::string& name : names) {
    auto base = log_internal::OffsetOfFileName(name, Segment::kIndexSuffix);
    if (!base) base = log_internal::OffsetOfFileName(name, Segment::kTimeIndexSuffix);
    if (!base) base = log_internal::OffsetOfFileName(name, Segment::kTransactionIndexSuffix);
    if (absl::EndsWith(name, log_internal::kDeletedSuffix) || (base && known.count(*base) == 0)) {
      WEIR_RETURN_IF_ERROR(fs_.Remove(absl::StrCat(directory_, "/", name)));
    }
  }
  return bases;
}

// Opens all segments as sealed; creates the first one in an empty directory.
inline absl::Status Log::OpenSegments(const RecoveryHint& hint, TimestampMs now_ms) {
  WEIR_ASSIGN_OR_RETURN(const std::vector<Offset> bases, CleanDirectory());
  for (size_t i = 0; i < bases.size(); ++i) {
    const Offset end = i + 1 < bases.size() ? bases[i + 1] : bases[i];
    WEIR_ASSIGN_OR_RETURN(std::unique_ptr<Segment> segment,
                          Segment::OpenSealed(&fs_, directory_, bases[i], end, config_, now_ms));
    segments_.push_back(std::move(segment));
  }
  if (!segments_.empty()) return absl::OkStatus();
  WEIR_ASSIGN_OR_RETURN(std::unique_ptr<Segment> segment,
                        Segment::Create(&fs_, directory_, hint.log_start_offset, config_, now_ms));
  segments_.push_back(std::move(segment));
  // Otherwise FinishRecovery does this.
  return hint.clean ? fs_.SyncDirectory(directory_) : absl::OkStatus();
}

// Where the log may not end before. Records before the log's start need not be there.
inline Offset Log::MustReach(const RecoveryHint& hint) {
  return hint.recovery_point > hint.log_start_offset ? hint.recovery_point : Offset(0);
}

inline absl::Status Log::CheckReached(Offset recovery_point) const {
  if (next_offset_ >= recovery_point) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      segments_.back()->Path(Segment::kLogSuffix), ": expected records up to the recovery point ",
      recovery_point.value(), ", came an end at offset ", next_offset_.value(), ", position ",
      segments_.back()->size_bytes()));
}

// Whether a segment may stand behind another that ends where it does. Where compaction was at work,
// offsets may be missing between the two; elsewhere that is a tail that was not durable.
inline bool Log::MayFollow(const Segment& before, const Segment& segment,
                           const RecoveryHint& hint) const {
  const Offset base = segment.base_offset();
  if (base <= before.next_offset()) return base == before.next_offset();
  return config_.compact || base <= hint.recovery_point || base <= hint.cleaned_to;
}

inline absl::Status Log::RecoverSegments(const RecoveryHint& hint) {
  // The segment that ends at the recovery point is read too: its indexes may not be durable.
  size_t first = segments_.size() - 1;
  while (first > 0 && segments_[first]->base_offset() >= hint.recovery_point) --first;
  const std::vector<EpochEntry> known_epochs = epochs_.entries();
  ProducerState producers;
  WEIR_RETURN_IF_ERROR(ProducersAt(segments_[first]->base_offset(), &producers));
  for (size_t i = first; i < segments_.size(); ++i) {
    Segment& segment = *segments_[i];
    if (i > first && !MayFollow(*segments_[i - 1], segment, hint)) {
      next_offset_ = segments_[i - 1]->next_offset();
      report_.truncated_reason = absl::StrCat("expected a segment at offset ", next_offset_.value(),
                                              ", came one at ", segment.base_offset().value());
      WEIR_RETURN_IF_ERROR(DropSegmentsFrom(i));
      break;
    }
    if (const Offset base = segment.base_offset();
        i > 0 && !fs_.Exists(log_internal::SnapshotPath(directory_, base))) {
      WEIR_RETURN_IF_ERROR(
          log_internal::WriteSnapshot(fs_, directory_, base, producers, /*sync=*/false));
    }
    WEIR_ASSIGN_OR_RETURN(const log_internal::ScanEnd end, RecoverSegment(segment, producers));
    ++report_.segments_scanned;
    report_.bytes_scanned += end.valid_bytes;
    if (end.stopped.ok()) continue;
    if (segment.next_offset() < MustReach(hint)) {
      return absl::DataLossError(absl::StrCat(end.stopped.message(), "; this is below the recovery",
                                              " point ", hint.recovery_point.value()));
    }
    report_.truncated_bytes = segment.size_bytes() - end.valid_bytes;
    report_.truncated_file = segment.Path(Segment::kLogSuffix);
    report_.truncated_position = end.valid_bytes;
    report_.truncated_reason = std::string(end.stopped.message());
    next_offset_ = segment.next_offset();
    WEIR_RETURN_IF_ERROR(DropSegmentsFrom(i + 1));
    // As long as this one is damaged, none behind it counts.
    WEIR_RETURN_IF_ERROR(fs_.SyncDirectory(directory_));
    WEIR_RETURN_IF_ERROR(segment.TruncateToValid(end));
    break;
  }
  return FinishRecovery(first, epochs_.entries() != known_epochs);
}

// Reads one segment and takes what its batches say into the epochs, into `producers`, which are
// those of its start, and into its index of transactions.
inline absl::StatusOr<log_internal::ScanEnd> Log::RecoverSegment(Segment& segment,
                                                                 ProducerState& producers) {
  return segment.Recover([&](const protocol::RecordBatchView& batch) {
    epochs_.AssignInMemory(batch.leader_epoch(), batch.base_offset());
    const std::optional<EndedTransaction> ended = producers.Update(batch, MarkerOf(batch));
    if (ended.has_value() && ended->aborted) segment.NoteAborted(producers.IndexEntry(*ended));
  });
}

// Removes segments behind a tail that is not valid.
inline absl::Status Log::DropSegmentsFrom(size_t index) {
  while (segments_.size() > index) {
    report_.truncated_bytes += segments_.back()->size_bytes();
    if (segments_.size() == index + 1 && report_.truncated_file.empty()) {
      report_.truncated_file = segments_.back()->Path(Segment::kLogSuffix);
    }
    WEIR_RETURN_IF_ERROR(RemoveFiles(*segments_.back()));
    segments_.pop_back();
  }
  return absl::OkStatus();
}

// Makes durable what the scan found and changed. A segment that ends at the recovery point is no
// exception: it may have been cut off there by one that was killed before it could sync the file,
// and what was cut off would come back behind the next batches.
inline absl::Status Log::FinishRecovery(size_t first_scanned, bool new_epochs) {
  std::vector<std::unique_ptr<File>> indexes;
  for (size_t i = first_scanned; i < segments_.size(); ++i) {
    if (i + 1 < segments_.size()) WEIR_RETURN_IF_ERROR(segments_[i]->Seal(&indexes));
    WEIR_RETURN_IF_ERROR(segments_[i]->file()->Sync());
  }
  for (const std::unique_ptr<File>& index : indexes) WEIR_RETURN_IF_ERROR(index->Sync());
  if (new_epochs) WEIR_RETURN_IF_ERROR(epochs_.Write());
  return fs_.SyncDirectory(directory_);
}

// Builds the producers' state from the latest snapshot and the batches behind it. Snapshots from
// beyond the log's end go, durably: the log will reach their offsets again with other batches.
inline absl::Status Log::LoadProducers(TimestampMs now_ms) {
  WEIR_ASSIGN_OR_RETURN(const std::vector<Offset> snapshots,
                        log_internal::ListSnapshots(fs_, directory_));
  if (!snapshots.empty() && snapshots.back() > next_offset_) {
    WEIR_RETURN_IF_ERROR(
        log_internal::RemoveSnapshotsBetween(fs_, directory_, next_offset_, snapshots.back() + 1));
    WEIR_RETURN_IF_ERROR(fs_.SyncDirectory(directory_));
  }
  WEIR_RETURN_IF_ERROR(ProducersAt(next_offset_, &producers_));
  producers_.Expire(now_ms, config_.producer_id_expiration_ms);
  return absl::OkStatus();
}

// What is known of producers when the log ends at `end`: from the latest snapshot that is not
// behind it, and the batches between the two. A snapshot from before the first segment, which a
// crash may leave, says of transactions that they are open whose markers are deleted.
inline absl::Status Log::ProducersAt(Offset end, ProducerState* producers) {
  const Offset base = segments_.front()->base_offset();
  WEIR_ASSIGN_OR_RETURN(const Offset known,
                        log_internal::LoadLatestSnapshot(fs_, directory_, base, end, producers));
  const Offset from = std::max(known, base);
  for (const std::unique_ptr<Segment>& segment : segments_) {
    if (segment->next_offset() <= from) continue;
    if (segment->base_offset() >= end) break;
    WEIR_RETURN_IF_ERROR(VisitProducers(
        *segment, from, end,
        [&](const protocol::RecordBatchHeader& batch,
            const std::optional<TransactionMarker>& marker) { producers->Update(batch, marker); }));
  }
  return absl::OkStatus();
}

// Visits the batches of a segment that begin in [from, end), with the markers of those that have
// one.
inline absl::Status Log::VisitProducers(
    Segment& segment, Offset from, Offset end,
    absl::FunctionRef<void(const protocol::RecordBatchHeader&,
                           const std::optional<TransactionMarker>&)>
        visit) {
  absl::Status read;
  const auto visit_header = [&](const protocol::RecordBatchHeader& batch, int64_t position) {
    if (batch.base_offset() >= end) return false;
    if (batch.base_offset() < from) return true;
    std::optional<TransactionMarker> marker;
    if (batch.is_control() && batch.has_producer_id()) {
      const absl::StatusOr<std::string> bytes = segment.ReadBatch(position, batch.size_bytes());
      read = bytes.status();
      if (!read.ok()) return false;
      const auto view = protocol::RecordBatchView::Parse(*bytes);
      if (view.ok()) marker = MarkerOf(*view);
    }
    visit(batch, marker);
    return true;
  };
  WEIR_RETURN_IF_ERROR(segment.VisitHeaders(from, visit_header));
  return read;
}

}  // namespace weir::log

#endif  // WEIR_LOG_INTERNAL_LOG_OPEN_H_

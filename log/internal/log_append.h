// -----------------------------------------------------------------------------
// File: log/internal/log_append.h
// -----------------------------------------------------------------------------
// Appending and rolling of log/log.h.
#ifndef WEIR_LOG_INTERNAL_LOG_APPEND_H_
#define WEIR_LOG_INTERNAL_LOG_APPEND_H_

#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "log/internal/producer_snapshots.h"
#include "log/log.h"
#include "log/producer_state.h"
#include "log/transaction_index.h"
#include "log/transaction_marker.h"
#include "protocol/record_batch.h"

namespace weir::log {

inline absl::Status Log::Failed(absl::Status status) {
  if (!status.ok() && !absl::IsResourceExhausted(status)) failed_.Update(status);
  return status;
}

inline bool Log::HasRoom() {
  constexpr int64_t kEnoughBytes = int64_t{1} << 20;
  const absl::StatusOr<int64_t> free = fs_.FreeBytes(directory_);
  return free.ok() && *free >= kEnoughBytes;
}

inline absl::Status Log::AssignEpoch(LeaderEpoch epoch) {
  if (epoch <= epochs_.latest()) return absl::OkStatus();
  absl::Status status = epochs_.Assign(epoch, next_offset_);
  if (!status.ok()) epochs_.TruncateFromEndInMemory(next_offset_);
  return Failed(std::move(status));
}

inline void Log::Append(absl::Span<BatchToAppend> batches, LeaderEpoch epoch, TimestampMs now_ms) {
  absl::Status refused = failed_;
  at_rest_ = false;
  if (refused.ok()) refused = AssignEpoch(epoch);
  run_.first = 0;
  run_.first_offset = next_offset_;
  for (size_t i = 0; i < batches.size(); ++i) {
    BatchToAppend& batch = batches[i];
    batch.outcome = AppendOutcome::kRefused;
    batch.base_offset = batch.last_offset = kNoOffset;
    batch.log_append_time = kNoTimestamp;
    if (refused.ok()) AppendOne(&batch, i, batches, epoch, now_ms, &refused);
    if (!refused.ok()) batch.status = refused;
  }
  if (refused.ok()) refused = WriteRun(batches, batches.size());
  if (absl::IsResourceExhausted(refused)) NoteRefused(batches);
}

// Of each producer the first batch that had no room.
inline void Log::NoteRefused(absl::Span<const BatchToAppend> batches) {
  for (const BatchToAppend& batch : batches) {
    if (batch.outcome != AppendOutcome::kRefused || !absl::IsResourceExhausted(batch.status)) {
      continue;
    }
    const auto header = protocol::RecordBatchView::Parse({batch.bytes.data(), batch.bytes.size()});
    if (!header.ok() || !header->has_producer_id() || header->is_control()) continue;
    ProducerBatch original;
    if (producers_.Check(*header, std::nullopt, batch.terms, &original) ==
        ProducerVerdict::kAccept) {
      producers_.NoteRefused(*header);
    }
  }
}

// Puts one batch into the run, or says why not. *refused is set when the disk takes no more.
inline void Log::AppendOne(BatchToAppend* batch, size_t index, absl::Span<BatchToAppend> all,
                           LeaderEpoch epoch, TimestampMs now_ms, absl::Status* refused) {
  const absl::string_view bytes(batch->bytes.data(), batch->bytes.size());
  const auto header = protocol::RecordBatchView::Parse(bytes);
  if (!header.ok() || header->size_bytes() != static_cast<int64_t>(bytes.size()) ||
      header->magic() != protocol::kRecordBatchMagic || header->last_offset_delta() < 0) {
    batch->status = absl::InvalidArgumentError(absl::StrCat(
        "append to ", directory_, ": expected one batch of version 2 in ", bytes.size(), " bytes",
        header.ok() ? "" : ", came ", header.ok() ? "" : header.status().message()));
    return;
  }
  if (header->size_bytes() > kRecordBatchBytesMax) {
    batch->outcome = AppendOutcome::kTooLarge;
    batch->status = absl::InvalidArgumentError(
        absl::StrCat("append to ", directory_, ": expected a batch of at most ",
                     kRecordBatchBytesMax, " bytes, came ", bytes.size()));
    return;
  }
  std::optional<TransactionMarker> marker;
  if (header->is_control() && batch->terms.origin != AppendOrigin::kController) {
    if (batch->terms.origin == AppendOrigin::kCoordinator) marker = MarkerOf(*header);
    if (!marker.has_value() || header->record_count() != 1) {
      batch->outcome = AppendOutcome::kInvalidRecord;
      batch->status = absl::InvalidArgumentError(absl::StrCat(
          "append to ", directory_,
          ": expected records, or the marker of a transaction from its coordinator; came another ",
          "control batch"));
      return;
    }
  }
  if (!CheckProducer(*header, marker, batch)) return;

  const Offset last = next_offset_ + header->last_offset_delta();
  const TimestampMs max_timestamp = config_.log_append_time ? now_ms : header->max_timestamp();
  if (active().ShouldRoll(*header, last, run_.bytes, run_.first_timestamp, max_timestamp, now_ms)) {
    *refused = WriteRun(all, index);
    if (refused->ok()) *refused = Roll(now_ms);
    if (!refused->ok()) return;
    run_.first = index;
    run_.first_offset = next_offset_;
  }

  char* const at = batch->bytes.data();
  protocol::SetBaseOffset(at, next_offset_);
  protocol::SetLeaderEpoch(at, epoch);
  if (config_.log_append_time) {
    protocol::SetLogAppendTime(at, now_ms);
    batch->log_append_time = now_ms;
  }
  if (header->has_producer_id()) NoteProducer(*header, marker);
  if (run_.pieces.empty()) run_.first_timestamp = max_timestamp;
  run_.pieces.push_back(bytes);
  run_.bytes += header->size_bytes();
  batch->outcome = AppendOutcome::kAppended;
  batch->status = absl::OkStatus();
  batch->base_offset = next_offset_;
  batch->last_offset = last;
  next_offset_ = last + 1;
}

// Takes in what a batch of the run says of its producer, until WriteRun undoes or completes it.
inline void Log::NoteProducer(const protocol::RecordBatchHeader& header,
                              const std::optional<TransactionMarker>& marker) {
  const ProducerEntry* before = producers_.Find(header.producer_id());
  run_.producers_before.emplace_back(
      header.producer_id(),
      before == nullptr ? std::nullopt : std::optional<ProducerEntry>(*before));
  const std::optional<EndedTransaction> ended = producers_.Update(header, marker);
  if (ended.has_value() && ended->aborted) run_.aborted.push_back(producers_.IndexEntry(*ended));
}

// Whether the batch's sequence and its transaction let it in; otherwise its results are set.
inline bool Log::CheckProducer(const protocol::RecordBatchHeader& header,
                               const std::optional<TransactionMarker>& marker,
                               BatchToAppend* batch) const {
  if (!header.has_producer_id()) return true;
  ProducerBatch original;
  switch (producers_.Check(header, marker, batch->terms, &original)) {
    case ProducerVerdict::kAccept:
      return true;
    case ProducerVerdict::kDuplicate:
      batch->outcome = AppendOutcome::kDuplicate;
      batch->status = absl::OkStatus();
      batch->base_offset = original.first_offset();
      batch->last_offset = original.last_offset;
      if (config_.log_append_time) batch->log_append_time = original.timestamp;
      return false;
    case ProducerVerdict::kOutOfOrderSequence:
      batch->outcome = AppendOutcome::kOutOfOrderSequence;
      batch->status = absl::FailedPreconditionError(absl::StrCat(
          "producer ", header.producer_id().value(), " epoch ", header.producer_epoch().value(),
          ": sequence ", header.base_sequence(), " is out of order"));
      return false;
    case ProducerVerdict::kBehindRefused:
      batch->status = absl::ResourceExhaustedError(
          absl::StrCat("producer ", header.producer_id().value(), ": sequence ",
                       header.base_sequence(), " is behind one that the disk had no room for"));
      return false;
    case ProducerVerdict::kInvalidProducerEpoch:
      batch->outcome = AppendOutcome::kInvalidProducerEpoch;
      batch->status = absl::FailedPreconditionError(
          absl::StrCat("producer ", header.producer_id().value(), ": epoch ",
                       header.producer_epoch().value(), " is older than the latest"));
      return false;
    case ProducerVerdict::kInvalidTransactionState:
      batch->outcome = AppendOutcome::kInvalidTransactionState;
      batch->status = absl::FailedPreconditionError(absl::StrCat(
          "producer ", header.producer_id().value(), " epoch ", header.producer_epoch().value(),
          header.is_transactional() ? " has no open transaction in this partition"
                                    : " has an open transaction, the batch is of none"));
      return false;
    case ProducerVerdict::kCoordinatorFenced:
      batch->outcome = AppendOutcome::kCoordinatorFenced;
      batch->status = absl::FailedPreconditionError(
          absl::StrCat("producer ", header.producer_id().value(),
                       ": the marker is of a coordinator epoch older than ",
                       producers_.Find(header.producer_id())->coordinator_epoch));
      return false;
  }
  return false;
}

// Writes the run. When that fails it is as if its batches, all before `end`, had not been.
inline absl::Status Log::WriteRun(absl::Span<BatchToAppend> all, size_t end) {
  absl::Status status;
  if (!run_.pieces.empty()) status = Failed(active().Append(run_.pieces));
  if (status.ok()) {
    for (const AbortedTransaction& aborted : run_.aborted) active().NoteAborted(aborted);
  } else {
    next_offset_ = run_.first_offset;
    producers_.ForgetEndedFrom(run_.first_offset);
    for (auto it = run_.producers_before.rbegin(); it != run_.producers_before.rend(); ++it) {
      producers_.Restore(it->first, it->second);
    }
    for (size_t i = run_.first; i < end; ++i) {
      // A duplicate may be one of a batch in this very run.
      if (!all[i].status.ok() || all[i].base_offset < run_.first_offset) continue;
      all[i].outcome = AppendOutcome::kRefused;
      all[i].status = status;
      all[i].base_offset = all[i].last_offset = kNoOffset;
    }
  }
  run_.pieces.clear();
  run_.producers_before.clear();
  run_.aborted.clear();
  run_.bytes = 0;
  return status;
}

// After a new segment could not be made whole: a file of its name would end the one before it
// there, which goes on beyond it.
inline absl::Status Log::UndoRoll() {
  const absl::Status removed =
      fs_.Remove(absl::StrCat(directory_, "/", SegmentFileName(next_offset_, Segment::kLogSuffix)));
  if (!absl::IsNotFound(removed)) {
    WEIR_RETURN_IF_ERROR(removed);
    WEIR_RETURN_IF_ERROR(fs_.SyncDirectory(directory_));
  }
  return active().Unseal();
}

// Seals the active segment and starts a new one at the log's end.
inline absl::Status Log::Roll(TimestampMs now_ms) {
  at_rest_ = false;
  if (config_.compact) {
    // Recovery takes gaps between the segments of a compacted log as they are, so none may come
    // from a tail that was not durable.
    const absl::Status durable = active().file()->Sync();
    failed_.Update(durable);  // even for want of space: the pages may be gone
    WEIR_RETURN_IF_ERROR(durable);
  }
  WEIR_RETURN_IF_ERROR(Failed(active().Seal(&unsynced_indexes_)));
  auto segment = Segment::Create(&fs_, directory_, next_offset_, config_, now_ms);
  absl::Status status = segment.status();
  if (status.ok()) status = fs_.SyncDirectory(directory_);
  if (!status.ok()) {
    failed_.Update(UndoRoll());
    return Failed(std::move(status));
  }
  segments_.push_back(*std::move(segment));
  // Without a snapshot, recovery replays more batches: so this one need not succeed or be durable.
  (void)log_internal::WriteSnapshot(fs_, directory_, next_offset_, producers_, /*sync=*/false);
  return absl::OkStatus();
}

}  // namespace weir::log

#endif  // WEIR_LOG_INTERNAL_LOG_APPEND_H_

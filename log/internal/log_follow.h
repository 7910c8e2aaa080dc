// -----------------------------------------------------------------------------
// File: log/internal/log_follow.h
// -----------------------------------------------------------------------------
// Appending of log/log.h as a follower: what the leader's log has, as it is there.
#ifndef WEIR_LOG_INTERNAL_LOG_FOLLOW_H_
#define WEIR_LOG_INTERNAL_LOG_FOLLOW_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "log/internal/batch_reader.h"
#include "log/log.h"
#include "log/transaction_marker.h"
#include "protocol/record_batch.h"

namespace weir::log {

inline absl::Status Log::AppendAsFollower(absl::string_view batches, LeaderEpoch leader_epoch,
                                          TimestampMs now_ms) {
  WEIR_RETURN_IF_ERROR(failed_);
  at_rest_ = false;
  run_.first = 0;
  run_.first_offset = next_offset_;
  absl::Status stopped;
  while (stopped.ok() && !batches.empty()) stopped = FollowOne(&batches, leader_epoch, now_ms);
  // What came before the one that is refused is good.
  const absl::Status written = WriteRun({}, 0);
  return written.ok() ? stopped : written;
}

// Whether the batch that `bytes` begins with may follow what the log has.
inline absl::StatusOr<protocol::RecordBatchView> Log::CheckFollowing(
    absl::string_view bytes, LeaderEpoch leader_epoch) const {
  const auto bad = [&](absl::string_view what) {
    return absl::DataLossError(absl::StrCat("replication to ", directory_, ": behind offset ",
                                            next_offset_.value() - 1, ": ", what));
  };
  const auto batch = protocol::RecordBatchView::Parse(bytes);
  if (!batch.ok()) return bad(batch.status().message());
  if (const absl::Status header =
          log_internal::CheckHeader(*batch, 0, static_cast<int64_t>(bytes.size()));
      !header.ok()) {
    return bad(header.message());
  }
  if (!batch->CrcIsValid()) {
    return bad(absl::StrCat("expected CRC ", batch->crc(), " of the batch at offset ",
                            batch->base_offset().value(), ", came ", batch->ComputeCrc()));
  }
  if (batch->base_offset() < next_offset_ || batch->leader_epoch() < epochs_.latest()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "replication to ", directory_, ": expected offset ", next_offset_.value(),
        " or more in leader epoch ", epochs_.latest().value(), " or later, came offset ",
        batch->base_offset().value(), " in epoch ", batch->leader_epoch().value()));
  }
  // Its leader was another by then, and its log may not continue this one.
  if (batch->leader_epoch() > leader_epoch) {
    return absl::FailedPreconditionError(
        absl::StrCat("replication to ", directory_, ": expected records of leader epoch ",
                     leader_epoch.value(), " at most, came some of epoch ",
                     batch->leader_epoch().value(), " at offset ", batch->base_offset().value()));
  }
  return *batch;
}

// Puts the batch that *bytes begins with into the run, and takes it from there.
inline absl::Status Log::FollowOne(absl::string_view* bytes, LeaderEpoch leader_epoch,
                                   TimestampMs now_ms) {
  if (bytes->size() >= static_cast<size_t>(protocol::kRecordBatchHeaderBytes)) {
    WEIR_RETURN_IF_ERROR(ForgetEmptyEpochs(bytes->data()));
  }
  WEIR_ASSIGN_OR_RETURN(const protocol::RecordBatchView batch,
                        CheckFollowing(*bytes, leader_epoch));
  const Offset last = batch.last_offset();
  if (active().ShouldRoll(batch, last, run_.bytes, run_.first_timestamp, batch.max_timestamp(),
                          now_ms)) {
    WEIR_RETURN_IF_ERROR(WriteRun({}, 0));
    // A gap that no segment can span is left between two.
    const Offset before = next_offset_;
    if (last - next_offset_ > std::numeric_limits<int32_t>::max()) {
      next_offset_ = batch.base_offset();
    }
    const absl::Status rolled = Roll(now_ms);
    if (!rolled.ok()) next_offset_ = before;
    WEIR_RETURN_IF_ERROR(rolled);
    run_.first_offset = next_offset_;
  }
  if (batch.leader_epoch() > epochs_.latest()) {
    absl::Status assigned = epochs_.Assign(batch.leader_epoch(), batch.base_offset());
    if (!assigned.ok()) epochs_.TruncateFromEndInMemory(batch.base_offset());
    WEIR_RETURN_IF_ERROR(Failed(std::move(assigned)));
  }
  std::optional<TransactionMarker> marker;
  if (batch.is_control()) marker = MarkerOf(batch);
  if (batch.has_producer_id()) NoteProducer(batch, marker);
  if (run_.pieces.empty()) run_.first_timestamp = batch.max_timestamp();
  run_.pieces.push_back(batch.bytes());
  run_.bytes += batch.size_bytes();
  next_offset_ = last + 1;
  bytes->remove_prefix(static_cast<size_t>(batch.size_bytes()));
  return absl::OkStatus();
}

// An epoch in which this log, as its leader's, wrote nothing is no bar to an older one.
inline absl::Status Log::ForgetEmptyEpochs(const char* batch) {
  const auto header = protocol::RecordBatchHeader::Parse(
      absl::string_view(batch, static_cast<size_t>(protocol::kRecordBatchHeaderBytes)));
  if (!header.ok() || header->leader_epoch() >= epochs_.latest()) return absl::OkStatus();
  return Failed(epochs_.TruncateFromEnd(next_offset_));
}

}  // namespace weir::log

#endif  // WEIR_LOG_INTERNAL_LOG_FOLLOW_H_

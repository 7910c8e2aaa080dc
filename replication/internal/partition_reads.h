// -----------------------------------------------------------------------------
// File: replication/internal/partition_reads.h
// -----------------------------------------------------------------------------
// What replication/partition.h answers to clients: reads, offsets, the end of an epoch, deletion.
#ifndef WEIR_REPLICATION_INTERNAL_PARTITION_READS_H_
#define WEIR_REPLICATION_INTERNAL_PARTITION_READS_H_

#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "log/leader_epoch_cache.h"
#include "log/log.h"
#include "log/log_types.h"
#include "protocol/error_code.h"
#include "replication/internal/error_of.h"
#include "replication/partition.h"
#include "replication/partition_events.h"

namespace weir::replication {

inline protocol::ErrorCode Partition::CheckEpoch(LeaderEpoch current, bool allow_follower) const {
  const bool answers = is_leader() || (allow_follower && is_follower());
  if (!answers) return protocol::ErrorCode::kNotLeaderOrFollower;
  if (current != kNoLeaderEpoch && current < leader_epoch_) {
    return protocol::ErrorCode::kFencedLeaderEpoch;
  }
  if (current > leader_epoch_) return protocol::ErrorCode::kUnknownLeaderEpoch;
  if (!log_->failed().ok()) return protocol::ErrorCode::kKafkaStorageError;
  return protocol::ErrorCode::kNone;
}

inline ReadAnswer Partition::Read(const ReadRequest& request) const {
  ReadAnswer answer;
  answer.error = CheckEpoch(request.current_leader_epoch, request.allow_follower);
  if (answer.error != protocol::ErrorCode::kNone) return answer;
  answer.high_watermark = high_watermark_;
  answer.last_stable_offset = last_stable_offset();
  answer.log_start_offset = log_->log_start_offset();
  answer.error = CheckPlace(request, &answer.diverging);
  if (answer.error != protocol::ErrorCode::kNone || answer.diverging.end_offset != kNoOffset) {
    return answer;
  }
  const absl::Status read = ReadInto(request, &answer);
  if (!read.ok()) {
    answer.slice = log::LogSlice();
    answer.error = replication_internal::ErrorOf(read);
    if (!absl::IsOutOfRange(read)) answer.message = std::string(read.message());
  }
  return answer;
}

// Whether the reader's log, as far as it says, is this one. A follower cannot say that it is not:
// it may be behind, or be about to cut off its own (KIP-392).
inline protocol::ErrorCode Partition::CheckPlace(const ReadRequest& request,
                                                 log::EpochEnd* diverging) const {
  if (is_follower() && request.offset > log_->log_end_offset()) {
    return protocol::ErrorCode::kOffsetNotAvailable;
  }
  if (request.last_fetched_epoch == kNoLeaderEpoch) return protocol::ErrorCode::kNone;
  const log::EpochEnd end = log_->EpochEndOffset(request.last_fetched_epoch, leader_epoch_);
  const bool parts = end.epoch < request.last_fetched_epoch || end.end_offset < request.offset;
  if (!parts) return protocol::ErrorCode::kNone;
  if (is_follower()) return protocol::ErrorCode::kOffsetNotAvailable;
  if (end.end_offset == kNoOffset) return protocol::ErrorCode::kOffsetOutOfRange;
  *diverging = end;
  return protocol::ErrorCode::kNone;
}

inline absl::Status Partition::ReadInto(const ReadRequest& request, ReadAnswer* answer) const {
  WEIR_ASSIGN_OR_RETURN(
      answer->slice, log_->Read(request.offset, request.bytes_max,
                                ReadableEnd(request.read_committed), request.at_least_one_batch));
  if (!request.read_committed || answer->slice.empty()) return absl::OkStatus();
  WEIR_ASSIGN_OR_RETURN(answer->aborted,
                        log_->AbortedTransactions(request.offset, answer->slice.next_offset));
  return absl::OkStatus();
}

// Whether a reader finds `bytes_min` bytes from `from` to `end`, or an error that it has to hear
// of; else *available is what there is.
inline bool Partition::HasBytes(Offset from, int64_t bytes_min, Offset end,
                                int64_t* available) const {
  *available = 0;
  do {
    const auto slice = log_->Read(from, std::numeric_limits<int64_t>::max(), end,
                                  /*at_least_one_batch=*/true);
    if (!slice.ok()) return true;
    if (slice->empty()) break;
    *available += slice->size_bytes;
    from = slice->next_offset;
  } while (*available < bytes_min && from < end);
  return *available >= bytes_min;
}

inline OffsetAnswer Partition::ListOffset(TimestampMs timestamp, LeaderEpoch current_leader_epoch,
                                          bool read_committed, log::DecodeRecords decode) const {
  OffsetAnswer answer;
  answer.error = CheckEpoch(current_leader_epoch);
  if (answer.error != protocol::ErrorCode::kNone) return answer;
  const Offset end = ReadableEnd(read_committed);
  switch (timestamp) {
    case kEarliestTimestamp:
    case kEarliestLocalTimestamp:
      answer.offset = log_->log_start_offset();
      answer.leader_epoch = log_->epochs().EpochForOffset(answer.offset);
      // The first record of an empty log will be of this epoch.
      if (answer.leader_epoch == kNoLeaderEpoch && answer.offset == log_->log_end_offset()) {
        answer.leader_epoch = leader_epoch_;
      }
      return answer;
    case kLatestTieredTimestamp:
    case kEarliestPendingUploadTimestamp:
      return answer;  // there is no second tier
    default:
      break;
  }
  if (timestamp < kEarliestPendingUploadTimestamp) {
    answer.error = protocol::ErrorCode::kUnsupportedVersion;
    return answer;
  }
  // Until then an earlier leader may have told of more than this one may show.
  const bool may_have_told_more = high_watermark_ < isr_.epoch_start();
  if (timestamp == kLatestTimestamp) {
    if (may_have_told_more) {
      answer.error = protocol::ErrorCode::kOffsetNotAvailable;
      return answer;
    }
    answer.offset = end;
    answer.leader_epoch = leader_epoch_;
    return answer;
  }
  const Offset search_end = may_have_told_more ? log_->log_end_offset() : end;
  const auto found = timestamp == kMaxTimestamp
                         ? log_->MaxTimestamp(decode)
                         : log_->FindByTimestamp(timestamp, search_end, decode);
  if (!found.ok()) {
    answer.error = replication_internal::ErrorOf(found.status());
    answer.message = std::string(found.status().message());
  } else if (found->has_value() && (*found)->offset < end) {
    answer.timestamp = (*found)->timestamp;
    answer.offset = (*found)->offset;
    answer.leader_epoch = (*found)->leader_epoch;
  } else if (found->has_value() && may_have_told_more) {
    answer.error = protocol::ErrorCode::kOffsetNotAvailable;
  }
  return answer;
}

inline EpochEndAnswer Partition::EpochEndOffset(LeaderEpoch current_leader_epoch,
                                                LeaderEpoch requested) const {
  EpochEndAnswer answer;
  answer.error = CheckEpoch(current_leader_epoch);
  if (answer.error != protocol::ErrorCode::kNone) return answer;
  answer.end = log_->EpochEndOffset(requested, leader_epoch_);
  return answer;
}

inline DeleteAnswer Partition::DeleteRecords(Offset offset, Effects* effects) {
  DeleteAnswer answer{CheckEpoch(kNoLeaderEpoch)};
  if (answer.error != protocol::ErrorCode::kNone) return answer;
  const Offset start = offset == kNoOffset ? high_watermark_ : offset;
  if (start < Offset(0) || start > high_watermark_) {
    answer.error = protocol::ErrorCode::kOffsetOutOfRange;
    return answer;
  }
  const Offset before = log_->log_start_offset();
  const absl::Status moved = log_->AdvanceLogStart(start);
  if (is_replicated() && log_->log_start_offset() > before) effects->push_back(ReplicaNews{});
  WakeBeforeLogStart(effects);
  NoticeFailure(effects);
  if (moved.ok()) {
    answer.low_watermark = log_->log_start_offset();
  } else {
    answer.error = protocol::ErrorCode::kKafkaStorageError;
  }
  return answer;
}

inline absl::StatusOr<int> Partition::ApplyRetention(TimestampMs wall_ms, Effects* effects) {
  const Offset before = log_->log_start_offset();
  absl::StatusOr<int> deleted = log_->DeleteOldSegments(wall_ms, high_watermark_);
  Progressed({now_, wall_ms}, effects);  // it flushes
  WakeBeforeLogStart(effects);
  const bool moved = log_->log_start_offset() > before;
  if (moved && (following_ || (is_leader() && is_replicated()))) effects->push_back(ReplicaNews{});
  NoticeFailure(effects);
  return deleted;
}

}  // namespace weir::replication

#endif  // WEIR_REPLICATION_INTERNAL_PARTITION_READS_H_

// -----------------------------------------------------------------------------
// File: replication/internal/partition_follower.h
// -----------------------------------------------------------------------------
// The follower's role of replication/partition.h.
#ifndef WEIR_REPLICATION_INTERNAL_PARTITION_FOLLOWER_H_
#define WEIR_REPLICATION_INTERNAL_PARTITION_FOLLOWER_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "log/leader_epoch_cache.h"
#include "log/log.h"
#include "protocol/error_code.h"
#include "replication/partition.h"
#include "replication/partition_events.h"

namespace weir::replication {

// --- following ------------------------------------------------------------------------------

inline std::optional<StartFollowing> Partition::following() const {
  if (!following_) return std::nullopt;
  StartFollowing state{leader_, leader_epoch_};
  state.log_end = log_->log_end_offset();
  state.flushed = log_->flushed_offset();
  state.last_epoch = LastEpoch();
  // All that is there may have been deleted, as the epochs tell, and the move of the start be lost.
  const auto& epochs = log_->epochs().entries();
  const bool is_deleted = !epochs.empty() && epochs.front().start_offset >= state.log_end;
  state.log_start = is_deleted ? state.log_end : log_->log_start_offset();
  return state;
}

// Of the last record. The log may know of later epochs, in which it was leader and wrote nothing.
inline LeaderEpoch Partition::LastEpoch() const {
  return log_->epochs().EpochForOffset(log_->log_end_offset() - 1);
}

inline void Partition::BeginFollowing(Effects* effects) {
  held_until_.reset();
  looks_for_room_at_.reset();
  following_ = true;
  sent_to_ = log_->log_end_offset();
  effects->push_back(*following());
}

inline void Partition::StopFollowingNow(Effects* effects) {
  held_until_.reset();
  looks_for_room_at_.reset();
  holds_ = 0;
  // A stream that waits to hear where to go on waits no more.
  if (following_ || truncation_.has_value()) effects->push_back(StopFollowing{});
  following_ = false;
  truncation_.reset();
}

inline constexpr int64_t kLookForRoomNs = 100 * kNsPerMs;

// Follows again after a while, longer each time; after a full disk, as soon as there is room.
inline void Partition::Hold(const Now& now, const absl::Status& why, Effects* effects) {
  constexpr int64_t kShortestNs = 100 * kNsPerMs;
  constexpr int kDoublingsMax = 6;
  const int32_t holds = holds_;
  StopFollowingNow(effects);
  holds_ = holds + 1;
  held_until_ = now.monotonic + (kShortestNs << std::min(holds, kDoublingsMax));
  if (absl::IsResourceExhausted(why) && !log_->HasRoom()) {
    looks_for_room_at_ = now.monotonic + kLookForRoomNs;
  }
  effects->push_back(ReplicationHeld{log_->log_end_offset(), std::string(why.message())});
}

inline void Partition::EndHold(const Now& now, Effects* effects) {
  if (now.monotonic >= *held_until_) {
    BeginFollowing(effects);
  } else if (looks_for_room_at_.has_value() && now.monotonic >= *looks_for_room_at_) {
    looks_for_room_at_ = now.monotonic + kLookForRoomNs;
    if (log_->HasRoom()) BeginFollowing(effects);
  }
}

// --- records --------------------------------------------------------------------------------

inline void Partition::On(const Now&, Replicate& e, Effects*) {
  const bool is_due = following_ && e.leader_epoch == leader_epoch_;
  if (is_due) replicated_.push_back(e);
}

// A part that is missing must not pass for a gap, as compaction leaves them in the leader's log:
// each goes on where this log ends, or where the part before it ended.
inline absl::Status Partition::AppendPart(const Replicate& part, TimestampMs wall_ms) {
  const Offset end = log_->log_end_offset();
  if (part.from != end && part.from != sent_to_) {
    return absl::FailedPreconditionError(absl::StrCat("expected what follows offset ", end.value(),
                                                      ", came what follows ", part.from.value()));
  }
  WEIR_RETURN_IF_ERROR(log_->AppendAsFollower(part.records, part.leader_epoch, wall_ms));
  sent_to_ = part.to;
  return absl::OkStatus();
}

inline void Partition::WriteReplicated(const Now& now, Effects* effects) {
  const Offset end_before = log_->log_end_offset();
  const Offset start_before = log_->log_start_offset();
  absl::Status status;
  for (const Replicate& part : replicated_) {
    const Offset before = log_->log_end_offset();
    if (!part.records.empty()) status = AppendPart(part, now.wall_ms);
    const Offset end = log_->log_end_offset();
    if (end > before) {
      holds_ = 0;
      readers_.Hide(end, static_cast<int64_t>(part.records.size()));
    }
    if (!status.ok()) break;
    told_high_watermark_ = part.high_watermark;
    const Offset high_watermark = std::min(part.high_watermark, end);
    if (high_watermark > high_watermark_) SetHighWatermark(high_watermark, effects);
    status = log_->AdvanceLogStart(std::min(part.log_start, high_watermark_));
    if (!status.ok()) break;
  }
  replicated_.clear();
  unflushed_records_ += log_->log_end_offset() - end_before;
  if (log_->log_start_offset() > start_before) WakeBeforeLogStart(effects);
  if (!log_->failed().ok()) return;  // NoticeFailure tells
  if (log_->log_end_offset() > end_before) StartFlushIfDue(now);
  if (log_->log_end_offset() > end_before || log_->log_start_offset() > start_before) {
    effects->push_back(ReplicaNews{});
  }
  if (!status.ok()) Hold(now, status, effects);
}

// --- truncation -----------------------------------------------------------------------------

// The leader's log has, of all epochs that are not later than this log's last, `leaders.epoch` as
// the latest, and that ends at leaders.end_offset there.
inline Offset Partition::WhereToCut(const log::EpochEnd& leaders) const {
  const Offset end = std::min(leaders.end_offset, log_->log_end_offset());
  if (leaders.epoch == kNoLeaderEpoch) return end;
  const log::EpochEnd own = log_->EpochEndOffset(leaders.epoch);
  // Without that epoch here, this log is cut off behind the one before it, and asks again.
  return own.end_offset == kNoOffset ? end : std::min(end, own.end_offset);
}

inline void Partition::On(const Now& now, FollowRefused& e, Effects* effects) {
  if (!following_ || e.leader_epoch != leader_epoch_) return;
  const Offset end = log_->log_end_offset();
  PrepareTruncation truncation;
  if (e.told.error == protocol::ErrorCode::kNone) {
    truncation.to = WhereToCut(e.told.diverging);
    truncation.loses_committed = truncation.to < high_watermark_;
  } else if (e.told.error == protocol::ErrorCode::kOffsetOutOfRange) {
    truncation.to = e.told.log_start;
  } else {
    return;
  }
  // Behind this log, or before it.
  truncation.fully = truncation.to > end || truncation.to < log_->log_start_offset();
  const bool begins_anew =
      truncation.fully || (truncation.to == log_->log_start_offset() && truncation.to < end);
  const bool makes_sense =
      truncation.to >= Offset(0) &&
      (e.told.error == protocol::ErrorCode::kNone ? truncation.to < end : begins_anew);
  replicated_.clear();
  if (!makes_sense) {
    Hold(now,
         absl::DataLossError(absl::StrCat("expected where the logs part, came ",
                                          truncation.to.value(), " for a log that ends at ",
                                          end.value())),
         effects);
    return;
  }
  following_ = false;
  truncation_ = truncation;
  effects->push_back(truncation);
}

inline void Partition::On(const Now& now, TruncationPrepared& e, Effects* effects) {
  if (!truncation_.has_value() || (e.to != kNoOffset && e.to != truncation_->to)) return;
  const PrepareTruncation truncation = *truncation_;
  truncation_.reset();
  const absl::Status status = truncation.fully
                                  ? log_->TruncateFullyAndStartAt(truncation.to, now.wall_ms)
                                  : log_->TruncateTo(truncation.to);
  unflushed_records_ = 0;
  readers_.CountFrom(log_->log_end_offset());
  readers_.Wake(effects, [](const Waiter&) { return true; });
  if (!status.ok()) {  // the log has failed, whatever it was: NoticeFailure tells
    effects->push_back(StopFollowing{});
    return;
  }
  high_watermark_ = std::clamp(high_watermark_, log_->log_start_offset(), log_->log_end_offset());
  BeginFollowing(effects);
}

}  // namespace weir::replication

#endif  // WEIR_REPLICATION_INTERNAL_PARTITION_FOLLOWER_H_

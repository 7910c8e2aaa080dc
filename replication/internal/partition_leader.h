// -----------------------------------------------------------------------------
// File: replication/internal/partition_leader.h
// -----------------------------------------------------------------------------
// The leader's role of replication/partition.h.
#ifndef WEIR_REPLICATION_INTERNAL_PARTITION_LEADER_H_
#define WEIR_REPLICATION_INTERNAL_PARTITION_LEADER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "log/leader_epoch_cache.h"
#include "log/log.h"
#include "log/log_types.h"
#include "protocol/error_code.h"
#include "replication/internal/error_of.h"
#include "replication/partition.h"
#include "replication/partition_events.h"
#include "replication/stream_messages.h"

namespace weir::replication {

// --- appends --------------------------------------------------------------------------------

inline void Partition::On(const Now&, Append& e, Effects* effects) {
  const protocol::ErrorCode error = CheckAppend(e);
  if (error != protocol::ErrorCode::kNone) {
    effects->push_back(AppendDone{e.token, error});
    return;
  }
  unwritten_.push_back(e);
}

inline protocol::ErrorCode Partition::CheckAppend(const Append& e) const {
  if (!is_leader()) return protocol::ErrorCode::kNotLeaderOrFollower;
  if (e.acks < -1 || e.acks > 1) return protocol::ErrorCode::kInvalidRequiredAcks;
  if (!log_->failed().ok()) return protocol::ErrorCode::kKafkaStorageError;
  if (e.acks == kAcksAll && !EnoughInSync()) return protocol::ErrorCode::kNotEnoughReplicas;
  return protocol::ErrorCode::kNone;
}

inline void Partition::WriteAppends(const Now& now, Effects* effects) {
  batches_.assign(unwritten_.size(), log::BatchToAppend());
  for (size_t i = 0; i < unwritten_.size(); ++i) {
    batches_[i].bytes = unwritten_[i].batch;
    batches_[i].terms = unwritten_[i].terms;
  }
  const Offset end_before = log_->log_end_offset();
  for (replication_internal::Replica& replica : isr_.others()) {
    replica.NoteReached(now.monotonic, end_before, config_.durability);
  }
  log_->Append(absl::MakeSpan(batches_), leader_epoch_, now.wall_ms);
  for (size_t i = 0; i < unwritten_.size(); ++i) Note(unwritten_[i], batches_[i], effects);
  unwritten_.clear();
  if (is_replicated() && log_->log_end_offset() > end_before) effects->push_back(ReplicaNews{});
  StartFlushIfDue(now);
  Progressed(now, effects);
}

// Takes in what became of one append.
inline void Partition::Note(const Append& append, const log::BatchToAppend& batch,
                            Effects* effects) {
  AppendDone done{append.token, replication_internal::ErrorOf(batch)};
  done.log_start_offset = log_->log_start_offset();
  if (done.error != protocol::ErrorCode::kNone) {
    done.message = std::string(batch.status.message());
    effects->push_back(std::move(done));
    return;
  }
  done.base_offset = batch.base_offset;
  done.log_append_time = batch.log_append_time;
  const Offset end = batch.last_offset + 1;
  if (batch.outcome == log::AppendOutcome::kAppended) {
    readers_.Hide(end, static_cast<int64_t>(batch.bytes.size()));
    unflushed_records_ += end - batch.base_offset;
  }
  if (append.acks == 0) {
    effects->push_back(done);
  } else {
    waiting_.Add(std::move(done), end, append.acks, append.deadline);
  }
}

// --- progress -------------------------------------------------------------------------------

// How far this broker's own copy counts as safe.
inline Offset Partition::OwnSafeEnd() const {
  return config_.durability == Durability::kAck ? log_->flushed_offset() : log_->log_end_offset();
}

// Takes the high watermark as far as it may go, and answers the appends that it passes. It stands
// still while too few are in sync: what they have could be lost with them (KIP-966).
inline void Partition::Progressed(const Now& now, Effects* effects) {
  if (!is_leader() || !log_->failed().ok()) return;  // NoticeFailure answers
  if (!EnoughInSync()) {
    waiting_.RefuseAcksAll(protocol::ErrorCode::kNotEnoughReplicasAfterAppend, effects);
  } else if (const Offset safe =
                 isr_.SafeEnd(now.monotonic, OwnSafeEnd(), log_->log_end_offset(), config_);
             safe > high_watermark_) {
    SetHighWatermark(safe, effects);
    if (is_replicated()) effects->push_back(ReplicaNews{});
  }
  waiting_.Complete(OwnSafeEnd(), high_watermark_, effects);
}

inline void Partition::On(const Now& now, ReplicaProgress& e, Effects* effects) {
  replication_internal::Replica* replica = is_leader() ? isr_.Find(e.broker) : nullptr;
  if (replica == nullptr) return;
  if (!replica->Report({e.follow, e.end_offset, e.flushed_offset, e.log_start_offset})) return;
  if (e.broker_epoch >= 0) replica->broker_epoch = e.broker_epoch;
  replica->NoteReached(now.monotonic, log_->log_end_offset(), config_.durability);
  Progressed(now, effects);
  CheckIsr(now, effects);
}

inline void Partition::On(const Now& now, ReplicaGone& e, Effects* effects) {
  replication_internal::Replica* replica = is_leader() ? isr_.Find(e.broker) : nullptr;
  if (replica == nullptr || e.follow == 0 || !replica->End(e.follow)) return;
  replica->NoteReached(now.monotonic, log_->log_end_offset(), config_.durability);
  Progressed(now, effects);
  CheckIsr(now, effects);
}

// --- the ISR --------------------------------------------------------------------------------

inline void Partition::CheckIsr(const Now& now, Effects* effects) {
  if (!is_leader() || !is_replicated() || !log_->failed().ok()) return;
  std::optional<replication_internal::IsrState::Members> wanted =
      isr_.Wanted(now.monotonic, log_->log_end_offset(), high_watermark_, config_);
  if (!wanted.has_value()) return;
  ProposeIsr proposal{leader_epoch_, partition_epoch_, *wanted};
  isr_.Proposed(*std::move(wanted));
  effects->push_back(std::move(proposal));
}

inline void Partition::On(const Now& now, IsrAnswered& e, Effects* effects) {
  if (!is_leader()) return;
  if (e.error != protocol::ErrorCode::kNone) {
    // Of an earlier proposal, about which the metadata have told.
    if (e.partition_epoch >= 0 &&
        (e.leader_epoch != leader_epoch_ || e.partition_epoch != partition_epoch_)) {
      return;
    }
    isr_.Refused(now.monotonic, e.error);
  } else if (e.leader_epoch == leader_epoch_ && e.partition_epoch > partition_epoch_) {
    partition_epoch_ = e.partition_epoch;
    isr_.Answered(now.monotonic, self_, replicas_, std::move(e.isr));
  } else if (e.leader_epoch == leader_epoch_ && e.partition_epoch == partition_epoch_) {
    isr_.NothingToDo(e.isr);
  }
  Progressed(now, effects);
  CheckIsr(now, effects);
}

// --- followers ------------------------------------------------------------------------------

inline FollowAnswer Partition::Follow(const Now& now, const FollowRequest& request,
                                      Effects* effects) {
  FollowAnswer answer;
  answer.ended.error = CheckEpoch(request.leader_epoch);
  if (answer.ended.error != protocol::ErrorCode::kNone) return answer;
  replication_internal::Replica* replica = isr_.Find(request.broker);
  if (replica == nullptr || request.leader_epoch == kNoLeaderEpoch) {
    answer.ended.error = protocol::ErrorCode::kUnknownLeaderEpoch;  // no replica that is known
    return answer;
  }
  if (request.broker_epoch < replica->broker_epoch) {
    answer.ended.error = protocol::ErrorCode::kStaleBrokerEpoch;
    return answer;
  }
  const std::optional<FollowEnded> parts = Compare(request);
  if (request.broker_epoch > replica->broker_epoch) replica->older.clear();
  replica->broker_epoch = request.broker_epoch;
  if (!parts.has_value()) {
    replica->Begin({++last_follow_, request.log_end, request.flushed, request.log_start});
    replica->stalled = false;
    answer.follow = last_follow_;
    answer.ok = true;
  } else {
    answer.ended = *parts;
    // What of its log is also here is not known until it comes with the rest; of one that has to
    // begin anew, that it is nothing.
    const Offset end =
        parts->error == protocol::ErrorCode::kOffsetOutOfRange ? Offset(0) : kNoOffset;
    replica->older.clear();
    replica->Take({0, end, end, request.log_start});
  }
  if (!isr_.InSync(request.broker)) replica->caught_up_at.reset();
  replica->mark_end = log_->log_end_offset();
  replica->mark_at = now.monotonic;
  replica->NoteReached(now.monotonic, log_->log_end_offset(), config_.durability);
  Progressed(now, effects);
  CheckIsr(now, effects);
  NoticeFailure(effects);
  return answer;
}

// Where a follower's log parts from this one (KIP-101, 279, 320); none when this one continues it.
inline std::optional<FollowEnded> Partition::Compare(const FollowRequest& request) const {
  FollowEnded parts;
  if (request.log_end < log_->log_start_offset()) {
    parts.log_start = BatchStart(log_->log_start_offset());
    if (request.log_end < parts.log_start) {
      parts.error = protocol::ErrorCode::kOffsetOutOfRange;
      return parts;
    }
  }
  if (request.last_epoch != kNoLeaderEpoch) {
    log::EpochEnd end = log_->EpochEndOffset(request.last_epoch, leader_epoch_);
    if (end.end_offset == kNoOffset) {
      parts.error = protocol::ErrorCode::kUnknownLeaderEpoch;
      return parts;
    }
    // Of an epoch before all that are known, nothing is here. The log may go back further than
    // they do, where its start was moved and the move not persisted.
    const auto& known = log_->epochs().entries();
    if (!known.empty() && request.last_epoch < known.front().epoch) {
      end.end_offset = std::min(end.end_offset, log_->log_start_offset());
    }
    if (end.epoch < request.last_epoch || end.end_offset < request.log_end) {
      parts.diverging = end;
      return parts;
    }
  } else if (const Offset in_both = std::max(request.log_start, log_->log_start_offset());
             request.log_end > in_both) {
    parts.diverging = {kNoLeaderEpoch, in_both};  // records of which nothing is known
    return parts;
  } else if (request.log_end > log_->log_end_offset()) {
    parts.diverging = {kNoLeaderEpoch, log_->log_end_offset()};
    return parts;
  }
  // One that was begun inside of a batch, where records before it had been deleted.
  const Offset start = BatchStart(std::max(request.log_end, log_->log_start_offset()));
  if (start >= request.log_end) return std::nullopt;
  if (request.log_start >= start) {
    parts.error = protocol::ErrorCode::kOffsetOutOfRange;
    parts.log_start = start;
  } else {
    parts.diverging = {request.last_epoch, start};
  }
  return parts;
}

// The first offset of the batch that holds `offset`; itself at the log's end and in a gap.
inline Offset Partition::BatchStart(Offset offset) const {
  const absl::StatusOr<log::LogSlice> slice =
      log_->Read(offset, 1, log_->log_end_offset(), /*at_least_one_batch=*/true);
  return slice.ok() && !slice->empty() ? std::min(slice->first_offset, offset) : offset;
}

inline ReplicaRead Partition::ReadForReplica(LeaderEpoch leader_epoch, Offset from,
                                             int64_t bytes_max, bool at_least_one_batch) const {
  ReplicaRead read;
  read.error = CheckEpoch(leader_epoch);
  if (read.error != protocol::ErrorCode::kNone) return read;
  read.log_end = log_->log_end_offset();
  read.high_watermark = high_watermark_;
  read.log_start = log_->log_start_offset();
  if (from == read.log_end) return read;
  // A batch that holds the log's start is sent whole.
  const Offset at = std::max(from, read.log_start);
  absl::StatusOr<log::LogSlice> slice =
      log_->Read(at, bytes_max, read.log_end, at > from || at_least_one_batch);
  if (!slice.ok()) {
    read.error = replication_internal::ErrorOf(slice.status());
    read.message = std::string(slice.status().message());
  } else if (at > from && (slice->empty() || slice->first_offset > from)) {
    read.error = protocol::ErrorCode::kOffsetOutOfRange;
    read.log_start = slice->empty() ? at : std::min(at, slice->first_offset);
  } else {
    read.slice = *std::move(slice);
  }
  return read;
}

inline Offset Partition::low_watermark() const {
  Offset low = log_->log_start_offset();
  for (const replication_internal::Replica& replica : isr_.others()) {
    if (replica.follow == 0 && !isr_.InSync(replica.broker)) continue;
    low = std::min(low, std::max(replica.log_start, Offset(0)));  // not known: it may have all
  }
  return low;
}

}  // namespace weir::replication

#endif  // WEIR_REPLICATION_INTERNAL_PARTITION_LEADER_H_

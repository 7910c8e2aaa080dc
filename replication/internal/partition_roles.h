// -----------------------------------------------------------------------------
// File: replication/internal/partition_roles.h
// -----------------------------------------------------------------------------
// What replication/partition.h does in both roles, and how it changes between them.
#ifndef WEIR_REPLICATION_INTERNAL_PARTITION_ROLES_H_
#define WEIR_REPLICATION_INTERNAL_PARTITION_ROLES_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "log/log.h"
#include "protocol/error_code.h"
#include "replication/partition.h"
#include "replication/partition_events.h"

namespace weir::replication {

inline Partition::Partition(BrokerId self, std::unique_ptr<log::Log> log,
                            const PartitionConfig& config)
    : self_(self), log_(std::move(log)), config_(config) {
  WEIR_CHECK(log_ != nullptr);
  high_watermark_ =
      std::clamp(config_.initial_high_watermark, log_->log_start_offset(), log_->log_end_offset());
  log_->OnHighWatermark(high_watermark_);
  readers_.CountFrom(log_->log_end_offset());
}

inline std::optional<MonotonicNs> Partition::NextDeadline() const {
  std::optional<MonotonicNs> next = waiting_.NextDeadline();
  const auto consider = [&next](const std::optional<MonotonicNs>& at) {
    if (at.has_value() && (!next.has_value() || *at < *next)) next = at;
  };
  consider(flush_due_);
  consider(held_until_);
  consider(looks_for_room_at_);
  if (is_leader() && is_replicated() && log_->failed().ok()) {
    consider(isr_.NextDeadline(log_->log_end_offset(), config_));
  }
  return next;
}

// --- roles ----------------------------------------------------------------------------------

inline bool Partition::IsNews(LeaderEpoch leader_epoch, int32_t partition_epoch) const {
  return leader_epoch > leader_epoch_ ||
         (leader_epoch == leader_epoch_ && partition_epoch > partition_epoch_);
}

inline void Partition::On(const Now& now, BecomeLeader& e, Effects* effects) {
  if (is_leader() && e.leader_epoch == leader_epoch_ && e.partition_epoch == partition_epoch_) {
    // Of the ISR, the answer to a proposal has told already; the same change may end a move.
    isr_.MetadataCaughtUp();
    if (e.replicas != replicas_) {
      replicas_ = std::move(e.replicas);
      isr_.SetReplicas(now.monotonic, self_, replicas_, isr_.isr());
    }
    Progressed(now, effects);
    return CheckIsr(now, effects);
  }
  if (!IsNews(e.leader_epoch, e.partition_epoch)) return;
  if (e.leader_epoch > leader_epoch_ || role_ != Role::kLeader) {
    if (role_ == Role::kFollower) Leave(effects);
    isr_.BeginEpoch(now.monotonic, log_->log_end_offset());
  }
  // Of an earlier epoch, streams are to end.
  if (is_replicated() && e.leader_epoch > leader_epoch_) effects->push_back(ReplicaNews{});
  role_ = Role::kLeader;
  leader_ = self_;
  leader_epoch_ = e.leader_epoch;
  partition_epoch_ = e.partition_epoch;
  replicas_ = std::move(e.replicas);
  isr_.Set(now.monotonic, self_, replicas_, std::move(e.isr), e.recovery_state);
  Progressed(now, effects);
  CheckIsr(now, effects);
}

inline void Partition::On(const Now& now, BecomeFollower& e, Effects* effects) {
  if (!IsNews(e.leader_epoch, e.partition_epoch)) return;
  const bool goes_on =
      role_ == Role::kFollower && e.leader_epoch == leader_epoch_ && e.leader == leader_;
  if (!goes_on) {
    Leave(effects);
    told_high_watermark_ = Offset(0);
  }
  role_ = Role::kFollower;
  leader_ = e.leader;
  leader_epoch_ = e.leader_epoch;
  partition_epoch_ = e.partition_epoch;
  replicas_ = std::move(e.replicas);
  isr_.Set(now.monotonic, self_, {}, std::move(e.isr), 0);
  if (!goes_on && leader_ != kNoBroker && log_->failed().ok()) BeginFollowing(effects);
}

inline void Partition::On(const Now&, StopLeading&, Effects* effects) {
  Leave(effects);
  role_ = Role::kNone;
  leader_ = kNoBroker;
}

// Ends what this broker did in its role.
inline void Partition::Leave(Effects* effects) {
  if (role_ == Role::kLeader && is_replicated()) effects->push_back(ReplicaNews{});
  StopFollowingNow(effects);
  replicated_.clear();
  isr_.Clear();
  Refuse(protocol::ErrorCode::kNotLeaderOrFollower, effects);
}

// --- the log --------------------------------------------------------------------------------

inline void Partition::On(const Now& now, EndOfTick&, Effects* effects) {
  if (!unwritten_.empty()) WriteAppends(now, effects);
  if (!replicated_.empty()) WriteReplicated(now, effects);
}

inline void Partition::On(const Now& now, SyncDone& e, Effects* effects) {
  if (!log_->OnSyncDone(e.done.token, e.done.status)) return;
  if (is_leader()) {
    Progressed(now, effects);
  } else if (following_) {
    effects->push_back(ReplicaNews{});
  }
}

inline void Partition::StartFlushIfDue(const Now& now) {
  if (config_.durability == Durability::kAck || unflushed_records_ >= config_.flush_messages) {
    FlushNow();
  } else if (!flush_due_.has_value() && unflushed_records_ > 0 &&
             config_.flush_interval_ns <
                 std::numeric_limits<int64_t>::max() - now.monotonic.value()) {
    flush_due_ = now.monotonic + config_.flush_interval_ns;
  }
}

inline void Partition::FlushNow() {
  flush_due_.reset();
  unflushed_records_ = 0;
  log_->StartFlush();
}

// What was handed in for the end of this tick goes to the new log. Completions of the old one's
// flushes mean nothing to it.
inline std::unique_ptr<log::Log> Partition::ReplaceLog(const Now& now,
                                                       std::unique_ptr<log::Log> log,
                                                       Effects* effects) {
  WEIR_CHECK(log->log_start_offset() == log_->log_start_offset());
  WEIR_CHECK(log->log_end_offset() == log_->log_end_offset());
  WEIR_CHECK(log->flushed_offset() == log->log_end_offset());
  now_ = now.monotonic;
  log_.swap(log);
  unflushed_records_ = 0;
  flush_due_.reset();
  if (is_leader()) {
    Progressed(now, effects);
    CheckIsr(now, effects);
  } else if (following_) {
    effects->push_back(ReplicaNews{});
  }
  return log;
}

inline void Partition::On(const Now& now, Tick&, Effects* effects) {
  waiting_.Expire(now.monotonic, effects);
  if (flush_due_.has_value() && *flush_due_ <= now.monotonic) FlushNow();
  if (held_until_.has_value()) EndHold(now, effects);
  if (is_leader() && is_replicated()) {
    isr_.NoteTime(now.monotonic, config_);
    Progressed(now, effects);
    CheckIsr(now, effects);
  }
}

// What is wanted of the ISR, and how far the high watermark may go, may be another thing now.
inline void Partition::On(const Now& now, Reconfigure& e, Effects* effects) {
  config_ = e.config;
  Progressed(now, effects);
  CheckIsr(now, effects);
}

// --- readers --------------------------------------------------------------------------------

inline void Partition::SetHighWatermark(Offset to, Effects* effects) {
  const Offset stable_before = last_stable_offset();
  const bool is_counted = high_watermark_ >= readers_.counts_from();
  high_watermark_ = to;
  log_->OnHighWatermark(to);
  effects->push_back(HighWatermarkAdvanced{to});
  readers_.Show(to);
  if (!is_counted) {
    readers_.Recount([&](const Waiter& w) {
      int64_t available = 0;
      return HasBytes(w.offset, w.bytes_min, to, &available) ? w.bytes_min : available;
    });
  }
  const Offset stable = last_stable_offset();
  readers_.Wake(effects, [&](const Waiter& w) {
    if (!w.read_committed) return w.bytes_missing <= 0;
    int64_t available = 0;
    return stable > stable_before && w.offset < stable &&
           (w.bytes_min <= 1 || HasBytes(w.offset, w.bytes_min, stable, &available));
  });
}

inline void Partition::On(const Now&, RegisterFetchWaiter& e, Effects* effects) {
  int64_t available = 0;
  bool ready = role_ == Role::kNone || !log_->failed().ok();
  const Offset end = ReadableEnd(e.read_committed);
  if (!ready && e.offset != end) ready = HasBytes(e.offset, e.bytes_min, end, &available);
  if (ready || e.bytes_min <= 0) {
    effects->push_back(FetchReady{e.token});
    return;
  }
  readers_.Add(e.token, {e.offset, e.bytes_min, e.bytes_min - available, e.read_committed});
}

inline void Partition::WakeBeforeLogStart(Effects* effects) {
  readers_.Wake(effects, [this](const Waiter& w) { return w.offset < log_->log_start_offset(); });
}

// --- refusals -------------------------------------------------------------------------------

inline void Partition::Refuse(protocol::ErrorCode error, Effects* effects) {
  for (const Append& append : unwritten_) effects->push_back(AppendDone{append.token, error});
  unwritten_.clear();
  waiting_.RefuseAll(error, effects);
  readers_.Wake(effects, [](const Waiter&) { return true; });
}

inline void Partition::NoticeFailure(Effects* effects) {
  if (failure_told_ || log_->failed().ok()) return;
  failure_told_ = true;
  flush_due_.reset();
  replicated_.clear();
  Refuse(protocol::ErrorCode::kKafkaStorageError, effects);
  StopFollowingNow(effects);
  if (is_leader() && is_replicated()) effects->push_back(ReplicaNews{});
  effects->push_back(LogFailed{});
}

}  // namespace weir::replication

#endif  // WEIR_REPLICATION_INTERNAL_PARTITION_ROLES_H_

// -----------------------------------------------------------------------------
// File: replication/partition.h
// -----------------------------------------------------------------------------
// One partition as its leader keeps it: appends and their acknowledgement, the high watermark,
// readers that wait, fencing by leader epoch. A state machine over a log: events in, effects out.
//
// The high watermark is the least of what the replicas in sync have flushed (Durability::kAck) or
// written (kOs). acks=all is answered when it passes the batch, acks=1 when this broker has flushed
// (kAck) or written (kOs) it, acks=0 when it was written. Readers never see what lies behind it.
// Batches are validated by the caller before Append: decompression and record errors are no
// business of replication; sequences are checked by the log, which knows the producers.
// Threading: one thread. Errors: Kafka's codes, in the effects and answers.
#ifndef WEIR_REPLICATION_PARTITION_H_
#define WEIR_REPLICATION_PARTITION_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "log/log.h"
#include "log/log_types.h"
#include "protocol/error_code.h"
#include "replication/internal/error_of.h"
#include "replication/internal/fetch_waiters.h"
#include "replication/partition_events.h"

namespace weir::replication {

class Partition {
 public:
  Partition(BrokerId self, std::unique_ptr<log::Log> log, PartitionConfig config)
      : self_(self), log_(std::move(log)), config_(config) {
    WEIR_CHECK(log_ != nullptr);
    high_watermark_ = log_->log_start_offset();
  }

  // The one way to change it. Appends what is to be done to *effects.
  void Step(const Now& now, Event event, Effects* effects) {
    std::visit([&](auto& e) { On(now, e, effects); }, event);
    NoticeFailure(effects);
  }

  // When a Tick is due next, if ever.
  std::optional<MonotonicNs> NextDeadline() const {
    std::optional<MonotonicNs> next = flush_due_;
    for (const WaitingAppend& waiting : waiting_) {
      if (!next.has_value() || waiting.deadline < *next) next = waiting.deadline;
    }
    return next;
  }

  // --- queries ------------------------------------------------------------------------------

  ReadAnswer Read(const ReadRequest& request) const {
    ReadAnswer answer;
    answer.error = CheckEpoch(request.current_leader_epoch);
    if (answer.error != protocol::ErrorCode::kNone) return answer;
    answer.high_watermark = high_watermark_;
    answer.last_stable_offset = last_stable_offset();
    answer.log_start_offset = log_->log_start_offset();
    if (request.last_fetched_epoch != kNoLeaderEpoch) {
      const log::EpochEnd end = log_->EpochEndOffset(request.last_fetched_epoch, leader_epoch_);
      if (end.end_offset == kNoOffset) {
        answer.error = protocol::ErrorCode::kOffsetOutOfRange;
        return answer;
      }
      if (end.epoch < request.last_fetched_epoch || end.end_offset < request.offset) {
        answer.diverging = end;
        return answer;
      }
    }
    const absl::Status read = ReadInto(request, &answer);
    if (!read.ok()) {
      answer.slice = log::LogSlice();
      answer.error = replication_internal::ErrorOf(read);
      if (!absl::IsOutOfRange(read)) answer.message = std::string(read.message());
    }
    return answer;
  }

  OffsetAnswer ListOffset(TimestampMs timestamp, LeaderEpoch current_leader_epoch,
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
    if (high_watermark_ < epoch_start_) {
      answer.error = protocol::ErrorCode::kOffsetNotAvailable;
      return answer;
    }
    if (timestamp == kLatestTimestamp) {
      answer.offset = end;
      answer.leader_epoch = leader_epoch_;
      return answer;
    }
    const auto found = timestamp == kMaxTimestamp ? log_->MaxTimestamp(decode)
                                                  : log_->FindByTimestamp(timestamp, end, decode);
    if (!found.ok()) {
      answer.error = replication_internal::ErrorOf(found.status());
      answer.message = std::string(found.status().message());
    } else if (found->has_value() && (*found)->offset < end) {
      answer.timestamp = (*found)->timestamp;
      answer.offset = (*found)->offset;
      answer.leader_epoch = (*found)->leader_epoch;
    }
    return answer;
  }

  EpochEndAnswer EpochEndOffset(LeaderEpoch current_leader_epoch, LeaderEpoch requested) const {
    EpochEndAnswer answer;
    answer.error = CheckEpoch(current_leader_epoch);
    if (answer.error != protocol::ErrorCode::kNone) return answer;
    answer.end = log_->EpochEndOffset(requested, leader_epoch_);
    return answer;
  }

  // Takes what is before `offset`, at most the high watermark, from readers; kNoOffset stands for
  // the high watermark. The owner persists the log's start before it answers.
  DeleteAnswer DeleteRecords(Offset offset, Effects* effects) {
    DeleteAnswer answer{CheckEpoch(kNoLeaderEpoch)};
    if (answer.error != protocol::ErrorCode::kNone) return answer;
    const Offset start = offset == kNoOffset ? high_watermark_ : offset;
    if (start < Offset(0) || start > high_watermark_) {
      answer.error = protocol::ErrorCode::kOffsetOutOfRange;
      return answer;
    }
    const absl::Status moved = log_->AdvanceLogStart(start);
    readers_.Wake(effects, [this](const Waiter& w) { return w.offset < log_->log_start_offset(); });
    NoticeFailure(effects);
    if (moved.ok()) {
      answer.low_watermark = log_->log_start_offset();
    } else {
      answer.error = protocol::ErrorCode::kKafkaStorageError;
    }
    return answer;
  }

  // Deletes old segments below the high watermark.
  absl::StatusOr<int> ApplyRetention(TimestampMs wall_ms, Effects* effects) {
    absl::StatusOr<int> deleted = log_->DeleteOldSegments(wall_ms, high_watermark_);
    Progressed(effects);  // it flushes
    readers_.Wake(effects, [this](const Waiter& w) { return w.offset < log_->log_start_offset(); });
    NoticeFailure(effects);
    return deleted;
  }

  // --- replication (docs/adr/0015-replication-streams.md) -------------------------------------

  FollowAnswer Follow(const Now&, const FollowRequest&, Effects*) { return {}; }
  ReplicaRead ReadForReplica(LeaderEpoch, Offset, int64_t, bool) { return {}; }
  std::optional<StartFollowing> following() const { return std::nullopt; }
  Offset low_watermark() const { return log_->log_start_offset(); }

  bool is_leader() const { return leader_; }
  LeaderEpoch leader_epoch() const { return leader_epoch_; }
  int32_t partition_epoch() const { return partition_epoch_; }
  const std::vector<BrokerId>& isr() const { return isr_; }
  const std::vector<BrokerId>& replicas() const { return replicas_; }
  Offset high_watermark() const { return high_watermark_; }
  size_t reader_count() const { return readers_.size(); }
  Offset last_stable_offset() const { return log_->LastStableOffset(high_watermark_); }
  log::Log& log() { return *log_; }
  const log::Log& log() const { return *log_; }
  void set_config(const PartitionConfig& config) { config_ = config; }

 private:
  struct WaitingAppend {
    AppendDone done;
    Offset end;  // behind the batch
    int16_t acks;
    MonotonicNs deadline;
  };
  using Waiter = replication_internal::FetchWaiter;

  // Where readers stop.
  Offset ReadableEnd(bool read_committed) const {
    return read_committed ? last_stable_offset() : high_watermark_;
  }

  absl::Status ReadInto(const ReadRequest& request, ReadAnswer* answer) const {
    WEIR_ASSIGN_OR_RETURN(
        answer->slice, log_->Read(request.offset, request.bytes_max,
                                  ReadableEnd(request.read_committed), request.at_least_one_batch));
    if (!request.read_committed || answer->slice.empty()) return absl::OkStatus();
    WEIR_ASSIGN_OR_RETURN(answer->aborted,
                          log_->AbortedTransactions(request.offset, answer->slice.next_offset));
    return absl::OkStatus();
  }

  // --- events -------------------------------------------------------------------------------

  void On(const Now&, BecomeLeader& e, Effects* effects) {
    const bool new_epoch = e.leader_epoch > leader_epoch_;
    if (!new_epoch && (e.leader_epoch < leader_epoch_ || e.partition_epoch <= partition_epoch_)) {
      return;
    }
    if (new_epoch) {
      epoch_start_ = log_->log_end_offset();
      progress_.clear();  // followers report afresh
    }
    leader_ = true;
    leader_epoch_ = e.leader_epoch;
    partition_epoch_ = e.partition_epoch;
    replicas_ = std::move(e.replicas);
    isr_ = std::move(e.isr);
    Progressed(effects);
  }

  void On(const Now&, StopLeading&, Effects* effects) {
    leader_ = false;
    RefuseAll(protocol::ErrorCode::kNotLeaderOrFollower, effects);
  }

  void On(const Now&, Append& e, Effects* effects) {
    const protocol::ErrorCode error = CheckAppend(e);
    if (error != protocol::ErrorCode::kNone) {
      effects->push_back(AppendDone{e.token, error});
      return;
    }
    unwritten_.push_back(e);
  }

  void On(const Now& now, EndOfTick&, Effects* effects) {
    if (unwritten_.empty()) return;
    batches_.assign(unwritten_.size(), log::BatchToAppend());
    for (size_t i = 0; i < unwritten_.size(); ++i) {
      batches_[i].bytes = unwritten_[i].batch;
      batches_[i].terms = unwritten_[i].terms;
    }
    log_->Append(absl::MakeSpan(batches_), leader_epoch_, now.wall_ms);
    for (size_t i = 0; i < unwritten_.size(); ++i) Note(unwritten_[i], batches_[i], effects);
    unwritten_.clear();
    StartFlushIfDue(now);
    Progressed(effects);
  }

  void On(const Now&, SyncDone& e, Effects* effects) {
    if (log_->OnSyncDone(e.done.token, e.done.status)) Progressed(effects);
  }

  void On(const Now&, ReplicaProgress& e, Effects* effects) {
    Progress& known = progress_[e.broker];
    known.end = std::max(known.end, e.end_offset);
    known.flushed = std::max(known.flushed, e.flushed_offset);
    Progressed(effects);
  }

  void On(const Now&, BecomeFollower&, Effects*) {}
  void On(const Now&, ReplicaGone&, Effects*) {}
  void On(const Now&, Replicate&, Effects*) {}
  void On(const Now&, FollowRefused&, Effects*) {}
  void On(const Now&, TruncationPrepared&, Effects*) {}
  void On(const Now&, IsrAnswered&, Effects*) {}

  void On(const Now&, RegisterFetchWaiter& e, Effects* effects) {
    int64_t available = 0;
    bool ready = !leader_ || !log_->failed().ok();
    const Offset end = ReadableEnd(e.read_committed);
    if (!ready && e.offset != end) ready = HasBytes(e.offset, e.bytes_min, end, &available);
    if (ready || e.bytes_min <= 0) {
      effects->push_back(FetchReady{e.token});
      return;
    }
    readers_.Add(e.token, {e.offset, e.bytes_min, e.bytes_min - available, e.read_committed});
  }

  void On(const Now&, CancelFetchWaiter& e, Effects*) { readers_.Cancel(e.token); }

  void On(const Now& now, Tick&, Effects* effects) {
    std::erase_if(waiting_, [&](WaitingAppend& waiting) {
      if (waiting.deadline > now.monotonic) return false;
      waiting.done.error = protocol::ErrorCode::kRequestTimedOut;
      effects->push_back(waiting.done);
      return true;
    });
    if (flush_due_.has_value() && *flush_due_ <= now.monotonic) FlushNow();
  }

  // --- appends ------------------------------------------------------------------------------

  protocol::ErrorCode CheckAppend(const Append& e) const {
    if (!leader_) return protocol::ErrorCode::kNotLeaderOrFollower;
    if (e.acks < -1 || e.acks > 1) return protocol::ErrorCode::kInvalidRequiredAcks;
    if (!log_->failed().ok()) return protocol::ErrorCode::kKafkaStorageError;
    if (e.acks == kAcksAll && !EnoughInSync()) return protocol::ErrorCode::kNotEnoughReplicas;
    return protocol::ErrorCode::kNone;
  }

  // Takes in what became of one append.
  void Note(const Append& append, const log::BatchToAppend& batch, Effects* effects) {
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
      waiting_.push_back({done, end, append.acks, append.deadline});
    }
  }

  void StartFlushIfDue(const Now& now) {
    if (config_.durability == Durability::kAck || unflushed_records_ >= config_.flush_messages) {
      FlushNow();
    } else if (!flush_due_.has_value() && unflushed_records_ > 0 &&
               config_.flush_interval_ns <
                   std::numeric_limits<int64_t>::max() - now.monotonic.value()) {
      flush_due_ = now.monotonic + config_.flush_interval_ns;
    }
  }

  void FlushNow() {
    flush_due_.reset();
    unflushed_records_ = 0;
    log_->StartFlush();
  }

  // --- progress -----------------------------------------------------------------------------

  // More than there are replicas is never asked for (KIP-966, "effective min ISR").
  bool EnoughInSync() const {
    return isr_.size() >= std::min<size_t>(config_.min_insync_replicas, replicas_.size());
  }

  // How far this broker's own copy counts as safe.
  Offset OwnSafeEnd() const {
    return config_.durability == Durability::kAck ? log_->flushed_offset() : log_->log_end_offset();
  }

  Offset SafeEndOf(BrokerId broker) const {
    if (broker == self_) return OwnSafeEnd();
    const auto known = progress_.find(broker);
    if (known == progress_.end()) return kNoOffset;
    return config_.durability == Durability::kAck ? known->second.flushed : known->second.end;
  }

  void Progressed(Effects* effects) {
    if (!log_->failed().ok()) return;  // NoticeFailure answers
    AdvanceHighWatermark(effects);
    std::erase_if(waiting_, [&](WaitingAppend& waiting) {
      const Offset reached = waiting.acks == kAcksAll ? high_watermark_ : OwnSafeEnd();
      if (reached < waiting.end) return false;
      if (waiting.acks == kAcksAll && !EnoughInSync()) {
        waiting.done.error = protocol::ErrorCode::kNotEnoughReplicasAfterAppend;
      }
      effects->push_back(waiting.done);
      return true;
    });
  }

  void AdvanceHighWatermark(Effects* effects) {
    if (!leader_ || isr_.empty()) return;
    Offset safe = log_->log_end_offset();
    for (const BrokerId broker : isr_) safe = std::min(safe, SafeEndOf(broker));
    if (safe <= high_watermark_) return;
    const Offset stable_before = last_stable_offset();
    high_watermark_ = safe;
    log_->OnHighWatermark(safe);
    effects->push_back(HighWatermarkAdvanced{safe});
    readers_.Show(safe);
    const Offset stable = last_stable_offset();
    readers_.Wake(effects, [&](const Waiter& w) {
      if (!w.read_committed) return w.bytes_missing <= 0;
      int64_t available = 0;
      return stable > stable_before && w.offset < stable &&
             (w.bytes_min <= 1 || HasBytes(w.offset, w.bytes_min, stable, &available));
    });
  }

  // Whether a reader finds `bytes_min` bytes from `from` to `end`, or an error that it has to hear
  // of; else *available is what there is.
  bool HasBytes(Offset from, int64_t bytes_min, Offset end, int64_t* available) const {
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

  // --- refusals -----------------------------------------------------------------------------

  protocol::ErrorCode CheckEpoch(LeaderEpoch current) const {
    if (!leader_) return protocol::ErrorCode::kNotLeaderOrFollower;
    if (current != kNoLeaderEpoch && current < leader_epoch_) {
      return protocol::ErrorCode::kFencedLeaderEpoch;
    }
    if (current > leader_epoch_) return protocol::ErrorCode::kUnknownLeaderEpoch;
    if (!log_->failed().ok()) return protocol::ErrorCode::kKafkaStorageError;
    return protocol::ErrorCode::kNone;
  }

  void RefuseAll(protocol::ErrorCode error, Effects* effects) {
    for (const Append& append : unwritten_) effects->push_back(AppendDone{append.token, error});
    unwritten_.clear();
    for (WaitingAppend& waiting : waiting_) {
      waiting.done.error = error;
      effects->push_back(waiting.done);
    }
    waiting_.clear();
    readers_.Wake(effects, [](const Waiter&) { return true; });
  }

  void NoticeFailure(Effects* effects) {
    if (failure_told_ || log_->failed().ok()) return;
    failure_told_ = true;
    flush_due_.reset();
    RefuseAll(protocol::ErrorCode::kKafkaStorageError, effects);
    effects->push_back(LogFailed{});
  }

  struct Progress {
    Offset end = kNoOffset;
    Offset flushed = kNoOffset;
  };

  const BrokerId self_;
  const std::unique_ptr<log::Log> log_;
  PartitionConfig config_;

  bool leader_ = false;
  LeaderEpoch leader_epoch_ = kNoLeaderEpoch;
  int32_t partition_epoch_ = -1;
  std::vector<BrokerId> replicas_;
  std::vector<BrokerId> isr_;
  absl::flat_hash_map<BrokerId, Progress> progress_;  // of the other replicas
  Offset epoch_start_{0};                             // the log's end when the epoch began
  Offset high_watermark_{0};

  std::vector<Append> unwritten_;
  std::vector<log::BatchToAppend> batches_;  // of them; kept for its memory
  std::vector<WaitingAppend> waiting_;
  replication_internal::FetchWaiters readers_;
  int64_t unflushed_records_ = 0;
  std::optional<MonotonicNs> flush_due_;
  bool failure_told_ = false;
};

}  // namespace weir::replication

#endif  // WEIR_REPLICATION_PARTITION_H_

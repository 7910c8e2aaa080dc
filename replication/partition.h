// -----------------------------------------------------------------------------
// File: replication/partition.h
// -----------------------------------------------------------------------------
// One replica of a partition, in one of two roles over its log: it leads (appends and their
// acknowledgement, the high watermark, the replicas in sync), or it follows (appends what its
// leader has, cuts off what its leader does not have). A state machine: events in, effects out.
//
// The high watermark is the least of what the replicas in sync have flushed (Durability::kAck) or
// written (kOs). acks=all is answered when it passes the batch, acks=1 when this broker has flushed
// (kAck) or written (kOs) it, acks=0 when it was written. Readers never see what lies behind it.
// Batches are validated by the caller before Append: decompression and record errors are no
// business of replication; sequences are checked by the log, which knows the producers.
// Decision: docs/adr/0015-replication-streams.md, with the rules of replication.
// Threading: one thread. Errors: Kafka's codes, in the effects and answers.
#ifndef WEIR_REPLICATION_PARTITION_H_
#define WEIR_REPLICATION_PARTITION_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "log/log.h"
#include "log/log_types.h"
#include "protocol/error_code.h"
#include "replication/internal/fetch_waiters.h"
#include "replication/internal/isr_state.h"
#include "replication/internal/pending_appends.h"
#include "replication/partition_events.h"

namespace weir::replication {

class Partition {
 public:
  Partition(BrokerId self, std::unique_ptr<log::Log> log, const PartitionConfig& config);

  // The one way to change it. Appends what is to be done to *effects.
  void Step(const Now& now, Event event, Effects* effects) {
    now_ = now.monotonic;
    std::visit([&](auto& e) { On(now, e, effects); }, event);
    NoticeFailure(effects);
  }

  // When a Tick is due next, if ever.
  std::optional<MonotonicNs> NextDeadline() const;

  // Goes on with `log`, which has the same records as the present one, all of them durable, in
  // another place (log/log_move.h). Gives the present one back; who has a slice of it may read on.
  std::unique_ptr<log::Log> ReplaceLog(const Now& now, std::unique_ptr<log::Log> log,
                                       Effects* effects);

  // --- clients ------------------------------------------------------------------------------

  ReadAnswer Read(const ReadRequest& request) const;
  OffsetAnswer ListOffset(TimestampMs timestamp, LeaderEpoch current_leader_epoch,
                          bool read_committed, log::DecodeRecords decode) const;
  EpochEndAnswer EpochEndOffset(LeaderEpoch current_leader_epoch, LeaderEpoch requested) const;
  // Takes what is before `offset`, at most the high watermark, from readers; kNoOffset stands for
  // the high watermark. The owner persists the log's start before it answers; Kafka answers when
  // low_watermark() has come so far.
  DeleteAnswer DeleteRecords(Offset offset, Effects* effects);
  // Deletes old segments below the high watermark.
  absl::StatusOr<int> ApplyRetention(TimestampMs wall_ms, Effects* effects);

  // --- replication --------------------------------------------------------------------------

  // A follower begins, or begins again, from what it has: where the logs part, or from where on it
  // will be sent what there is.
  FollowAnswer Follow(const Now& now, const FollowRequest& request, Effects* effects);
  // What there is for it, as leader of `leader_epoch`, from `from` on. As log/log.h's Read, up to
  // the log's end.
  ReplicaRead ReadForReplica(LeaderEpoch leader_epoch, Offset from, int64_t bytes_max,
                             bool at_least_one_batch) const;
  // What is to be said to the leader now; none where this broker does not follow, or not now.
  std::optional<StartFollowing> following() const;
  // Where the logs of all replicas that are followed start, as their leader knows.
  Offset low_watermark() const;

  bool is_leader() const { return role_ == Role::kLeader; }
  bool is_follower() const { return role_ == Role::kFollower; }
  BrokerId leader() const { return leader_; }
  LeaderEpoch leader_epoch() const { return leader_epoch_; }
  int32_t partition_epoch() const { return partition_epoch_; }
  const std::vector<BrokerId>& isr() const { return isr_.isr(); }
  const std::vector<BrokerId>& replicas() const { return replicas_; }
  bool is_replicated() const { return replicas_.size() > 1; }
  // What is known of the others; of a leader.
  const std::vector<replication_internal::Replica>& others() const { return isr_.others(); }
  bool InMaximalIsr(BrokerId broker) const { return isr_.InMaximalIsr(broker); }
  Offset high_watermark() const { return high_watermark_; }
  // How many offsets this replica lacks of those that are committed, as the leader told it last.
  int64_t lag() const {
    return is_follower() ? std::max<int64_t>(0, told_high_watermark_ - log_->log_end_offset()) : 0;
  }
  size_t reader_count() const { return readers_.size(); }
  Offset last_stable_offset() const { return log_->LastStableOffset(high_watermark_); }
  log::Log& log() { return *log_; }
  const log::Log& log() const { return *log_; }

 private:
  enum class Role : int8_t { kNone, kLeader, kFollower };
  using Waiter = replication_internal::FetchWaiter;

  // internal/partition_roles.h
  bool IsNews(LeaderEpoch leader_epoch, int32_t partition_epoch) const;
  void On(const Now&, BecomeLeader&, Effects*);
  void On(const Now&, BecomeFollower&, Effects*);
  void On(const Now&, StopLeading&, Effects*);
  void On(const Now&, EndOfTick&, Effects*);
  void On(const Now&, SyncDone&, Effects*);
  void On(const Now&, RegisterFetchWaiter&, Effects*);
  void On(const Now&, CancelFetchWaiter& e, Effects*) { readers_.Cancel(e.token); }
  void On(const Now&, Tick&, Effects*);
  void On(const Now&, Reconfigure&, Effects*);
  void Leave(Effects* effects);
  void SetHighWatermark(Offset to, Effects* effects);
  void StartFlushIfDue(const Now& now);
  void FlushNow();
  void Refuse(protocol::ErrorCode error, Effects* effects);
  void NoticeFailure(Effects* effects);
  void WakeBeforeLogStart(Effects* effects);

  // internal/partition_leader.h
  void On(const Now&, Append&, Effects*);
  void On(const Now&, ReplicaProgress&, Effects*);
  void On(const Now&, ReplicaGone&, Effects*);
  void On(const Now&, IsrAnswered&, Effects*);
  void WriteAppends(const Now& now, Effects* effects);
  protocol::ErrorCode CheckAppend(const Append& append) const;
  void Note(const Append& append, const log::BatchToAppend& batch, Effects* effects);
  void Progressed(const Now& now, Effects* effects);
  void CheckIsr(const Now& now, Effects* effects);
  Offset OwnSafeEnd() const;
  std::optional<FollowEnded> Compare(const FollowRequest& request) const;
  Offset BatchStart(Offset offset) const;
  bool EnoughInSync() const { return isr_.EnoughInSync(config_.min_insync_replicas); }

  // internal/partition_follower.h
  void On(const Now&, Replicate&, Effects*);
  void On(const Now&, FollowRefused&, Effects*);
  void On(const Now&, TruncationPrepared&, Effects*);
  void WriteReplicated(const Now& now, Effects* effects);
  absl::Status AppendPart(const Replicate& part, TimestampMs wall_ms);
  void BeginFollowing(Effects* effects);
  void StopFollowingNow(Effects* effects);
  void Hold(const Now& now, const absl::Status& why, Effects* effects);
  void EndHold(const Now& now, Effects* effects);
  Offset WhereToCut(const log::EpochEnd& leaders) const;
  LeaderEpoch LastEpoch() const;

  // internal/partition_reads.h
  protocol::ErrorCode CheckEpoch(LeaderEpoch current, bool allow_follower = false) const;
  Offset ReadableEnd(bool read_committed) const {
    return read_committed ? last_stable_offset() : high_watermark_;
  }
  protocol::ErrorCode CheckPlace(const ReadRequest& request, log::EpochEnd* diverging) const;
  absl::Status ReadInto(const ReadRequest& request, ReadAnswer* answer) const;
  bool HasBytes(Offset from, int64_t bytes_min, Offset end, int64_t* available) const;

  const BrokerId self_;
  std::unique_ptr<log::Log> log_;
  PartitionConfig config_;

  MonotonicNs now_;  // of the last step
  Role role_ = Role::kNone;
  BrokerId leader_ = kNoBroker;
  LeaderEpoch leader_epoch_ = kNoLeaderEpoch;
  int32_t partition_epoch_ = -1;
  std::vector<BrokerId> replicas_;
  Offset high_watermark_{0};
  replication_internal::FetchWaiters readers_;
  int64_t unflushed_records_ = 0;
  std::optional<MonotonicNs> flush_due_;
  bool failure_told_ = false;

  // As leader.
  replication_internal::IsrState isr_;
  FollowId last_follow_ = 0;
  std::vector<Append> unwritten_;
  std::vector<log::BatchToAppend> batches_;  // of them; kept for its memory
  replication_internal::PendingAppends waiting_;

  // As follower.
  bool following_ = false;             // since StartFollowing
  Offset sent_to_;                     // by the leader since then; the log may end before it
  Offset told_high_watermark_{0};      // by this leader
  std::vector<Replicate> replicated_;  // in this tick
  std::optional<PrepareTruncation> truncation_;
  std::optional<MonotonicNs> held_until_;
  std::optional<MonotonicNs> looks_for_room_at_;  // while held for want of it
  int32_t holds_ = 0;                             // since records were taken last
};

}  // namespace weir::replication

#include "replication/internal/partition_follower.h"  // IWYU pragma: export
#include "replication/internal/partition_leader.h"    // IWYU pragma: export
#include "replication/internal/partition_reads.h"     // IWYU pragma: export
#include "replication/internal/partition_roles.h"     // IWYU pragma: export

#endif  // WEIR_REPLICATION_PARTITION_H_

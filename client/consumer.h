// -----------------------------------------------------------------------------
// File: client/consumer.h
// -----------------------------------------------------------------------------
// Reads records: of the partitions that its group gives it, or of those it is told to read.
//
//   Consumer consumer(cluster, {.group_id = "g", .auto_offset_reset = OffsetReset::kEarliest});
//   WEIR_RETURN_IF_ERROR(consumer.Subscribe({"t"}));
//   while (running) {
//     WEIR_ASSIGN_OR_RETURN(ConsumedRecords records, consumer.Poll(1'000));
//     for (const ConsumerRecord& record : records) ...
//   }
//   consumer.Close(10'000).IgnoreError();
//
//   Consumer reader(cluster, {.auto_offset_reset = OffsetReset::kEarliest});
//   reader.Assign({{"t", 0}, {"t", 1}});
//
// Decision: there is no thread behind it. Heartbeats go out while Poll(), CommitSync(), Committed()
// or Close() run, and so an application must call Poll() within session_timeout_ms (45 s), not
// merely within max_poll_interval_ms (5 min) as with Kafka's Java client: a member that is not
// heard of for the session timeout is taken for dead and its partitions go to others. Who needs
// longer for a batch raises session_timeout_ms (brokers allow 30 min) or polls with all partitions
// paused. When no heartbeat was answered for that long, Poll() gives nothing until it knows whether
// the partitions are its own still.
// Threading: that of its Cluster. The listener and callbacks run inside these calls, and may use
// the consumer, but not Poll(), Close() or destroy it; a callback makes no call that waits.
// Errors: Poll() gives kOutOfRange for an offset that the log does not have, or a partition without
// a committed offset, when auto_offset_reset is kNone; kDataLoss for damaged data;
// kFailedPrecondition, for ever, when another process took its group_instance_id; and what brokers
// refuse for good. What passes is retried. Commits as client/offset_committer.h says.
// Limits: fetch_max_bytes for each broker.
#ifndef WEIR_CLIENT_CONSUMER_H_
#define WEIR_CLIENT_CONSUMER_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "client/assignors.h"
#include "client/cluster.h"
#include "client/committed_offset.h"
#include "client/consumer_config.h"
#include "client/coordinator_finder.h"
#include "client/fetched_records.h"
#include "client/fetcher.h"
#include "client/group_membership.h"
#include "client/group_steps.h"
#include "client/offset_committer.h"
#include "client/topic_and_partition.h"
#include "protocol/error_code.h"

namespace weir::client {

class Consumer;

// Is told when partitions come and go. What was read of those that go has been committed before,
// with enable_auto_commit; an application that commits itself does it in OnRevoked().
class RebalanceListener {
 public:
  virtual ~RebalanceListener() = default;
  // After every rebalance, with what is new; none may be.
  virtual void OnAssigned(Consumer& /*consumer*/, absl::Span<const TopicAndPartition> /*added*/) {}
  // They are the consumer's until this returns.
  virtual void OnRevoked(Consumer& /*consumer*/, absl::Span<const TopicAndPartition> /*removed*/) {}
  // They were taken away without asking, and may be another member's; nothing can be committed.
  virtual void OnLost(Consumer& consumer, absl::Span<const TopicAndPartition> removed) {
    OnRevoked(consumer, removed);
  }
};

class Consumer {
 public:
  using CommitDone = OffsetCommitter::CommitDone;

  Consumer(Cluster& cluster, ConsumerConfig config)
      : cluster_(cluster),
        config_(std::move(config)),
        finder_(cluster_, config_.group_id, config_.retry_backoff_ms),
        committer_(cluster_, config_, finder_,
                   [this](int32_t generation, protocol::ErrorCode error) {
                     if (member_ != nullptr) member_->core().OnDisowned(generation, error);
                   }),
        fetcher_(cluster_, config_),
        next_auto_commit_(cluster_.After(config_.auto_commit_interval_ms)) {}
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;
  // Without Close() it commits nothing and does not leave: the group notices that it is gone.
  ~Consumer() = default;

  // --- What is read ----------------------------------------------------------------------------

  // Reads these topics as a member of the group, from the next Poll() on, until Unsubscribe().
  // Topics that were subscribed to before and are not named are given up. `listener` is borrowed.
  // kInvalidArgument when the configuration cannot be.
  absl::Status Subscribe(const std::vector<std::string>& topics,
                         RebalanceListener* listener = nullptr) {
    WEIR_RETURN_IF_ERROR(BeMember(listener));
    member_->Subscribe(std::set<std::string>(topics.begin(), topics.end()));
    return absl::OkStatus();
  }
  // All topics that `predicate` takes, those too that are created later: the cluster's topics are
  // looked at every metadata_max_age_ms.
  absl::Status Subscribe(TopicPredicate predicate, RebalanceListener* listener = nullptr) {
    WEIR_RETURN_IF_ERROR(BeMember(listener));
    member_->Subscribe(std::move(predicate));
    return absl::OkStatus();
  }
  // Leaves the group as Close() does, and reads nothing.
  absl::Status Unsubscribe(int64_t timeout_ms) {
    if (member_ == nullptr) return absl::OkStatus();
    const absl::Status status = LeaveGroup(cluster_.After(timeout_ms));
    member_.reset();
    committer_.Hold(false);
    return status;
  }

  // Reads these partitions and no others. Those that stay keep their position; new ones begin where
  // the group has committed, if there is a group and it has. Not while subscribed.
  void Assign(absl::Span<const TopicAndPartition> partitions) {
    WEIR_CHECK(member_ == nullptr);
    fetcher_.SetPartitions(partitions, has_group());
  }
  // What is read now.
  std::vector<TopicAndPartition> Assignment() const { return fetcher_.partitions(); }

  // Where the next record is read from; each takes effect with the next Poll(). Only of partitions
  // in Assignment(), as Pause().
  void Seek(const TopicAndPartition& tp, Offset offset) { fetcher_.Seek(tp, offset); }
  // `time` is milliseconds: the first record that is not older, or the end.
  void SeekToTime(const TopicAndPartition& tp, int64_t time) { fetcher_.SeekToTime(tp, time); }
  void SeekToBeginning(const TopicAndPartition& tp) { fetcher_.SeekToTime(tp, -2); }
  void SeekToEnd(const TopicAndPartition& tp) { fetcher_.SeekToTime(tp, -1); }

  void Pause(const TopicAndPartition& tp, bool paused = true) { fetcher_.Pause(tp, paused); }

  // The offset of the next record; nothing while it is not known yet, or not read.
  std::optional<Offset> Position(const TopicAndPartition& tp) const {
    return fetcher_.Position(tp);
  }
  // As of the last fetch; nothing before it.
  std::optional<Offset> HighWatermark(const TopicAndPartition& tp) const {
    return fetcher_.HighWatermark(tp);
  }
  // Whether every partition has been read up to the high watermark that its last fetch told, and
  // the group is not about to change which those are.
  bool AtEnd() const {
    return fetcher_.AtEnd() && (member_ == nullptr || member_->core().is_stable());
  }

  // The next records, as soon as there are some; none when the time is over.
  absl::StatusOr<ConsumedRecords> Poll(int64_t timeout_ms) {
    WEIR_CHECK(!closed_);
    const MonotonicNs deadline = cluster_.After(timeout_ms);
    while (true) {
      WEIR_RETURN_IF_ERROR(RunGroup());
      ConsumedRecords records;
      if (MayDeliver()) WEIR_RETURN_IF_ERROR(fetcher_.Collect(&records));
      Advance();
      if (!records.empty()) return records;
      WEIR_RETURN_IF_ERROR(TakeFault());
      const bool is_over = cluster_.Now() >= deadline;
      cluster_.Poll(is_over ? deadline : std::min(deadline, next_event()));
      if (!is_over) continue;
      // What came meanwhile of the group is for the next Poll(), before its records.
      if (MayDeliver()) WEIR_RETURN_IF_ERROR(fetcher_.Collect(&records));
      return records;
    }
  }

  // --- How far the group has read --------------------------------------------------------------

  // Commits the positions: everything that Poll() has given is done with.
  absl::Status CommitSync() { return CommitSync(fetcher_.Positions()); }
  absl::Status CommitSync(OffsetsToCommit offsets) {
    const MonotonicNs deadline = cluster_.After(config_.default_api_timeout_ms);
    auto result = std::make_shared<std::optional<absl::Status>>();
    WEIR_RETURN_IF_ERROR(Commit(std::move(offsets), deadline,
                                [result](absl::Status status) { *result = std::move(status); }));
    while (!result->has_value()) Wait(deadline);
    return **std::move(result);
  }
  // The same, without waiting. Commits go out one after the other. `done` is not called when the
  // consumer is destroyed before; when this returns an error neither.
  absl::Status CommitAsync(CommitDone done = nullptr) {
    return CommitAsync(fetcher_.Positions(), std::move(done));
  }
  absl::Status CommitAsync(OffsetsToCommit offsets, CommitDone done = nullptr) {
    return Commit(std::move(offsets), cluster_.After(config_.default_api_timeout_ms),
                  [done = std::move(done)](absl::Status status) mutable {
                    if (done) done(std::move(status));
                  });
  }
  // What the group has committed, of any partitions.
  absl::StatusOr<CommittedOffsets> Committed(absl::Span<const TopicAndPartition> partitions) {
    if (!has_group()) return NoGroup();
    const MonotonicNs deadline = cluster_.After(config_.default_api_timeout_ms);
    auto result = std::make_shared<std::optional<absl::StatusOr<CommittedOffsets>>>();
    committer_.Fetch(
        {partitions.begin(), partitions.end()}, deadline,
        [result](absl::StatusOr<CommittedOffsets> offsets) { *result = std::move(offsets); });
    while (!result->has_value()) Wait(deadline);
    return **std::move(result);
  }

  // The member's id and generation, while it can commit.
  std::optional<GroupIdentity> Identity() const {
    return member_ == nullptr ? std::nullopt : member_->core().identity();
  }

  // --- The end ---------------------------------------------------------------------------------

  // Commits with enable_auto_commit, gives the partitions up, and leaves the group at once, unless
  // it is a static member. The error is that of the commit. Afterwards only destroys it.
  absl::Status Close(int64_t timeout_ms) {
    if (closed_) return absl::OkStatus();
    const MonotonicNs deadline = cluster_.After(timeout_ms);
    absl::Status status;
    if (member_ != nullptr) {
      status = LeaveGroup(deadline);
    } else if (auto_commits()) {
      status = CommitBefore(deadline);
    }
    while (!committer_.empty() && cluster_.Now() < deadline) Wait(deadline);
    closed_ = true;
    fetcher_.SetPartitions({}, false);
    return status;
  }

 private:
  // Partitions that are given up once what was read of them is committed.
  struct Revoking {
    std::vector<TopicAndPartition> partitions;
    bool committed = false;
  };

  bool has_group() const { return !config_.group_id.empty(); }
  bool auto_commits() const { return has_group() && config_.enable_auto_commit; }
  static absl::Status NoGroup() {
    return absl::InvalidArgumentError("the consumer has no group_id");
  }

  absl::Status BeMember(RebalanceListener* listener) {
    if (!has_group()) return NoGroup();
    if (config_.heartbeat_interval_ms <= 0 ||
        config_.heartbeat_interval_ms >= config_.session_timeout_ms) {
      return absl::InvalidArgumentError(
          absl::StrCat("heartbeat_interval_ms: expected above 0 and below session_timeout_ms = ",
                       config_.session_timeout_ms, ", came ", config_.heartbeat_interval_ms));
    }
    if (member_ == nullptr) {
      WEIR_ASSIGN_OR_RETURN(auto assignors, MakeAssignors(config_.partition_assignment_strategy));
      fetcher_.SetPartitions({}, true);
      member_ = std::make_unique<GroupMembership>(cluster_, config_, finder_, std::move(assignors));
    }
    listener_ = listener;
    return absl::OkStatus();
  }

  // --- Letting things go on --------------------------------------------------------------------

  // What needs no rebalance: to be done while any call waits.
  void KeepUp() {
    if (member_ != nullptr || !committer_.empty()) finder_.Advance();
    if (member_ != nullptr) {
      member_->KeepAlive();
      committer_.Hold(member_->core().waits_for_group());
    }
    committer_.Advance();
    if (!committer_.empty()) {
      const absl::Status fault = finder_.TakeFault();
      if (!fault.ok()) committer_.Fail(fault);
    }
  }
  void Wait(MonotonicNs deadline) {
    KeepUp();
    if (!committer_.empty() || cluster_.Now() < deadline) {
      cluster_.Poll(std::min(deadline, GroupEvent()));
    }
  }
  void Advance() {
    fetcher_.Advance();
    if (member_ != nullptr) committer_.Hold(member_->core().waits_for_group());
    AskCommitted(fetcher_.TakeUncommitted());
    KeepUp();
  }
  MonotonicNs GroupEvent() const {
    MonotonicNs next = committer_.next_event();
    if (member_ != nullptr) next = std::min(next, member_->next_event());
    if (member_ != nullptr || !committer_.empty()) next = std::min(next, finder_.next_event());
    return next;
  }
  MonotonicNs next_event() const {
    MonotonicNs next = std::min(GroupEvent(), fetcher_.next_event());
    if (auto_commits() && !auto_committing_) next = std::min(next, next_auto_commit_);
    return next;
  }
  absl::Status TakeFault() {
    if (!fault_.ok()) return std::exchange(fault_, absl::OkStatus());
    if (member_ != nullptr) {
      WEIR_RETURN_IF_ERROR(finder_.TakeFault());
      WEIR_RETURN_IF_ERROR(member_->core().TakeFault());
    }
    return fetcher_.TakeFault();
  }
  bool MayDeliver() const {
    return member_ == nullptr || !member_->core().MustHold(cluster_.Now());
  }

  // --- The group -------------------------------------------------------------------------------

  absl::Status RunGroup() {
    if (member_ != nullptr) {
      member_->core().OnPoll(cluster_.Now());
      while (true) {
        const bool is_done = revoking_ != nullptr && revoking_->committed;
        if (is_done && !member_->core().has_lost()) FinishRevoking();
        std::optional<GroupMembership::ApplicationStep> step = member_->Advance();
        if (!step.has_value()) break;
        if (auto* revoke = std::get_if<RevokeStep>(&*step)) {
          revoke->lost ? Lose(revoke->partitions) : Revoke(std::move(revoke->partitions));
        } else {
          Take(std::get<AssignStep>(*step));
        }
      }
      if (member_->core().fenced()) return member_->core().TakeFault();
    }
    AutoCommit();
    return absl::OkStatus();
  }

  void Take(const AssignStep& step) {
    fetcher_.SetPartitions(step.all, true);
    next_auto_commit_ = cluster_.After(config_.auto_commit_interval_ms);
    if (listener_ != nullptr) listener_->OnAssigned(*this, step.added);
    // Now: when the member joins again at once, the answer would wait for the group behind that.
    AskCommitted(fetcher_.TakeUncommitted());
  }

  void Lose(const std::vector<TopicAndPartition>& partitions) {
    revoking_.reset();
    fetcher_.Freeze(partitions);
    if (listener_ != nullptr) listener_->OnLost(*this, partitions);
    fetcher_.Remove(partitions);
  }

  // Begins to give partitions up: commits how far they were read, if that is its task.
  void Revoke(std::vector<TopicAndPartition> partitions) {
    fetcher_.Freeze(partitions);
    revoking_ = std::make_shared<Revoking>();
    revoking_->partitions = std::move(partitions);
    if (!auto_commits()) {
      revoking_->committed = true;
      return;
    }
    const absl::Status status =
        Commit(PositionsOf(revoking_->partitions), cluster_.After(config_.max_poll_interval_ms),
               [revoking = revoking_](const absl::Status&) { revoking->committed = true; });
    if (!status.ok()) revoking_->committed = true;
  }
  void FinishRevoking() {
    const std::shared_ptr<Revoking> revoking = std::exchange(revoking_, nullptr);
    if (listener_ != nullptr) listener_->OnRevoked(*this, revoking->partitions);
    fetcher_.Remove(revoking->partitions);
    member_->core().OnRevoked();
  }

  // Ends the membership in good order; the error is that of the last commit.
  absl::Status LeaveGroup(MonotonicNs deadline) {
    absl::Status status;
    GroupMemberCore& core = member_->core();
    const std::vector<TopicAndPartition> owned = fetcher_.partitions();
    fetcher_.Freeze(owned);
    const bool is_member = core.identity().has_value();
    if (is_member && auto_commits()) status = CommitBefore(deadline);
    while (!committer_.empty() && cluster_.Now() < deadline) Wait(deadline);
    if (listener_ != nullptr && !owned.empty()) {
      core.identity().has_value() ? listener_->OnRevoked(*this, owned)
                                  : listener_->OnLost(*this, owned);
    }
    revoking_.reset();
    fetcher_.Remove(owned);
    core.Leave("the consumer is closed");
    do {
      while (member_->Advance().has_value()) continue;
      if (!member_->is_leaving()) break;
      Wait(deadline);
    } while (cluster_.Now() < deadline);
    return status;
  }

  // --- Offsets ---------------------------------------------------------------------------------

  OffsetsToCommit PositionsOf(const std::vector<TopicAndPartition>& partitions) const {
    OffsetsToCommit all = fetcher_.Positions();
    OffsetsToCommit some;
    for (const TopicAndPartition& tp : partitions) {
      const auto it = all.find(tp);
      if (it != all.end()) some.insert(*it);
    }
    return some;
  }

  absl::Status Commit(OffsetsToCommit offsets, MonotonicNs deadline, CommitDone done) {
    if (!has_group()) return NoGroup();
    GroupIdentity identity;
    if (member_ != nullptr) {
      if (member_->core().fenced()) return member_->core().TakeFault();
      if (!member_->core().identity().has_value()) {
        return absl::AbortedError(
            "commit: the group rebalances, or is not joined yet; call Poll()");
      }
      identity = *member_->core().identity();
    }
    committer_.Commit(std::move(offsets), std::move(identity), deadline, std::move(done));
    return absl::OkStatus();
  }

  absl::Status CommitBefore(MonotonicNs deadline) {
    auto result = std::make_shared<std::optional<absl::Status>>();
    WEIR_RETURN_IF_ERROR(Commit(fetcher_.Positions(), deadline,
                                [result](absl::Status status) { *result = std::move(status); }));
    while (!result->has_value()) Wait(deadline);
    return **std::move(result);
  }

  void AutoCommit() {
    if (!auto_commits() || auto_committing_ || cluster_.Now() < next_auto_commit_) return;
    next_auto_commit_ = cluster_.After(config_.auto_commit_interval_ms);
    if (member_ != nullptr && !member_->core().identity().has_value()) return;
    auto_committing_ = true;
    const absl::Status status =
        Commit(fetcher_.Positions(), cluster_.After(config_.default_api_timeout_ms),
               [this](const absl::Status& done) {
                 auto_committing_ = false;
                 // A rebalance tells for itself; a coordinator that is away comes back.
                 if (!done.ok() && done.code() != absl::StatusCode::kAborted &&
                     done.code() != absl::StatusCode::kDeadlineExceeded) {
                   fault_ = done;
                 }
               });
    if (!status.ok()) auto_committing_ = false;
  }

  void AskCommitted(const std::vector<TopicAndPartition>& wanted) {
    if (wanted.empty()) return;
    committer_.Fetch(wanted, cluster_.After(config_.default_api_timeout_ms),
                     [this, wanted](const absl::StatusOr<CommittedOffsets>& offsets) {
                       if (!offsets.ok()) {
                         fetcher_.OnNotTold(wanted);
                         if (offsets.status().code() != absl::StatusCode::kDeadlineExceeded) {
                           fault_ = offsets.status();
                         }
                         return;
                       }
                       for (const auto& [tp, committed] : *offsets) {
                         fetcher_.OnCommitted(tp, committed);
                       }
                     });
  }

  Cluster& cluster_;
  const ConsumerConfig config_;
  CoordinatorFinder finder_;
  std::unique_ptr<GroupMembership> member_;  // while subscribed
  OffsetCommitter committer_;
  Fetcher fetcher_;
  RebalanceListener* listener_ = nullptr;
  std::shared_ptr<Revoking> revoking_;
  MonotonicNs next_auto_commit_;
  bool auto_committing_ = false;
  bool closed_ = false;
  absl::Status fault_;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_CONSUMER_H_

// -----------------------------------------------------------------------------
// File: coordination/raft/raft.h
// -----------------------------------------------------------------------------
// One replica of a replicated log by the Raft algorithm (Ongaro, Ousterhout: In Search of an
// Understandable Consensus Algorithm; Ongaro's thesis), with offsets and epochs as in Kafka's
// KRaft (KIP-595, KIP-853). A pure state machine: Step(now, event, &effects).
// Decision: docs/adr/0010-raft-core.md.
//
// Roles: follower (without a vote: observer), pre-candidate, candidate, leader.
// What it keeps to (tests/sim/raft_oracle.h watches):
//   votes       at most one for a term, durable before it is told; its own counts when durable too;
//               none asked for in a term that is not durable; none given to a replica that
//               mistakes this disk for the one that was here before
//   appends     acknowledged when durable; a leader counts itself only as far as it is durable; the
//               log is truncated only where an entry contradicts it, and never below what is known
//               to be committed
//   commits     by a quorum, up to an entry of the leader's own epoch (Raft 5.4.2)
//   reads       at the commit of when they came, once a quorum has answered a later heartbeat
//   voters      those of the last control entry, committed or not; changed one at a time, once the
//               entry before and one of the own epoch are committed (the bug of 2015 in raft-dev)
//   snapshots   the log follows an installed one only when that is durable
// Threading: one thread. Errors: of requests in their Done; of the storage, failed().
// Limits: RaftConfig, kVotersMax, kMessageEntriesMax.
#ifndef WEIR_COORDINATION_RAFT_RAFT_H_
#define WEIR_COORDINATION_RAFT_RAFT_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "coordination/raft/events.h"
#include "coordination/raft/internal/log_view.h"
#include "coordination/raft/internal/progress.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/storage.h"
#include "coordination/raft/types.h"

namespace weir::raft {

enum class Role : int8_t { kFollower, kPreCandidate, kCandidate, kLeader };

class Raft {
 public:
  // Reads what `storage` has. `storage` and `random` must outlive it. kDataLoss when what is there
  // cannot be: entries missing between snapshot and log.
  static absl::StatusOr<std::unique_ptr<Raft>> Open(RaftConfig config, Storage& storage,
                                                    Random& random, MonotonicNs now);

  // Takes all events of one tick, in order, and appends to *effects what is to be done. What they
  // bring to send goes out together, after the last. `now` that goes back counts as standing still.
  void Step(MonotonicNs now, absl::Span<Event> events, Effects* effects);
  void Step(MonotonicNs now, Event event, Effects* effects) {
    Step(now, absl::MakeSpan(&event, 1), effects);
  }
  // When a Tick is due at the latest.
  MonotonicNs NextDeadline() const;

  // Committed entries from `from` on, where one begins. kOutOfRange before log_start(): the
  // snapshot has them.
  absl::StatusOr<std::vector<Entry>> ReadCommitted(Offset from, size_t bytes_max) const {
    if (from < log_.start()) return absl::OutOfRangeError("raft: the log begins later");
    return log_.Read(from, commit_, bytes_max, kMessageEntriesMax);
  }
  // What a snapshot of the state at `end`, where a committed entry ends, is to be called. Nothing
  // where the log does not reach back to any more.
  std::optional<SnapshotMeta> MetaAt(Offset end) const;

  Role role() const { return role_; }
  LeaderEpoch term() const { return hard_.term; }
  const ReplicaKey& leader() const { return leader_; }
  const ReplicaKey& self() const { return config_.self; }
  Offset commit() const { return commit_; }
  Offset log_start() const { return log_.start(); }
  Offset log_end() const { return log_.end(); }
  Offset durable_end() const { return log_.durable_end(); }
  LeaderEpoch last_epoch() const { return log_.last_epoch(); }
  const SnapshotMeta& snapshot() const { return log_.snapshot(); }
  const VoterSet& voters() const { return log_.voters(); }
  bool IsVoter() const { return voters().Contains(config_.self); }
  // OK, or why this replica takes part no more.
  const absl::Status& failed() const { return failed_; }
  const DropCounts& dropped() const { return dropped_; }

  // Of a leader: each replica it sends to, how far that is (durably), and when it was heard last
  // and had all that was committed last.
  struct Follower {
    ReplicaKey key;
    Offset match;
    MonotonicNs heard;
    MonotonicNs caught_up;  // zero: not known of any time
  };
  std::vector<Follower> Followers() const;

 private:
  using Progress = raft_internal::Progress;
  using ProgressState = raft_internal::ProgressState;

  struct HeldMessage {
    uint64_t token;  // sent when this write is durable
    Message message;
  };
  struct PendingProposal {
    uint64_t token;
    Offset base;
    Offset end;
    size_t bytes;
  };
  struct PendingRead {
    uint64_t token;
    Offset offset;  // kNoOffset until an entry of the own epoch is committed
    uint64_t round;
  };
  struct PendingChange {
    uint64_t token;
    Offset base;
    Offset end;
  };
  struct Transfer {
    uint64_t token;
    ReplicaKey target;
    MonotonicNs deadline;
  };
  struct IncomingSnapshot {
    ReplicaKey from;
    SnapshotMeta meta;
    int64_t size_bytes = 0;
    int64_t have = 0;
    uint64_t finish_token = 0;  // of the write that made it whole
  };

  Raft(RaftConfig config, Storage& storage, Random& random, MonotonicNs now)
      : config_(std::move(config)),
        storage_(storage),
        random_(random),
        log_(storage, config_.cache_bytes_max),
        now_(now) {}

  // internal/core.h
  void Handle(Tick&);
  void Handle(Receive& event);
  void Handle(Persisted& event);
  void Handle(LeaderGone& event);
  void Handle(StorageFailed& event) { Fail(event.status); }
  void OnMessage(const Message& message);
  void OnBody(const Message& message);
  bool IsAddressedHere(const Message& message) const;
  static bool IsPreVote(const Message& message);
  void Fail(const absl::Status& status);
  void Emit(Effect effect) { effects_->push_back(std::move(effect)); }
  uint64_t Write(StorageWrite write);
  void FlushAppends();
  void AppendToLog(Entry entry);
  void SendTo(const ReplicaKey& to, MessageBody body);
  void SendWhenDurable(const ReplicaKey& to, MessageBody body);
  void AdvanceCommit(Offset commit);
  int64_t NsOf(int64_t ms) const { return ms * kNsPerMs; }
  bool IsTracked(const ReplicaKey& key) const { return progress_.count(key) != 0; }

  // internal/election.h
  void BecomeFollower(LeaderEpoch term, const ReplicaKey& leader);
  void HeardFromLeader(const ReplicaKey& leader);
  void ResetElectionTimer();
  void OnElectionTimeout();
  void AskAround();
  void AskAll();
  void StartPreVote();
  void StartCampaign(bool by_transfer);
  void CountVotes();
  void BecomeLeader();
  void StopLeading();
  bool LeaderIsWell() const;
  bool MayCampaign() const;
  void RequestVotes();
  void On(const Message& message, const VoteRequest& request);
  void On(const Message& message, const VoteResponse& response);
  void On(const Message& message, const TransferNow&);
  void On(const Message& message, const FollowRequest&);
  void On(const Message& message, const FollowResponse& response);

  // internal/leader.h
  void Replicate();
  void ReplicateTo(Progress& progress);
  bool SendAppend(Progress& progress);
  void SendChunk(Progress& progress);
  void SendHeartbeats();
  void SendHeartbeat(Progress& progress);
  void CheckQuorum();
  void MaybeCommit();
  void FinishReads();
  void FinishChanges();
  void Observe(const ReplicaKey& key);
  void On(const Message& message, const AppendResponse& response);
  void On(const Message& message, const HeartbeatResponse& response);
  void On(const Message& message, const SnapshotResponse& response);

  // internal/follower.h
  void On(const Message& message, const AppendRequest& request);
  void On(const Message& message, const Heartbeat& heartbeat);
  void On(const Message& message, const SnapshotChunk& chunk);
  bool TakeEntries(const AppendRequest& request);
  void FinishInstall();

  // internal/requests.h
  void Handle(Propose& event);
  void Handle(Read& event);
  void Handle(AddVoter& event);
  void Handle(RemoveVoter& event);
  void Handle(TransferLeadership& event);
  void Handle(SnapshotTaken& event);
  absl::Status MayChangeVoters() const;
  void ChangeVoters(uint64_t token, VoterSet voters);
  absl::Status NotLeading() const;
  void ContinueTransfer();
  void Refuse(uint64_t token, absl::Status status) { Emit(Done{token, std::move(status)}); }

  const RaftConfig config_;
  Storage& storage_;
  Random& random_;
  raft_internal::LogView log_;
  HardState hard_;
  Role role_ = Role::kFollower;
  ReplicaKey leader_;
  Offset commit_;
  absl::Status failed_;
  DropCounts dropped_;

  MonotonicNs now_;
  MonotonicNs election_deadline_;
  MonotonicNs leader_heard_;     // as a follower with a leader
  bool leader_gone_ = false;     // since then
  bool started_ = false;         // the first Step has begun
  bool reset_at_start_ = false;  // the log did not go with the snapshot
  bool may_ask_hint_ = false;    // one hint at the leader is followed for each time-out
  bool is_looked_to_ = false;  // for a vote, which it refuses to a log that is shorter than its own

  uint64_t last_token_ = 0;  // of writes
  uint64_t durable_token_ = 0;
  std::vector<Entry> unwritten_;  // appended in this step, for one AppendEntries
  std::deque<HeldMessage> held_;

  // Of a candidate.
  std::map<ReplicaKey, bool> votes_;
  uint64_t own_vote_token_ = 0;
  MonotonicNs votes_due_;  // when they are asked for again
  bool by_transfer_ = false;
  // Of a leader.
  std::map<ReplicaKey, Progress> progress_;
  Offset epoch_begin_ = kNoOffset;  // behind the first entry of its epoch
  bool gained_ = false;             // that entry is committed
  uint64_t round_ = 0;
  bool round_wanted_ = false;
  MonotonicNs heartbeat_due_;
  std::deque<PendingProposal> proposals_;
  size_t uncommitted_bytes_ = 0;
  std::deque<PendingRead> reads_;
  std::optional<PendingChange> change_;
  std::optional<Transfer> transfer_;
  // Of a follower.
  std::optional<IncomingSnapshot> incoming_;
  Offset matched_;  // up to here the log is as that of the term's leader

  Effects* effects_ = nullptr;
};

}  // namespace weir::raft

#include "coordination/raft/internal/core.h"      // IWYU pragma: export
#include "coordination/raft/internal/election.h"  // IWYU pragma: export
#include "coordination/raft/internal/follower.h"  // IWYU pragma: export
#include "coordination/raft/internal/leader.h"    // IWYU pragma: export
#include "coordination/raft/internal/requests.h"  // IWYU pragma: export

#endif  // WEIR_COORDINATION_RAFT_RAFT_H_

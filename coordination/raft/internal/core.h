// -----------------------------------------------------------------------------
// File: coordination/raft/internal/core.h
// -----------------------------------------------------------------------------
// What every role of coordination/raft/raft.h does: start, dispatch, writes and what waits for
// them.
#ifndef WEIR_COORDINATION_RAFT_INTERNAL_CORE_H_
#define WEIR_COORDINATION_RAFT_INTERNAL_CORE_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
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
#include "coordination/raft/events.h"
#include "coordination/raft/raft.h"

namespace weir::raft {

inline absl::StatusOr<std::unique_ptr<Raft>> Raft::Open(RaftConfig config, Storage& storage,
                                                        weir::Random& random, MonotonicNs now) {
  WEIR_CHECK(!config.self.is_none());
  WEIR_CHECK(0 < config.heartbeat_interval_ms &&
             config.heartbeat_interval_ms < config.election_timeout_ms);
  WEIR_CHECK(config.append_entries_max >= 1 && config.append_entries_max <= kMessageEntriesMax);
  WEIR_CHECK(config.append_bytes_max >= 1 && config.snapshot_chunk_bytes >= 1);
  WEIR_CHECK(config.in_flight_messages_max >= 1 && config.in_flight_bytes_max >= 1);
  WEIR_CHECK(config.entry_bytes_max <= config.uncommitted_bytes_max);
  WEIR_ASSIGN_OR_RETURN(Recovered found, storage.Load());
  if (found.log_start > found.snapshot.id.end_offset || found.log_end < found.log_start) {
    return absl::DataLossError(
        absl::StrCat("raft: expected a log that goes on where the snapshot ends, at ",
                     found.snapshot.id.end_offset.value(), ", came one from ",
                     found.log_start.value(), " to ", found.log_end.value()));
  }
  std::unique_ptr<Raft> raft(new Raft(std::move(config), storage, random, now));
  raft->hard_ = found.hard_state;
  raft->commit_ = found.snapshot.id.end_offset;
  raft->reset_at_start_ = !raft->log_.Load(std::move(found));
  // The vote is a write of its own, and may be older than the log. A vote of the log's last term
  // that was lost was never told.
  if (raft->hard_.term < raft->log_.last_epoch()) {
    raft->hard_ = {raft->log_.last_epoch(), ReplicaKey()};
  }
  raft->ResetElectionTimer();
  return raft;
}

inline void Raft::Step(MonotonicNs now, absl::Span<Event> events, Effects* effects) {
  effects_ = effects;
  now_ = std::max(now_, now);
  if (!started_) {
    started_ = true;
    if (reset_at_start_) Write(ResetLog{log_.snapshot().id});
    if (IsVoter() && voters().size() == 1) StartCampaign(/*by_transfer=*/false);
  }
  for (Event& event : events) {
    std::visit([this](auto& e) { Handle(e); }, event);
  }
  if (role_ == Role::kLeader) Replicate();
  FlushAppends();
  effects_ = nullptr;
}

inline MonotonicNs Raft::NextDeadline() const {
  constexpr MonotonicNs kNever(std::numeric_limits<int64_t>::max());
  if (!failed_.ok()) return kNever;
  if (role_ == Role::kFollower) return election_deadline_;
  if (role_ != Role::kLeader) return std::min(election_deadline_, votes_due_);
  if (progress_.empty() && !transfer_.has_value()) return kNever;  // nobody to send to
  return transfer_.has_value() ? std::min(heartbeat_due_, transfer_->deadline) : heartbeat_due_;
}

inline std::optional<SnapshotMeta> Raft::MetaAt(Offset end) const {
  if (end < snapshot().id.end_offset || end > commit_) return std::nullopt;
  if (end == snapshot().id.end_offset) return snapshot();
  const std::optional<LeaderEpoch> epoch = log_.EpochAt(end);
  if (!epoch.has_value()) return std::nullopt;
  return SnapshotMeta{{end, *epoch}, log_.VotersBefore(end)};
}

inline std::vector<Raft::Follower> Raft::Followers() const {
  std::vector<Follower> followers;
  for (const auto& [key, progress] : progress_) {
    followers.push_back({key, progress.match, progress.heard, progress.caught_up});
  }
  return followers;
}

inline void Raft::Handle(Tick&) {
  if (!failed_.ok()) return;
  if (role_ != Role::kLeader) {
    if (now_ >= election_deadline_) return OnElectionTimeout();
    if (role_ != Role::kFollower && now_ >= votes_due_) RequestVotes();
    return;
  }
  CheckQuorum();
  if (role_ != Role::kLeader) return;
  if (transfer_.has_value() && now_ >= transfer_->deadline) {
    Refuse(transfer_->token, absl::DeadlineExceededError("raft: the target did not take over"));
    transfer_.reset();
  }
  // Those that reads ask for do not put this one off, or CheckQuorum would never come to its turn.
  if (now_ >= heartbeat_due_) {
    heartbeat_due_ = now_ + NsOf(config_.heartbeat_interval_ms);
    SendHeartbeats();
  }
}

inline void Raft::Handle(Receive& event) {
  if (failed_.ok()) OnMessage(event.message);
}

inline void Raft::Handle(Persisted& event) {
  if (!failed_.ok()) return;
  WEIR_CHECK(event.token <= last_token_);
  durable_token_ = std::max(durable_token_, event.token);
  log_.OnDurable(durable_token_);
  while (!held_.empty() && held_.front().token <= durable_token_) {
    HeldMessage held = std::move(held_.front());
    held_.pop_front();
    // What was promised in an earlier term concerns nobody any more, nor does a campaign given up.
    const bool campaigns = std::holds_alternative<VoteRequest>(held.message.body);
    if (held.message.term != hard_.term || (campaigns && role_ != Role::kCandidate)) continue;
    Emit(Send{std::move(held.message)});
  }
  if (incoming_.has_value() && incoming_->finish_token != 0 &&
      incoming_->finish_token <= durable_token_) {
    FinishInstall();
  }
  if (role_ == Role::kCandidate) CountVotes();
  if (role_ == Role::kLeader) MaybeCommit();
}

inline bool Raft::IsAddressedHere(const Message& message) const {
  if (message.from.id == config_.self.id) return false;  // this node's disk of before
  if (message.to == config_.self) return true;
  return std::holds_alternative<FollowRequest>(message.body) && message.to.is_none();
}

// Whether somebody would vote in a term to come does not depend on the term it is in.
inline bool Raft::IsPreVote(const Message& message) {
  const auto* response = std::get_if<VoteResponse>(&message.body);
  return response != nullptr && response->pre_vote;
}

inline void Raft::OnMessage(const Message& message) {
  if (message.cluster_id != config_.cluster_id) return void(++dropped_.wrong_cluster);
  if (!IsAddressedHere(message)) return void(++dropped_.misaddressed);
  if (!IsWellFormed(message)) return void(++dropped_.malformed);
  const bool is_request = std::holds_alternative<VoteRequest>(message.body) ||
                          std::holds_alternative<FollowRequest>(message.body) ||
                          std::holds_alternative<FollowResponse>(message.body);
  if (is_request) return OnBody(message);  // these judge the term themselves
  if (message.term > hard_.term) {
    if (IsFromLeader(message.body)) {
      BecomeFollower(message.term, message.from);
    } else if (voters().Contains(message.from) || IsTracked(message.from)) {
      BecomeFollower(message.term, ReplicaKey());
    } else {
      return void(++dropped_.stranger);
    }
  } else if (message.term < hard_.term && !IsPreVote(message)) {
    ++dropped_.stale_term;
    // Its sender is to learn that it leads no more.
    if (IsFromLeader(message.body)) SendTo(message.from, HeartbeatResponse{});
    return;
  }
  OnBody(message);
}

inline void Raft::OnBody(const Message& message) {
  std::visit([&](const auto& body) { On(message, body); }, message.body);
}

inline void Raft::Fail(const absl::Status& status) {
  if (!failed_.ok()) return;
  if (role_ == Role::kLeader) {
    const Progress* best = nullptr;
    for (const auto& [key, progress] : progress_) {
      if (voters().Contains(key) && (best == nullptr || progress.match > best->match)) {
        best = &progress;
      }
    }
    if (best != nullptr) SendTo(best->key, TransferNow{});
    StopLeading();
  }
  failed_ = status;
  role_ = Role::kFollower;
  leader_ = ReplicaKey();
  held_.clear();
  unwritten_.clear();
}

inline uint64_t Raft::Write(StorageWrite write) {
  FlushAppends();
  Emit(Persist{++last_token_, std::move(write)});
  return last_token_;
}

inline void Raft::FlushAppends() {
  if (unwritten_.empty()) return;
  Emit(Persist{last_token_, AppendEntries{std::move(unwritten_)}});
  unwritten_.clear();
}

inline void Raft::AppendToLog(Entry entry) {
  if (unwritten_.empty()) ++last_token_;
  log_.Append(entry, last_token_);
  unwritten_.push_back(std::move(entry));
}

inline void Raft::SendTo(const ReplicaKey& to, MessageBody body) {
  Emit(Send{Message{config_.cluster_id, config_.self, to, hard_.term, std::move(body)}});
}

inline void Raft::SendWhenDurable(const ReplicaKey& to, MessageBody body) {
  if (durable_token_ == last_token_) return SendTo(to, std::move(body));
  Message message{config_.cluster_id, config_.self, to, hard_.term, std::move(body)};
  held_.push_back({last_token_, std::move(message)});
}

inline void Raft::AdvanceCommit(Offset commit) {
  if (commit <= commit_) return;
  commit_ = commit;
  Emit(Committed{commit_});
  if (role_ != Role::kLeader) return;
  while (!proposals_.empty() && proposals_.front().end <= commit_) {
    uncommitted_bytes_ -= proposals_.front().bytes;
    Emit(Done{proposals_.front().token, absl::OkStatus(), proposals_.front().base});
    proposals_.pop_front();
  }
  if (!gained_ && commit_ >= epoch_begin_) {
    gained_ = true;
    Emit(LeadershipGained{hard_.term, log_.end()});
    for (PendingRead& read : reads_) {
      read.offset = commit_;
      read.round = round_ + 1;
      round_wanted_ = true;
    }
  }
  FinishChanges();
}

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_RAFT_INTERNAL_CORE_H_

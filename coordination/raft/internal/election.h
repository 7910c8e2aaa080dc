// -----------------------------------------------------------------------------
// File: coordination/raft/internal/election.h
// -----------------------------------------------------------------------------
// How a replica of coordination/raft/raft.h comes to lead, votes, and finds who leads.
#ifndef WEIR_COORDINATION_RAFT_INTERNAL_ELECTION_H_
#define WEIR_COORDINATION_RAFT_INTERNAL_ELECTION_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/ids.h"
#include "coordination/raft/events.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/raft.h"
#include "coordination/raft/types.h"

namespace weir::raft {

inline void Raft::ResetElectionTimer() {
  const int64_t timeout_ns = NsOf(config_.election_timeout_ms);
  election_deadline_ =
      now_ + timeout_ns + static_cast<int64_t>(random_.Below(static_cast<uint64_t>(timeout_ns)));
}

// Follows `leader`, or nobody yet, in `term`, which is not before the present one.
inline void Raft::BecomeFollower(LeaderEpoch term, const ReplicaKey& leader) {
  const bool new_term = term > hard_.term;
  const bool was_active = role_ != Role::kFollower;
  if (role_ == Role::kLeader) StopLeading();
  role_ = Role::kFollower;
  votes_.clear();
  if (new_term) {
    hard_ = {term, ReplicaKey()};
    Write(SaveHardState{hard_});
  }
  if (new_term || leader != leader_) {
    leader_ = leader;
    matched_ = Offset(0);
    Emit(LeaderKnown{term, leader});
  }
  if (!leader.is_none()) {
    leader_heard_ = now_;
    leader_gone_ = false;
    is_looked_to_ = false;
  }
  if (!leader.is_none() || was_active) ResetElectionTimer();
}

// A message of this term that only its leader sends.
inline void Raft::HeardFromLeader(const ReplicaKey& leader) {
  if (role_ != Role::kFollower || leader_.is_none()) return BecomeFollower(hard_.term, leader);
  leader_heard_ = now_;
  leader_gone_ = false;
  ResetElectionTimer();
}

// As if it had been silent for long enough, but soon: the others are told at about the same time,
// and one of them is to be the first.
inline void Raft::Handle(LeaderGone& event) {
  if (!failed_.ok() || role_ != Role::kFollower || hard_.term != event.term || leader_.is_none() ||
      leader_.id != event.leader) {
    return;
  }
  leader_gone_ = true;
  const int64_t timeout_ns = NsOf(config_.election_timeout_ms);
  const int64_t wait_ns =
      timeout_ns / 20 + static_cast<int64_t>(random_.Below(static_cast<uint64_t>(timeout_ns / 4)));
  election_deadline_ = std::min(election_deadline_, now_ + wait_ns);
}

inline bool Raft::LeaderIsWell() const {
  if (role_ == Role::kLeader) return true;  // CheckQuorum sees to it
  return role_ == Role::kFollower && !leader_.is_none() && !leader_gone_ &&
         now_ - leader_heard_ < NsOf(config_.election_timeout_ms);
}

// A replica whose removal is in its log, but perhaps nowhere else, may be the only one that all
// others would elect: it campaigns for the rest (Raft thesis 4.2.2). So may one that is asked for
// its vote, though no log of its own says that it has one, by those whom it has to refuse.
inline bool Raft::MayCampaign() const {
  return log_.VotesFrom(commit_, config_.self) || is_looked_to_;
}

inline void Raft::OnElectionTimeout() {
  const bool again = role_ != Role::kFollower;
  ResetElectionTimer();
  may_ask_hint_ = true;
  if (!leader_.is_none()) {
    leader_ = ReplicaKey();
    Emit(LeaderKnown{hard_.term, leader_});
  }
  if (!MayCampaign()) {
    role_ = Role::kFollower;
    return AskAll();
  }
  if (again) AskAround();  // the voters may have changed without this replica
  is_looked_to_ = false;   // until it is asked again
  StartPreVote();          // not at once
}

inline void Raft::AskAround() {
  const size_t pick = random_.Below(voters().size() + 1);
  const ReplicaKey whom = pick < voters().size() ? voters().begin()[pick] : ReplicaKey();
  if (whom != config_.self) SendTo(whom, FollowRequest{});
}

// No leader looks for a replica without a vote: until it finds one, it asks all that may know, more
// often than elections are tried.
inline void Raft::AskAll() {
  const int64_t pause_ns = NsOf(config_.election_timeout_ms) / 4;
  election_deadline_ =
      now_ + pause_ns + static_cast<int64_t>(random_.Below(static_cast<uint64_t>(pause_ns)));
  for (const ReplicaKey& voter : voters()) {
    if (voter != config_.self) SendTo(voter, FollowRequest{});
  }
  SendTo(ReplicaKey(), FollowRequest{});
}

inline void Raft::StartPreVote() {
  role_ = Role::kPreCandidate;
  votes_.clear();
  votes_[config_.self] = true;
  by_transfer_ = false;
  RequestVotes();
  CountVotes();
}

inline void Raft::StartCampaign(bool by_transfer) {
  if (hard_.term >= kTermMax) return;
  role_ = Role::kCandidate;
  hard_ = {LeaderEpoch(hard_.term.value() + 1), config_.self};
  leader_ = ReplicaKey();
  matched_ = Offset(0);
  votes_.clear();
  Emit(LeaderKnown{hard_.term, leader_});
  own_vote_token_ = Write(SaveHardState{hard_});
  ResetElectionTimer();
  by_transfer_ = by_transfer;
  RequestVotes();
}

// Of all that have not answered yet; again after a while, since requests and answers get lost.
inline void Raft::RequestVotes() {
  votes_due_ = now_ + NsOf(config_.election_timeout_ms) / 4;
  const bool pre_vote = role_ == Role::kPreCandidate;
  for (const ReplicaKey& voter : voters()) {
    if (voter == config_.self || votes_.count(voter) != 0) continue;
    const VoteRequest request{pre_vote, by_transfer_, log_.last_epoch(), log_.end()};
    // A vote is for a candidate with this term and this log: it must have both after a crash too,
    // or the answer could make a leader of a replica with a shorter log.
    if (pre_vote) {
      SendTo(voter, request);
    } else {
      SendWhenDurable(voter, request);
    }
  }
}

inline void Raft::CountVotes() {
  if (role_ == Role::kCandidate && durable_token_ >= own_vote_token_) votes_[config_.self] = true;
  size_t granted = 0;
  for (const ReplicaKey& voter : voters()) {
    const auto vote = votes_.find(voter);
    granted += vote != votes_.end() && vote->second ? 1 : 0;
  }
  if (voters().empty() || granted < voters().quorum()) return;
  if (role_ == Role::kPreCandidate) {
    StartCampaign(/*by_transfer=*/false);
  } else {
    BecomeLeader();
  }
}

inline void Raft::BecomeLeader() {
  role_ = Role::kLeader;
  leader_ = config_.self;
  votes_.clear();
  Emit(LeaderKnown{hard_.term, leader_});
  progress_.clear();
  for (const ReplicaKey& voter : voters()) {
    if (voter != config_.self) Observe(voter);
  }
  heartbeat_due_ = now_ + NsOf(config_.heartbeat_interval_ms);
  gained_ = false;
  Entry entry{log_.end(), 1, hard_.term, EntryKind::kLeaderChange, nullptr, nullptr};
  entry.control = std::make_shared<const Control>(Control{config_.self, voters()});
  epoch_begin_ = entry.next_offset();
  AppendToLog(std::move(entry));
}

inline void Raft::StopLeading() {
  const absl::Status lost = absl::AbortedError("raft: the leadership was lost");
  for (const PendingProposal& proposal : proposals_) Emit(Done{proposal.token, lost});
  for (const PendingRead& read : reads_) Emit(Done{read.token, lost});
  if (change_.has_value() && change_->token != 0) Emit(Done{change_->token, lost});
  if (transfer_.has_value()) Emit(Done{transfer_->token, absl::OkStatus()});
  proposals_.clear();
  uncommitted_bytes_ = 0;
  reads_.clear();
  round_wanted_ = false;
  change_.reset();
  transfer_.reset();
  progress_.clear();
  role_ = Role::kFollower;
  Emit(LeadershipLost{hard_.term});
}

inline void Raft::On(const Message& message, const VoteRequest& request) {
  const bool has_all = std::tie(request.last_epoch, request.end_offset) >=
                       std::make_tuple(log_.last_epoch(), log_.end());
  VoteResponse response{request.pre_vote, false, message.term, leader_};
  if (request.pre_vote) {
    response.asked_term = LeaderEpoch(message.term.value() + 1);
    response.granted = message.term >= hard_.term && has_all && !LeaderIsWell();
    is_looked_to_ |= !has_all && !LeaderIsWell();
    // Whoever does not know that it has no vote any more is told so by the log.
    if (role_ == Role::kLeader) Observe(message.from);
    return SendTo(message.from, response);
  }
  if (message.term < hard_.term) return SendTo(message.from, response);
  if (message.term > hard_.term) {
    if (LeaderIsWell() && !request.by_transfer) return void(++dropped_.disturbing);
    BecomeFollower(message.term, ReplicaKey());
  }
  const bool free = hard_.vote.is_none() ? leader_.is_none() : hard_.vote == message.from;
  response.granted = free && has_all && role_ != Role::kLeader;
  response.leader = leader_;
  if (response.granted) {
    if (hard_.vote != message.from) {
      hard_.vote = message.from;
      Write(SaveHardState{hard_});
    }
    role_ = Role::kFollower;  // a pre-candidate waits for the one it voted for
    ResetElectionTimer();
  }
  SendWhenDurable(message.from, response);
}

inline void Raft::On(const Message& message, const VoteResponse& response) {
  const bool expected = response.pre_vote
                            ? role_ == Role::kPreCandidate &&
                                  response.asked_term == LeaderEpoch(hard_.term.value() + 1)
                            : role_ == Role::kCandidate && response.asked_term == hard_.term;
  if (!expected || !voters().Contains(message.from)) return;
  votes_[message.from] = response.granted;
  if (!response.granted && !response.leader.is_none() && response.leader != config_.self &&
      may_ask_hint_) {
    may_ask_hint_ = false;
    SendTo(response.leader, FollowRequest{});
  }
  CountVotes();
}

inline void Raft::On(const Message& message, const TransferNow&) {
  if (role_ == Role::kLeader) return;
  HeardFromLeader(message.from);
  if (MayCampaign()) StartCampaign(/*by_transfer=*/true);
}

inline void Raft::On(const Message& message, const FollowRequest&) {
  if (role_ == Role::kLeader) {
    Observe(message.from);
  } else if (!leader_.is_none() && leader_ != message.from) {
    SendTo(message.from, FollowResponse{leader_});
  }
}

inline void Raft::On(const Message&, const FollowResponse& response) {
  if (role_ == Role::kLeader || !leader_.is_none() || !may_ask_hint_) return;
  if (response.leader.is_none() || response.leader == config_.self) return;
  may_ask_hint_ = false;
  SendTo(response.leader, FollowRequest{});
}

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_RAFT_INTERNAL_ELECTION_H_

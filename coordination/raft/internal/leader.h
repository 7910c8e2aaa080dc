// -----------------------------------------------------------------------------
// File: coordination/raft/internal/leader.h
// -----------------------------------------------------------------------------
// What a leader of coordination/raft/raft.h does for those that follow it.
#ifndef WEIR_COORDINATION_RAFT_INTERNAL_LEADER_H_
#define WEIR_COORDINATION_RAFT_INTERNAL_LEADER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "coordination/raft/events.h"
#include "coordination/raft/internal/progress.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/raft.h"
#include "coordination/raft/types.h"

namespace weir::raft {

// From here on the replica is sent what is appended, whether it votes or not.
inline void Raft::Observe(const ReplicaKey& key) {
  if (IsTracked(key) || key == config_.self) return;
  if (progress_.size() >= config_.observers_max && !voters().Contains(key)) return;
  // A node that came back with another disk does not come back with the one of before.
  std::erase_if(progress_, [&](const auto& item) {
    return item.first.id == key.id && !voters().Contains(item.first);
  });
  Progress progress;
  progress.key = key;
  progress.next = log_.end();
  progress.heard = now_;
  progress_.emplace(key, std::move(progress));
}

// The end of a step: everything that has become possible to send.
inline void Raft::Replicate() {
  if (round_wanted_) SendHeartbeats();
  for (auto& [key, progress] : progress_) {
    ReplicateTo(progress);
    if (role_ != Role::kLeader) return;  // the log could not be read
  }
  ContinueTransfer();
  FinishReads();
}

inline void Raft::ReplicateTo(Progress& progress) {
  if (progress.state == ProgressState::kSnapshot) return SendChunk(progress);
  if (progress.state == ProgressState::kProbe) {
    if (!progress.waiting) SendAppend(progress);
    return;
  }
  bool sent = false;
  while (progress.state == ProgressState::kReplicate && progress.next < log_.end() &&
         progress.in_flight.size() < config_.in_flight_messages_max &&
         progress.in_flight_bytes < config_.in_flight_bytes_max) {
    if (!SendAppend(progress)) return;
    sent = true;
  }
  if (!sent && progress.in_flight.empty() &&
      std::min(commit_, progress.match) > progress.told_commit) {
    SendHeartbeat(progress);
  }
}

// False when that was not possible, and something else was begun instead.
inline bool Raft::SendAppend(Progress& progress) {
  const std::optional<LeaderEpoch> prev_epoch = log_.EpochAt(progress.next);
  if (!prev_epoch.has_value()) {
    progress.ToSnapshot(snapshot());
    SendChunk(progress);
    return false;
  }
  absl::StatusOr<std::vector<Entry>> entries =
      log_.Read(progress.next, log_.end(), config_.append_bytes_max, config_.append_entries_max);
  const bool is_boundary = entries.ok()
                               ? entries->empty() || entries->front().base_offset == progress.next
                               : !absl::IsNotFound(entries.status());
  if (!is_boundary) {  // the follower said where its log parts, and that cannot be
    ++dropped_.contradicting;
    progress.ToProbe(progress.match);
    progress.waiting = true;
    progress.waits_since = now_;
    return false;
  }
  if (!entries.ok()) {
    Fail(entries.status());
    return false;
  }
  size_t bytes = 0;
  for (const Entry& entry : *entries) bytes += entry.size_bytes();
  const Offset prev = progress.next;
  const Offset end = entries->empty() ? prev : entries->back().next_offset();
  if (progress.state == ProgressState::kProbe) {
    progress.waiting = true;
    progress.waits_since = now_;
  } else {
    progress.Sent(end, bytes, round_);
  }
  progress.told_commit = std::max(progress.told_commit, std::min(commit_, end));
  SendTo(progress.key, AppendRequest{prev, *prev_epoch, commit_, *std::move(entries)});
  return true;
}

inline void Raft::SendChunk(Progress& progress) {
  if (progress.waiting && now_ - progress.waits_since < NsOf(config_.election_timeout_ms)) return;
  absl::StatusOr<int64_t> size = storage_.SnapshotSize(progress.snapshot.id);
  if (absl::IsNotFound(size.status()) && progress.snapshot != snapshot()) {
    progress.ToSnapshot(snapshot());
    size = storage_.SnapshotSize(progress.snapshot.id);
  }
  if (!size.ok()) return Fail(size.status());
  absl::StatusOr<std::string> data =
      storage_.ReadSnapshot(progress.snapshot.id, std::min(progress.snapshot_position, *size),
                            config_.snapshot_chunk_bytes);
  if (!data.ok()) return Fail(data.status());
  progress.waiting = true;
  progress.waits_since = now_;
  SendTo(progress.key,
         SnapshotChunk{progress.snapshot, *size, progress.snapshot_position, *std::move(data)});
}

inline void Raft::SendHeartbeats() {
  ++round_;
  round_wanted_ = false;
  for (auto& [key, progress] : progress_) {
    SendHeartbeat(progress);
    progress.transfer_sent = false;
  }
}

inline void Raft::SendHeartbeat(Progress& progress) {
  const Offset commit = std::min(commit_, progress.match);
  progress.told_commit = std::max(progress.told_commit, commit);
  SendTo(progress.key, Heartbeat{round_, commit});
}

// A leader that does not hear from a quorum cannot commit: it stands aside for one that can.
inline void Raft::CheckQuorum() {
  const int64_t timeout_ns = NsOf(config_.election_timeout_ms);
  std::erase_if(progress_, [&](const auto& item) {
    return !voters().Contains(item.first) && now_ - item.second.heard > 5 * timeout_ns;
  });
  size_t heard = 0;
  for (const ReplicaKey& voter : voters()) {
    const auto it = progress_.find(voter);
    const bool well =
        voter == config_.self || (it != progress_.end() && now_ - it->second.heard < timeout_ns);
    heard += well ? 1 : 0;
  }
  if (heard < voters().quorum()) BecomeFollower(hard_.term, ReplicaKey());
}

inline void Raft::MaybeCommit() {
  const Offset reached =
      raft_internal::ReachedByQuorum<Offset>(voters(), [this](const ReplicaKey& voter) {
        if (voter == config_.self) return log_.durable_end();
        const auto it = progress_.find(voter);
        return it == progress_.end() ? Offset(0) : it->second.match;
      });
  // An entry of an earlier epoch on a quorum may still be replaced (Raft, figure 8).
  if (reached > commit_ && log_.EpochAt(reached) == hard_.term) AdvanceCommit(reached);
}

inline void Raft::FinishReads() {
  if (reads_.empty()) return;
  const uint64_t answered =
      raft_internal::ReachedByQuorum<uint64_t>(voters(), [this](const ReplicaKey& voter) {
        if (voter == config_.self) return round_;
        const auto it = progress_.find(voter);
        return it == progress_.end() ? uint64_t{0} : it->second.round;
      });
  while (!reads_.empty() && reads_.front().offset != kNoOffset &&
         reads_.front().round <= answered) {
    Emit(Done{reads_.front().token, absl::OkStatus(), reads_.front().offset});
    reads_.pop_front();
  }
}

inline void Raft::FinishChanges() {
  if (change_.has_value() && commit_ >= change_->end) {
    Emit(Done{change_->token, absl::OkStatus(), change_->base});
    change_.reset();
  }
  if (IsVoter() || commit_ <= log_.last_control()) return;
  // This leader has seen its own removal through.
  const Progress* best = nullptr;
  for (const auto& [key, progress] : progress_) {
    if (voters().Contains(key) && (best == nullptr || progress.match > best->match)) {
      best = &progress;
    }
  }
  if (best != nullptr) SendTo(best->key, TransferNow{});
  BecomeFollower(hard_.term, ReplicaKey());
}

inline void Raft::On(const Message& message, const AppendResponse& response) {
  const auto it = progress_.find(message.from);
  if (role_ != Role::kLeader || it == progress_.end()) return void(++dropped_.stranger);
  Progress& progress = it->second;
  const bool contradicts = response.accepted && response.end_offset > log_.end();
  if (response.accepted && !contradicts) progress.Acknowledged(response.end_offset);
  progress.Heard(now_, commit_);
  if (contradicts) return void(++dropped_.contradicting);
  if (response.accepted) {
    const bool in_snapshot = progress.state == ProgressState::kSnapshot &&
                             progress.match < progress.snapshot.id.end_offset;
    if (progress.state != ProgressState::kReplicate && !in_snapshot) progress.ToReplicate();
    return MaybeCommit();
  }
  const bool stale = progress.state == ProgressState::kSnapshot ||
                     response.prev_offset <= progress.match ||
                     (progress.state == ProgressState::kProbe &&
                      (!progress.waiting || response.prev_offset != progress.next));
  if (stale) return;
  // What both have of an epoch, its leader wrote; else the follower's end is no entry's end here.
  const SnapshotId own = log_.EndOf(response.epoch);
  const Offset common =
      own.epoch == response.epoch ? std::min(own.end_offset, response.end_offset) : own.end_offset;
  progress.ToProbe(std::max(progress.match, common));
}

inline void Raft::On(const Message& message, const HeartbeatResponse& response) {
  const auto it = progress_.find(message.from);
  if (role_ != Role::kLeader || it == progress_.end()) return void(++dropped_.stranger);
  Progress& progress = it->second;
  progress.Heard(now_, commit_);
  progress.round = std::max(progress.round, std::min(response.round, round_));
  if (progress.state == ProgressState::kProbe && progress.waiting &&
      now_ - progress.waits_since >= NsOf(config_.heartbeat_interval_ms)) {
    progress.waiting = false;
  }
  if (progress.state == ProgressState::kReplicate && response.durable > progress.match &&
      response.durable <= log_.end()) {
    progress.Acknowledged(response.durable);
    MaybeCommit();
    if (role_ != Role::kLeader) return;
  }
  // A heartbeat that went out behind a request was answered without it: the request was lost.
  if (progress.state == ProgressState::kReplicate && !progress.in_flight.empty() &&
      response.round > progress.in_flight.front().round &&
      response.matched < progress.in_flight.front().end) {
    progress.ToProbe(progress.match);
  }
  // Who started anew does not know how far its log is the leader's, and so not what is committed.
  if (progress.state == ProgressState::kReplicate && progress.in_flight.empty() &&
      response.matched < progress.match) {
    progress.ToProbe(progress.match);
  }
}

inline void Raft::On(const Message& message, const SnapshotResponse& response) {
  const auto it = progress_.find(message.from);
  if (role_ != Role::kLeader || it == progress_.end()) return void(++dropped_.stranger);
  Progress& progress = it->second;
  progress.Heard(now_, commit_);
  if (progress.state != ProgressState::kSnapshot || response.id != progress.snapshot.id) return;
  if (response.installed) {
    progress.Acknowledged(response.id.end_offset);
    progress.ToReplicate();
    return MaybeCommit();
  }
  // At its end there is nothing more to send, but to ask again after a while.
  const absl::StatusOr<int64_t> size = storage_.SnapshotSize(progress.snapshot.id);
  if (size.ok() && (response.position < 0 || response.position > *size)) {
    return void(++dropped_.contradicting);
  }
  if (response.position == progress.snapshot_position) return;
  progress.snapshot_position = response.position;
  progress.waiting = size.ok() && response.position == *size;
  progress.waits_since = now_;
}

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_RAFT_INTERNAL_LEADER_H_

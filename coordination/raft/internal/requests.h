// -----------------------------------------------------------------------------
// File: coordination/raft/internal/requests.h
// -----------------------------------------------------------------------------
// What the application asks of coordination/raft/raft.h.
#ifndef WEIR_COORDINATION_RAFT_INTERNAL_REQUESTS_H_
#define WEIR_COORDINATION_RAFT_INTERNAL_REQUESTS_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/ids.h"
#include "coordination/raft/events.h"
#include "coordination/raft/raft.h"
#include "coordination/raft/types.h"

namespace weir::raft {

inline absl::Status Raft::NotLeading() const {
  if (!failed_.ok()) return failed_;
  return absl::UnavailableError(
      absl::StrCat("raft: not the leader, which is ", leader_.ToString()));
}

inline void Raft::Handle(Propose& event) {
  if (role_ != Role::kLeader) return Refuse(event.token, NotLeading());
  WEIR_CHECK(event.data != nullptr && event.record_count > 0);
  if (event.epoch != kNoLeaderEpoch && event.epoch != hard_.term) {
    return Refuse(event.token, absl::FailedPreconditionError(absl::StrCat(
                                   "raft: expected the leader of epoch ", event.epoch.value(),
                                   ", came that of ", hard_.term.value())));
  }
  if (event.base_offset != kNoOffset && event.base_offset != log_.end()) {
    return Refuse(event.token, absl::FailedPreconditionError(absl::StrCat(
                                   "raft: expected the log to end at ", event.base_offset.value(),
                                   ", it ends at ", log_.end().value())));
  }
  if (transfer_.has_value()) {
    return Refuse(event.token, absl::UnavailableError("raft: the leadership is handed over"));
  }
  Entry entry{log_.end(), event.record_count, hard_.term, EntryKind::kData, std::move(event.data)};
  const size_t bytes = entry.size_bytes();
  if (bytes > config_.entry_bytes_max) {
    return Refuse(event.token, absl::InvalidArgumentError(
                                   absl::StrCat("raft: expected an entry of at most ",
                                                config_.entry_bytes_max, " bytes, came ", bytes)));
  }
  if (uncommitted_bytes_ + bytes > config_.uncommitted_bytes_max) {
    return Refuse(event.token, absl::ResourceExhaustedError("raft: too much is not committed yet"));
  }
  uncommitted_bytes_ += bytes;
  proposals_.push_back({event.token, entry.base_offset, entry.next_offset(), bytes});
  AppendToLog(std::move(entry));
}

inline void Raft::Handle(Read& event) {
  if (role_ != Role::kLeader) return Refuse(event.token, NotLeading());
  if (reads_.size() >= config_.reads_max) {
    return Refuse(event.token, absl::ResourceExhaustedError("raft: too many reads wait"));
  }
  // Before an entry of its epoch is committed, a leader does not know what is.
  reads_.push_back({event.token, gained_ ? commit_ : kNoOffset, round_ + 1});
  round_wanted_ = true;
}

inline absl::Status Raft::MayChangeVoters() const {
  if (role_ != Role::kLeader) return NotLeading();
  if (transfer_.has_value()) return absl::UnavailableError("raft: the leadership is handed over");
  if (!gained_) {
    return absl::UnavailableError("raft: no entry of the leader's epoch is committed yet");
  }
  if (commit_ <= log_.last_control()) {
    return absl::UnavailableError("raft: a change of voters is not committed yet");
  }
  return absl::OkStatus();
}

inline void Raft::ChangeVoters(uint64_t token, VoterSet voters) {
  Entry entry{log_.end(), 1, hard_.term, EntryKind::kVoters, nullptr, nullptr};
  entry.control = std::make_shared<const Control>(Control{config_.self, std::move(voters)});
  change_ = PendingChange{token, entry.base_offset, entry.next_offset()};
  AppendToLog(std::move(entry));
}

inline void Raft::Handle(AddVoter& event) {
  if (absl::Status status = MayChangeVoters(); !status.ok()) {
    return Refuse(event.token, std::move(status));
  }
  if (voters().ContainsId(event.voter.id)) {
    return Refuse(event.token, absl::AlreadyExistsError(absl::StrCat(
                                   "raft: node ", event.voter.id.value(), " votes already")));
  }
  if (voters().size() >= kVotersMax) {
    return Refuse(event.token, absl::ResourceExhaustedError("raft: there are too many voters"));
  }
  // A voter that has next to nothing would keep the quorum from committing until it has all.
  const auto it = progress_.find(event.voter);
  if (it == progress_.end() || it->second.state != ProgressState::kReplicate ||
      it->second.match < commit_ || now_ - it->second.heard > NsOf(config_.election_timeout_ms)) {
    return Refuse(event.token,
                  absl::FailedPreconditionError(absl::StrCat(
                      "raft: replica ", event.voter.ToString(), " has not caught up")));
  }
  ChangeVoters(event.token, voters().With(event.voter));
}

inline void Raft::Handle(RemoveVoter& event) {
  if (absl::Status status = MayChangeVoters(); !status.ok()) {
    return Refuse(event.token, std::move(status));
  }
  if (!voters().Contains(event.voter)) {
    return Refuse(event.token, absl::NotFoundError(absl::StrCat(
                                   "raft: replica ", event.voter.ToString(), " does not vote")));
  }
  if (voters().size() == 1) {
    return Refuse(event.token, absl::FailedPreconditionError("raft: it is the last voter"));
  }
  ChangeVoters(event.token, voters().Without(event.voter));
}

inline void Raft::Handle(TransferLeadership& event) {
  if (role_ != Role::kLeader) return Refuse(event.token, NotLeading());
  if (transfer_.has_value()) {
    return Refuse(event.token, absl::UnavailableError("raft: the leadership is handed over"));
  }
  const Progress* target = nullptr;
  for (const auto& [key, progress] : progress_) {
    if (!voters().Contains(key)) continue;
    if (event.target != kNoBroker && key.id != event.target) continue;
    if (target == nullptr || progress.match > target->match) target = &progress;
  }
  if (target == nullptr) {
    return Refuse(event.token,
                  absl::NotFoundError(absl::StrCat("raft: no other voter ", event.target.value())));
  }
  transfer_ = Transfer{event.token, target->key, now_ + NsOf(config_.election_timeout_ms)};
  progress_.at(target->key).transfer_sent = false;
}

// Proposals wait meanwhile, so the target gets to the end of the log if it can at all.
inline void Raft::ContinueTransfer() {
  if (!transfer_.has_value()) return;
  const auto it = progress_.find(transfer_->target);
  if (it == progress_.end() || it->second.transfer_sent || it->second.match < log_.end()) return;
  it->second.transfer_sent = true;
  SendTo(transfer_->target, TransferNow{});
}

inline void Raft::Handle(SnapshotTaken& event) {
  const Offset end = event.meta.id.end_offset;
  if (!failed_.ok() || end <= snapshot().id.end_offset) return;  // a later one was installed
  WEIR_CHECK(end <= commit_ && MetaAt(end) == event.meta && event.log_start <= end);
  const Offset before = log_.start();
  log_.SetSnapshot(std::move(event.meta), event.log_start);
  if (log_.start() > before) Write(TrimLog{log_.start()});
}

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_RAFT_INTERNAL_REQUESTS_H_

// -----------------------------------------------------------------------------
// File: coordination/raft/internal/follower.h
// -----------------------------------------------------------------------------
// What a follower of coordination/raft/raft.h does with what its leader sends.
#ifndef WEIR_COORDINATION_RAFT_INTERNAL_FOLLOWER_H_
#define WEIR_COORDINATION_RAFT_INTERNAL_FOLLOWER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/ids.h"
#include "coordination/raft/events.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/raft.h"
#include "coordination/raft/types.h"

namespace weir::raft {

inline void Raft::On(const Message& message, const AppendRequest& request) {
  if (role_ == Role::kLeader) return void(++dropped_.contradicting);
  HeardFromLeader(message.from);
  const Offset prev = request.prev_offset;
  // What is committed, every leader has.
  const bool fits = prev <= commit_ || log_.EpochAt(prev) == request.prev_epoch;
  if (!fits) {
    const SnapshotId hint = log_.EndOf(request.prev_epoch);
    return SendTo(message.from,
                  AppendResponse{false, prev, std::min(hint.end_offset, prev), hint.epoch});
  }
  if (!TakeEntries(request)) return void(++dropped_.contradicting);
  const Offset last = request.entries.empty() ? prev : request.entries.back().next_offset();
  matched_ = std::max({matched_, last, commit_});
  AdvanceCommit(std::min(request.commit, matched_));
  // Written in one go, acknowledged in one go.
  if (!held_.empty() && held_.back().token == last_token_ &&
      held_.back().message.to == message.from && held_.back().message.term == hard_.term) {
    if (auto* held = std::get_if<AppendResponse>(&held_.back().message.body)) {
      if (held->accepted) {
        held->end_offset = matched_;
        return;
      }
    }
  }
  SendWhenDurable(message.from, AppendResponse{true, prev, matched_, LeaderEpoch()});
}

// Appends what the log has not. An entry that is there with another epoch goes, with all behind it;
// entries behind the last one of the request stay: a later request may have brought them.
inline bool Raft::TakeEntries(const AppendRequest& request) {
  for (const Entry& entry : request.entries) {
    if (entry.next_offset() <= commit_) continue;
    if (entry.base_offset < log_.end()) {
      if (log_.EpochAt(entry.next_offset()) == entry.epoch) continue;
      if (entry.base_offset < commit_) return false;
      Write(TruncateLog{entry.base_offset});
      log_.Truncate(entry.base_offset);
    }
    AppendToLog(entry);
  }
  return true;
}

inline void Raft::On(const Message& message, const Heartbeat& heartbeat) {
  if (role_ == Role::kLeader) return void(++dropped_.contradicting);
  HeardFromLeader(message.from);
  AdvanceCommit(std::min(heartbeat.commit, matched_));
  SendTo(message.from, HeartbeatResponse{heartbeat.round, matched_,
                                             std::min(matched_, log_.durable_end())});
}

inline void Raft::On(const Message& message, const SnapshotChunk& chunk) {
  if (role_ == Role::kLeader) return void(++dropped_.contradicting);
  HeardFromLeader(message.from);
  const SnapshotId& id = chunk.meta.id;
  if (id.end_offset <= commit_) {
    return SendWhenDurable(message.from, SnapshotResponse{id, chunk.size_bytes, true});
  }
  const bool same = incoming_.has_value() && incoming_->from == message.from &&
                    incoming_->meta == chunk.meta && incoming_->size_bytes == chunk.size_bytes;
  if (!same) {
    // One that waits to become durable is not replaced: the storage has it already.
    if (incoming_.has_value() && incoming_->finish_token != 0) return;
    if (chunk.position != 0) return SendTo(message.from, SnapshotResponse{id, 0, false});
    incoming_ = IncomingSnapshot{message.from, chunk.meta, chunk.size_bytes, 0, 0};
  }
  const bool is_next = incoming_->finish_token == 0 && chunk.position == incoming_->have &&
                       (!chunk.data.empty() || chunk.size_bytes == 0);
  if (is_next) {
    incoming_->have += static_cast<int64_t>(chunk.data.size());
    const bool last = incoming_->have == incoming_->size_bytes;
    const uint64_t token = Write(WriteSnapshot{chunk.meta, chunk.position, chunk.data, last});
    if (last) incoming_->finish_token = token;
  }
  SendTo(message.from, SnapshotResponse{id, incoming_->have, false});
}

// The snapshot is durable: now the log may follow it.
inline void Raft::FinishInstall() {
  const IncomingSnapshot incoming = *std::exchange(incoming_, std::nullopt);
  const SnapshotMeta& meta = incoming.meta;
  if (meta.id.end_offset <= snapshot().id.end_offset) return;
  if (log_.Holds(meta.id)) {
    log_.SetSnapshot(meta, log_.start());
  } else {
    WEIR_CHECK(commit_ < meta.id.end_offset);
    log_.ResetTo(meta);
    Write(ResetLog{meta.id});
    Emit(SnapshotInstalled{meta});
  }
  AdvanceCommit(meta.id.end_offset);
  if (leader_ == incoming.from) {
    matched_ = std::max(matched_, meta.id.end_offset);
    SendWhenDurable(leader_, SnapshotResponse{meta.id, incoming.size_bytes, true});
  }
}

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_RAFT_INTERNAL_FOLLOWER_H_

// -----------------------------------------------------------------------------
// File: coordination/raft/messages.h
// -----------------------------------------------------------------------------
// What replicas tell each other, as values: a transport carries them, in any order, twice or not at
// all. `term` is always the sender's. Decision: docs/adr/0010-raft-core.md.
// Limits: kMessageEntriesMax, kMessageBytesMax; IsWellFormed refuses what no replica would send.
#ifndef WEIR_COORDINATION_RAFT_MESSAGES_H_
#define WEIR_COORDINATION_RAFT_MESSAGES_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "coordination/raft/types.h"

namespace weir::raft {

inline constexpr size_t kMessageEntriesMax = 16'384;
inline constexpr size_t kMessageBytesMax = size_t{128} << 20;
inline constexpr LeaderEpoch kTermMax{std::numeric_limits<int32_t>::max() - 1};

// A vote for the sender in its term, or with `pre_vote` whether it would get one in the term after.
struct VoteRequest {
  bool pre_vote = false;
  bool by_transfer = false;  // the leader has asked the sender to take over
  LeaderEpoch last_epoch;    // of the sender's log
  Offset end_offset;
};
struct VoteResponse {
  bool pre_vote = false;
  bool granted = false;
  LeaderEpoch asked_term;  // for which
  ReplicaKey leader{};     // that the sender follows, if any
};

// Entries that follow the one which ends at prev_offset and is of prev_epoch.
struct AppendRequest {
  Offset prev_offset;
  LeaderEpoch prev_epoch;
  Offset commit;
  std::vector<Entry> entries;
};
// Accepted: the sender's log is durable and as the leader's up to end_offset. Else: the sender has
// nothing that fits prev_offset; of the epochs up to the leader's prev_epoch its last is `epoch`,
// and ends at end_offset (KIP-595, Raft thesis 4.2.1).
struct AppendResponse {
  bool accepted = false;
  Offset prev_offset;  // of the request
  Offset end_offset;
  LeaderEpoch epoch{};
};

// `round` counts a leader's heartbeats; `commit` is no further than what the receiver acknowledged.
struct Heartbeat {
  uint64_t round = 0;
  Offset commit;
};
struct HeartbeatResponse {
  uint64_t round = 0;
  Offset matched;  // up to here the sender's log is as the leader's
  Offset durable;  // and durable; an AppendResponse that said so may have got lost
};

struct SnapshotChunk {
  SnapshotMeta meta;
  int64_t size_bytes = 0;  // of the whole snapshot
  int64_t position = 0;    // of `data` in it
  std::string data;
};
// The sender has everything before `position`; `installed`: durably, and its log follows it.
struct SnapshotResponse {
  SnapshotId id;
  int64_t position = 0;
  bool installed = false;
};

// The receiver is to campaign at once.
struct TransferNow {};

// A replica that hears from no leader wants to be replicated to. Who does not lead tells who does.
struct FollowRequest {};
struct FollowResponse {
  ReplicaKey leader;
};

using MessageBody = std::variant<VoteRequest, VoteResponse, AppendRequest, AppendResponse,
                                 Heartbeat, HeartbeatResponse, SnapshotChunk, SnapshotResponse,
                                 TransferNow, FollowRequest, FollowResponse>;

struct Message {
  std::string cluster_id;
  ReplicaKey from;
  // A FollowRequest to nobody (ReplicaKey()) goes to any node that the driver knows of.
  ReplicaKey to;
  LeaderEpoch term;
  MessageBody body;
};

// Only the leader of its term sends these.
inline bool IsFromLeader(const MessageBody& body) {
  return std::holds_alternative<AppendRequest>(body) || std::holds_alternative<Heartbeat>(body) ||
         std::holds_alternative<SnapshotChunk>(body) || std::holds_alternative<TransferNow>(body);
}

}  // namespace weir::raft

namespace weir::raft_internal {

inline bool IsWellFormed(const raft::AppendRequest& request, LeaderEpoch term) {
  if (request.prev_offset < Offset(0) || request.prev_epoch < LeaderEpoch(0) ||
      request.commit < Offset(0) || request.entries.size() > raft::kMessageEntriesMax) {
    return false;
  }
  Offset next = request.prev_offset;
  LeaderEpoch epoch = request.prev_epoch;
  size_t bytes = 0;
  for (const raft::Entry& entry : request.entries) {
    const bool is_data = entry.kind == raft::EntryKind::kData;
    if (entry.base_offset != next || entry.record_count <= 0 || entry.epoch < epoch ||
        entry.epoch > term || entry.epoch < LeaderEpoch(1) || (entry.data != nullptr) != is_data ||
        (entry.control != nullptr) == is_data ||
        next.value() > std::numeric_limits<int64_t>::max() - entry.record_count) {
      return false;
    }
    if (!is_data && !entry.control->voters.IsWellFormed()) return false;
    next = entry.next_offset();
    epoch = entry.epoch;
    bytes += entry.size_bytes();
  }
  return bytes <= raft::kMessageBytesMax;
}

inline bool IsWellFormed(const raft::SnapshotChunk& chunk, LeaderEpoch term) {
  return chunk.meta.id.end_offset >= Offset(0) && chunk.meta.id.epoch >= LeaderEpoch(0) &&
         chunk.meta.id.epoch <= term && chunk.meta.voters.IsWellFormed() && chunk.size_bytes >= 0 &&
         chunk.position >= 0 && chunk.data.size() <= raft::kMessageBytesMax &&
         chunk.position <= chunk.size_bytes &&
         static_cast<int64_t>(chunk.data.size()) <= chunk.size_bytes - chunk.position;
}

}  // namespace weir::raft_internal

namespace weir::raft {

inline bool IsWellFormed(const Message& message) {
  if (message.from.id < BrokerId(0) || message.term < LeaderEpoch(0) || message.term > kTermMax) {
    return false;
  }
  if (IsFromLeader(message.body) && message.term < LeaderEpoch(1)) return false;
  if (const auto* append = std::get_if<AppendRequest>(&message.body)) {
    return raft_internal::IsWellFormed(*append, message.term);
  }
  if (const auto* chunk = std::get_if<SnapshotChunk>(&message.body)) {
    return raft_internal::IsWellFormed(*chunk, message.term);
  }
  return true;
}

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_RAFT_MESSAGES_H_

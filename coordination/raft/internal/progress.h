// -----------------------------------------------------------------------------
// File: coordination/raft/internal/progress.h
// -----------------------------------------------------------------------------
// What a leader knows of each replica that it sends to, and what of it a quorum shares.
//   kProbe      where the logs part is not known: one message, then wait
//   kReplicate  messages follow each other without waiting, as far as the window goes
//   kSnapshot   the follower needs what the log has no more: chunk by chunk
// Threading: one thread.
#ifndef WEIR_COORDINATION_RAFT_INTERNAL_PROGRESS_H_
#define WEIR_COORDINATION_RAFT_INTERNAL_PROGRESS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/sort.h"
#include "coordination/raft/types.h"

namespace weir::raft_internal {

enum class ProgressState : int8_t { kProbe, kReplicate, kSnapshot };

struct InFlight {
  Offset end;
  size_t bytes;
  uint64_t round;  // the last heartbeat that was sent before it
};

struct Progress {
  raft::ReplicaKey key;
  ProgressState state = ProgressState::kProbe;
  Offset next;           // what to send next
  Offset match;          // durable there, and as here
  bool waiting = false;  // kProbe: for an answer; kSnapshot: for the one to the last chunk
  MonotonicNs waits_since;
  MonotonicNs heard;      // last
  MonotonicNs caught_up;  // last known to have all that was committed; zero: never
  Offset committed_when_heard;
  uint64_t round = 0;  // the last heartbeat that was answered
  Offset told_commit;
  std::deque<InFlight> in_flight;
  size_t in_flight_bytes = 0;
  raft::SnapshotMeta snapshot;
  int64_t snapshot_position = 0;
  bool transfer_sent = false;

  void ToProbe(Offset from) {
    state = ProgressState::kProbe;
    next = from;
    waiting = false;
    in_flight.clear();
    in_flight_bytes = 0;
  }
  void ToReplicate() {
    ToProbe(match);
    state = ProgressState::kReplicate;
  }
  void ToSnapshot(const raft::SnapshotMeta& meta) {
    ToProbe(meta.id.end_offset);
    state = ProgressState::kSnapshot;
    snapshot = meta;
    snapshot_position = 0;
  }
  void Sent(Offset end, size_t bytes, uint64_t round_before) {
    in_flight.push_back({end, bytes, round_before});
    in_flight_bytes += bytes;
    next = end;
  }
  // At a word of the replica, behind Acknowledged().
  void Heard(MonotonicNs now, Offset commit) {
    if (match >= commit) {
      caught_up = now;
    } else if (caught_up < heard && match >= committed_when_heard) {
      caught_up = heard;  // the log grows while words are under way
    }
    heard = now;
    committed_when_heard = commit;
  }
  void Acknowledged(Offset end) {
    match = std::max(match, end);
    next = std::max(next, match);
    while (!in_flight.empty() && in_flight.front().end <= end) {
      in_flight_bytes -= in_flight.front().bytes;
      in_flight.pop_front();
    }
  }
};

// The largest value that a quorum of `voters` has reached.
template <class T>
T ReachedByQuorum(const raft::VoterSet& voters,
                  absl::FunctionRef<T(const raft::ReplicaKey&)> reached) {
  std::vector<T> values;
  for (const raft::ReplicaKey& voter : voters) values.push_back(reached(voter));
  Sort(values, std::greater<T>());
  return values.empty() ? T() : values[voters.quorum() - 1];
}

}  // namespace weir::raft_internal

#endif  // WEIR_COORDINATION_RAFT_INTERNAL_PROGRESS_H_

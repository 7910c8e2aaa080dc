// -----------------------------------------------------------------------------
// File: coordination/raft/events.h
// -----------------------------------------------------------------------------
// What goes into a Raft core (coordination/raft/raft.h) and what comes out of it.
//
// The driver carries effects out in their order. Persist effects have ascending tokens; once all up
// to one are durable, it says so with Persisted. Requests (Propose, Read, AddVoter, RemoveVoter,
// TransferLeadership) have a token of the driver's and are answered by exactly one Done.
#ifndef WEIR_COORDINATION_RAFT_EVENTS_H_
#define WEIR_COORDINATION_RAFT_EVENTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "base/ids.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/storage.h"
#include "coordination/raft/types.h"

namespace weir::raft {

// Raft::Open checks that none is zero where that would stop everything.
struct RaftConfig {
  std::string cluster_id;
  ReplicaKey self;
  // A follower campaigns after 1 to 2 times this without its leader, by chance; a leader resigns
  // after once this without a quorum.
  int64_t election_timeout_ms = 1000;
  int64_t heartbeat_interval_ms = 100;
  // Replication to one follower: a message, and all that are under way.
  size_t append_bytes_max = size_t{1} << 20;
  size_t append_entries_max = 1024;
  size_t in_flight_messages_max = 64;
  size_t in_flight_bytes_max = size_t{8} << 20;
  size_t snapshot_chunk_bytes = size_t{1} << 20;
  // What a leader takes on before it is committed.
  size_t uncommitted_bytes_max = size_t{64} << 20;
  size_t entry_bytes_max = size_t{8} << 20;
  size_t cache_bytes_max = size_t{16} << 20;  // of durable entries kept in memory
  size_t reads_max = 100'000;                 // that wait
  size_t observers_max = 10'000;
};

// --- events -----------------------------------------------------------------------------------

struct Tick {};  // NextDeadline() has passed
struct Receive {
  Message message;
};
struct Persisted {
  uint64_t token = 0;  // this Persist and all before it
};
// A write, read or sync failed: the replica takes part no more. A leader hands over first.
struct StorageFailed {
  absl::Status status;
};
// Appends one entry. With an epoch: only as the leader of it.
struct Propose {
  uint64_t token = 0;
  std::shared_ptr<const std::string> data;
  int32_t record_count = 1;
  LeaderEpoch epoch = kNoLeaderEpoch;
  Offset base_offset = kNoOffset;  // only there, unless kNoOffset
};
// Answered with an offset: a state machine that has applied everything before it holds whatever was
// acknowledged before the Read.
struct Read {
  uint64_t token = 0;
};
struct AddVoter {
  uint64_t token = 0;
  ReplicaKey voter;
};
struct RemoveVoter {
  uint64_t token = 0;
  ReplicaKey voter;
};
struct TransferLeadership {
  uint64_t token = 0;
  BrokerId target = kNoBroker;  // none: whoever has most
};
// A snapshot of the state up to id.end_offset is durable in the storage, with the voters of
// MetaAt(end_offset). Entries before log_start may go.
struct SnapshotTaken {
  SnapshotMeta meta;
  Offset log_start;
};

// Somebody has found out that the process that led `term` has ended: its silence need not be waited
// for. A hint; what is wrong about it costs an election at most.
struct LeaderGone {
  LeaderEpoch term;
  BrokerId leader = kNoBroker;
};

using Event = std::variant<Tick, Receive, Persisted, StorageFailed, Propose, Read, AddVoter,
                           RemoveVoter, TransferLeadership, SnapshotTaken, LeaderGone>;

// --- effects ----------------------------------------------------------------------------------

struct Persist {
  uint64_t token = 0;
  StorageWrite write;
};
struct Send {
  Message message;
};
// Everything before `end` is committed; Raft::ReadCommitted has it.
struct Committed {
  Offset end;
};
// A new term or a new leader of it, none known perhaps.
struct LeaderKnown {
  LeaderEpoch term;
  ReplicaKey leader;
};
// This replica leads `epoch`, whose first entry is committed, with everything before it.
struct LeadershipGained {
  LeaderEpoch epoch;
  Offset next_offset;
};
// It does not lead any more, whether or not it had come to LeadershipGained.
struct LeadershipLost {
  LeaderEpoch epoch;
};
// The state is to be replaced by this snapshot, which is durable.
struct SnapshotInstalled {
  SnapshotMeta meta;
};
// OK: committed (Propose, AddVoter, RemoveVoter), `offset` may be read (Read), the leadership went.
// kAborted: leadership was lost, and what became of it is not known. Others: nothing happened.
struct Done {
  uint64_t token = 0;
  absl::Status status;
  Offset offset = kNoOffset;  // of Propose: the base offset
};

using Effect = std::variant<Persist, Send, Committed, LeaderKnown, LeadershipGained, LeadershipLost,
                            SnapshotInstalled, Done>;
using Effects = std::vector<Effect>;

// Messages that were not acted upon, by reason.
struct DropCounts {
  int64_t wrong_cluster = 0;
  int64_t misaddressed = 0;  // to another node, or to a disk that is gone
  int64_t malformed = 0;
  int64_t stale_term = 0;
  int64_t stranger = 0;       // an answer of a replica that was not asked
  int64_t disturbing = 0;     // a vote asked for while the leader is well
  int64_t contradicting = 0;  // would have replaced what is committed
};

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_RAFT_EVENTS_H_

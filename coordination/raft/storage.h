// -----------------------------------------------------------------------------
// File: coordination/raft/storage.h
// -----------------------------------------------------------------------------
// The storage port: what a replica keeps through a crash. Three things are kept apart, each of them
// changed in the order of the writes, though nothing is said about order between them:
//   the vote        the last HardState that was written, whole, or an earlier one;
//   the log         entries from log_start to log_end without a gap;
//   the snapshot    of those that were finished, at least the latest.
// A write may be lost until a sync that was started behind it has completed; of several that were
// not synced, those of the vote, the log and the snapshot are each lost from some one on, but that
// a trim may come before writes of the log before it. So after a crash the log may reach less far
// than the snapshot, or be at odds with it; the core mends that.
// Format: the implementation's. coordination/raft/memory_storage.h is one in memory, with faults.
// Threading: one thread. Errors: after any but kNotFound the replica fails for good; no retries.
#ifndef WEIR_COORDINATION_RAFT_STORAGE_H_
#define WEIR_COORDINATION_RAFT_STORAGE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "coordination/raft/types.h"

namespace weir::raft {

// --- writes -----------------------------------------------------------------------------------

struct SaveHardState {
  HardState state;
};
// The first one begins where the log ends.
struct AppendEntries {
  std::vector<Entry> entries;
};
// Drops the entry at `end` and all behind it.
struct TruncateLog {
  Offset end;
};
// Entries before `start`, where an entry begins, are no longer needed.
struct TrimLog {
  Offset start;
};
// Drops the whole log; it goes on at the end of this snapshot.
struct ResetLog {
  SnapshotId id;
};
// A piece of a snapshot that comes from the leader. Position 0 drops what there was of another one.
// With `last` it is whole: once durable, it is the snapshot of this replica.
struct WriteSnapshot {
  SnapshotMeta meta;
  int64_t position = 0;
  std::string data;
  bool last = false;
};

using StorageWrite =
    std::variant<SaveHardState, AppendEntries, TruncateLog, TrimLog, ResetLog, WriteSnapshot>;

// --- reads ------------------------------------------------------------------------------------

struct EpochStart {
  LeaderEpoch epoch;
  Offset start;
};
// A control entry: from base_offset on these vote.
struct VotersAt {
  Offset base_offset;
  VoterSet voters;
};

// What a start finds. A replica that founds a cluster has the snapshot {0, 0} with all founders as
// voters; one that joins has nothing.
struct Recovered {
  HardState hard_state;
  SnapshotMeta snapshot;
  Offset log_start;
  Offset log_end;
  std::vector<EpochStart> epochs;  // of the log, ascending
  std::vector<VotersAt> voters;    // of control entries in the log, ascending
};

class Storage {
 public:
  virtual ~Storage() = default;

  // What is there, all of it durable from here on. Once, before everything else.
  virtual absl::StatusOr<Recovered> Load() = 0;

  // Entries from `from` on: at least one, then as many as fit into bytes_max. kNotFound where none
  // begins.
  virtual absl::StatusOr<std::vector<Entry>> ReadEntries(Offset from, size_t bytes_max) = 0;
  // The bytes of a finished snapshot from `position` on. kNotFound when a newer one took its place.
  virtual absl::StatusOr<int64_t> SnapshotSize(const SnapshotId& id) = 0;
  virtual absl::StatusOr<std::string> ReadSnapshot(const SnapshotId& id, int64_t position,
                                                   size_t bytes_max) = 0;

  virtual absl::Status Write(const StorageWrite& write) = 0;
  // Makes everything written so far durable; TakeSynced hands `token` out when that is done. One at
  // a time.
  virtual void StartSync(uint64_t token) = 0;
  virtual std::vector<std::pair<uint64_t, absl::Status>> TakeSynced() = 0;
};

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_RAFT_STORAGE_H_

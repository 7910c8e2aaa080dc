// -----------------------------------------------------------------------------
// File: server/metadata_log_observer.h
// -----------------------------------------------------------------------------
// What this node's replica of the metadata log (server/metadata_log.h) tells whoever owns it.
// Threading: called on the controller's shard, in the tick in which it happens, in order.
#ifndef WEIR_SERVER_METADATA_LOG_OBSERVER_H_
#define WEIR_SERVER_METADATA_LOG_OBSERVER_H_

#include "absl/status/status.h"
#include "base/ids.h"
#include "coordination/metadata/controller_types.h"

namespace weir::server {

class MetadataLogObserver {
 public:
  virtual ~MetadataLogObserver() = default;
  // Who leads in this term, or kNoBroker while nobody is known.
  virtual void OnLeader(LeaderEpoch term, BrokerId leader) = 0;
  // This node leads; the log's image has everything before next_offset.
  virtual void OnGained(LeaderEpoch epoch, Offset next_offset) = 0;
  virtual void OnLost() = 0;
  // The log's image has everything before `end`.
  virtual void OnCommitted(Offset end) = 0;
  // The append, and all of this leader's that came after it, did not happen.
  virtual void OnAppendFailed(metadata::AppendToken token, const absl::Status& status) = 0;
  // The disk has no room for a snapshot.
  virtual void OnSnapshotRefused(const absl::Status& status) = 0;
  // This replica cannot follow, as its disk has no room; told once, until it has.
  virtual void OnNoRoom(const absl::Status& status) = 0;
  virtual void OnRoomAgain() = 0;
  virtual void OnFailed(const absl::Status& status) = 0;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_METADATA_LOG_OBSERVER_H_

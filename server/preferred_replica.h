// -----------------------------------------------------------------------------
// File: server/preferred_replica.h
// -----------------------------------------------------------------------------
// Which replica a leader sends a consumer to that wants to read near to where it is (KIP-392).
#ifndef WEIR_SERVER_PREFERRED_REPLICA_H_
#define WEIR_SERVER_PREFERRED_REPLICA_H_

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "base/ids.h"

namespace weir::server {

// What a leader knows of a replica in sync; kNoOffset where it has not heard of it yet.
struct ReplicaPlace {
  BrokerId broker;
  Offset log_start = kNoOffset;
  Offset log_end = kNoOffset;
};

// Of those that are near and have the offset, neither deleted nor still to come, the one that has
// most; of several the last by id, as with Kafka. kNoBroker: there is none.
inline BrokerId PreferredReplica(absl::Span<const ReplicaPlace> in_sync, Offset offset,
                                 absl::FunctionRef<bool(BrokerId)> is_near) {
  const ReplicaPlace* best = nullptr;
  for (const ReplicaPlace& replica : in_sync) {
    if (replica.log_start > offset || replica.log_end < offset || !is_near(replica.broker))
      continue;
    if (best == nullptr || replica.log_end > best->log_end ||
        (replica.log_end == best->log_end && replica.broker > best->broker)) {
      best = &replica;
    }
  }
  return best == nullptr ? kNoBroker : best->broker;
}

}  // namespace weir::server

#endif  // WEIR_SERVER_PREFERRED_REPLICA_H_

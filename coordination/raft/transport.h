// -----------------------------------------------------------------------------
// File: coordination/raft/transport.h
// -----------------------------------------------------------------------------
// The transport port of a replica: where its messages leave for the others.
// Threading: called on the thread of its node. Errors: none; what cannot be sent is lost.
#ifndef WEIR_COORDINATION_RAFT_TRANSPORT_H_
#define WEIR_COORDINATION_RAFT_TRANSPORT_H_

#include "coordination/raft/messages.h"

namespace weir::raft {

// A message may get lost, come late, twice or out of order, but not changed.
class Transport {
 public:
  virtual ~Transport() = default;
  // message.to says to whom: the node of that id, or any that may know a leader.
  virtual void Send(Message message) = 0;
};

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_RAFT_TRANSPORT_H_

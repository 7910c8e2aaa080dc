// -----------------------------------------------------------------------------
// File: server/peer_network.h
// -----------------------------------------------------------------------------
// The port to the other nodes of a cluster: Raft's messages, requests to the active controller, the
// streams that replicas follow on, and the question who is there, which comes before a cluster is
// founded or joined.
// Threading: every function on the thread of the controller's shard, but the transport on any. The
// owner's functions and `done` are called on any thread, and not any more once Stop has returned.
// Errors: of a call: kUnavailable when it certainly did not reach the other node, kInvalidArgument
// and kFailedPrecondition when that or this node refuses it with nothing done, kDeadlineExceeded
// and kAborted when it may have been carried out.
// Limits: the implementation's, of messages and of what waits.
#ifndef WEIR_SERVER_PEER_NETWORK_H_
#define WEIR_SERVER_PEER_NETWORK_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/founding.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/transport.h"
#include "protocol/error_code.h"
#include "server/listener.h"

namespace weir::replication {
class StreamNetwork;
}

namespace weir::server {

using metadata::NodeHello;

// Somebody for whom a broker asks.
struct ClientIdentity {
  std::string principal;  // "User:alice"; empty: the broker asks for itself
  std::string client_id;
  std::string host;
};

// A request for the active controller, in Kafka's protocol.
struct ControllerCall {
  BrokerId from = kNoBroker;
  Uuid incarnation;     // of the process that asks
  uint64_t number = 0;  // ascending: who takes a call twice finds it by these two
  int16_t api_key = 0;
  int16_t api_version = 0;
  std::string request;  // without header
  // Of the broker itself, on no client's behalf: metadata::CreateTopics::is_internal, which Kafka's
  // request has no room for. Travels beside the request (server/controller_calls.h).
  bool internal = false;
  ClientIdentity client;
};
struct ControllerAnswer {
  // kNotController: nothing was done, and nothing will be. With kNone there is a response.
  protocol::ErrorCode error = protocol::ErrorCode::kNone;
  std::string response;
};

class PeerNetwork {
 public:
  // What the node does with what comes.
  struct Owner {
    // False: too many messages wait already, this one is dropped.
    std::function<bool(raft::Message message)> deliver;
    std::function<NodeHello()> hello;
    std::function<void(ControllerCall call,
                       absl::AnyInvocable<void(ControllerAnswer answer)> answer)>
        serve;
    // A connection to or from the node has ended. A hint; perhaps null.
    std::function<void(BrokerId id)> peer_lost;
  };

  virtual ~PeerNetwork() = default;

  // Listens where the configuration says. Errors: the address cannot be bound.
  virtual absl::Status Start(Owner owner) = 0;
  // Closes everything; calls that wait are answered with kAborted first. Before destruction.
  virtual void Stop() = 0;

  // Messages of other clusters are refused from here on.
  virtual void SetCluster(const std::string& cluster_id) = 0;
  virtual raft::Transport& transport() = 0;
  // Has threading rules of its own (replication/stream_network.h). Of brokers known by SetPeer.
  virtual replication::StreamNetwork& streams() = 0;
  // Where a node listens, for messages and calls.
  virtual void SetPeer(BrokerId id, const HostPort& address) = 0;

  // Asks who is there. `done` exactly once.
  virtual void AskHello(const HostPort& address, int64_t timeout_ms,
                        absl::AnyInvocable<void(absl::StatusOr<NodeHello>)> done) = 0;
  // The same of a node, known by SetPeer or because it has sent messages. kUnavailable only where
  // nobody takes connections at its address, kDeadlineExceeded where nobody answers.
  virtual void Probe(BrokerId to, int64_t timeout_ms,
                     absl::AnyInvocable<void(absl::StatusOr<NodeHello>)> done) = 0;
  // Asks the node `to`, known as for Probe. `done` exactly once.
  virtual void Call(BrokerId to, ControllerCall call, int64_t timeout_ms,
                    absl::AnyInvocable<void(absl::StatusOr<ControllerAnswer>)> done) = 0;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_PEER_NETWORK_H_

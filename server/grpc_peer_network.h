// -----------------------------------------------------------------------------
// File: server/grpc_peer_network.h
// -----------------------------------------------------------------------------
// The other nodes of a cluster over gRPC: Raft's messages by streams, calls and hellos on channels
// of their own, each replication stream on one of its own, everything that comes through one
// listener.
// Decision: docs/adr/0012-raft-over-grpc.md, docs/adr/0013-controller-over-grpc.md,
// docs/adr/0015-replication-streams.md.
// Threading: as the port says. A `done` may be called before the function that it was given to
// returns, where nothing needs to be sent.
// Errors: as the port says. A call that the other node or this one refuses, with nothing done, has
// kInvalidArgument or kFailedPrecondition, or kUnavailable where it may be tried again.
// Limits: those of coordination/grpc and replication/grpc.
#ifndef WEIR_SERVER_GRPC_PEER_NETWORK_H_
#define WEIR_SERVER_GRPC_PEER_NETWORK_H_

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/ids.h"
#include "coordination/grpc/controller_client.h"
#include "coordination/grpc/controller_codec.h"
#include "coordination/grpc/controller_service.h"
#include "coordination/grpc/grpc_credentials.h"
#include "coordination/grpc/grpc_listener.h"
#include "coordination/grpc/raft_service.h"
#include "coordination/grpc/raft_transport.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/transport.h"
#include "grpcpp/channel.h"
#include "replication/grpc/grpc_stream_network.h"
#include "replication/stream_network.h"
#include "server/listener.h"
#include "server/logger.h"
#include "server/peer_network.h"

namespace weir::server {

struct GrpcPeerNetworkOptions {
  HostPort listener;  // port 0: any that is free
  // "host:port" at which the others reach the listener. Empty: its own host and port.
  std::string own_address;
  coordination::GrpcCredentials credentials;
  Logger* logger = nullptr;  // outlives the network
  // For whom strayed here: where Kafka clients are served, as "PLAINTEXT://localhost:9092".
  std::string client_listeners;
  int64_t preface_wait_ms = 10'000;  // that a connection has to say what it speaks
};

class GrpcPeerNetwork final : public PeerNetwork {
 public:
  explicit GrpcPeerNetwork(GrpcPeerNetworkOptions options);
  ~GrpcPeerNetwork() override;

  absl::Status Start(Owner owner) override;
  void Stop() override;
  void SetCluster(const std::string& cluster_id) override;
  raft::Transport& transport() override { return transport_; }
  replication::StreamNetwork& streams() override { return streams_; }
  void SetPeer(BrokerId id, const HostPort& address) override;
  void AskHello(const HostPort& address, int64_t timeout_ms,
                absl::AnyInvocable<void(absl::StatusOr<NodeHello>)> done) override;
  void Probe(BrokerId to, int64_t timeout_ms,
             absl::AnyInvocable<void(absl::StatusOr<NodeHello>)> done) override;
  void Call(BrokerId to, ControllerCall call, int64_t timeout_ms,
            absl::AnyInvocable<void(absl::StatusOr<ControllerAnswer>)> done) override;

  // Once it has started.
  uint16_t port() const {
    WEIR_CHECK(listener_ != nullptr);
    return listener_->port();
  }
  // What came of Raft, for metrics.
  const raft::RaftService::Counts& raft_counts() const { return raft_service_.counts(); }

 private:
  // Lets calls of the owner in until it closes.
  class Gate {
   public:
    bool Enter();
    void Leave();
    void CloseAndWait();

   private:
    std::mutex mutex_;
    std::condition_variable none_inside_;
    int inside_ = 0;
    bool closed_ = false;
  };
  class Lines;

  raft::RaftTransportOptions TransportOptions();
  controller::ControllerServiceOptions ServiceOptions();
  bool Deliver(raft::Message message, absl::string_view from_address);
  void PeerLost(BrokerId id);
  controller::Hello SayHello();
  std::shared_ptr<::grpc::Channel> MakeStreamChannel(BrokerId to);
  void Serve(controller::Call call, controller::AnswerCall answer);

  const GrpcPeerNetworkOptions options_;
  const std::unique_ptr<Lines> stranger_lines_;
  const std::unique_ptr<Lines> stream_lines_;
  Owner owner_;
  Gate gate_;
  std::mutex mutex_;
  std::string cluster_id_;  // empty: no message of Raft is for us yet
  raft::RaftTransport transport_;
  std::map<BrokerId, std::string> addresses_;
  replication::GrpcStreamNetwork streams_;
  controller::ControllerClient client_;
  raft::RaftService raft_service_;
  controller::ControllerService controller_service_;
  std::unique_ptr<coordination::GrpcListener> listener_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_GRPC_PEER_NETWORK_H_

// -----------------------------------------------------------------------------
// File: replication/grpc/grpc_stream_network.h
// -----------------------------------------------------------------------------
// Replication streams over gRPC: calls to other brokers, each on a channel of its own that the
// owner makes, and the service that takes those of others, which the owner gives to its listener.
// Messages that come together while a write is under way travel as one; records are sent from where
// they lie.
// Format: docs/formats/replication_stream.md. Decision: docs/adr/0015-replication-streams.md.
// Threading: as the port says. Close and a handle's destructor wait for a callback of the stream
// that runs on another thread, except within a callback; hold no lock there that callbacks need.
// Errors: of a stream: kUnavailable when it broke, kInvalidArgument for what no broker sends,
// kResourceExhausted when too much waits, kFailedPrecondition for another cluster or broker, and
// what the other end says.
// Limits: StreamOptions, kStreamFrameBytesMax, those of listener and channel.
#ifndef WEIR_REPLICATION_GRPC_GRPC_STREAM_NETWORK_H_
#define WEIR_REPLICATION_GRPC_GRPC_STREAM_NETWORK_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/ids.h"
#include "grpcpp/channel.h"
#include "grpcpp/impl/service_type.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "replication/grpc/internal/stream_core.h"
#include "replication/grpc/internal/stream_sides.h"
#include "replication/grpc/replication.grpc.pb.h"
#include "replication/grpc/stream_codec.h"
#include "replication/stream_messages.h"
#include "replication/stream_network.h"

namespace weir::replication {

class GrpcStreamNetwork final : public StreamNetwork {
 public:
  // A new channel to a broker, with connections of its own, credentials and keepalive, that takes
  // messages of kStreamFrameBytesMax. Null: it is not known where the broker is. On any thread.
  using MakeChannel = std::function<std::shared_ptr<::grpc::Channel>(BrokerId leader)>;

  GrpcStreamNetwork(StreamOptions options, MakeChannel make_channel)
      : shared_(std::make_shared<replication_internal::StreamShared>(options)),
        make_channel_(std::move(make_channel)),
        service_(shared_) {}
  ~GrpcStreamNetwork() override { Shutdown(); }

  // For the listener, which ends before the network.
  ::grpc::Service* service() { return &service_; }

  // Streams to other clusters or brokers are refused from here on, before this all are.
  void SetCluster(std::string cluster_id, BrokerId self) {
    shared_->SetCluster(std::move(cluster_id), self);
  }

  void SetAccept(Accept accept) override { shared_->SetAccept(std::move(accept)); }

  std::shared_ptr<FollowerEnd> Open(StreamHello hello, FollowerEnd::Listener listener) override {
    std::shared_ptr<::grpc::Channel> channel = make_channel_(hello.leader);
    auto stream = std::make_shared<replication_internal::FollowerCall>(shared_, std::move(hello),
                                                                       std::move(listener));
    stream->Start(std::move(channel));
    return std::make_shared<replication_internal::StreamHandle<FollowerMessage, LeaderMessage>>(
        std::move(stream));
  }

  // Ends all streams, and those that come; their owners are told. Afterwards no callback runs. Not
  // from within one.
  void Shutdown() { shared_->Shutdown(); }

  const StreamCounts& counts() const { return shared_->counts; }

 private:
  class Service final
      : public v1::Replication::WithRawCallbackMethod_Follow<v1::Replication::Service> {
   public:
    explicit Service(std::shared_ptr<replication_internal::StreamShared> shared)
        : shared_(std::move(shared)) {}

    using v1::Replication::WithRawCallbackMethod_Follow<v1::Replication::Service>::Follow;
    ::grpc::ServerBidiReactor<::grpc::ByteBuffer, ::grpc::ByteBuffer>* Follow(
        ::grpc::CallbackServerContext* context) override {
      const auto stream = std::make_shared<replication_internal::LeaderCall>(shared_, context);
      stream->Start();
      return stream.get();
    }

   private:
    const std::shared_ptr<replication_internal::StreamShared> shared_;
  };

  const std::shared_ptr<replication_internal::StreamShared> shared_;
  const MakeChannel make_channel_;
  Service service_;
};

}  // namespace weir::replication

#endif  // WEIR_REPLICATION_GRPC_GRPC_STREAM_NETWORK_H_

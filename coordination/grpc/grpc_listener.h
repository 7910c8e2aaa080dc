// -----------------------------------------------------------------------------
// File: coordination/grpc/grpc_listener.h
// -----------------------------------------------------------------------------
// The one gRPC listener of a node, with as many services as are given to it.
// Threading: Start and Shutdown on any thread; services run on gRPC's own, of which there are few.
// Errors: kUnavailable when the address cannot be bound.
// Limits: GrpcListenerOptions.
#ifndef WEIR_COORDINATION_GRPC_GRPC_LISTENER_H_
#define WEIR_COORDINATION_GRPC_GRPC_LISTENER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "coordination/grpc/grpc_credentials.h"
#include "grpcpp/impl/service_type.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"

namespace weir::coordination {

struct GrpcListenerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;  // 0: any that is free
  GrpcCredentials credentials;
  int message_bytes_max = 16 << 20;
  size_t memory_bytes_max = size_t{512} << 20;  // of gRPC's buffers, for all connections
  int threads_max = 16;                         // of services that block
  int streams_per_connection_max = 64;
  int metadata_bytes_max = 16 << 10;  // headers of one call
};

class GrpcListener {
 public:
  // The services outlive the listener.
  static absl::StatusOr<std::unique_ptr<GrpcListener>> Start(
      const GrpcListenerOptions& options, absl::Span<::grpc::Service* const> services) {
    const std::string host =
        absl::StrContains(options.host, ':') ? absl::StrCat("[", options.host, "]") : options.host;
    ::grpc::ServerBuilder builder;
    ::grpc::ResourceQuota quota("weir");
    quota.Resize(options.memory_bytes_max);
    quota.SetMaxThreads(options.threads_max);
    builder.SetResourceQuota(quota);
    builder.SetMaxReceiveMessageSize(options.message_bytes_max);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.streams_per_connection_max);
    builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, options.metadata_bytes_max);
    // Peers see with pings whether this node is there.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1'000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
    int port = 0;
    builder.AddListeningPort(absl::StrCat(host, ":", options.port), options.credentials.ForServer(),
                             &port);
    for (::grpc::Service* service : services) builder.RegisterService(service);
    std::unique_ptr<::grpc::Server> server = builder.BuildAndStart();
    if (server == nullptr || port <= 0) {
      return absl::UnavailableError(
          absl::StrCat("gRPC listener: cannot listen at ", host, ":", options.port));
    }
    return std::unique_ptr<GrpcListener>(
        new GrpcListener(std::move(server), static_cast<uint16_t>(port)));
  }

  ~GrpcListener() { Shutdown(0); }

  uint16_t port() const { return port_; }

  // Takes no calls any more and waits for those that run, up to so long; then cancels them.
  void Shutdown(int64_t grace_ms) {
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(grace_ms));
    server_->Wait();
  }

 private:
  GrpcListener(std::unique_ptr<::grpc::Server> server, uint16_t port)
      : server_(std::move(server)), port_(port) {}

  const std::unique_ptr<::grpc::Server> server_;
  const uint16_t port_;
};

}  // namespace weir::coordination

#endif  // WEIR_COORDINATION_GRPC_GRPC_LISTENER_H_

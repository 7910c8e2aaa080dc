// -----------------------------------------------------------------------------
// File: coordination/grpc/grpc_listener.h
// -----------------------------------------------------------------------------
// The one gRPC listener of a node, with as many services as are given to it. Given a socket, it
// looks at what each connection speaks before gRPC does, and closes at once what is something else.
// Decision: docs/adr/0013-controller-over-grpc.md.
// Threading: Start and Shutdown on any thread; services run on gRPC's own, of which there are few,
// on_stranger on the listener's.
// Errors: kUnavailable when the address cannot be bound.
// Limits: GrpcListenerOptions.
#ifndef WEIR_COORDINATION_GRPC_GRPC_LISTENER_H_
#define WEIR_COORDINATION_GRPC_GRPC_LISTENER_H_

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "coordination/grpc/grpc_credentials.h"
#include "coordination/grpc/internal/preface_acceptor.h"
#include "coordination/grpc/preface.h"
#include "grpcpp/impl/service_type.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"

namespace weir::coordination {

struct GrpcListenerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;  // 0: any that is free
  // In place of host and port: a socket that listens and does not block. The listener closes it.
  int listening_socket = -1;
  // Whose connection was closed for its first bytes; only with a socket.
  std::function<void(const Stranger& stranger)> on_stranger;
  int64_t preface_wait_ms = 10'000;  // for the first bytes
  size_t undecided_max = 256;        // connections of which too few bytes came; the oldest goes
  GrpcCredentials credentials;
  int message_bytes_max = 16 << 20;
  size_t memory_bytes_max = size_t{512} << 20;  // of gRPC's buffers, for all connections
  int threads_max = 16;                         // of services that block
  int streams_per_connection_max = 64;
  int metadata_bytes_max = 16 << 10;  // headers of one call
  int handshake_ms = 10'000;          // of TLS and of HTTP/2
};

class GrpcListener {
 public:
  // The services outlive the listener.
  static absl::StatusOr<std::unique_ptr<GrpcListener>> Start(
      const GrpcListenerOptions& options, absl::Span<::grpc::Service* const> services) {
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
    builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, options.handshake_ms);
    for (::grpc::Service* service : services) builder.RegisterService(service);
    return options.listening_socket < 0 ? StartWithAddress(options, builder)
                                        : StartWithSocket(options, builder);
  }

  ~GrpcListener() { Shutdown(0); }

  uint16_t port() const { return port_; }

  // Takes no calls any more and waits for those that run, up to so long; then cancels them.
  void Shutdown(int64_t grace_ms) {
    if (acceptor_ != nullptr) acceptor_->Stop();
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(grace_ms));
    server_->Wait();
  }

 private:
  using Connections = ::grpc::experimental::ExternalConnectionAcceptor;
  using Acceptor = coordination_internal::PrefaceAcceptor;
  using Result = absl::StatusOr<std::unique_ptr<GrpcListener>>;

  GrpcListener(std::unique_ptr<::grpc::Server> server, uint16_t port)
      : server_(std::move(server)), port_(port) {}

  static Result StartWithAddress(const GrpcListenerOptions& options,
                                 ::grpc::ServerBuilder& builder) {
    const std::string host =
        absl::StrContains(options.host, ':') ? absl::StrCat("[", options.host, "]") : options.host;
    int port = 0;
    builder.AddListeningPort(absl::StrCat(host, ":", options.port), options.credentials.ForServer(),
                             &port);
    std::unique_ptr<::grpc::Server> server = builder.BuildAndStart();
    if (server == nullptr || port <= 0) {
      return absl::UnavailableError(
          absl::StrCat("gRPC listener: cannot listen at ", host, ":", options.port));
    }
    return std::unique_ptr<GrpcListener>(
        new GrpcListener(std::move(server), static_cast<uint16_t>(port)));
  }

  // gRPC takes connections that somebody else has accepted.
  static Result StartWithSocket(const GrpcListenerOptions& options,
                                ::grpc::ServerBuilder& builder) {
    using Type = ::grpc::ServerBuilder::experimental_type::ExternalConnectionType;
    const std::shared_ptr<Connections> connections =
        builder.experimental().AddExternalConnectionAcceptor(Type::FROM_FD,
                                                             options.credentials.ForServer());
    std::unique_ptr<::grpc::Server> server = builder.BuildAndStart();
    if (server == nullptr) {
      ::close(options.listening_socket);
      return absl::UnavailableError("gRPC listener: gRPC does not start");
    }
    std::unique_ptr<GrpcListener> listener(
        new GrpcListener(std::move(server), PortOf(options.listening_socket)));
    Acceptor::Options accepting;
    accepting.listening_socket = options.listening_socket;
    accepting.expected = options.credentials.empty() ? Preface::kHttp2 : Preface::kTls;
    accepting.wait_ms = options.preface_wait_ms;
    accepting.undecided_max = options.undecided_max;
    accepting.on_stranger = options.on_stranger;
    accepting.take = [connections](int fd) {
      Connections::NewConnectionParameters parameters;
      parameters.fd = fd;
      connections->HandleNewConnection(&parameters);
    };
    auto acceptor = Acceptor::Start(std::move(accepting));
    if (!acceptor.ok()) return acceptor.status();
    listener->acceptor_ = *std::move(acceptor);
    return listener;
  }

  static uint16_t PortOf(int fd) {
    sockaddr_storage address{};
    socklen_t length = sizeof(address);
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
    // At the same place for IPv4 and IPv6.
    return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
  }

  const std::unique_ptr<::grpc::Server> server_;
  const uint16_t port_;
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace weir::coordination

#endif  // WEIR_COORDINATION_GRPC_GRPC_LISTENER_H_

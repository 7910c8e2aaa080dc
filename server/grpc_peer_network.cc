#include "server/grpc_peer_network.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "coordination/grpc/controller_client.h"
#include "coordination/grpc/controller_codec.h"
#include "coordination/grpc/controller_service.h"
#include "coordination/grpc/grpc_listener.h"
#include "coordination/grpc/peer_channel.h"
#include "coordination/grpc/preface.h"
#include "coordination/grpc/raft_transport.h"
#include "coordination/raft/messages.h"
#include "log/file.h"
#include "protocol/error_code.h"
#include "replication/grpc/grpc_stream_network.h"
#include "replication/grpc/stream_codec.h"
#include "server/broker_config.h"
#include "server/grpc_peers.h"
#include "server/listener.h"
#include "server/logger.h"
#include "server/peer_network.h"
#include "server/tcp_listen.h"
#include "server/tls_material.h"

namespace weir::server {
namespace {

constexpr int kBacklog = 128;

std::string AddressText(const HostPort& address) {
  const bool v6 = absl::string_view(address.host).find(':') != absl::string_view::npos;
  return absl::StrCat(v6 ? "[" : "", address.host, v6 ? "]" : "", ":", address.port);
}

// Why a connection did not come about. gRPC does not say more where the other side hangs up.
absl::Status ConnectError(const absl::Status& status, bool tls) {
  if (!absl::StrContains(status.message(), "Socket closed") &&
      !absl::StrContains(status.message(), "reset by peer") &&
      !absl::StrContains(status.message(), "andshake")) {
    return status;
  }
  return absl::Status(
      status.code(),
      absl::StrCat(status.message(), tls ? "; this node speaks TLS; do both, and does each believe "
                                           "the other's certificate?"
                                         : "; this node speaks without TLS; does the other expect "
                                           "it?"));
}

// What another node says of where it listens is dialled only if it is a host and a port.
std::string DialableAddress(absl::string_view text) {
  constexpr size_t kAddressBytesMax = 300;
  if (text.size() > kAddressBytesMax) return "";
  const absl::StatusOr<HostPort> address = ParseHostPort(text);
  if (!address.ok() || address->host.empty() || address->port == 0) return "";
  return AddressText(*address);
}

absl::StatusOr<NodeHello> HelloOf(absl::StatusOr<controller::Hello> hello) {
  if (!hello.ok()) return hello.status();
  return NodeHello{hello->node_id, hello->directory_id, std::move(hello->cluster_id),
                   hello->is_controller, hello->incarnation};
}

}  // namespace

// Lines that others can cause as often as they like, from any thread: the first of each interval
// are written, and how many others there were, with the next one.
class GrpcPeerNetwork::Lines {
 public:
  Lines(Logger* logger, int lines_max, std::string what)
      : logger_(logger), lines_max_(lines_max), what_(std::move(what)) {}
  ~Lines() { TellCount(); }

  void Warning(const std::string& line) {
    if (logger_ == nullptr) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    const MonotonicNs now = clock_.Monotonic();
    if (now - started_ >= kIntervalMs * kNsPerMs) {
      TellCount();
      started_ = now;
      written_ = 0;
    }
    if (written_ == lines_max_) return void(++left_out_);
    ++written_;
    logger_->Warning(line);
  }

 private:
  static constexpr int64_t kIntervalMs = 10'000;

  void TellCount() {
    if (left_out_ > 0) logger_->Warning(std::exchange(left_out_, 0), " more ", what_);
  }

  Logger* const logger_;
  const int lines_max_;
  const std::string what_;
  SystemClock clock_;
  std::mutex mutex_;
  MonotonicNs started_{0};
  int written_ = 0;
  int64_t left_out_ = 0;
};

// --- the owner's functions ----------------------------------------------------------------------

bool GrpcPeerNetwork::Gate::Enter() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return false;
  ++inside_;
  return true;
}
void GrpcPeerNetwork::Gate::Leave() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (--inside_ == 0) none_inside_.notify_all();
}
void GrpcPeerNetwork::Gate::CloseAndWait() {
  std::unique_lock<std::mutex> lock(mutex_);
  closed_ = true;
  none_inside_.wait(lock, [this] { return inside_ == 0; });
}

bool GrpcPeerNetwork::Deliver(raft::Message message, absl::string_view from_address) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    // The service knows the cluster as well, but a frame may have been on its way through it.
    if (cluster_id_.empty() || message.cluster_id != cluster_id_) return false;
  }
  const std::string address = DialableAddress(from_address);
  if (!address.empty() && message.from.id != kNoBroker) {
    transport_.LearnPeer(message.from.id, address);
    client_.LearnPeer(message.from.id, address);
  }
  if (!gate_.Enter()) return false;
  const bool taken = owner_.deliver(std::move(message));
  gate_.Leave();
  return taken;
}

controller::Hello GrpcPeerNetwork::SayHello() {
  if (!gate_.Enter()) return {};
  NodeHello hello = owner_.hello();
  gate_.Leave();
  return {hello.node_id, hello.directory_id, std::move(hello.cluster_id), hello.is_controller,
          hello.incarnation};
}

void GrpcPeerNetwork::PeerLost(BrokerId id) {
  if (!gate_.Enter()) return;
  if (owner_.peer_lost != nullptr) owner_.peer_lost(id);
  gate_.Leave();
}

void GrpcPeerNetwork::Serve(controller::Call call, controller::AnswerCall answer) {
  if (!gate_.Enter()) return;
  ControllerCall serving;
  serving.from = call.from;
  serving.incarnation = call.incarnation;
  serving.number = call.number;
  serving.api_key = call.api_key;
  serving.api_version = call.api_version;
  serving.request = std::move(call.request);
  serving.internal = call.internal;
  serving.client = {std::move(call.principal), std::move(call.client_id), std::move(call.host)};
  owner_.serve(std::move(serving), [answer = std::move(answer)](ControllerAnswer given) mutable {
    answer({static_cast<int16_t>(given.error), std::move(given.response)});
  });
  gate_.Leave();
}

// --- the network --------------------------------------------------------------------------------

GrpcPeerNetwork::GrpcPeerNetwork(GrpcPeerNetworkOptions options)
    : options_(std::move(options)),
      stranger_lines_(
          std::make_unique<Lines>(options_.logger, 10, "connections closed for what they spoke")),
      stream_lines_(std::make_unique<Lines>(options_.logger, 3, "streams to other nodes ended")),
      transport_(TransportOptions()),
      streams_({}, [this](BrokerId to) { return MakeStreamChannel(to); }),
      client_({.credentials = options_.credentials}),
      raft_service_(
          "",
          [this](raft::Message message, absl::string_view from_address) {
            return Deliver(std::move(message), from_address);
          },
          [this](BrokerId from) { PeerLost(from); }),
      controller_service_(ServiceOptions()) {}

GrpcPeerNetwork::~GrpcPeerNetwork() { Stop(); }

raft::RaftTransportOptions GrpcPeerNetwork::TransportOptions() {
  raft::RaftTransportOptions options;
  options.own_address = options_.own_address;
  options.credentials = options_.credentials;
  options.on_error = [this](BrokerId id, const absl::Status& status) {
    stream_lines_->Warning(std::string(status.message()));
    PeerLost(id);
  };
  return options;
}

controller::ControllerServiceOptions GrpcPeerNetwork::ServiceOptions() {
  controller::ControllerServiceOptions options;
  options.hello = [this] { return SayHello(); };
  options.serve = [this](controller::Call call, controller::AnswerCall answer) {
    Serve(std::move(call), std::move(answer));
  };
  return options;
}

absl::Status GrpcPeerNetwork::Start(Owner owner) {
  owner_ = std::move(owner);
  const absl::StatusOr<int> socket =
      TcpListen(options_.listener.host, options_.listener.port, kBacklog);
  if (!socket.ok()) return socket.status();
  HostPort here = options_.listener;
  here.port = static_cast<uint16_t>(TcpLocalPort(*socket));
  if (here.host.empty()) here.host = "localhost";
  if (options_.own_address.empty()) transport_.SetOwnAddress(AddressText(here));

  coordination::GrpcListenerOptions listening;
  listening.listening_socket = *socket;
  listening.credentials = options_.credentials;
  listening.preface_wait_ms = options_.preface_wait_ms;
  listening.on_stranger = [this, here](const coordination::Stranger& stranger) {
    const bool tls = !options_.credentials.empty();
    const bool other = stranger.spoke == coordination::Preface::kOther;
    stranger_lines_->Warning(absl::StrCat(
        "closed a connection from ", TcpAddressText(stranger.address), ": ", AddressText(here),
        " is for the nodes of the cluster, which speak gRPC ", tls ? "with" : "without",
        " TLS, and what came ",
        other ? "is neither"
        : tls ? "is without"
              : "is with",
        other ? "" : " it", ". Kafka clients are served at ", options_.client_listeners));
  };
  auto listener = coordination::GrpcListener::Start(
      listening, {&raft_service_, &controller_service_, streams_.service()});
  if (!listener.ok()) return listener.status();
  listener_ = *std::move(listener);
  return absl::OkStatus();
}

void GrpcPeerNetwork::Stop() {
  client_.Shutdown();
  gate_.CloseAndWait();
  streams_.Shutdown();
  transport_.Shutdown();
  if (listener_ != nullptr) listener_->Shutdown(0);
}

void GrpcPeerNetwork::SetCluster(const std::string& cluster_id) {
  raft_service_.SetCluster(cluster_id);
  controller_service_.SetCluster(cluster_id);
  client_.SetCluster(cluster_id);
  streams_.SetCluster(cluster_id, SayHello().node_id);
  const std::lock_guard<std::mutex> lock(mutex_);
  cluster_id_ = cluster_id;
}

void GrpcPeerNetwork::SetPeer(BrokerId id, const HostPort& address) {
  transport_.SetPeer(id, AddressText(address));
  client_.SetPeer(id, AddressText(address));
  const std::lock_guard<std::mutex> lock(mutex_);
  addresses_[id] = AddressText(address);
}

// A connection of its own for each stream: records must delay neither votes nor each other.
std::shared_ptr<::grpc::Channel> GrpcPeerNetwork::MakeStreamChannel(BrokerId to) {
  std::string address;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto it = addresses_.find(to);
    if (it == addresses_.end()) return nullptr;
    address = it->second;
  }
  coordination::PeerChannelOptions options;
  options.credentials = options_.credentials;
  options.receive_bytes_max = static_cast<int>(replication::kStreamFrameBytesMax);
  return coordination::MakePeerChannel(address, options);
}

void GrpcPeerNetwork::AskHello(const HostPort& address, int64_t timeout_ms,
                               absl::AnyInvocable<void(absl::StatusOr<NodeHello>)> done) {
  client_.AskHello(AddressText(address), timeout_ms,
                   [done = std::move(done), tls = !options_.credentials.empty()](
                       absl::StatusOr<controller::Hello> hello) mutable {
                     if (!hello.ok()) return done(ConnectError(hello.status(), tls));
                     done(HelloOf(std::move(hello)));
                   });
}

void GrpcPeerNetwork::Probe(BrokerId to, int64_t timeout_ms,
                            absl::AnyInvocable<void(absl::StatusOr<NodeHello>)> done) {
  client_.Probe(to, timeout_ms,
                [done = std::move(done)](absl::StatusOr<controller::Hello> hello) mutable {
                  done(HelloOf(std::move(hello)));
                });
}

void GrpcPeerNetwork::Call(BrokerId to, ControllerCall call, int64_t timeout_ms,
                           absl::AnyInvocable<void(absl::StatusOr<ControllerAnswer>)> done) {
  controller::Call asking;
  asking.from = call.from;
  asking.incarnation = call.incarnation;
  asking.number = call.number;
  asking.api_key = call.api_key;
  asking.api_version = call.api_version;
  asking.request = std::move(call.request);
  asking.internal = call.internal;
  asking.principal = std::move(call.client.principal);
  asking.client_id = std::move(call.client.client_id);
  asking.host = std::move(call.client.host);
  client_.Ask(to, std::move(asking), timeout_ms,
              [done = std::move(done)](absl::StatusOr<controller::Answer> answer) mutable {
                if (!answer.ok()) return done(answer.status());
                done(ControllerAnswer{static_cast<protocol::ErrorCode>(answer->error),
                                      std::move(answer->response)});
              });
}

absl::StatusOr<std::unique_ptr<PeerNetwork>> MakeGrpcPeers(const BrokerConfig& config,
                                                           log::FileSystem& files, Logger& logger) {
  if (!config.internal_listener.has_value()) return nullptr;
  GrpcPeerNetworkOptions options;
  options.listener = config.internal_listener->address;
  options.logger = &logger;
  const HostPort own = config.OwnInternalAddress();
  if (own.port != 0 && !own.host.empty()) {
    options.own_address = absl::StrCat(own.host, ":", own.port);
  }
  std::vector<std::string> clients;
  for (const Listener& listener : config.advertised_listeners) {
    clients.push_back(listener.ToString());
  }
  options.client_listeners = absl::StrJoin(clients, ", ");
  if (config.internal_tls.has_value()) {
    WEIR_ASSIGN_OR_RETURN(TlsMaterial tls, LoadTlsMaterial(*config.internal_tls, files));
    options.credentials.certificate_chain_pem = std::move(tls.certificates_pem);
    options.credentials.private_key_pem = std::move(tls.private_key_pem);
    options.credentials.root_certificates_pem = std::move(tls.trusted_pem);
  }
  return std::make_unique<GrpcPeerNetwork>(std::move(options));
}

}  // namespace weir::server

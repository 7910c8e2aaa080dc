// -----------------------------------------------------------------------------
// File: coordination/grpc/peer_channel.h
// -----------------------------------------------------------------------------
// A gRPC channel to another node, with connections of its own: what is large on one channel must
// not delay what is urgent on another. It connects when it is used, and again after a while that
// grows, with jitter.
// Threading: keeps no state.
#ifndef WEIR_COORDINATION_GRPC_PEER_CHANNEL_H_
#define WEIR_COORDINATION_GRPC_PEER_CHANNEL_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "coordination/grpc/grpc_credentials.h"
#include "grpcpp/channel.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/support/channel_arguments.h"

namespace weir::coordination {

struct PeerChannelOptions {
  GrpcCredentials credentials;
  int64_t backoff_min_ms = 20;
  int64_t backoff_max_ms = 1'000;
  int64_t keepalive_ms = 2'000;  // a node that answers no ping for this long again is gone
  int receive_bytes_max = 1 << 10;
};

// What gRPC is to dial for host:port. It has schemes of its own, and a host may be called as one.
inline std::string PeerTarget(const std::string& address) {
  return absl::StrCat("dns:///", absl::StrReplaceAll(address, {{"[", "%5B"}, {"]", "%5D"}}));
}

inline std::shared_ptr<::grpc::Channel> MakePeerChannel(const std::string& address,
                                                        const PeerChannelOptions& options) {
  ::grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, static_cast<int>(options.backoff_min_ms));
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, static_cast<int>(options.backoff_max_ms));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, static_cast<int>(options.backoff_max_ms));
  // A node that comes back may have another address.
  arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS,
                   static_cast<int>(options.backoff_max_ms));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(options.keepalive_ms));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, static_cast<int>(options.keepalive_ms));
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetMaxReceiveMessageSize(options.receive_bytes_max);
  if (!options.credentials.target_name_override.empty()) {
    arguments.SetSslTargetNameOverride(options.credentials.target_name_override);
  }
  return ::grpc::CreateCustomChannel(PeerTarget(address), options.credentials.ForChannel(),
                                     arguments);
}

}  // namespace weir::coordination

#endif  // WEIR_COORDINATION_GRPC_PEER_CHANNEL_H_

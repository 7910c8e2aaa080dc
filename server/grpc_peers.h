// -----------------------------------------------------------------------------
// File: server/grpc_peers.h
// -----------------------------------------------------------------------------
// The network of a node as its configuration has it (server/grpc_peer_network.h), for whoever need
// not know what it is made of.
// Threading: that of PeerNetwork. Errors: what LoadTlsMaterial cannot read or use.
#ifndef WEIR_SERVER_GRPC_PEERS_H_
#define WEIR_SERVER_GRPC_PEERS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "log/file.h"
#include "server/broker_config.h"
#include "server/logger.h"
#include "server/peer_network.h"

namespace weir::server {

// Null for a node without config.internal_listener: it is alone and stays so. Reads what TLS needs
// from `files`. The logger outlives the network.
absl::StatusOr<std::unique_ptr<PeerNetwork>> MakeGrpcPeers(const BrokerConfig& config,
                                                           log::FileSystem& files, Logger& logger);

}  // namespace weir::server

#endif  // WEIR_SERVER_GRPC_PEERS_H_

// -----------------------------------------------------------------------------
// File: client/system_cluster.h
// -----------------------------------------------------------------------------
// A Cluster on the system's sockets, clock and randomness: what an application starts from.
//
//   absl::StatusOr<std::unique_ptr<SystemCluster>> cluster = SystemCluster::Create({});
//   Admin admin(cluster->get()->cluster());
//
// Threading: one thread.
#ifndef WEIR_CLIENT_SYSTEM_CLUSTER_H_
#define WEIR_CLIENT_SYSTEM_CLUSTER_H_

#include <memory>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "client/cluster.h"
#include "client/socket_transport.h"

namespace weir::client {

class SystemCluster {
 public:
  // kInvalidArgument when the configuration is not possible. Nothing is connected yet.
  static absl::StatusOr<std::unique_ptr<SystemCluster>> Create(ClusterConfig config) {
    auto system = absl::WrapUnique(new SystemCluster());
    WEIR_ASSIGN_OR_RETURN(
        system->cluster_,
        Cluster::Create(std::move(config), {system->transport_, system->clock_, system->random_}));
    return system;
  }

  Cluster& cluster() { return *cluster_; }

 private:
  SystemCluster() = default;

  SocketTransport transport_;
  SystemClock clock_;
  SystemRandom random_;
  std::unique_ptr<Cluster> cluster_;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_SYSTEM_CLUSTER_H_

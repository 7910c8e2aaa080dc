// -----------------------------------------------------------------------------
// File: server/broker.h
// -----------------------------------------------------------------------------
// A running broker: one thread for each shard, with real sockets, files and clock.
// Threading: Start and Stop by the owner; the threads are the broker's own.
// Errors: those of BrokerCore::Open.
#ifndef WEIR_SERVER_BROKER_H_
#define WEIR_SERVER_BROKER_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/broker_config.h"
#include "server/logger.h"

namespace weir::server {

class BrokerCore;
class PeerNetwork;
class ThreadWorker;
struct Node;

class Broker {
 public:
  struct Options {
    BrokerConfig config;
    Logger* logger = nullptr;  // outlives the broker
    // Of a node with config.internal_listener; outlives the broker.
    PeerNetwork* peers = nullptr;
    // Called on a thread of the broker: once when it takes connections, and once when it cannot go
    // on and serves nobody any more. Then another thread should Stop the broker.
    std::function<void()> on_ready;
    std::function<void(const absl::Status& why)> on_failed;
  };

  // Returns while the broker begins to look for its cluster.
  static absl::StatusOr<std::unique_ptr<Broker>> Begin(Options options);
  // Returns when the broker takes connections.
  static absl::StatusOr<std::unique_ptr<Broker>> Start(Options options);
  ~Broker();

  const Node& node() const;
  int port(size_t listener = 0) const;

  // Ends the threads, then closes everything such that the next start has nothing to recover. The
  // destructor does it too, but keeps the error to itself. Gives why the data folder failed, where
  // it did.
  absl::Status Stop();

 private:
  struct Reactor;  // what one shard runs on

  Broker();

  // Destroyed after the core.
  std::vector<std::unique_ptr<Reactor>> reactors_;
  std::vector<std::unique_ptr<ThreadWorker>> workers_;
  std::unique_ptr<ThreadWorker> replica_reader_;
  std::unique_ptr<ThreadWorker> move_reader_;
  std::unique_ptr<BrokerCore> core_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_BROKER_H_

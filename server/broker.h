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
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/random.h"
#include "log/posix_file.h"
#include "server/broker_config.h"
#include "server/broker_core.h"
#include "server/event_loop.h"
#include "server/logger.h"
#include "server/poller.h"

namespace weir::server {

class Broker {
 public:
  // Returns when the broker takes connections. `logger` outlives it. `on_failed` is called on a
  // thread of the broker, once, when its data folder has failed and it serves nobody any more: it
  // should have another thread Stop the broker.
  static absl::StatusOr<std::unique_ptr<Broker>> Start(
      BrokerConfig config, Logger& logger,
      std::function<void(const absl::Status& why)> on_failed = nullptr);
  ~Broker();

  const Node& node() const { return core_->node(); }
  int port(size_t listener = 0) const { return core_->port(listener); }

  // Ends the threads, then closes everything such that the next start has nothing to recover. The
  // destructor does it too, but keeps the error to itself. Gives why the data folder failed, where
  // it did.
  absl::Status Stop();

 private:
  // What one shard runs on. Destroyed after the core.
  struct Reactor {
    explicit Reactor(std::unique_ptr<Poller> with)
        : poller(std::move(with)), files(&poller->syncer()), loop(*poller, clock, &files) {}

    SystemClock clock;
    SystemRandom random;
    std::unique_ptr<Poller> poller;
    log::PosixFileSystem files;
    EventLoop loop;
    std::thread thread;
  };

  Broker() = default;

  std::vector<std::unique_ptr<Reactor>> reactors_;
  std::unique_ptr<BrokerCore> core_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_BROKER_H_

// -----------------------------------------------------------------------------
// File: server/acceptor.h
// -----------------------------------------------------------------------------
// Accepts the connections of one listener on the controller's shard and deals them out to all
// shards in turn. Refuses what exceeds max.connections; pauses when the process has no descriptor
// left.
// Threading: on the controller's shard.
#ifndef WEIR_SERVER_ACCEPTOR_H_
#define WEIR_SERVER_ACCEPTOR_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "server/connection_table.h"
#include "server/event_loop.h"
#include "server/limited_lines.h"
#include "server/node.h"
#include "server/poller.h"
#include "server/shard.h"

namespace weir::server {

class Acceptor final : public SocketHandler {
 public:
  // Watches `socket`, a listener of `home`'s poller, from now on. All outlive the acceptor.
  Acceptor(Node& node, Shard& home, SocketId socket, size_t listener)
      : node_(node),
        home_(home),
        socket_(socket),
        listener_(listener),
        refusals_(home.loop(), *node.logger, "connections refused by max.connections") {
    home_.loop().Register(socket_, this);
    home_.loop().poller().Watch(socket_, /*readable=*/true, /*writable=*/false);
  }
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;
  ~Acceptor() override {
    home_.loop().timers().Cancel(resume_);
    home_.loop().Unregister(socket_);
  }

  void OnReady(const PollEvent&) override {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      absl::StatusOr<Accepted> accepted = home_.loop().poller().Accept(socket_);
      if (accepted.ok()) {
        Deal(*std::move(accepted));
      } else if (absl::IsUnavailable(accepted.status())) {
        return;
      } else if (!absl::IsAborted(accepted.status())) {
        return Pause(accepted.status());
      }
    }
  }
  void OnTickEnd() override {}

 private:
  static constexpr int kAcceptsPerTurn = 64;  // then other sockets have their turn
  static constexpr int64_t kPauseNs = 100 * kNsPerMs;
  static constexpr int64_t kLineIntervalNs = 10'000 * kNsPerMs;

  void Deal(Accepted accepted) {
    Poller& poller = home_.loop().poller();
    if (node_.connection_count.load(std::memory_order_relaxed) >= node_.config.connections_max) {
      refusals_.Warning("refused ", accepted.peer,
                        ": max.connections=", node_.config.connections_max, " are open");
      return poller.Close(accepted.socket);
    }
    node_.connection_count.fetch_add(1, std::memory_order_relaxed);
    Shard& shard = *node_.shards[next_++ % node_.shards.size()];
    if (&shard == &home_) return home_.connections().Add(accepted.socket, listener_, accepted.peer);
    shard.loop().Post([&shard, socket = poller.Detach(accepted.socket), listener = listener_,
                       peer = std::move(accepted.peer)]() mutable {
      shard.connections().Add(shard.loop().poller().Adopt(std::move(socket)), listener,
                              std::move(peer));
    });
  }

  void Pause(const absl::Status& why) {
    if (home_.loop().now() >= next_line_) {
      next_line_ = home_.loop().now() + kLineIntervalNs;
      node_.logger->Error("cannot accept connections for now: ", why.message());
    }
    home_.loop().poller().Watch(socket_, false, false);
    resume_ = home_.loop().timers().Schedule(home_.loop().now() + kPauseNs, [this] {
      home_.loop().poller().Watch(socket_, /*readable=*/true, /*writable=*/false);
    });
  }

  Node& node_;
  Shard& home_;
  const SocketId socket_;
  const size_t listener_;
  LimitedLines refusals_;
  size_t next_ = 0;
  TimerId resume_;
  MonotonicNs next_line_;  // when it may be logged again that none can be accepted
};

}  // namespace weir::server

#endif  // WEIR_SERVER_ACCEPTOR_H_

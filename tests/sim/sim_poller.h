// -----------------------------------------------------------------------------
// File: tests/sim/sim_poller.h
// -----------------------------------------------------------------------------
// A network in memory: SimPoller is the poller port over it, SimClient its other end, for tests and
// for the simulator. How many bytes move at once, what is reported late and which connections break
// comes from the Random given, so that a run repeats from its seed. Nothing blocks and no time
// passes: Wait returns at once.
// Threading: one thread for the network and all that uses it.
#ifndef WEIR_TESTS_SIM_SIM_POLLER_H_
#define WEIR_TESTS_SIM_SIM_POLLER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/random.h"
#include "log/file.h"
#include "server/poller.h"

namespace weir::sim {

class SimNetwork {
 public:
  struct Options {
    size_t chunk_bytes_max = 1 << 20;  // a call moves 1 to this many bytes
    size_t window_bytes = 256 << 10;   // what one direction holds before its sender must wait
    uint64_t late_one_in = 0;          // Wait keeps one in so many events back; 0: none
    uint64_t reset_one_in = 0;         // one in so many calls that move bytes resets; 0: none
    uint64_t cold_one_in = 0;          // one in so many pieces of files is on disk; 0: none
  };

  explicit SimNetwork(Random& random) : random_(random) {}
  SimNetwork(Random& random, Options options) : random_(random), options_(options) {}
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  // May be changed between calls: a simulation heals its faults so.
  Options& options() { return options_; }

 private:
  friend class SimPoller;
  friend class SimClient;

  struct Connection {
    std::string to_server, to_client;
    bool client_done = false;  // sends no more
    bool client_gone = false;  // reads no more either
    bool server_gone = false;
    bool reset = false;
    std::string peer;
  };
  struct Listener {
    std::deque<int> waiting;
    size_t backlog = 0;
  };

  size_t Chunk(size_t available) {
    const size_t max = std::min(available, options_.chunk_bytes_max);
    return max <= 1 ? max : 1 + random_.Below(max);
  }
  bool Resets() { return options_.reset_one_in > 0 && random_.OneIn(options_.reset_one_in); }
  void CloseServerEnd(int handle) {
    Connection& connection = connections_.at(handle);
    connection.server_gone = true;
    // A kernel answers a close over unread bytes with a reset.
    if (!connection.to_server.empty()) connection.reset = true;
  }

  Random& random_;
  Options options_;
  std::map<int, Connection> connections_;  // kept to the end: a client may look any time
  std::map<int, Listener> listeners_;      // by port
  int last_handle_ = 0;
  int last_port_ = 49151;
};

// The client's end of one connection.
class SimClient {
 public:
  // kUnavailable when nobody listens there or the backlog is full.
  static absl::StatusOr<SimClient> Connect(SimNetwork& network, int port) {
    const auto listener = network.listeners_.find(port);
    if (listener == network.listeners_.end() ||
        listener->second.waiting.size() >= listener->second.backlog) {
      return absl::UnavailableError(absl::StrCat("connection refused by port ", port));
    }
    const int handle = ++network.last_handle_;
    network.connections_[handle].peer = absl::StrCat("client-", handle, ":1");
    listener->second.waiting.push_back(handle);
    return SimClient(network, handle);
  }

  // All of it, whatever the window: the test's own buffer is without limit.
  void Send(absl::string_view bytes) {
    WEIR_CHECK(!at().client_done);
    at().to_server.append(bytes.data(), bytes.size());
  }
  // Takes up to `bytes_max` of what has arrived.
  std::string Receive(size_t bytes_max = ~size_t{0}) {
    std::string& from = at().to_client;
    std::string taken = from.substr(0, bytes_max);
    from.erase(0, taken.size());
    return taken;
  }
  void FinishSending() { at().client_done = true; }
  void Close() { at().client_done = at().client_gone = true; }
  void Reset() {
    at().reset = true;
    at().to_server.clear();
  }

  bool reset() const { return at().reset; }
  // The server closed or the connection broke; bytes may still be there to take.
  bool closed() const { return at().server_gone || at().reset; }

 private:
  SimClient(SimNetwork& network, int handle) : network_(&network), handle_(handle) {}
  SimNetwork::Connection& at() const { return network_->connections_.at(handle_); }

  SimNetwork* network_;
  int handle_;
};

class SimPoller final : public server::Poller {
 public:
  using SocketId = server::SocketId;
  using IoKind = server::IoKind;
  using IoResult = server::IoResult;

  explicit SimPoller(SimNetwork& network) : network_(network) {}
  ~SimPoller() override {
    while (!sockets_.empty()) Close(sockets_.begin()->first);
  }

  absl::string_view name() const override { return "simulated"; }

  absl::StatusOr<SocketId> Listen(const std::string& host, int port, int backlog) override {
    if (port < 0 || port > 65535) {
      return absl::InvalidArgumentError(absl::StrCat("no port: ", host, ":", port));
    }
    if (port == 0) port = ++network_.last_port_;
    const auto [at, is_new] = network_.listeners_.try_emplace(port);
    if (!is_new) {
      return absl::AlreadyExistsError(absl::StrCat("cannot listen on ", host, ":", port));
    }
    at->second.backlog = static_cast<size_t>(std::max(backlog, 1));
    return Register({.port = port});
  }
  int LocalPort(SocketId socket) const override { return sockets_.at(socket).port; }

  absl::StatusOr<server::Accepted> Accept(SocketId listener) override {
    std::deque<int>& waiting = network_.listeners_.at(At(listener).port).waiting;
    if (waiting.empty()) return absl::UnavailableError("accept: no connection waits");
    const int handle = waiting.front();
    waiting.pop_front();
    const int port = At(listener).port;
    return server::Accepted{Register({.handle = handle, .port = port}),
                            network_.connections_.at(handle).peer};
  }

  IoResult Receive(SocketId socket, absl::Span<char> into) override {
    SimNetwork::Connection& connection = ConnectionOf(socket);
    if (into.empty()) return {};
    if (Breaks(connection)) return {IoKind::kError, 0, "recv: connection reset by peer"};
    if (connection.to_server.empty()) {
      return {connection.client_done ? IoKind::kClosed : IoKind::kWouldBlock, 0, {}};
    }
    const size_t count = network_.Chunk(std::min(into.size(), connection.to_server.size()));
    std::memcpy(into.data(), connection.to_server.data(), count);
    connection.to_server.erase(0, count);
    return {IoKind::kDone, count, {}};
  }

  IoResult Send(SocketId socket, absl::Span<const absl::string_view> pieces, bool) override {
    std::string bytes;
    for (const absl::string_view piece : pieces) absl::StrAppend(&bytes, piece);
    return SendBytes(ConnectionOf(socket), bytes);
  }

  IoResult SendFile(SocketId socket, const log::File& file, int64_t position,
                    size_t bytes) override {
    WEIR_CHECK(bytes > 0);
    if (!HasArrived(At(socket))) return {IoKind::kWouldBlock, 0, {}};
    std::string buffer(std::min(bytes, network_.options_.window_bytes), '\0');
    const absl::StatusOr<size_t> read = file.ReadAt(position, absl::MakeSpan(buffer));
    if (!read.ok()) return {IoKind::kError, 0, std::string(read.status().message())};
    if (*read == 0) return {IoKind::kError, 0, "a file ends before what was to be sent"};
    return SendBytes(ConnectionOf(socket), absl::string_view(buffer).substr(0, *read));
  }

  void Watch(SocketId socket, bool readable, bool writable) override {
    At(socket).readable = readable;
    At(socket).writable = writable;
  }

  void Close(SocketId socket) override {
    const Socket closed = At(socket);
    sockets_.erase(socket);
    if (closed.handle > 0) return network_.CloseServerEnd(closed.handle);
    for (const int handle : network_.listeners_.at(closed.port).waiting) {
      network_.connections_.at(handle).reset = true;
    }
    network_.listeners_.erase(closed.port);
  }

  server::DetachedSocket Detach(SocketId socket) override {
    const int handle = At(socket).handle;
    WEIR_CHECK(handle > 0);
    sockets_.erase(socket);
    return server::DetachedSocket(
        handle,
        [](void* network, int closed) {
          static_cast<SimNetwork*>(network)->CloseServerEnd(closed);
        },
        &network_);
  }
  SocketId Adopt(server::DetachedSocket socket) override {
    WEIR_CHECK(socket.holds_socket());
    return Register({.handle = socket.Release()});
  }

  // In the order of the ids; an event that is kept back comes with a later Wait.
  void Wait(std::optional<int64_t>, std::vector<server::PollEvent>* events) override {
    events->clear();
    woken_ = false;
    for (auto& [id, socket] : sockets_) {
      if (!socket.awaits_disk || !network_.random_.OneIn(2)) continue;
      socket.awaits_disk = false;
      socket.has_arrived = true;
    }
    for (const auto& [id, socket] : sockets_) {
      const server::PollEvent event = EventOf(id, socket);
      if (!event.readable && !event.writable && !event.hangup) continue;
      const uint64_t late = network_.options_.late_one_in;
      if (late > 0 && network_.random_.OneIn(late)) continue;
      events->push_back(event);
    }
  }
  // Whether a Wait that keeps nothing back would return for something else than its timeout.
  bool HasReady() const {
    if (woken_ || !syncer_.done.empty()) return true;
    return std::any_of(sockets_.begin(), sockets_.end(), [this](const auto& entry) {
      const server::PollEvent event = EventOf(entry.first, entry.second);
      return event.readable || event.writable || event.hangup || entry.second.awaits_disk;
    });
  }

  void Wake() override { woken_ = true; }
  // Completes every sync at once: simulated files sync by themselves.
  log::Syncer& syncer() override { return syncer_; }

 private:
  struct Socket {
    int handle = 0;  // 0: a listener
    int port = 0;
    bool readable = false;
    bool writable = false;
    bool awaits_disk = false;  // what is to be sent is being read
    bool has_arrived = false;  // it was, and has not been sent
  };
  struct InstantSyncer final : log::Syncer {
    void Start(int, log::SyncToken token) override { done.push_back({token, absl::OkStatus()}); }
    void Drain(std::vector<log::SyncDone>* into) override {
      std::move(done.begin(), done.end(), std::back_inserter(*into));
      done.clear();
    }
    std::vector<log::SyncDone> done;
  };

  SocketId Register(Socket socket) {
    const SocketId id(++last_id_);
    sockets_[id] = socket;
    return id;
  }
  Socket& At(SocketId id) {
    const auto at = sockets_.find(id);
    WEIR_CHECK(at != sockets_.end());
    return at->second;
  }
  SimNetwork::Connection& ConnectionOf(SocketId id) {
    WEIR_CHECK(At(id).handle > 0);
    return network_.connections_.at(At(id).handle);
  }

  bool HasArrived(Socket& socket) {
    if (socket.awaits_disk) return false;
    if (std::exchange(socket.has_arrived, false)) return true;
    const uint64_t cold = network_.options_.cold_one_in;
    socket.awaits_disk = cold > 0 && network_.random_.OneIn(cold);
    return !socket.awaits_disk;
  }

  bool Breaks(SimNetwork::Connection& connection) {
    if (!connection.reset && network_.Resets()) connection.reset = true;
    return connection.reset;
  }

  IoResult SendBytes(SimNetwork::Connection& connection, absl::string_view bytes) {
    if (Breaks(connection) || connection.client_gone) {
      connection.reset = true;
      return {IoKind::kClosed, 0, "send: broken pipe"};
    }
    const size_t held = connection.to_client.size();
    const size_t window = network_.options_.window_bytes;
    if (held >= window) return {IoKind::kWouldBlock, 0, {}};
    const size_t count = network_.Chunk(std::min(bytes.size(), window - held));
    connection.to_client.append(bytes.data(), count);
    return {IoKind::kDone, count, {}};
  }

  server::PollEvent EventOf(SocketId id, const Socket& socket) const {
    if (socket.handle == 0) {
      return {id, socket.readable && !network_.listeners_.at(socket.port).waiting.empty(), false,
              false};
    }
    const SimNetwork::Connection& connection = network_.connections_.at(socket.handle);
    const bool has_input =
        !connection.to_server.empty() || connection.client_done || connection.reset;
    const bool has_room =
        connection.to_client.size() < network_.options_.window_bytes || connection.reset;
    return {id, socket.readable && has_input, socket.writable && has_room && !socket.awaits_disk,
            connection.reset};
  }

  SimNetwork& network_;
  std::map<SocketId, Socket> sockets_;
  uint64_t last_id_ = 0;
  bool woken_ = false;
  InstantSyncer syncer_;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_SIM_POLLER_H_

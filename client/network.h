// -----------------------------------------------------------------------------
// File: client/network.h
// -----------------------------------------------------------------------------
// The connections of one client to the nodes of a cluster: opened when something is to be sent,
// opened again after a pause that doubles and is jittered when a node cannot be reached.
// Threading: one thread, which drives everything through Poll(). Handlers run inside Poll() and
// Send(), and may send.
// Errors: as client/connection.h; kUnavailable also for everything that waits for a node when a try
// to connect to it fails.
#ifndef WEIR_CLIENT_NETWORK_H_
#define WEIR_CLIENT_NETWORK_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/random.h"
#include "client/connection.h"
#include "client/transport.h"

namespace weir::client {

struct NetworkOptions {
  ConnectionOptions connection;
  int64_t connect_timeout_ms = 10'000;
  int64_t reconnect_backoff_ms = 50;
  int64_t reconnect_backoff_max_ms = 1'000;
};

// A pause before try number `failures` + 1: doubles up to `max_ms`, then 80 to 120 percent of it.
inline int64_t BackoffNs(int64_t first_ms, int64_t max_ms, int failures, Random& random) {
  const int64_t ms = std::min(max_ms, first_ms << std::min(failures, 20));
  return ms * (800'000 + static_cast<int64_t>(random.Below(400'000)));
}

class Network {
 public:
  Network(Transport& transport, Clock& clock, Random& random, NetworkOptions options)
      : transport_(transport), clock_(clock), random_(random), options_(std::move(options)) {}
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  ~Network() { CloseAll(absl::CancelledError("the client was closed")); }

  // Where a node is. A new address ends the connection to the old one.
  void SetNode(int32_t node, const std::string& host, int32_t port) {
    Peer& peer = peers_[node];
    if (peer.host == host && peer.port == port) return;
    peer.host = host;
    peer.port = port;
    peer.failures = 0;
    peer.retry_at = MonotonicNs();
    if (peer.stream.has_value()) peer.broken = absl::UnavailableError("the node moved");
  }
  bool HasNode(int32_t node) const { return peers_.contains(node); }
  // An id that no node has, for a connection of one's own to a node that has an id already: what
  // waits on one connection is not held up by a slow answer on another.
  int32_t NewNode() {
    int32_t id = std::numeric_limits<int32_t>::max();
    while (peers_.contains(id)) --id;
    peers_[id];
    return id;
  }
  // Ends its connection and forgets it. Not from within a handler.
  void RemoveNode(int32_t node) {
    const auto it = peers_.find(node);
    if (it == peers_.end()) return;
    Drop(it->second, absl::CancelledError("the connection was given up"));
    peers_.erase(node);
  }

  // Sends a call made by MakeCall(), as soon as the node is connected.
  void Send(int32_t node, OutgoingRequest request) {
    const auto it = peers_.find(node);
    if (it == peers_.end()) {
      return request.done(absl::NotFoundError(absl::StrCat("no address of node ", node)), 0);
    }
    Peer& peer = it->second;
    if (peer.connection == nullptr || peer.connection->failed()) {
      peer.waiting.push_back(std::move(request));
    } else {
      peer.connection->Submit(std::move(request));
    }
  }

  // Waits until `until` at the latest for something to happen on any connection, and lets it
  // happen. With a time that has passed it only looks.
  void Poll(MonotonicNs until) {
    const int failures = failures_;
    for (auto& [id, peer] : peers_) Prepare(peer);
    // Handlers that ran may have changed what the caller waits for.
    MonotonicNs wake = failures_ == failures ? until : MonotonicNs();
    std::vector<StreamInterest> streams;
    std::vector<int32_t> nodes;
    for (auto& [id, peer] : peers_) {
      wake = std::min(wake, NextEvent(peer));
      if (!peer.stream.has_value()) continue;
      if (peer.connected) Flush(peer);
      if (!peer.broken.ok()) wake = MonotonicNs();
      streams.push_back({*peer.stream, !peer.connected || !peer.connection->Output().empty()});
      nodes.push_back(id);
    }
    const MonotonicNs now = clock_.Monotonic();
    transport_.Wait(absl::MakeSpan(streams), std::max<int64_t>(0, wake - now));
    for (size_t i = 0; i < streams.size(); ++i) {
      Peer& peer = peers_.find(nodes[i])->second;
      if (streams[i].writable) OnWritable(peer);
      if (streams[i].readable) OnReadable(peer);
    }
    for (auto& [id, peer] : peers_) Settle(peer);
    ExpireWaiting();
  }

  bool IsReady(int32_t node) const {
    const auto it = peers_.find(node);
    return it != peers_.end() && it->second.connection != nullptr && it->second.connection->ready();
  }
  // Whether the last try to reach the node failed and the pause after it lasts.
  bool IsPausing(int32_t node) const {
    const auto it = peers_.find(node);
    return it != peers_.end() && it->second.connection == nullptr && it->second.failures > 0 &&
           clock_.Monotonic() < it->second.retry_at;
  }
  std::vector<int32_t> nodes() const {
    std::vector<int32_t> ids;
    for (const auto& [id, peer] : peers_) ids.push_back(id);
    return ids;
  }

  void CloseAll(const absl::Status& status) {
    for (auto& [id, peer] : peers_) Drop(peer, status);
  }

 private:
  struct Peer {
    std::string host;
    int32_t port = 0;
    std::optional<StreamId> stream;
    bool connected = false;
    std::unique_ptr<Connection> connection;  // with a stream
    absl::Status broken;                     // why the stream is to be dropped
    std::deque<OutgoingRequest> waiting;     // while there is no connection
    int failures = 0;
    absl::Status last_failure;
    MonotonicNs retry_at;
    MonotonicNs connect_deadline;
  };

  // Opens a connection where requests wait and the pause is over.
  void Prepare(Peer& peer) {
    if (peer.stream.has_value() || peer.waiting.empty()) return;
    const MonotonicNs now = clock_.Monotonic();
    if (now < peer.retry_at) return;
    absl::StatusOr<StreamId> stream = transport_.Connect(peer.host, peer.port);
    if (!stream.ok()) return Failed(peer, stream.status());
    peer.stream = *stream;
    peer.connected = false;
    peer.connect_deadline = now + options_.connect_timeout_ms * kNsPerMs;
    peer.connection = std::make_unique<Connection>(options_.connection);
    for (OutgoingRequest& request : std::exchange(peer.waiting, {})) {
      peer.connection->Submit(std::move(request));
    }
  }

  MonotonicNs NextEvent(const Peer& peer) const {
    MonotonicNs next{std::numeric_limits<int64_t>::max()};
    for (const OutgoingRequest& request : peer.waiting) next = std::min(next, request.deadline);
    if (!peer.stream.has_value()) {
      return peer.waiting.empty() ? next : std::min(next, peer.retry_at);
    }
    if (!peer.connected) next = std::min(next, peer.connect_deadline);
    return std::min(next, peer.connection->NextDeadline());
  }

  void OnWritable(Peer& peer) {
    if (peer.connected) return Flush(peer);
    const absl::StatusOr<bool> done = transport_.FinishConnect(*peer.stream);
    if (!done.ok()) {
      peer.broken = done.status();
    } else if (*done) {
      peer.connected = true;
      peer.connection->OnConnected(peer.connect_deadline);
      Flush(peer);
    }
  }

  void Flush(Peer& peer) {
    while (peer.broken.ok() && !peer.connection->Output().empty()) {
      const absl::StatusOr<size_t> n = transport_.Write(*peer.stream, peer.connection->Output());
      if (!n.ok()) {
        peer.broken = n.status();
      } else if (*n == 0) {
        return;
      } else {
        peer.connection->Written(*n);
      }
    }
  }

  void OnReadable(Peer& peer) {
    // A bounded number of reads, so that one busy node does not keep the others waiting.
    for (int i = 0; i < 16 && peer.connected && peer.broken.ok(); ++i) {
      const absl::Span<char> room = peer.connection->Room();
      const absl::StatusOr<size_t> n = transport_.Read(*peer.stream, room);
      if (!n.ok()) {
        peer.broken = n.status();
        return;
      }
      if (*n == 0) return;
      const absl::Status status = peer.connection->Received(*n);
      if (!status.ok()) peer.broken = status;
      if (peer.connection->ready()) peer.failures = 0;
      if (*n < room.size()) return;
    }
  }

  // Ends what broke or is late.
  void Settle(Peer& peer) {
    if (!peer.stream.has_value()) return;
    const MonotonicNs now = clock_.Monotonic();
    if (peer.broken.ok()) peer.broken = peer.connection->Expire(now);
    if (peer.broken.ok() && !peer.connected && peer.connect_deadline <= now) {
      peer.broken = absl::UnavailableError(
          absl::StrCat("connect to ", peer.host, ":", peer.port, ": no answer"));
    }
    if (!peer.broken.ok()) Failed(peer, std::exchange(peer.broken, absl::OkStatus()));
  }

  void Failed(Peer& peer, const absl::Status& status) {
    peer.retry_at =
        clock_.Monotonic() + BackoffNs(options_.reconnect_backoff_ms,
                                       options_.reconnect_backoff_max_ms, peer.failures++, random_);
    peer.last_failure = status;
    ++failures_;
    Drop(peer, status);
  }

  void Drop(Peer& peer, const absl::Status& status) {
    std::unique_ptr<Connection> connection = std::move(peer.connection);
    std::deque<OutgoingRequest> waiting = std::exchange(peer.waiting, {});
    if (peer.stream.has_value()) transport_.Close(*peer.stream);
    peer.stream.reset();
    peer.connected = false;
    peer.broken = absl::OkStatus();
    if (connection != nullptr) connection->Fail(status);
    for (OutgoingRequest& request : waiting) request.done(status, 0);
  }

  void ExpireWaiting() {
    const MonotonicNs now = clock_.Monotonic();
    for (auto& [id, peer] : peers_) {
      for (OutgoingRequest& request : std::exchange(peer.waiting, {})) {
        if (request.deadline > now) {
          peer.waiting.push_back(std::move(request));
        } else {
          request.done(
              absl::DeadlineExceededError(absl::StrCat(
                  peer.host, ":", peer.port, " is not reachable: ", peer.last_failure.message())),
              0);
        }
      }
    }
  }

  Transport& transport_;
  Clock& clock_;
  Random& random_;
  const NetworkOptions options_;
  int failures_ = 0;               // of all peers, ever
  std::map<int32_t, Peer> peers_;  // stays in place while handlers add nodes
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_NETWORK_H_

// -----------------------------------------------------------------------------
// File: server/poller.h
// -----------------------------------------------------------------------------
// The poller port: everything that one core asks of the network, readiness style. Implementations:
// server/epoll_poller.h and tests/sim/sim_poller.h.
// Threading: a poller belongs to one thread; only Wake may be called by others.
// Errors: a SocketId that this poller does not hold is a programmer error. What the network or a
// peer does is reported in an IoResult or an absl::Status.
#ifndef WEIR_SERVER_POLLER_H_
#define WEIR_SERVER_POLLER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/strong_int.h"
#include "log/file.h"

namespace weir::server {

// Names a socket within its poller. Never reused while the poller lives, so that a late event
// cannot reach the wrong connection.
using SocketId = StrongInt<struct SocketIdTag, uint64_t>;

enum class IoKind {
  kDone,        // `bytes` were moved, at least one unless none was asked for
  kWouldBlock,  // nothing moved now: Watch and try again
  kClosed,      // Receive: the peer sends no more. Send: the peer is gone
  kError,       // the connection is broken: `error` says how; Close it
};

struct IoResult {
  IoKind kind = IoKind::kDone;
  size_t bytes = 0;
  std::string error;
};

struct Accepted {
  SocketId socket;
  std::string peer;  // "192.0.2.1:40000", "[2001:db8::1]:40000"
};

struct PollEvent {
  SocketId socket;
  bool readable = false;
  bool writable = false;
  // Broken in both directions; repeated by every Wait, watched or not, until the socket is closed.
  bool hangup = false;
};

// A socket on its way from one poller to another, perhaps to another thread. Closes what it still
// holds when destroyed. Only a poller of the kind that detached it can adopt it.
class DetachedSocket {
 public:
  // Closes `handle`; `context` is whatever the poller handed over with it. Runs on any thread.
  using Closer = void (*)(void* context, int handle);

  DetachedSocket() = default;
  DetachedSocket(int handle, Closer closer, void* context)
      : handle_(handle), closer_(closer), context_(context) {}
  DetachedSocket(DetachedSocket&& other) noexcept
      : handle_(std::exchange(other.handle_, -1)),
        closer_(other.closer_),
        context_(other.context_) {}
  DetachedSocket& operator=(DetachedSocket&& other) noexcept {
    if (this == &other) return *this;
    CloseIfHeld();
    handle_ = std::exchange(other.handle_, -1);
    closer_ = other.closer_;
    context_ = other.context_;
    return *this;
  }
  ~DetachedSocket() { CloseIfHeld(); }

  bool holds_socket() const { return handle_ >= 0; }
  // For pollers: gives the handle up without closing it.
  int Release() { return std::exchange(handle_, -1); }

 private:
  void CloseIfHeld() {
    if (handle_ >= 0) closer_(context_, std::exchange(handle_, -1));
  }

  int handle_ = -1;
  Closer closer_ = nullptr;
  void* context_ = nullptr;
};

class Poller {
 public:
  virtual ~Poller() = default;

  // "epoll", "io_uring" or "simulated".
  virtual absl::string_view name() const = 0;

  // Listens for TCP connections. `host` is a name, an address or empty (every interface); port 0
  // picks a free one. The listener is not watched yet. Errors: kAlreadyExists when another process
  // listens there, kPermissionDenied, kNotFound when the host has no such address here,
  // kInvalidArgument for a port out of range.
  virtual absl::StatusOr<SocketId> Listen(const std::string& host, int port, int backlog) = 0;
  virtual int LocalPort(SocketId socket) const = 0;

  // Kernel buffers of connections from now on, in bytes; -1 leaves them to the system. Without an
  // effect where there is no kernel.
  virtual void set_socket_buffers(int /*send_bytes*/, int /*receive_bytes*/) {}

  // Takes one waiting connection: without delay of small segments (TCP_NODELAY), not watched yet.
  // Errors: kUnavailable when none waits; kAborted when the one that waited is gone (go on);
  // kResourceExhausted when the process has no descriptor or memory left for it: the connection
  // still waits, so stop watching the listener for a while.
  virtual absl::StatusOr<Accepted> Accept(SocketId listener) = 0;

  // Moves what can be moved now; never blocks.
  virtual IoResult Receive(SocketId socket, absl::Span<char> into) = 0;
  // The pieces, in order, with one system call (at most 64 of them, the rest is not looked at).
  // `more` says that more is sent right after, so that a short packet may wait for it.
  virtual IoResult Send(SocketId socket, absl::Span<const absl::string_view> pieces, bool more) = 0;
  // Up to `bytes` of the file from `position` (bytes > 0), without a copy where the file has a
  // descriptor. kWouldBlock too when they must be read from the disk first, which this starts: Wait
  // does not report the socket writable before they are there. kError too when the file ends before
  // one byte: what was announced cannot be sent.
  virtual IoResult SendFile(SocketId socket, const log::File& file, int64_t position,
                            size_t bytes) = 0;

  // Says which readiness Wait reports, from now on and repeatedly while it lasts. A listener is
  // readable when a connection waits.
  virtual void Watch(SocketId socket, bool readable, bool writable) = 0;
  virtual void Close(SocketId socket) = 0;

  virtual DetachedSocket Detach(SocketId socket) = 0;
  // The socket under its new id, not watched yet.
  virtual SocketId Adopt(DetachedSocket socket) = 0;

  // Blocks until a socket is ready, a sync completed, Wake was called or the timeout (none: for
  // ever) passed; 0 only looks. Replaces *events; may return none.
  virtual void Wait(std::optional<int64_t> timeout_ns, std::vector<PollEvent>* events) = 0;

  // Makes the current or the next Wait return. Any thread; many calls may cost one.
  virtual void Wake() = 0;

  // Syncs whose completions end a Wait. Lives as long as the poller.
  virtual log::Syncer& syncer() = 0;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_POLLER_H_

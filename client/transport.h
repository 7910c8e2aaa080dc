// -----------------------------------------------------------------------------
// File: client/transport.h
// -----------------------------------------------------------------------------
// What a client asks of the network: byte streams to brokers and a way to wait for them. The real
// one is client/socket_transport.h; tests hand in a peer in memory.
// Threading: one thread.
// Errors: kUnavailable when a stream cannot be made, is refused or has ended; the caller then
// closes it. No call but Wait() blocks (Connect() may, to resolve a name).
#ifndef WEIR_CLIENT_TRANSPORT_H_
#define WEIR_CLIENT_TRANSPORT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/strong_int.h"

namespace weir::client {

using StreamId = StrongInt<struct StreamIdTag, int32_t>;

// What to wait for on one stream, and what has come of it. A stream that ended or failed is
// readable.
struct StreamInterest {
  StreamId stream;
  bool wants_write = false;  // reading is always wanted
  bool readable = false;     // out
  bool writable = false;     // out
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Begins to connect. The stream is worth a FinishConnect() when it becomes writable.
  virtual absl::StatusOr<StreamId> Connect(const std::string& host, int32_t port) = 0;
  // True when the stream is connected, false while another address of the host is being tried.
  virtual absl::StatusOr<bool> FinishConnect(StreamId stream) = 0;
  // How many bytes were taken; 0 when the stream takes none now.
  virtual absl::StatusOr<size_t> Write(StreamId stream, absl::string_view bytes) = 0;
  // How many bytes came; 0 when there are none now. The end of the stream is kUnavailable.
  virtual absl::StatusOr<size_t> Read(StreamId stream, absl::Span<char> room) = 0;
  virtual void Close(StreamId stream) = 0;
  // Waits until something is readable or wanted and writable, or the time is over (0: only looks).
  virtual void Wait(absl::Span<StreamInterest> streams, int64_t timeout_ns) = 0;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_TRANSPORT_H_

// -----------------------------------------------------------------------------
// File: replication/stream_network.h
// -----------------------------------------------------------------------------
// The transport port of replication: streams between brokers, each opened by a follower. Messages
// arrive whole, in order and once, until the stream ends; what was sent then may or may not have
// arrived.
// Threading: every function on any thread, but none of them from within a callback that waits for
// Stop. Callbacks of one stream come one after another, on any thread, possibly before the function
// that opened it returns; after OnClosed none comes, after Close has returned none begins.
// Errors: OnClosed tells why. Limits: a message is bounded by replication/stream_messages.h, what
// waits to be sent by the follower's credit and the sender's restraint.
#ifndef WEIR_REPLICATION_STREAM_NETWORK_H_
#define WEIR_REPLICATION_STREAM_NETWORK_H_

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "replication/stream_messages.h"

namespace weir::replication {

// One end of a stream that sends `Out` and receives `In`.
template <class Out, class In>
class StreamEnd {
 public:
  struct Listener {
    std::function<void(In message)> on_message;
    std::function<void(const absl::Status& why)> on_closed;  // once, but after Close
  };

  virtual ~StreamEnd() = default;  // closes
  virtual void Send(Out message) = 0;
  // Ends the stream; the other end is told `why`.
  virtual void Close(const absl::Status& why) = 0;
};

using FollowerEnd = StreamEnd<FollowerMessage, LeaderMessage>;
using LeaderEnd = StreamEnd<LeaderMessage, FollowerMessage>;

class StreamNetwork {
 public:
  // Takes a stream that another broker has opened: what is to become of its messages, or why not,
  // which the follower is told. `end` is the leader's to keep.
  using Accept = std::function<absl::StatusOr<LeaderEnd::Listener>(const StreamHello& hello,
                                                                   std::shared_ptr<LeaderEnd> end)>;

  virtual ~StreamNetwork() = default;

  virtual void SetAccept(Accept accept) = 0;
  // Opens a stream to hello.leader. Where that is not known, or does not answer, it is closed with
  // kUnavailable; who tries again does so later and later.
  virtual std::shared_ptr<FollowerEnd> Open(StreamHello hello, FollowerEnd::Listener listener) = 0;
};

}  // namespace weir::replication

#endif  // WEIR_REPLICATION_STREAM_NETWORK_H_

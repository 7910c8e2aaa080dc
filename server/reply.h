// -----------------------------------------------------------------------------
// File: server/reply.h
// -----------------------------------------------------------------------------
// The answer to a question that one shard asked another: called once on the shard that was asked,
// it runs the asker's continuation on the asker's shard.
#ifndef WEIR_SERVER_REPLY_H_
#define WEIR_SERVER_REPLY_H_

#include <utility>

#include "absl/functional/any_invocable.h"
#include "server/event_loop.h"

namespace weir::server {

template <class Result>
class Reply {
 public:
  using Done = absl::AnyInvocable<void(Result)>;

  // `asker` is null when the asker is the shard that was asked: then nothing crosses a mailbox.
  Reply(EventLoop* asker, Done done) : asker_(asker), done_(std::move(done)) {}

  void operator()(Result result) {
    if (asker_ == nullptr) return done_(std::move(result));
    asker_->Post([done = std::move(done_), result = std::move(result)]() mutable {
      done(std::move(result));
    });
  }

 private:
  EventLoop* asker_;
  Done done_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_REPLY_H_

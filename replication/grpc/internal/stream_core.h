// -----------------------------------------------------------------------------
// File: replication/grpc/internal/stream_core.h
// -----------------------------------------------------------------------------
// What both ends of a replication stream over gRPC have in common: what waits to be sent, one write
// at a time with what has come together, the owner's callbacks, and how it ends. A side of the call
// is a reactor and fills in what the two do differently.
// Threading: any thread; gRPC calls back on its own, never inside a call of ours. Whoever has set
// `writing_` is the only one who writes, and nothing ends the call before it is reset.
// Limits: StreamOptions.
#ifndef WEIR_REPLICATION_GRPC_INTERNAL_STREAM_CORE_H_
#define WEIR_REPLICATION_GRPC_INTERNAL_STREAM_CORE_H_

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpcpp/alarm.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/slice.h"
#include "replication/grpc/stream_codec.h"
#include "replication/stream_messages.h"
#include "replication/stream_network.h"

namespace weir::replication {

struct StreamOptions {
  size_t queue_bytes_max = size_t{64} << 20;  // that wait at one end; beyond it the stream ends
  size_t streams_max = 4096;                  // that others have open here
  // That the other end has to take note of the end of a stream, before it is just cut.
  int64_t linger_ms = 1'000;
};

}  // namespace weir::replication

namespace weir::replication::replication_internal {

using replication::FollowerMessage;
using replication::LeaderMessage;

// About how much memory a message takes while it waits.
inline size_t WeightOf(const FollowerMessage& message) {
  return 64 + message.follow.size() * sizeof(replication::FollowPartition) +
         message.drop.size() * sizeof(replication::FollowHandle) +
         message.progress.size() * sizeof(replication::FollowProgress);
}
inline size_t WeightOf(const LeaderMessage& message) {
  return 64 + message.records.size() * sizeof(replication::LeaderRecords) +
         message.ended.size() * sizeof(replication::FollowEnded) +
         static_cast<size_t>(message.RecordBytes());
}

inline ::grpc::ByteBuffer ToByteBuffer(std::vector<replication::FramePiece> pieces) {
  std::vector<::grpc::Slice> slices;
  slices.reserve(pieces.size());
  using Keeper = std::shared_ptr<const void>;
  for (replication::FramePiece& piece : pieces) {
    auto* keeper = new Keeper(std::move(piece.keeper));
    slices.emplace_back(
        const_cast<char*>(piece.bytes.data()), piece.bytes.size(),
        [](void* kept) { delete static_cast<Keeper*>(kept); }, keeper);
  }
  return {slices.data(), slices.size()};
}

// The slices stay where they are, which matters: small ones have their bytes in themselves.
inline replication::FrameDecoder DecoderOf(const ::grpc::ByteBuffer& buffer) {
  auto slices = std::make_shared<std::vector<::grpc::Slice>>();
  (void)buffer.Dump(slices.get());  // fails with compressed bytes, which end as too few
  std::vector<absl::string_view> pieces;
  pieces.reserve(slices->size());
  for (const ::grpc::Slice& slice : *slices) {
    pieces.emplace_back(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return {std::move(pieces), std::move(slices)};
}

// How many of the owners' callbacks this thread is in. Who is in one waits for no other, or two
// could wait for each other.
inline thread_local int callback_depth = 0;

template <class Out, class In>
class StreamCore : public std::enable_shared_from_this<StreamCore<Out, In>> {
 public:
  using Listener = typename replication::StreamEnd<Out, In>::Listener;

  virtual ~StreamCore() = default;

  void Send(Out message) {
    absl::Status fits = replication::CheckLimits(message);
    std::unique_lock<std::mutex> lock(mutex_);
    if (stopped_) return;
    if (fits.ok() && queue_bytes_ > options_.queue_bytes_max) {
      fits = absl::ResourceExhaustedError(
          absl::StrCat("replication stream: expected at most ", options_.queue_bytes_max,
                       " bytes that wait to be sent, came ", queue_bytes_));
    }
    if (!fits.ok()) return Stop(lock, fits, fits);
    queue_bytes_ += WeightOf(message);
    queue_.push_back(std::move(message));
    if (std::exchange(writing_, true)) return;
    lock.unlock();
    WriteNext();
  }

  // No callback begins any more. Waits for one that runs on another thread, unless this thread is
  // in one itself.
  void Close(const absl::Status& why) {
    Listener listener;  // goes without the mutex
    std::unique_lock<std::mutex> lock(mutex_);
    closed_ = true;
    if (callback_depth == 0) idle_.wait(lock, [this] { return !calling_; });
    if (!calling_) std::swap(listener, listener_);
    if (!stopped_) Stop(lock, why, why);
  }

  // The same from within, and without patience; the owner is told.
  void Cut(const absl::Status& why) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (done_) return;
    CancelCall();
    if (!stopped_) Stop(lock, why, why);
  }

 protected:
  explicit StreamCore(const replication::StreamOptions& options) : options_(options) {}

  // --- what the sides do; none of it calls back -------------------------------------------------

  // Adds what comes before the queue's messages; and whether this frame is the last.
  virtual bool AddOwn(replication::FrameEncoder& encoder) = 0;
  virtual void StartWriteFrame(const ::grpc::ByteBuffer* frame, bool last) = 0;
  virtual void StartReadFrame(::grpc::ByteBuffer* frame) = 0;
  virtual void CancelCall() = 0;  // under the mutex, as the next two; not after done_
  // Has the reason told to the other end; true where that needs a frame.
  virtual bool Tell(const absl::Status& why) = 0;
  // Whether a stream that has stopped goes on reading.
  virtual bool ReadsToTheEnd() const = 0;
  // Whether the call may end, when nobody writes.
  virtual bool MayEnd() const = 0;
  virtual void EndCall() = 0;
  // What came, of whatever kind. Errors end the stream.
  virtual absl::Status Take(replication::FrameMessage message) = 0;

  // --- what happens to the call -----------------------------------------------------------------

  void OnRead(bool ok) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!ok) {
      reads_ended_ = stopped_ = true;
      DropQueue();
      return EndIfIdle(lock);
    }
    if (!stopped_) {
      lock.unlock();
      TakeFrame();
      lock.lock();
    }
    if (stopped_ && !ReadsToTheEnd()) {
      reads_ended_ = true;
      return EndIfIdle(lock);
    }
    lock.unlock();
    in_.Clear();
    StartReadFrame(&in_);
  }

  void OnWritten(bool ok) {
    out_.Clear();
    if (ok) return WriteNext();
    std::unique_lock<std::mutex> lock(mutex_);
    stopped_ = true;
    DropQueue();
    writing_ = false;
    EndIfIdle(lock);
  }

  // The last that happens.
  void OnEnded(const absl::Status& why) {
    std::unique_ptr<::grpc::Alarm> linger;  // goes without the mutex
    absl::Status told;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      done_ = stopped_ = true;
      DropQueue();
      linger = std::move(linger_);
      told = why_.value_or(why);
    }
    const bool called = Call([&](const Listener& listener) {
      if (listener.on_closed != nullptr) listener.on_closed(told);
    });
    if (called) Forget();
  }

  // Writes what waits. By who has set `writing_`, also if there turns out to be nothing.
  void WriteNext() {
    replication::FrameEncoder encoder;
    std::vector<Out> messages;
    bool last = false;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      if (!reads_ended_) last = AddOwn(encoder);
      size_t bytes = 0;
      while (!queue_.empty() && !last) {
        const size_t weight = WeightOf(queue_.front());
        if (!messages.empty() && bytes + weight > replication::kStreamRecordBytesMax) break;
        bytes += weight;
        messages.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
      queue_bytes_ -= bytes;
      if (messages.empty() && encoder.size_bytes() == 0) {
        writing_ = false;
        return EndIfIdle(lock);
      }
    }
    for (const Out& message : messages) encoder.Add(message);
    out_ = ToByteBuffer(encoder.Take());
    StartWriteFrame(&out_, last);
  }

  // Nothing is sent or taken from here on. `why` is for the owner, `told` for the other end.
  void Stop(std::unique_lock<std::mutex>& lock, const absl::Status& why, const absl::Status& told) {
    stopped_ = true;
    if (!why_.has_value()) why_ = why;
    DropQueue();
    const bool needs_frame = Tell(told);
    if (done_) return;
    linger_ = std::make_unique<::grpc::Alarm>();
    linger_->Set(std::chrono::system_clock::now() + std::chrono::milliseconds(options_.linger_ms),
                 [self = this->shared_from_this()](bool) {
                   const std::lock_guard<std::mutex> at_end(self->mutex_);
                   if (!self->done_) self->CancelCall();
                 });
    if (!needs_frame) return EndIfIdle(lock);
    if (std::exchange(writing_, true)) return;
    lock.unlock();
    WriteNext();
  }
  void Fail(const absl::Status& why) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!stopped_) Stop(lock, why, why);
  }

  void EndIfIdle(std::unique_lock<std::mutex>& lock) {
    if (writing_ || ended_ || !MayEnd()) return;
    ended_ = true;
    lock.unlock();
    EndCall();
  }

  bool Deliver(In message) {
    return Call([&](const Listener& listener) {
      if (listener.on_message != nullptr) listener.on_message(std::move(message));
    });
  }
  void SetListener(Listener listener) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!closed_) std::swap(listener_, listener);
  }

  void StartFirstRead() { StartReadFrame(&in_); }

  const replication::StreamOptions options_;
  std::mutex mutex_;
  bool writing_ = false;
  bool reads_ended_ = false;
  bool stopped_ = false;
  bool done_ = false;

 private:
  // Runs a callback of the owner's, unless it has closed the stream.
  template <class Callback>
  bool Call(Callback callback) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (closed_) return false;
      calling_ = true;
    }
    ++callback_depth;
    callback(listener_);
    --callback_depth;
    Listener listener;  // goes without the mutex
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      calling_ = false;
      if (closed_) std::swap(listener, listener_);
    }
    idle_.notify_all();
    return true;
  }
  void Forget() {
    Listener listener;
    const std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
    std::swap(listener, listener_);
  }

  void TakeFrame() {
    replication::FrameDecoder decoder = DecoderOf(in_);
    do {
      absl::StatusOr<replication::FrameMessage> message = decoder.Next();
      absl::Status taken = message.status();
      if (taken.ok()) taken = Take(*std::move(message));
      if (!taken.ok()) return Fail(taken);
    } while (!decoder.done());
  }

  void DropQueue() {
    queue_.clear();
    queue_bytes_ = 0;
  }

  std::condition_variable idle_;
  Listener listener_;
  bool calling_ = false;  // then the listener stays
  bool closed_ = false;   // by the owner
  bool ended_ = false;
  std::deque<Out> queue_;
  size_t queue_bytes_ = 0;
  std::optional<absl::Status> why_;
  std::unique_ptr<::grpc::Alarm> linger_;
  ::grpc::ByteBuffer in_;
  ::grpc::ByteBuffer out_;
};

// What an owner has of a stream.
template <class Out, class In>
class StreamHandle final : public replication::StreamEnd<Out, In> {
 public:
  explicit StreamHandle(std::shared_ptr<StreamCore<Out, In>> core) : core_(std::move(core)) {}
  ~StreamHandle() override {
    core_->Close(absl::UnavailableError("replication stream: the other end is gone"));
  }
  void Send(Out message) override { core_->Send(std::move(message)); }
  void Close(const absl::Status& why) override { core_->Close(why); }

 private:
  const std::shared_ptr<StreamCore<Out, In>> core_;
};

}  // namespace weir::replication::replication_internal

#endif  // WEIR_REPLICATION_GRPC_INTERNAL_STREAM_CORE_H_

// -----------------------------------------------------------------------------
// File: server/connection.h
// -----------------------------------------------------------------------------
// One client's connection: receives frames, hands them to a handler, sends the responses in the
// order of the requests. Stops reading while too many requests are in flight, too many response
// bytes wait or the pool has no memory, and goes on by itself. Small responses of one tick leave
// with one system call; slices of files leave by sendfile. A large frame that does not get on is
// not waited for: others need its memory.
// Threading: the loop's thread. Errors: whatever goes wrong closes the connection and tells the
// handler why. Limits: Connection::Limits.
#ifndef WEIR_SERVER_CONNECTION_H_
#define WEIR_SERVER_CONNECTION_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
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
#include "base/clock.h"
#include "base/limits.h"
#include "base/strong_int.h"
#include "server/event_loop.h"
#include "server/frame_assembler.h"
#include "server/frame_buffer.h"
#include "server/poller.h"
#include "server/response_queue.h"
#include "server/timers.h"

namespace weir::server {

// Given by the owner.
using ConnectionId = StrongInt<struct ConnectionIdTag, uint64_t>;

class ConnectionHandler {
 public:
  virtual ~ConnectionHandler() = default;
  // A request came; complete its slot once, now or later. The connection must not be destroyed
  // within the call.
  virtual void OnFrame(ConnectionId connection, ResponseSlot slot, FrameRef frame) = 0;
  // The socket is closed and nothing more will come. The connection may be destroyed now.
  virtual void OnClosed(ConnectionId connection, absl::string_view reason) = 0;
};

struct ConnectionStats {
  int64_t frames_received = 0;
  int64_t bytes_received = 0;
  int64_t bytes_sent = 0;
  int64_t pauses = 0;  // how often reading stopped for a limit
};

class Connection final : public SocketHandler {
 public:
  struct Limits {
    int32_t frame_bytes_max = kFrameBytesMax;
    size_t in_flight_max = 64;
    int64_t queued_response_bytes_max = 8 << 20;
    int64_t idle_ms_max = 600'000;  // Kafka's connections.max.idle.ms; at most 0: for ever
  };

  // Takes over `socket`, which `loop`'s poller accepted or adopted. Everything outlives it.
  Connection(EventLoop& loop, SocketId socket, ConnectionId id, FramePool& pool,
             const Limits& limits, ConnectionHandler& handler)
      : loop_(loop),
        socket_(socket),
        id_(id),
        limits_(limits),
        handler_(handler),
        assembler_(pool, limits.frame_bytes_max),
        last_active_(loop.now()) {
    loop_.Register(socket_, this);
    ArmIdleTimer();
    UpdateWatch();
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() override { CloseSocket(); }

  ConnectionId id() const { return id_; }
  bool closed() const { return socket_closed_; }
  const ConnectionStats& stats() const { return stats_; }
  int64_t responses_sent() const { return responses_.responses_sent(); }
  size_t in_flight() const { return responses_.in_flight(); }

  // For frames whose length is read from now on, such as after authentication.
  void set_frame_bytes_max(int32_t bytes) { assembler_.set_frame_bytes_max(bytes); }

  // Sent at the end of the tick, when the slots before it are complete too. Nothing happens when
  // the connection is closed already.
  void Complete(ResponseSlot slot, Response response) {
    if (socket_closed_) return;
    responses_.Complete(slot, std::move(response));
    CallAtTickEnd();
  }

  // Closes at the end of the tick, without waiting for responses; no frame comes any more.
  void CloseSoon(std::string reason) {
    if (close_reason_.has_value()) return;
    close_reason_ = std::move(reason);
    CallAtTickEnd();
  }

  // Takes no more requests; closes when those in flight are answered.
  void CloseWhenAnswered(std::string reason) {
    if (last_reason_.has_value()) return;
    last_reason_ = std::move(reason);
    CallAtTickEnd();
  }

  void OnReady(const PollEvent& event) override {
    if (event.hangup) Fail("the peer reset the connection");
    if (event.writable) Flush();
    if (event.readable) ReceiveSome();
    Settle();
  }

  void OnTickEnd() override {
    tick_end_asked_ = false;
    Flush();
    Settle();
  }

 private:
  static constexpr size_t kScratchBytes = 32 << 10;
  static constexpr size_t kReceiveBytesPerTurn = 1 << 20;  // then other connections have their turn
  static constexpr int64_t kSendBytesPerTurn = 4 << 20;
  static constexpr size_t kPiecesMax = 64;
  static constexpr int64_t kMemoryRetryNs = 5 * kNsPerMs;
  // Of a frame that holds more than its first memory, this much has to come within this time.
  static constexpr int64_t kProgressBytes = 32 << 10;
  static constexpr int64_t kProgressMs = 5'000;

  void CallAtTickEnd() {
    if (socket_closed_ || std::exchange(tick_end_asked_, true)) return;
    loop_.CallAtTickEnd(socket_);
  }

  bool WithinLimits() const {
    return responses_.in_flight() < limits_.in_flight_max &&
           responses_.queued_bytes() <= limits_.queued_response_bytes_max;
  }
  bool TakesRequests() const { return !close_reason_.has_value() && !last_reason_.has_value(); }
  bool MayReceive() const {
    return TakesRequests() && WithinLimits() && pending_.empty() && !lacks_memory_;
  }

  void ReceiveSome() {
    size_t received = 0;
    while (MayReceive() && received < kReceiveBytesPerTurn) {
      const absl::StatusOr<absl::Span<char>> direct = assembler_.DirectSpan();
      if (!direct.ok()) return WaitForMemory();
      char scratch[kScratchBytes];
      const bool is_direct = !direct->empty();
      const absl::Span<char> into = is_direct ? *direct : absl::MakeSpan(scratch);
      const IoResult result = loop_.poller().Receive(socket_, into);
      if (result.kind == IoKind::kWouldBlock) return;
      if (result.kind == IoKind::kClosed) return Fail("the peer closed the connection");
      if (result.kind == IoKind::kError) return Fail(result.error);
      received += result.bytes;
      stats_.bytes_received += static_cast<int64_t>(result.bytes);
      last_active_ = loop_.now();
      if (is_direct) {
        if (FrameRef frame = assembler_.Received(result.bytes)) Deliver(std::move(frame));
      } else {
        Consume(absl::string_view(scratch, result.bytes));
      }
      if (result.bytes < into.size()) return;  // most likely all that is here
    }
  }

  // Cuts frames out of `bytes` while the limits allow; keeps the rest.
  void Consume(absl::string_view bytes) {
    while (!bytes.empty() && TakesRequests() && WithinLimits()) {
      absl::StatusOr<FrameRef> frame = assembler_.Take(&bytes);
      if (frame.ok() && !*frame) break;
      if (frame.ok()) {
        Deliver(*std::move(frame));
      } else if (absl::IsResourceExhausted(frame.status())) {
        WaitForMemory();
        break;
      } else {
        return Fail(std::string(frame.status().message()));
      }
    }
    pending_ = std::string(bytes);
  }

  void Deliver(FrameRef frame) {
    ++stats_.frames_received;
    const ResponseSlot slot = responses_.Open();
    handler_.OnFrame(id_, slot, std::move(frame));
  }

  void WaitForMemory() {
    lacks_memory_ = true;
    ResumeAt(loop_.now() + kMemoryRetryNs);
  }

  void ResumeAt(MonotonicNs when) {
    if (resume_timer_ != TimerId()) return;
    resume_timer_ = loop_.timers().Schedule(when, [this] {
      resume_timer_ = TimerId();
      lacks_memory_ = false;
      if (!pending_.empty()) Consume(std::exchange(pending_, std::string()));
      Settle();
    });
  }

  void Flush() {
    blocked_ = false;
    int64_t sent = 0;
    while (!close_reason_.has_value() && responses_.can_send()) {
      if (sent >= kSendBytesPerTurn) {
        blocked_ = true;  // there is room, so that the next tick goes on
        return;
      }
      bool more = false;
      const FileSlice* slice = responses_.Next(kPiecesMax, &views_, &more);
      const IoResult result = slice == nullptr
                                  ? loop_.poller().Send(socket_, views_, more)
                                  : loop_.poller().SendFile(socket_, *slice->file, slice->position,
                                                            static_cast<size_t>(slice->size_bytes));
      if (result.kind == IoKind::kWouldBlock) {
        blocked_ = true;
        return;
      }
      if (result.kind != IoKind::kDone) {
        return Fail(result.error.empty() ? "the peer is gone" : result.error);
      }
      responses_.Sent(static_cast<int64_t>(result.bytes));
      sent += static_cast<int64_t>(result.bytes);
      stats_.bytes_sent += static_cast<int64_t>(result.bytes);
      last_active_ = loop_.now();
    }
  }

  void Fail(absl::string_view reason) {
    if (!close_reason_.has_value()) close_reason_ = std::string(reason);
  }

  // The last thing that every entry point does: nothing may follow it, for the handler may destroy
  // the connection.
  void Settle() {
    if (socket_closed_) return;
    if (last_reason_.has_value() && responses_.in_flight() == 0) Fail(*last_reason_);
    if (!close_reason_.has_value()) {
      // What waits in pending_ came before the limits were reached: its turn is the next tick, with
      // the commit that ends it.
      if (!pending_.empty() && TakesRequests() && WithinLimits() && !lacks_memory_) {
        ResumeAt(loop_.now());
      }
      return UpdateWatch();
    }
    CloseSocket();
    const std::string reason = *close_reason_;
    handler_.OnClosed(id_, reason);
  }

  void WatchProgress() {
    if (progress_timer_ != TimerId()) return;
    if (assembler_.capacity() <= FrameAssembler::kFirstCapacityMax) return;
    progress_bytes_ = stats_.bytes_received;
    progress_timer_ = loop_.timers().Schedule(loop_.now() + kProgressMs * kNsPerMs, [this] {
      progress_timer_ = TimerId();
      const bool is_under_way = assembler_.capacity() > FrameAssembler::kFirstCapacityMax;
      const int64_t came = stats_.bytes_received - progress_bytes_;
      if (is_under_way && WithinLimits() && came < kProgressBytes) {
        Fail(absl::StrCat("expected ", kProgressBytes, " bytes of a request within ", kProgressMs,
                          " ms, came ", came));
      }
      Settle();
    });
  }

  void UpdateWatch() {
    WatchProgress();
    const bool reads = MayReceive();
    if (was_reading_ && !reads) ++stats_.pauses;
    was_reading_ = reads;
    loop_.poller().Watch(socket_, reads, blocked_);
  }

  void CloseSocket() {
    if (std::exchange(socket_closed_, true)) return;
    loop_.timers().Cancel(idle_timer_);
    loop_.timers().Cancel(resume_timer_);
    loop_.timers().Cancel(progress_timer_);
    loop_.Unregister(socket_);
    loop_.poller().Close(socket_);
  }

  void ArmIdleTimer() {
    if (limits_.idle_ms_max <= 0) return;
    idle_timer_ = loop_.timers().Schedule(last_active_ + limits_.idle_ms_max * kNsPerMs,
                                          [this] { OnIdleTimer(); });
  }

  void OnIdleTimer() {
    idle_timer_ = TimerId();
    const bool we_owe = responses_.in_flight() > 0 && !blocked_;
    if (we_owe) last_active_ = loop_.now();
    if (loop_.now() - last_active_ >= limits_.idle_ms_max * kNsPerMs) {
      Fail(absl::StrCat(blocked_ ? "the peer read nothing for " : "nothing came for ",
                        limits_.idle_ms_max, " ms"));
    } else {
      ArmIdleTimer();
    }
    Settle();
  }

  EventLoop& loop_;
  const SocketId socket_;
  const ConnectionId id_;
  const Limits limits_;
  ConnectionHandler& handler_;
  FrameAssembler assembler_;
  ResponseQueue responses_;
  ConnectionStats stats_;
  std::string pending_;  // received, not yet cut: a limit was reached
  std::vector<absl::string_view> views_;
  MonotonicNs last_active_;
  TimerId idle_timer_;
  TimerId resume_timer_;
  TimerId progress_timer_;
  int64_t progress_bytes_ = 0;               // stats_.bytes_received when it was set
  std::optional<std::string> close_reason_;  // close when control comes back to Settle
  std::optional<std::string> last_reason_;   // close once everything is answered
  bool blocked_ = false;                     // output waits for room
  bool lacks_memory_ = false;
  bool was_reading_ = true;
  bool tick_end_asked_ = false;
  bool socket_closed_ = false;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_CONNECTION_H_

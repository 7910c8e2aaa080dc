// -----------------------------------------------------------------------------
// File: replication/grpc/internal/stream_sides.h
// -----------------------------------------------------------------------------
// The two ends of a replication stream over gRPC: the follower's, who calls, and the leader's.
// Threading: as replication/grpc/internal/stream_core.h.
#ifndef WEIR_REPLICATION_GRPC_INTERNAL_STREAM_SIDES_H_
#define WEIR_REPLICATION_GRPC_INTERNAL_STREAM_SIDES_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "grpcpp/alarm.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/client_callback.h"
#include "grpcpp/support/server_callback.h"
#include "grpcpp/support/status.h"
#include "grpcpp/support/stub_options.h"
#include "replication/grpc/internal/stream_core.h"
#include "replication/grpc/stream_codec.h"
#include "replication/stream_messages.h"
#include "replication/stream_network.h"

namespace weir::replication {

struct StreamCounts {
  std::atomic<int64_t> opened{0};    // by this node
  std::atomic<int64_t> accepted{0};  // of others
  std::atomic<int64_t> refused{0};
};

}  // namespace weir::replication

namespace weir::replication::replication_internal {

using replication::FrameMessage;
using replication::StreamHello;
using FollowerCore = StreamCore<FollowerMessage, LeaderMessage>;
using LeaderCore = StreamCore<LeaderMessage, FollowerMessage>;

inline constexpr char kFollowMethod[] = "/weir.replication.v1.Replication/Follow";

// Nobody says of itself that it was cancelled: the call was cut on the way.
inline absl::Status FromGrpc(const ::grpc::Status& status) {
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  return {code == absl::StatusCode::kCancelled ? absl::StatusCode::kUnavailable : code,
          absl::string_view(status.error_message())};
}
inline ::grpc::Status ToGrpc(const absl::Status& status) {
  constexpr size_t kReasonBytesMax = 512;  // it travels as metadata, of which there may be 8 KiB
  return {static_cast<::grpc::StatusCode>(status.code()),
          std::string(status.message().substr(0, kReasonBytesMax))};
}

// What the streams of a network share, and which there are.
class StreamShared {
 public:
  explicit StreamShared(const replication::StreamOptions& o) : options(o) {}

  const replication::StreamOptions options;
  replication::StreamCounts counts;

  void SetCluster(std::string cluster_id, BrokerId self) {
    const std::lock_guard<std::mutex> lock(mutex_);
    cluster_id_ = std::move(cluster_id);
    self_ = self;
  }
  void SetAccept(replication::StreamNetwork::Accept accept) {
    auto shared =
        accept == nullptr
            ? nullptr
            : std::make_shared<const replication::StreamNetwork::Accept>(std::move(accept));
    const std::lock_guard<std::mutex> lock(mutex_);
    accept_.swap(shared);
  }

  // Whether a stream is one of ours to lead, and who takes it then.
  absl::StatusOr<std::shared_ptr<const replication::StreamNetwork::Accept>> Check(
      const StreamHello& hello) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (cluster_id_.empty() || accept_ == nullptr) {
      return absl::UnavailableError("replication stream: this node leads nothing yet");
    }
    if (hello.cluster_id != cluster_id_) {
      return absl::FailedPreconditionError(
          absl::StrCat("replication stream: expected cluster ", cluster_id_, ", came ",
                       absl::CHexEscape(hello.cluster_id.substr(0, 64))));
    }
    if (hello.leader != self_) {
      return absl::FailedPreconditionError(
          absl::StrCat("replication stream: expected a stream to broker ", self_.value(),
                       ", which this is, came one to broker ", hello.leader.value()));
    }
    return accept_;
  }

  // Fails when the network is shut down, or has as many from others as it may.
  template <class Core>
  absl::Status Add(const std::shared_ptr<Core>& stream, bool of_other) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (shut_down_) return absl::UnavailableError("replication stream: this node shuts down");
    if (of_other && of_others_ >= options.streams_max) {
      return absl::ResourceExhaustedError(absl::StrCat("replication stream: expected at most ",
                                                       options.streams_max, " at once, came more"));
    }
    of_others_ += of_other ? 1 : 0;
    const std::weak_ptr<Core> weak = stream;
    open_[stream.get()] = [weak](const absl::Status& why) {
      if (const std::shared_ptr<Core> core = weak.lock()) core->Cut(why);
    };
    return absl::OkStatus();
  }
  // `channel`, if there is one, is kept until the next: gRPC 1.51 has a thread of its own wait for
  // itself when the last channel goes there. The one before goes before anybody who waits for the
  // streams can go on and let this one go.
  void Remove(const void* stream, bool of_other, std::shared_ptr<::grpc::Channel> channel) {
    if (channel != nullptr) {
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        last_channel_.swap(channel);
      }
      channel.reset();
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    of_others_ -= of_other ? 1 : 0;
    open_.erase(stream);
    if (open_.empty()) none_open_.notify_all();
  }

  void Shutdown() {
    std::vector<std::function<void(const absl::Status&)>> cuts;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      shut_down_ = true;
      for (const auto& [stream, cut] : open_) cuts.push_back(cut);
    }
    for (const auto& cut : cuts) {
      cut(absl::UnavailableError("replication stream: this node shuts down"));
    }
    std::shared_ptr<::grpc::Channel> last;
    std::unique_lock<std::mutex> lock(mutex_);
    none_open_.wait(lock, [this] { return open_.empty(); });
    last.swap(last_channel_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable none_open_;
  std::string cluster_id_;
  BrokerId self_ = kNoBroker;
  std::shared_ptr<const replication::StreamNetwork::Accept> accept_;
  std::map<const void*, std::function<void(const absl::Status&)>> open_;
  size_t of_others_ = 0;
  bool shut_down_ = false;
  std::shared_ptr<::grpc::Channel> last_channel_;
};

class FollowerCall final
    : public FollowerCore,
      public ::grpc::ClientBidiReactor<::grpc::ByteBuffer, ::grpc::ByteBuffer> {
 public:
  FollowerCall(std::shared_ptr<StreamShared> shared, StreamHello hello, Listener listener)
      : FollowerCore(shared->options),
        shared_(std::move(shared)),
        to_(absl::StrCat("replication stream to broker ", hello.leader.value())),
        hello_(std::move(hello)) {
    SetListener(std::move(listener));
  }

  // Without a channel it ends at once; in a network that is shut down, nothing happens.
  void Start(std::shared_ptr<::grpc::Channel> channel) {
    writing_ = true;  // the hello: others leave the call alone until it is there
    if (!shared_->Add(Self(), /*of_other=*/false).ok()) {
      const std::lock_guard<std::mutex> lock(mutex_);
      done_ = stopped_ = true;
      return;
    }
    if (channel == nullptr) return StartNothing();
    ++shared_->counts.opened;
    self_ = Self();
    channel_ = std::move(channel);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      context_ = std::make_unique<::grpc::ClientContext>();
    }
    ::grpc::GenericStub(channel_).PrepareBidiStreamingCall(context_.get(), kFollowMethod, {}, this);
    AddHold();
    StartCall();
    StartFirstRead();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (stopped_) CancelCall();  // cut before there was one
    }
    WriteNext();
  }

  void OnReadDone(bool ok) override { OnRead(ok); }
  void OnWriteDone(bool ok) override { OnWritten(ok); }
  void OnDone(const ::grpc::Status& status) override {
    const absl::Status why = FromGrpc(status);
    OnEnded({why.code(), absl::StrCat(to_, ": ", why.message())});
    // The last channel must not go here: who may still have it are the context and this.
    std::shared_ptr<FollowerCall> self = std::move(self_);
    std::shared_ptr<::grpc::Channel> channel = std::move(channel_);
    DropContext();
    End(std::move(self), std::move(channel));
  }

 private:
  std::shared_ptr<FollowerCall> Self() {
    return std::static_pointer_cast<FollowerCall>(shared_from_this());
  }

  // Who waits for the network's streams finds this one gone, if nobody else has it.
  static void End(std::shared_ptr<FollowerCall> self, std::shared_ptr<::grpc::Channel> channel) {
    const std::shared_ptr<StreamShared> shared = self->shared_;
    const void* const key = self.get();
    self.reset();
    shared->Remove(key, /*of_other=*/false, std::move(channel));
  }

  void StartNothing() {
    auto alarm = std::make_shared<::grpc::Alarm>();
    alarm->Set(std::chrono::system_clock::now(), [self = Self(), alarm](bool) mutable {
      self->OnEnded(
          absl::UnavailableError(absl::StrCat(self->to_, ": it is not known where that is")));
      End(std::move(self), nullptr);
      alarm.reset();
    });
  }

  void DropContext() {
    std::unique_ptr<::grpc::ClientContext> context;
    const std::lock_guard<std::mutex> lock(mutex_);
    context.swap(context_);
  }

  bool AddOwn(replication::FrameEncoder& encoder) override {
    if (hello_.has_value()) encoder.Add(*std::exchange(hello_, std::nullopt));
    if (!goodbye_.has_value()) return false;
    encoder.Add(*std::exchange(goodbye_, std::nullopt));
    return true;
  }
  void StartWriteFrame(const ::grpc::ByteBuffer* frame, bool last) override {
    if (last) return StartWriteLast(frame, {});
    StartWrite(frame);
  }
  void StartReadFrame(::grpc::ByteBuffer* frame) override { StartRead(frame); }
  void CancelCall() override {
    if (context_ != nullptr) context_->TryCancel();
  }
  bool Tell(const absl::Status& why) override {
    goodbye_ = replication::StreamGoodbye{why.code(), std::string(why.message())};
    return true;
  }
  bool ReadsToTheEnd() const override { return true; }
  bool MayEnd() const override { return reads_ended_; }
  void EndCall() override { RemoveHold(); }
  absl::Status Take(FrameMessage message) override {
    if (auto* const records = std::get_if<LeaderMessage>(&message)) {
      (void)Deliver(std::move(*records));
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "replication stream: expected messages of a leader, came kind ", message.index() + 1));
  }

  const std::shared_ptr<StreamShared> shared_;
  const std::string to_;
  std::shared_ptr<FollowerCall> self_;  // until gRPC is done with it
  std::shared_ptr<::grpc::Channel> channel_;
  std::unique_ptr<::grpc::ClientContext> context_;
  std::optional<StreamHello> hello_;
  std::optional<replication::StreamGoodbye> goodbye_;
};

class LeaderCall final : public LeaderCore,
                         public ::grpc::ServerBidiReactor<::grpc::ByteBuffer, ::grpc::ByteBuffer> {
 public:
  LeaderCall(std::shared_ptr<StreamShared> shared, ::grpc::CallbackServerContext* context)
      : LeaderCore(shared->options), shared_(std::move(shared)), context_(context) {}

  void Start() {
    self_ = std::static_pointer_cast<LeaderCall>(shared_from_this());
    const absl::Status why = shared_->Add(self_, /*of_other=*/true);
    added_ = why.ok();
    if (added_) return StartFirstRead();
    std::unique_lock<std::mutex> lock(mutex_);
    reads_ended_ = true;
    Stop(lock, why, why);
  }

  void OnReadDone(bool ok) override { OnRead(ok); }
  void OnWriteDone(bool ok) override { OnWritten(ok); }
  void OnDone() override {
    OnEnded(absl::UnavailableError(absl::StrCat(from_, ": broken off")));
    std::shared_ptr<LeaderCall> self = std::move(self_);
    const std::shared_ptr<StreamShared> shared = shared_;
    const void* const key = this;
    const bool added = added_;
    self.reset();
    if (added) shared->Remove(key, /*of_other=*/true, nullptr);
  }

 private:
  bool AddOwn(replication::FrameEncoder&) override { return false; }
  void StartWriteFrame(const ::grpc::ByteBuffer* frame, bool) override { StartWrite(frame); }
  void StartReadFrame(::grpc::ByteBuffer* frame) override { StartRead(frame); }
  void CancelCall() override { context_->TryCancel(); }
  bool Tell(const absl::Status& why) override {
    told_ = why;
    return false;
  }
  bool ReadsToTheEnd() const override { return false; }
  bool MayEnd() const override { return stopped_; }
  void EndCall() override { Finish(ToGrpc(told_)); }

  absl::Status Take(FrameMessage message) override {
    if (!said_hello_) {
      if (auto* const hello = std::get_if<StreamHello>(&message)) return TakeHello(*hello);
    } else if (auto* const said = std::get_if<FollowerMessage>(&message)) {
      (void)Deliver(std::move(*said));
      return absl::OkStatus();
    } else if (auto* const goodbye = std::get_if<replication::StreamGoodbye>(&message)) {
      std::unique_lock<std::mutex> lock(mutex_);
      if (!stopped_) Stop(lock, {goodbye->code, goodbye->text}, absl::OkStatus());
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "replication stream: expected ", said_hello_ ? "messages of a follower" : "a hello first",
        ", came kind ", message.index() + 1));
  }

  absl::Status TakeHello(const StreamHello& hello) {
    said_hello_ = true;
    const auto accept = shared_->Check(hello);
    absl::Status refused = accept.status();
    if (accept.ok()) {
      from_ = absl::StrCat("replication stream of broker ", hello.follower.value());
      const auto end =
          std::make_shared<StreamHandle<LeaderMessage, FollowerMessage>>(shared_from_this());
      ++callback_depth;
      auto listener = (**accept)(hello, end);
      --callback_depth;
      refused = listener.status();
      if (refused.ok()) {
        SetListener(*std::move(listener));
      } else {
        Fail(refused);  // before `end` goes, which would give another reason
      }
    }
    ++(refused.ok() ? shared_->counts.accepted : shared_->counts.refused);
    return refused;
  }

  const std::shared_ptr<StreamShared> shared_;
  ::grpc::CallbackServerContext* const context_;
  std::shared_ptr<LeaderCall> self_;  // until gRPC is done with it
  bool added_ = false;
  bool said_hello_ = false;
  std::string from_ = "replication stream";
  absl::Status told_;
};

}  // namespace weir::replication::replication_internal

#endif  // WEIR_REPLICATION_GRPC_INTERNAL_STREAM_SIDES_H_

// -----------------------------------------------------------------------------
// File: bench/grpc_stream_floor.h
// -----------------------------------------------------------------------------
// The least that brings bytes to another broker over gRPC: a bidirectional stream of raw buffers on
// a connection of its own, opened by who receives, with a few bytes back for what has come.
// Threading: Send on one thread; `take` is called on gRPC's. Errors: a stream that breaks ends the
// program, except at its end.
#ifndef WEIR_BENCH_GRPC_STREAM_FLOOR_H_
#define WEIR_BENCH_GRPC_STREAM_FLOOR_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "coordination/grpc/grpc_listener.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/channel_arguments.h"
#include "grpcpp/support/client_callback.h"
#include "grpcpp/support/server_callback.h"
#include "grpcpp/support/slice.h"
#include "grpcpp/support/status.h"
#include "replication/grpc/replication.grpc.pb.h"
#include "replication/grpc/stream_codec.h"

namespace weir::bench {

// Something to wait for that other threads count up.
class StreamCounter {
 public:
  void Add(size_t n) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      count_ += n;
    }
    changed_.notify_one();
  }
  void WaitFor(size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return count_ >= count; });
  }
  size_t count() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t count_ = 0;
};

class GrpcStreamFloor {
 public:
  using Buffer = ::grpc::ByteBuffer;

  // `take` gets what came; each is to be acknowledged once, whenever that may be.
  explicit GrpcStreamFloor(std::function<void(absl::Span<const absl::string_view>)> take)
      : service_(*this), take_(std::move(take)) {
    listener_ = coordination::GrpcListener::Start({}, {&service_}).value();
    ::grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetMaxReceiveMessageSize(static_cast<int>(replication::kStreamFrameBytesMax));
    channel_ = ::grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", listener_->port()),
                                           ::grpc::InsecureChannelCredentials(), arguments);
    receiver_ = std::make_unique<Receiver>(*this);
    opened_.WaitFor(1);
  }
  ~GrpcStreamFloor() {
    receiver_->Cancel();
    ended_.WaitFor(2);
    listener_->Shutdown(0);
  }

  // The bytes are borrowed until they are acknowledged.
  void Send(absl::Span<const absl::string_view> pieces) {
    std::vector<::grpc::Slice> slices;
    slices.reserve(pieces.size());
    for (const absl::string_view piece : pieces) {
      slices.emplace_back(piece.data(), piece.size(), ::grpc::Slice::STATIC_SLICE);
    }
    sender_->Send(Buffer(slices.data(), slices.size()));
  }
  void Acknowledge() { receiver_->Acknowledge(); }
  // Until so many were acknowledged since the beginning.
  void WaitFor(size_t acknowledged) { acknowledged_.WaitFor(acknowledged); }

 private:
  static void Call(const Buffer& buffer,
                   const std::function<void(absl::Span<const absl::string_view>)>& take) {
    std::vector<::grpc::Slice> slices;
    WEIR_CHECK(buffer.Dump(&slices).ok());
    std::vector<absl::string_view> pieces;
    pieces.reserve(slices.size());
    for (const ::grpc::Slice& slice : slices) {
      pieces.emplace_back(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
    take(pieces);
  }

  class Sender final : public ::grpc::ServerBidiReactor<Buffer, Buffer> {
   public:
    explicit Sender(GrpcStreamFloor& floor) : floor_(floor) { StartRead(&in_); }

    void Send(Buffer buffer) {
      std::unique_lock<std::mutex> lock(mutex_);
      written_.wait(lock, [this] { return !writing_; });
      writing_ = true;
      out_.Swap(&buffer);
      StartWrite(&out_);
    }
    void OnWriteDone(bool ok) override {
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        writing_ = !ok;  // a broken stream sends no more
      }
      written_.notify_one();
    }
    void OnReadDone(bool ok) override {
      if (!ok) return Finish(::grpc::Status::OK);
      floor_.acknowledged_.Add(in_.Length());
      in_.Clear();
      StartRead(&in_);
    }
    void OnDone() override {
      StreamCounter& ended = floor_.ended_;
      delete this;
      ended.Add(1);
    }

   private:
    GrpcStreamFloor& floor_;
    std::mutex mutex_;
    std::condition_variable written_;
    bool writing_ = false;
    Buffer in_, out_;
  };

  class Service final : public replication::v1::Replication::WithRawCallbackMethod_Follow<
                            replication::v1::Replication::Service> {
   public:
    explicit Service(GrpcStreamFloor& floor) : floor_(floor) {}
    using replication::v1::Replication::WithRawCallbackMethod_Follow<
        replication::v1::Replication::Service>::Follow;
    ::grpc::ServerBidiReactor<Buffer, Buffer>* Follow(::grpc::CallbackServerContext*) override {
      floor_.sender_ = new Sender(floor_);
      floor_.opened_.Add(1);
      return floor_.sender_;
    }

   private:
    GrpcStreamFloor& floor_;
  };

  // One byte back for each that was acknowledged, those of a while together.
  class Receiver final : public ::grpc::ClientBidiReactor<Buffer, Buffer> {
   public:
    explicit Receiver(GrpcStreamFloor& floor) : floor_(floor) {
      ::grpc::GenericStub(floor.channel_)
          .PrepareBidiStreamingCall(&context_, "/weir.replication.v1.Replication/Follow", {}, this);
      AddHold();
      StartRead(&in_);
      StartCall();
    }
    void Cancel() { context_.TryCancel(); }
    void Acknowledge() {
      const std::lock_guard<std::mutex> lock(mutex_);
      ++due_;
      if (!writing_) Write();
    }
    void OnReadDone(bool ok) override {
      if (!ok) return RemoveHold();
      Call(in_, floor_.take_);
      in_.Clear();
      StartRead(&in_);
    }
    void OnWriteDone(bool) override {
      const std::lock_guard<std::mutex> lock(mutex_);
      writing_ = false;
      if (due_ > 0) Write();
    }
    void OnDone(const ::grpc::Status&) override { floor_.ended_.Add(1); }

   private:
    void Write() {
      const ::grpc::Slice slice(std::string(std::exchange(due_, 0), 'a'));
      Buffer(&slice, 1).Swap(&out_);
      writing_ = true;
      StartWrite(&out_);
    }

    GrpcStreamFloor& floor_;
    ::grpc::ClientContext context_;
    std::mutex mutex_;
    bool writing_ = false;
    size_t due_ = 0;
    Buffer in_, out_;
  };

  StreamCounter opened_, acknowledged_, ended_;
  Service service_;
  const std::function<void(absl::Span<const absl::string_view>)> take_;
  std::unique_ptr<coordination::GrpcListener> listener_;
  std::shared_ptr<::grpc::Channel> channel_;
  Sender* sender_ = nullptr;
  std::unique_ptr<Receiver> receiver_;
};

}  // namespace weir::bench

#endif  // WEIR_BENCH_GRPC_STREAM_FLOOR_H_

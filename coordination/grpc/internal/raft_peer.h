// -----------------------------------------------------------------------------
// File: coordination/grpc/internal/raft_peer.h
// -----------------------------------------------------------------------------
// What coordination/grpc/raft_transport.h has for each node: a queue, a channel, and the stream
// that is open, if one is.
// Threading: any thread. gRPC calls back on its own threads, never inside a call of ours.
#ifndef WEIR_COORDINATION_GRPC_INTERNAL_RAFT_PEER_H_
#define WEIR_COORDINATION_GRPC_INTERNAL_RAFT_PEER_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/random.h"
#include "coordination/grpc/grpc_credentials.h"
#include "coordination/grpc/peer_channel.h"
#include "coordination/grpc/raft.grpc.pb.h"
#include "coordination/grpc/raft.pb.h"
#include "coordination/grpc/raft_codec.h"
#include "coordination/raft/messages.h"
#include "grpcpp/alarm.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/client_callback.h"
#include "grpcpp/support/status.h"

namespace weir::raft {

struct RaftTransportOptions {
  std::string own_address;  // host:port, told to the others
  coordination::GrpcCredentials credentials;
  size_t message_bytes_max = size_t{12} << 20;  // under the message_bytes_max of the listeners
  size_t frame_bytes_max = size_t{1} << 20;     // beyond it a frame takes no more messages
  size_t queue_messages_max = 4096;             // for each node
  size_t queue_bytes_max = size_t{32} << 20;
  size_t peers_max = 10'000;
  int64_t backoff_min_ms = 20;
  int64_t backoff_max_ms = 1'000;
  int64_t keepalive_ms = 2'000;  // a node that answers no ping for this long again is gone
  uint64_t jitter_seed = 0;      // 0: by chance
  std::function<void(BrokerId id, const absl::Status& status)> on_error;  // any thread
};

struct RaftTransportCounts {
  std::atomic<int64_t> sent{0};     // messages whose frame was written
  std::atomic<int64_t> dropped{0};  // from a queue that was full
  std::atomic<int64_t> lost{0};     // with a stream that broke
  std::atomic<int64_t> too_large{0};
  std::atomic<int64_t> unknown_peer{0};
  std::atomic<int64_t> streams{0};  // opened
};

}  // namespace weir::raft

namespace weir::raft_internal {

// Of all peers of one transport, for as long as any of them has a stream.
struct PeerShared {
  explicit PeerShared(raft::RaftTransportOptions o)
      : options(std::move(o)), own_address(options.own_address) {}

  std::string OwnAddress() {
    const std::lock_guard<std::mutex> lock(mutex);
    return own_address;
  }
  void SetOwnAddress(std::string address) {
    const std::lock_guard<std::mutex> lock(mutex);
    own_address = std::move(address);
  }

  void AddStream() {
    const std::lock_guard<std::mutex> lock(mutex);
    ++open;
  }
  void RemoveStream() {
    const std::lock_guard<std::mutex> lock(mutex);
    if (--open == 0) none_open.notify_all();
  }
  // Channels of peers that are gone. The last who holds one must not be a stream, which ends on one
  // of gRPC's threads: gRPC 1.51 has that thread wait for itself when its last channel goes.
  void Retire(std::unique_ptr<raft::v1::Raft::Stub> stub) {
    const std::lock_guard<std::mutex> lock(mutex);
    retired.push_back(std::move(stub));
  }
  std::vector<std::unique_ptr<raft::v1::Raft::Stub>> TakeRetired() {
    const std::lock_guard<std::mutex> lock(mutex);
    return std::exchange(retired, {});
  }
  void WaitForStreams() {
    std::unique_lock<std::mutex> lock(mutex);
    none_open.wait(lock, [this] { return open == 0; });
  }

  const raft::RaftTransportOptions options;
  raft::RaftTransportCounts counts;
  std::mutex mutex;
  std::condition_variable none_open;
  std::string own_address;
  std::vector<std::unique_ptr<raft::v1::Raft::Stub>> retired;
  int64_t open = 0;  // streams and alarms that will still call back
};

class Peer : public std::enable_shared_from_this<Peer> {
 public:
  static std::shared_ptr<Peer> Create(std::shared_ptr<PeerShared> shared, BrokerId id,
                                      const std::string& address) {
    return std::shared_ptr<Peer>(new Peer(std::move(shared), id, address));
  }

  ~Peer() { shared_->Retire(std::move(stub_)); }

  void Send(raft::Message message) {
    const raft::RaftTransportOptions& options = shared_->options;
    const size_t weight = raft::WeightOf(message);
    const std::lock_guard<std::mutex> lock(mutex_);
    while (!queue_.empty() && (queue_.size() >= options.queue_messages_max ||
                               queue_bytes_ + weight > options.queue_bytes_max)) {
      (void)PopFront();
      ++shared_->counts.dropped;
    }
    queue_.push_back(std::move(message));
    queue_bytes_ += weight;
    Pump();
  }

  void Stop() {
    Stream* idle = nullptr;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopped_ = true;
      queue_.clear();
      if (alarm_ != nullptr) alarm_->Cancel();
      if (stream_ == nullptr) return;
      stream_->context.TryCancel();
      // A write under way fails now, and ends the stream.
      if (!stream_->writing && !std::exchange(stream_->ending, true)) idle = stream_;
    }
    if (idle != nullptr) idle->RemoveHold();
  }

 private:
  // Destroys itself when gRPC is done with it, which it is not before RemoveHold.
  class Stream final : public ::grpc::ClientWriteReactor<raft::v1::Frame> {
   public:
    explicit Stream(std::shared_ptr<Peer> peer) : peer_(std::move(peer)) {}

    void OnWriteDone(bool ok) override { peer_->OnWriteDone(this, ok); }
    void OnDone(const ::grpc::Status& status) override {
      std::shared_ptr<Peer> peer = std::move(peer_);
      peer->OnStreamDone(status);
      delete this;
      End(std::move(peer));
    }

    ::grpc::ClientContext context;
    raft::v1::Delivered answer;
    raft::v1::Frame frame;
    bool writing = false;
    bool ending = false;

   private:
    std::shared_ptr<Peer> peer_;
  };

  Peer(std::shared_ptr<PeerShared> shared, BrokerId id, const std::string& address)
      : shared_(std::move(shared)),
        id_(id),
        jitter_(shared_->options.jitter_seed == 0 ? SystemRandom().NextU64()
                                                  : shared_->options.jitter_seed),
        stub_(raft::v1::Raft::NewStub(MakeChannel(shared_->options, address))) {}

  static std::shared_ptr<::grpc::Channel> MakeChannel(const raft::RaftTransportOptions& options,
                                                      const std::string& address) {
    coordination::PeerChannelOptions channel;
    channel.credentials = options.credentials;
    channel.backoff_min_ms = options.backoff_min_ms;
    channel.backoff_max_ms = options.backoff_max_ms;
    channel.keepalive_ms = options.keepalive_ms;
    return coordination::MakePeerChannel(address, channel);
  }

  raft::Message PopFront() {
    raft::Message message = std::move(queue_.front());
    queue_.pop_front();
    queue_bytes_ -= raft::WeightOf(message);
    return message;
  }

  // Writes what waits, if nothing is being written. Under the mutex, as the three below.
  void Pump() {
    if (stopped_ || alarm_ != nullptr || queue_.empty()) return;
    if (stream_ == nullptr) OpenStream();
    if (stream_->writing || stream_->ending) return;
    FillFrame(&stream_->frame);
    stream_->writing = true;
    stream_->StartWrite(&stream_->frame);
  }

  void OpenStream() {
    shared_->AddStream();
    ++shared_->counts.streams;
    stream_ = new Stream(shared_from_this());
    stub_->async()->Deliver(&stream_->context, &stream_->answer, stream_);
    stream_->AddHold();
    stream_->StartCall();
  }

  void FillFrame(raft::v1::Frame* frame) {
    frame->Clear();
    frame->set_from_address(shared_->OwnAddress());
    size_t bytes = 0;
    do {
      const raft::Message message = PopFront();
      bytes += raft::WeightOf(message);
      raft::ToProto(message, frame->add_messages());
    } while (!queue_.empty() &&
             bytes + raft::WeightOf(queue_.front()) <= shared_->options.frame_bytes_max);
  }

  // Opens the next stream a while later, and longer each time.
  void BackOff() {
    const raft::RaftTransportOptions& options = shared_->options;
    int64_t wait_ms = options.backoff_min_ms;
    for (int i = 0; i < failures_ && wait_ms < options.backoff_max_ms; ++i) wait_ms *= 2;
    wait_ms = std::min(wait_ms, options.backoff_max_ms);
    wait_ms = wait_ms / 2 +
              static_cast<int64_t>(jitter_.Below(static_cast<uint64_t>(wait_ms - wait_ms / 2 + 1)));
    ++failures_;
    shared_->AddStream();
    alarm_ = std::make_unique<::grpc::Alarm>();
    alarm_->Set(std::chrono::system_clock::now() + std::chrono::milliseconds(wait_ms),
                [peer = shared_from_this()](bool) mutable {
                  peer->OnAlarm();
                  End(std::move(peer));
                });
  }

  // Who waits for streams and alarms finds the peer gone, if nobody else has it.
  static void End(std::shared_ptr<Peer> peer) {
    const std::shared_ptr<PeerShared> shared = peer->shared_;
    peer.reset();
    shared->RemoveStream();
  }

  void OnAlarm() {
    std::unique_ptr<::grpc::Alarm> done;  // goes without the mutex
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      done = std::move(alarm_);
      Pump();
    }
  }

  void OnWriteDone(Stream* stream, bool ok) {
    bool end = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stream->writing = false;
      (ok ? shared_->counts.sent : shared_->counts.lost) += stream->frame.messages_size();
      if (ok) failures_ = 0;
      if (!ok || stopped_) {
        end = !std::exchange(stream->ending, true);
      } else {
        Pump();
      }
    }
    if (end) stream->RemoveHold();
  }

  void OnStreamDone(const ::grpc::Status& status) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stream_ = nullptr;
      if (stopped_) return;
      BackOff();
    }
    if (shared_->options.on_error == nullptr) return;
    shared_->options.on_error(id_, absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                                                absl::StrCat("stream to node ", id_.value(), ": ",
                                                             status.error_message())));
  }

  const std::shared_ptr<PeerShared> shared_;
  const BrokerId id_;
  std::mutex mutex_;
  SeededRandom jitter_;
  std::deque<raft::Message> queue_;
  size_t queue_bytes_ = 0;
  std::unique_ptr<raft::v1::Raft::Stub> stub_;
  Stream* stream_ = nullptr;
  std::unique_ptr<::grpc::Alarm> alarm_;  // while it is set, no stream is opened
  int failures_ = 0;                      // in a row
  bool stopped_ = false;
};

}  // namespace weir::raft_internal

#endif  // WEIR_COORDINATION_GRPC_INTERNAL_RAFT_PEER_H_

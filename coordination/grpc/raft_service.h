// -----------------------------------------------------------------------------
// File: coordination/grpc/raft_service.h
// -----------------------------------------------------------------------------
// The receiving side of Raft over gRPC: hands each message that came whole and well-formed to its
// owner. A stream that brings anything else ends with the reason, which its sender is told.
// Threading: `deliver` and `ended` are called on gRPC's threads, for one stream in order.
// Limits: the listener's message_bytes_max; one frame of each stream in memory.
#ifndef WEIR_COORDINATION_GRPC_RAFT_SERVICE_H_
#define WEIR_COORDINATION_GRPC_RAFT_SERVICE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "coordination/grpc/raft.grpc.pb.h"
#include "coordination/grpc/raft.pb.h"
#include "coordination/grpc/raft_codec.h"
#include "coordination/raft/messages.h"
#include "grpcpp/support/server_callback.h"
#include "grpcpp/support/status.h"

namespace weir::raft {

// Takes a message; `from_address` is where its sender says that it listens. False drops it: the
// owner has too many already.
using DeliverMessage = std::function<bool(Message message, absl::string_view from_address)>;
// A stream has ended whose last message was of this node.
using StreamEnded = std::function<void(BrokerId from)>;

class RaftService final : public v1::Raft::CallbackService {
 public:
  // What came, for metrics.
  struct Counts {
    std::atomic<int64_t> delivered{0};
    std::atomic<int64_t> dropped{0};  // by the owner
    std::atomic<int64_t> refused{0};  // streams that were ended
  };

  // Messages of another cluster are refused, unless `cluster_id` is empty.
  explicit RaftService(std::string cluster_id, DeliverMessage deliver, StreamEnded ended = nullptr)
      : cluster_id_(std::move(cluster_id)),
        deliver_(std::move(deliver)),
        ended_(std::move(ended)) {}

  // As the constructor's: from the next frame of each stream on.
  void SetCluster(std::string cluster_id) {
    const std::lock_guard<std::mutex> lock(mutex_);
    cluster_id_ = std::move(cluster_id);
  }

  const Counts& counts() const { return counts_; }

  using v1::Raft::CallbackService::Deliver;  // the blocking one, which nobody calls
  ::grpc::ServerReadReactor<v1::Frame>* Deliver(::grpc::CallbackServerContext*,
                                                v1::Delivered*) override {
    return new Stream(*this);
  }

 private:
  class Stream final : public ::grpc::ServerReadReactor<v1::Frame> {
   public:
    explicit Stream(RaftService& service) : service_(service) { StartRead(&frame_); }

    void OnReadDone(bool ok) override {
      if (!ok) {
        if (from_ != kNoBroker && service_.ended_ != nullptr) service_.ended_(from_);
        return Finish(::grpc::Status::OK);
      }
      const ::grpc::Status taken = service_.Take(&frame_, &from_);
      if (!taken.ok()) return Finish(taken);
      frame_.Clear();
      StartRead(&frame_);
    }
    void OnDone() override { delete this; }

   private:
    RaftService& service_;
    v1::Frame frame_;
    BrokerId from_ = kNoBroker;  // of the last message that was taken
  };

  std::string Cluster() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return cluster_id_;
  }

  ::grpc::Status Take(v1::Frame* frame, BrokerId* from) {
    const std::string cluster_id = Cluster();
    for (v1::Message& came : *frame->mutable_messages()) {
      absl::StatusOr<Message> message = FromProto(&came);
      if (message.ok() && !cluster_id.empty() && message->cluster_id != cluster_id) {
        message = absl::FailedPreconditionError(
            absl::StrCat("raft message: expected cluster ", cluster_id, ", came ",
                         absl::CHexEscape(message->cluster_id.substr(0, 64))));
      }
      if (!message.ok()) {
        ++counts_.refused;
        return {static_cast<::grpc::StatusCode>(message.status().code()),
                std::string(message.status().message())};
      }
      *from = message->from.id;
      const bool taken = deliver_(*std::move(message), frame->from_address());
      ++(taken ? counts_.delivered : counts_.dropped);
    }
    return ::grpc::Status::OK;
  }

  std::mutex mutex_;
  std::string cluster_id_;
  const DeliverMessage deliver_;
  const StreamEnded ended_;
  Counts counts_;
};

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_GRPC_RAFT_SERVICE_H_

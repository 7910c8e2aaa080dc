// -----------------------------------------------------------------------------
// File: coordination/grpc/controller_client.h
// -----------------------------------------------------------------------------
// The side of controller.proto that asks. A call is sent only over a connection that is there:
// where there is none, an empty hello goes first, so that a call that never left is told from one
// of which nobody knows what became of it.
// Decision: docs/adr/0013-controller-over-grpc.md.
// Threading: every function on any thread; nothing blocks but Shutdown. `done` is called exactly
// once, on a thread of gRPC's, or before the function returns where nothing needs to be sent.
// Errors: of a call: kUnavailable: it certainly did not reach the other node's application, or was
// refused there for now. kInvalidArgument, kFailedPrecondition and others: refused, here or there;
// nothing was done. kAborted and kDeadlineExceeded: it may have been done. Of a hello: gRPC's.
// Limits: ControllerClientOptions.
#ifndef WEIR_COORDINATION_GRPC_CONTROLLER_CLIENT_H_
#define WEIR_COORDINATION_GRPC_CONTROLLER_CLIENT_H_

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "coordination/grpc/controller.grpc.pb.h"
#include "coordination/grpc/controller.pb.h"
#include "coordination/grpc/controller_codec.h"
#include "coordination/grpc/grpc_credentials.h"
#include "coordination/grpc/peer_channel.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/status.h"

namespace weir::controller {

using CallDone = absl::AnyInvocable<void(absl::StatusOr<Answer> answer)>;
using HelloDone = absl::AnyInvocable<void(absl::StatusOr<Hello> hello)>;

struct ControllerClientOptions {
  coordination::GrpcCredentials credentials;
  size_t request_bytes_max = size_t{12} << 20;  // under the message_bytes_max of the listeners
  int response_bytes_max = 16 << 20;
  size_t calls_max = 256;  // in flight, hellos among them
  size_t calls_bytes_max = size_t{64} << 20;
  size_t peers_max = 10'000;
  size_t strangers_max = 64;  // channels to addresses of no known node
  int64_t timeout_ms_max = 24 * 3'600'000;
};

// What became of a call that gRPC could not bring to an end.
inline absl::Status CallError(const ::grpc::Status& status) {
  return absl::Status(status.error_code() == ::grpc::StatusCode::DEADLINE_EXCEEDED
                          ? absl::StatusCode::kDeadlineExceeded
                          : absl::StatusCode::kAborted,
                      status.error_message());
}

class ControllerClient {
 public:
  explicit ControllerClient(ControllerClientOptions options) : options_(std::move(options)) {}
  ~ControllerClient() { Shutdown(); }
  ControllerClient(const ControllerClient&) = delete;
  ControllerClient& operator=(const ControllerClient&) = delete;

  void SetCluster(std::string cluster_id) {
    const std::lock_guard<std::mutex> lock(mutex_);
    cluster_id_ = std::move(cluster_id);
  }
  // Where a node listens, host:port. What SetPeer said, LearnPeer does not change.
  void SetPeer(BrokerId id, const std::string& address) { Put(id, address, /*configured=*/true); }
  void LearnPeer(BrokerId id, const std::string& address) {
    Put(id, address, /*configured=*/false);
  }

  void AskHello(const std::string& address, int64_t timeout_ms, HelloDone done) {
    auto task = std::make_unique<Task>();
    task->hello_done = std::move(done);
    const absl::Status status = Register(task.get(), timeout_ms, [&] {
      task->link = LinkTo(address);
      return absl::OkStatus();
    });
    if (!status.ok()) return task->hello_done(status);
    SendHello(task.release());
  }

  // Asks a known node over a connection of its own, so that what became of others does not matter.
  // kUnavailable only where no connection came about, or it broke.
  void Probe(BrokerId to, int64_t timeout_ms, HelloDone done) {
    auto task = std::make_unique<Task>();
    task->hello_done = std::move(done);
    const absl::Status status = Register(task.get(), timeout_ms, [&] {
      const auto it = peers_.find(to);
      if (it == peers_.end()) {
        return absl::NotFoundError(absl::StrCat("hello: node ", to.value(), " is not known"));
      }
      task->link = NewLink(it->second.address);
      Retire(task->link);
      return absl::OkStatus();
    });
    if (absl::IsUnavailable(status)) {
      return task->hello_done(absl::ResourceExhaustedError(status.message()));
    }
    if (!status.ok()) return task->hello_done(status);
    SendHello(task.release());
  }

  void Ask(BrokerId to, Call call, int64_t timeout_ms, CallDone done) {
    auto task = std::make_unique<Task>();
    task->call_done = std::move(done);
    absl::Status status = CheckCall(call);
    if (status.ok()) {
      status = controller_internal::CheckSize("call: request", call.request.size(),
                                              options_.request_bytes_max);
    }
    if (status.ok()) {
      ToProto(std::move(call), &task->request);
      status = Register(task.get(), timeout_ms, [&] { return Address(to, task.get()); });
    }
    if (!status.ok()) return task->call_done(status);
    if (task->link->channel->GetState(false) == GRPC_CHANNEL_READY) return SendCall(task.release());
    SendHello(task.release());
  }

  // Ends what is under way, with kAborted, and returns when nothing is. Not from a `done`.
  void Shutdown() {
    // Channels are given up without the mutex, as gRPC may wait for its threads then.
    std::map<BrokerId, Known> peers;
    std::map<std::string, std::shared_ptr<Link>> strangers;
    std::vector<std::shared_ptr<Link>> retired;
    std::unique_lock<std::mutex> lock(mutex_);
    stopped_ = true;
    for (Task* task : tasks_) {
      task->hello_context.TryCancel();
      task->call_context.TryCancel();
    }
    none_left_.wait(lock, [this] { return tasks_.empty() && dying_ == 0; });
    peers.swap(peers_);
    strangers.swap(strangers_);
    retired.swap(retired_);
    lock.unlock();
  }

 private:
  // A channel of its own for each node. Raft's are others.
  struct Link {
    std::shared_ptr<::grpc::Channel> channel;
    std::unique_ptr<v1::Controller::Stub> stub;
  };
  struct Known {
    std::string address;
    bool configured = false;
    std::shared_ptr<Link> link;  // from the first call on
  };
  // A hello, or a call, which begins with one where there is no connection.
  struct Task {
    HelloDone hello_done;
    CallDone call_done;
    std::shared_ptr<Link> link;
    size_t bytes = 0;
    std::chrono::system_clock::time_point deadline;
    ::grpc::ClientContext hello_context;
    v1::HelloRequest hello_request;
    v1::HelloResponse hello_response;
    ::grpc::ClientContext call_context;
    v1::CallRequest request;
    v1::CallResponse response;
  };

  void Put(BrokerId id, const std::string& address, bool configured) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto it = peers_.find(id);
    if (it == peers_.end()) {
      if (!stopped_ && peers_.size() < options_.peers_max) peers_[id] = {address, configured, {}};
      return;
    }
    if (it->second.configured && !configured) return;
    it->second.configured = configured;
    if (it->second.address == address) return;
    Retire(std::exchange(it->second, {address, configured, {}}).link);
  }

  // The last who holds a channel must not be a task, which ends on one of gRPC's threads: gRPC 1.51
  // has that thread wait for itself when its last channel goes. Both under the mutex.
  void Retire(std::shared_ptr<Link> link) {
    if (link != nullptr) retired_.push_back(std::move(link));
  }
  std::vector<std::shared_ptr<Link>> TakeUnused() {
    std::vector<std::shared_ptr<Link>> unused;
    for (std::shared_ptr<Link>& link : retired_) {
      if (link.use_count() == 1) unused.push_back(std::move(link));
    }
    retired_.erase(std::remove(retired_.begin(), retired_.end(), nullptr), retired_.end());
    return unused;
  }

  // Under the mutex, as the two below.
  std::shared_ptr<Link> NewLink(const std::string& address) const {
    coordination::PeerChannelOptions options;
    options.credentials = options_.credentials;
    options.receive_bytes_max = options_.response_bytes_max;
    auto link = std::make_shared<Link>();
    link->channel = coordination::MakePeerChannel(address, options);
    link->stub = v1::Controller::NewStub(link->channel);
    return link;
  }
  std::shared_ptr<Link> LinkTo(const std::string& address) {
    if (strangers_.size() >= options_.strangers_max && strangers_.count(address) == 0) {
      for (auto& [other, link] : strangers_) Retire(std::move(link));
      strangers_.clear();
    }
    std::shared_ptr<Link>& link = strangers_[address];
    if (link == nullptr) link = NewLink(address);
    return link;
  }
  absl::Status Address(BrokerId to, Task* task) {
    if (cluster_id_.empty()) return absl::UnavailableError("call: this node has no cluster yet");
    const auto it = peers_.find(to);
    if (it == peers_.end()) {
      return absl::UnavailableError(absl::StrCat("call: node ", to.value(), " is not known"));
    }
    task->request.set_cluster_id(cluster_id_);
    task->bytes = task->request.ByteSizeLong();
    if (it->second.link == nullptr) it->second.link = NewLink(it->second.address);
    task->link = it->second.link;
    return absl::OkStatus();
  }

  template <class Prepare>
  absl::Status Register(Task* task, int64_t timeout_ms, const Prepare& prepare) {
    task->deadline =
        std::chrono::system_clock::now() +
        std::chrono::milliseconds(std::clamp<int64_t>(timeout_ms, 0, options_.timeout_ms_max));
    std::vector<std::shared_ptr<Link>> unused;  // goes without the mutex
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopped_) return absl::AbortedError("this node stops");
    unused = TakeUnused();
    const absl::Status prepared = prepare();
    if (!prepared.ok()) return prepared;
    if (tasks_.size() >= options_.calls_max || bytes_ + task->bytes > options_.calls_bytes_max) {
      return absl::UnavailableError(
          absl::StrCat("call: ", tasks_.size(), " calls of ", bytes_, " bytes wait already"));
    }
    tasks_.insert(task);
    bytes_ += task->bytes;
    return absl::OkStatus();
  }

  void SendHello(Task* task) {
    task->hello_context.set_deadline(task->deadline);
    task->hello_context.set_wait_for_ready(false);
    task->link->stub->async()->Hello(
        &task->hello_context, &task->hello_request, &task->hello_response,
        [this, task](::grpc::Status status) { OnHello(task, status); });
  }

  void OnHello(Task* task, const ::grpc::Status& status) {
    if (task->call_done == nullptr) return FinishHello(task, status);
    if (status.ok() && !stopped()) return SendCall(task);
    Finish(task, absl::UnavailableError(absl::StrCat("no connection: ", status.error_message())));
  }

  void FinishHello(Task* task, const ::grpc::Status& status) {
    absl::StatusOr<Hello> result = FromProto(task->hello_response);
    if (!status.ok()) {
      result =
          absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
    }
    if (!status.ok() && stopped()) result = absl::AbortedError("this node stops");
    std::exchange(task->hello_done, nullptr)(std::move(result));
    Remove(task);
  }

  void SendCall(Task* task) {
    task->call_context.set_deadline(task->deadline);
    task->call_context.set_wait_for_ready(false);
    task->link->stub->async()->Call(&task->call_context, &task->request, &task->response,
                                    [this, task](::grpc::Status status) { OnCall(task, status); });
  }

  void OnCall(Task* task, const ::grpc::Status& status) {
    if (!status.ok()) return Finish(task, CallError(status));
    if (task->response.has_refusal()) {
      const v1::Refusal& refusal = task->response.refusal();
      const bool known = refusal.code() > 0 && refusal.code() <= 16;
      return Finish(task, absl::Status(known ? static_cast<absl::StatusCode>(refusal.code())
                                             : absl::StatusCode::kFailedPrecondition,
                                       refusal.reason()));
    }
    absl::StatusOr<Answer> answer = FromProto(&task->response);
    if (!answer.ok()) answer = absl::AbortedError(answer.status().message());
    Finish(task, std::move(answer));
  }

  void Finish(Task* task, absl::StatusOr<Answer> result) {
    if (!result.ok() && stopped()) result = absl::AbortedError("this node stops");
    std::exchange(task->call_done, nullptr)(std::move(result));
    Remove(task);
  }

  // After it nothing may be touched: Shutdown may return. Before, the task is gone, and what it
  // holds of its channel.
  void Remove(Task* task) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      tasks_.erase(task);
      bytes_ -= task->bytes;
      ++dying_;
    }
    delete task;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--dying_ == 0 && tasks_.empty()) none_left_.notify_all();
  }

  bool stopped() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return stopped_;
  }

  const ControllerClientOptions options_;
  std::mutex mutex_;
  std::condition_variable none_left_;
  std::string cluster_id_;
  std::map<BrokerId, Known> peers_;
  std::map<std::string, std::shared_ptr<Link>> strangers_;  // by address
  std::vector<std::shared_ptr<Link>> retired_;              // of nodes that have moved
  std::set<Task*> tasks_;
  int dying_ = 0;  // tasks that are not among them any more, and still there
  size_t bytes_ = 0;
  bool stopped_ = false;
};

}  // namespace weir::controller

#endif  // WEIR_COORDINATION_GRPC_CONTROLLER_CLIENT_H_

// -----------------------------------------------------------------------------
// File: coordination/grpc/controller_service.h
// -----------------------------------------------------------------------------
// The side of controller.proto that answers: says who this node is, and hands calls that are
// well-formed and of its cluster to its owner. A refusal is an answer like any other, so that who
// asked knows that nothing was done; gRPC's own errors leave that open.
// Decision: docs/adr/0013-controller-over-grpc.md.
// Threading: the owner's functions are called on gRPC's threads; an answer comes from any thread,
// whenever it likes, also after the service has gone. One that is thrown away ends the call.
// Limits: ControllerServiceOptions, beside those of the listener.
#ifndef WEIR_COORDINATION_GRPC_CONTROLLER_SERVICE_H_
#define WEIR_COORDINATION_GRPC_CONTROLLER_SERVICE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "coordination/grpc/controller.grpc.pb.h"
#include "coordination/grpc/controller.pb.h"
#include "coordination/grpc/controller_codec.h"
#include "grpcpp/support/server_callback.h"
#include "grpcpp/support/status.h"

namespace weir::controller {

using AnswerCall = absl::AnyInvocable<void(Answer answer)>;

struct ControllerServiceOptions {
  std::function<Hello()> hello;
  std::function<void(Call call, AnswerCall answer)> serve;
  size_t calls_max = 1024;  // that wait for their answers
  size_t calls_bytes_max = size_t{256} << 20;
  size_t response_bytes_max = size_t{12} << 20;
};

class ControllerService final : public v1::Controller::CallbackService {
 public:
  explicit ControllerService(ControllerServiceOptions options) : options_(std::move(options)) {}

  // Calls of other clusters are refused; before this, all are.
  void SetCluster(std::string cluster_id) {
    const std::lock_guard<std::mutex> lock(mutex_);
    cluster_id_ = std::move(cluster_id);
  }
  size_t waiting() const { return waiting_->calls; }

  using v1::Controller::CallbackService::Call;  // the blocking ones, which nobody calls
  using v1::Controller::CallbackService::Hello;

  ::grpc::ServerUnaryReactor* Hello(::grpc::CallbackServerContext* context, const v1::HelloRequest*,
                                    v1::HelloResponse* response) override {
    ToProto(options_.hello(), response);
    ::grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(::grpc::Status::OK);
    return reactor;
  }

  ::grpc::ServerUnaryReactor* Call(::grpc::CallbackServerContext* context,
                                   const v1::CallRequest* request,
                                   v1::CallResponse* response) override {
    absl::StatusOr<controller::Call> call = Take(*request);
    if (!call.ok()) {
      response->mutable_refusal()->set_code(static_cast<int32_t>(call.status().code()));
      response->mutable_refusal()->set_reason(std::string(call.status().message()));
      ::grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
      reactor->Finish(::grpc::Status::OK);
      return reactor;
    }
    auto* reactor =
        new Reactor(response, waiting_, call->request.size(), options_.response_bytes_max);
    options_.serve(*std::move(call), Answering(reactor->open()));
    return reactor;
  }

 private:
  struct Waiting {
    std::atomic<size_t> calls{0};
    std::atomic<size_t> bytes{0};

    void Remove(size_t call_bytes) {
      --calls;
      bytes -= call_bytes;
    }
  };

  // A call whose answer has not come yet. Whoever ends it first takes the reactor.
  struct Open {
    std::mutex mutex;
    ::grpc::ServerUnaryReactor* reactor = nullptr;
    v1::CallResponse* response = nullptr;
    size_t response_bytes_max = 0;

    void End(const ::grpc::Status& status, Answer* answer) {
      ::grpc::ServerUnaryReactor* ending = nullptr;
      {
        const std::lock_guard<std::mutex> lock(mutex);
        ending = std::exchange(reactor, nullptr);
      }
      if (ending == nullptr) return;
      if (answer != nullptr) {
        response->set_error(answer->error);
        response->set_response(std::move(answer->response));
      }
      ending->Finish(status);
    }
    void Give(Answer answer) {
      const size_t bytes = answer.response.size();
      if (bytes <= response_bytes_max) return End(::grpc::Status::OK, &answer);
      End({::grpc::StatusCode::ABORTED,
           absl::StrCat("answer: expected at most ", response_bytes_max, " bytes, came ", bytes)},
          nullptr);
    }
  };

  class Reactor final : public ::grpc::ServerUnaryReactor {
   public:
    Reactor(v1::CallResponse* response, std::shared_ptr<Waiting> waiting, size_t bytes,
            size_t response_bytes_max)
        : waiting_(std::move(waiting)), bytes_(bytes), open_(std::make_shared<Open>()) {
      open_->reactor = this;
      open_->response = response;
      open_->response_bytes_max = response_bytes_max;
    }
    const std::shared_ptr<Open>& open() const { return open_; }

    void OnCancel() override { open_->End(::grpc::Status::CANCELLED, nullptr); }
    void OnDone() override {
      waiting_->Remove(bytes_);
      delete this;
    }

   private:
    const std::shared_ptr<Waiting> waiting_;
    const size_t bytes_;
    const std::shared_ptr<Open> open_;
  };

  class Answering {
   public:
    explicit Answering(std::shared_ptr<Open> open) : open_(std::move(open)) {}
    Answering(Answering&&) = default;
    Answering& operator=(Answering&&) = delete;
    ~Answering() {
      if (open_ == nullptr) return;
      open_->End({::grpc::StatusCode::ABORTED, "the node gave no answer"}, nullptr);
    }
    void operator()(Answer answer) {
      const std::shared_ptr<Open> open = std::move(open_);
      if (open != nullptr) open->Give(std::move(answer));
    }

   private:
    std::shared_ptr<Open> open_;
  };

  // Counts the call as waiting, if it is taken.
  absl::StatusOr<controller::Call> Take(const v1::CallRequest& request) {
    std::string cluster_id;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      cluster_id = cluster_id_;
    }
    if (cluster_id.empty()) {
      return absl::UnavailableError("call: the node belongs to no cluster yet");
    }
    if (request.cluster_id() != cluster_id) {
      return absl::FailedPreconditionError(
          absl::StrCat("call: expected cluster ", cluster_id, ", came ",
                       absl::CHexEscape(absl::string_view(request.cluster_id()).substr(0, 64))));
    }
    absl::StatusOr<controller::Call> call = FromProto(request);
    if (!call.ok()) return call;
    const size_t bytes = call->request.size();
    const size_t calls_now = ++waiting_->calls;
    const size_t bytes_now = waiting_->bytes += bytes;
    if (calls_now <= options_.calls_max && bytes_now <= options_.calls_bytes_max) return call;
    waiting_->Remove(bytes);
    return absl::UnavailableError(absl::StrCat("call: ", calls_now - 1, " calls of ",
                                               bytes_now - bytes, " bytes wait already"));
  }

  const ControllerServiceOptions options_;
  const std::shared_ptr<Waiting> waiting_ = std::make_shared<Waiting>();
  std::mutex mutex_;
  std::string cluster_id_;
};

}  // namespace weir::controller

#endif  // WEIR_COORDINATION_GRPC_CONTROLLER_SERVICE_H_

// -----------------------------------------------------------------------------
// File: coordination/grpc/raft_test_host.h
// -----------------------------------------------------------------------------
// A replica as a process would have it: a thread with a loop around raft::Node, a LogStorage on a
// real disk, gRPC in between. For tests and benchmarks.
// Threading: public functions on any thread but the host's own.
#ifndef WEIR_COORDINATION_GRPC_RAFT_TEST_HOST_H_
#define WEIR_COORDINATION_GRPC_RAFT_TEST_HOST_H_

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "coordination/grpc/grpc_listener.h"
#include "coordination/grpc/raft_service.h"
#include "coordination/grpc/raft_transport.h"
#include "coordination/raft/events.h"
#include "coordination/raft/log_storage.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/node.h"
#include "coordination/raft/raft.h"
#include "coordination/raft/types.h"
#include "log/posix_file.h"
#include "log/thread_syncer.h"

namespace weir::raft {

struct RaftTestHostOptions {
  RaftConfig config;
  std::string directory;
  coordination::GrpcCredentials credentials;
  // On the host's thread, for each effect that is the application's.
  std::function<void(const Raft& raft, const Effect& effect)> on_effect;
};

class RaftTestHost {
 public:
  explicit RaftTestHost(RaftTestHostOptions options)
      : options_(std::move(options)),
        service_(options_.config.cluster_id,
                 [this](Message message, absl::string_view) { return Take(std::move(message)); }),
        random_(options_.config.self.directory_id.low),
        syncer_(2, [this] { Wake(); }),
        files_(&syncer_),
        storage_(files_, options_.directory) {
    coordination::GrpcListenerOptions listening;
    listening.credentials = options_.credentials;
    auto listener = coordination::GrpcListener::Start(listening, {&service_});
    WEIR_CHECK(listener.ok());
    listener_ = *std::move(listener);
    RaftTransportOptions sending;
    sending.own_address = address();
    sending.credentials = options_.credentials;
    transport_ = std::make_unique<RaftTransport>(sending);
  }

  ~RaftTestHost() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopped_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
    transport_->Shutdown();
    listener_->Shutdown(0);
  }

  std::string address() const { return absl::StrCat("127.0.0.1:", listener_->port()); }
  const ReplicaKey& key() const { return options_.config.self; }
  RaftTransport& transport() { return *transport_; }
  const RaftService& service() const { return service_; }

  // Once the others are known to the transport.
  absl::Status Start() {
    auto node = Node::Open(options_.config, storage_, *transport_, random_, clock_.Monotonic());
    if (!node.ok()) return node.status();
    node_ = *std::move(node);
    thread_ = std::thread([this] { Loop(); });
    return absl::OkStatus();
  }

  void Post(Event event) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      inbox_.push_back(std::move(event));
    }
    wake_.notify_one();
  }
  void Post(std::vector<Event> events) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (Event& event : events) inbox_.push_back(std::move(event));
    }
    wake_.notify_one();
  }

  // Messages from these are dropped.
  void Isolate(std::set<BrokerId> from) {
    const std::lock_guard<std::mutex> lock(mutex_);
    isolated_from_ = std::move(from);
  }

 private:
  static constexpr size_t kInboxMax = 100'000;

  bool Take(Message message) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (inbox_.size() >= kInboxMax || isolated_from_.count(message.from.id) != 0) return false;
      inbox_.push_back(Receive{std::move(message)});
    }
    wake_.notify_one();
    return true;
  }

  void Wake() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      synced_ = true;
    }
    wake_.notify_one();
  }

  void Loop() {
    Effects effects;
    std::vector<Event> events;
    while (true) {
      {
        const int64_t wait_ns = node_->NextDeadline() - clock_.Monotonic();
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait_for(lock, std::chrono::nanoseconds(wait_ns < 0 ? 0 : wait_ns),
                       [this] { return stopped_ || synced_ || !inbox_.empty(); });
        if (stopped_) return;
        synced_ = false;
        events.swap(inbox_);
      }
      for (Event& event : events) node_->Post(std::move(event));
      events.clear();
      effects.clear();
      node_->Run(clock_.Monotonic(), &effects);
      for (const Effect& effect : effects) options_.on_effect(node_->raft(), effect);
    }
  }

  const RaftTestHostOptions options_;
  RaftService service_;
  std::unique_ptr<coordination::GrpcListener> listener_;
  std::unique_ptr<RaftTransport> transport_;
  SystemClock clock_;
  SeededRandom random_;
  log::ThreadSyncer syncer_;
  log::PosixFileSystem files_;
  LogStorage storage_;
  std::unique_ptr<Node> node_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Event> inbox_;
  std::set<BrokerId> isolated_from_;
  bool synced_ = false;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_GRPC_RAFT_TEST_HOST_H_

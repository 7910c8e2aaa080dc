// -----------------------------------------------------------------------------
// File: replication/grpc/stream_test_node.h
// -----------------------------------------------------------------------------
// For tests of replication/grpc: a broker's network behind a listener of its own on loopback, both
// ends of a stream that gather what comes, and a relay between two that can be paused.
// Threading: as said; a test's thread waits for what others bring about, at most kPatience.
#ifndef WEIR_REPLICATION_GRPC_STREAM_TEST_NODE_H_
#define WEIR_REPLICATION_GRPC_STREAM_TEST_NODE_H_

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/ids.h"
#include "coordination/grpc/grpc_listener.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"
#include "replication/grpc/grpc_stream_network.h"
#include "replication/grpc/stream_codec.h"
#include "replication/stream_messages.h"
#include "replication/stream_network.h"

namespace weir::replication {

// Something that other threads bring about.
template <class T>
class Watched {
 public:
  static constexpr auto kPatience = std::chrono::seconds(60);

  void Change(const std::function<void(T&)>& change) {
    const std::lock_guard<std::mutex> lock(mutex_);
    change(value_);
    changed_.notify_all();
  }
  bool Wait(const std::function<bool(const T&)>& reached) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return reached(value_); });
  }
  T Get() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return value_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  T value_{};
};

template <class Message>
struct StreamCame {
  std::vector<Message> messages;
  std::optional<absl::Status> closed;
};

// One end, with what came to it.
template <class Out, class In>
struct StreamTestEnd {
  typename StreamEnd<Out, In>::Listener Listener() {
    return {[this](In message) {
              came.Change([&](StreamCame<In>& c) { c.messages.push_back(std::move(message)); });
            },
            [this](const absl::Status& why) {
              came.Change([&](StreamCame<In>& c) {
                WEIR_CHECK(!c.closed.has_value());
                c.closed = why;
              });
            }};
  }
  // Why it was closed, once it is.
  absl::Status Closed() {
    if (!came.Wait([](const StreamCame<In>& c) { return c.closed.has_value(); })) {
      return absl::DeadlineExceededError("is not closed");
    }
    return *came.Get().closed;
  }

  Watched<StreamCame<In>> came;
  std::shared_ptr<StreamEnd<Out, In>> end;  // goes first
};

struct StreamTestLeader : StreamTestEnd<LeaderMessage, FollowerMessage> {
  StreamHello hello;
};

class StreamTestNode {
 public:
  explicit StreamTestNode(int32_t id, StreamOptions options = {})
      : network(options, [this](BrokerId to) { return MakeChannel(to); }), id_(id) {
    network.SetCluster("c", BrokerId(id));
    network.SetAccept(
        [this](const StreamHello& hello,
               std::shared_ptr<LeaderEnd> end) -> absl::StatusOr<LeaderEnd::Listener> {
          if (!refuse_with.ok()) return refuse_with;
          auto leader = std::make_unique<StreamTestLeader>();
          leader->hello = hello;
          leader->end = std::move(end);
          LeaderEnd::Listener listener = leader->Listener();
          accepted_.Change([&](auto& accepted) { accepted.push_back(std::move(leader)); });
          return listener;
        });
    coordination::GrpcListenerOptions listening;
    listening.streams_per_connection_max = 100;
    auto started = coordination::GrpcListener::Start(listening, {network.service()});
    WEIR_CHECK(started.ok());
    listener = *std::move(started);
  }
  ~StreamTestNode() {
    network.Shutdown();
    listener->Shutdown(0);
  }

  uint16_t port() const { return listener->port(); }
  std::string address() const { return absl::StrCat("127.0.0.1:", port()); }
  BrokerId id() const { return BrokerId(id_); }
  void Knows(const StreamTestNode& other) { addresses[other.id()] = other.address(); }

  // The stream that was accepted as the nth; it stays.
  StreamTestLeader& Accepted(size_t n) {
    WEIR_CHECK(accepted_.Wait([n](const auto& accepted) { return accepted.size() > n; }));
    StreamTestLeader* leader = nullptr;
    accepted_.Change([&](auto& accepted) { leader = accepted[n].get(); });
    return *leader;
  }

 private:
  std::shared_ptr<::grpc::Channel> MakeChannel(BrokerId to) const {
    const auto it = addresses.find(to);
    if (it == addresses.end()) return nullptr;
    ::grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 1'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 1'000);
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    arguments.SetMaxReceiveMessageSize(static_cast<int>(kStreamFrameBytesMax));
    return ::grpc::CreateCustomChannel(it->second, ::grpc::InsecureChannelCredentials(), arguments);
  }

  Watched<std::vector<std::shared_ptr<StreamTestLeader>>> accepted_;

 public:
  std::map<BrokerId, std::string> addresses;  // set before streams are opened
  absl::Status refuse_with;
  GrpcStreamNetwork network;
  std::unique_ptr<coordination::GrpcListener> listener;

 private:
  const int32_t id_;
};

struct StreamTestFollower : StreamTestEnd<FollowerMessage, LeaderMessage> {
  StreamTestFollower(StreamTestNode& node, StreamHello hello) {
    end = node.network.Open(std::move(hello), Listener());
  }
  StreamTestFollower(StreamTestNode& node, const StreamTestNode& leader)
      : StreamTestFollower(node, {"c", leader.id(), node.id(), 22, 3}) {}
  StreamTestFollower(StreamTestNode& node, const StreamTestNode&, StreamHello hello)
      : StreamTestFollower(node, std::move(hello)) {}
  ~StreamTestFollower() { end = nullptr; }
};

// Passes bytes of one connection on, both ways, until it is paused.
class StreamTestRelay {
 public:
  explicit StreamTestRelay(uint16_t to) : to_(to), listening_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = Loopback(0);
    WEIR_CHECK(::bind(listening_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    WEIR_CHECK(::listen(listening_, 1) == 0);
    socklen_t size = sizeof(address);
    WEIR_CHECK(::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~StreamTestRelay() {
    Cut();
    ::close(listening_);
  }

  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }
  // From here on nothing is read, as of a process that is stopped.
  void Pause() { paused_ = true; }
  void Cut() {
    cut_ = true;
    ::shutdown(listening_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }

 private:
  static sockaddr_in Loopback(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  void Run() {
    const int near = ::accept(listening_, nullptr, nullptr);
    if (near < 0) return;
    const int far = ::socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in address = Loopback(to_);
    if (::connect(far, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
      while (!cut_ && Pass(near, far)) {
      }
    }
    ::close(near);
    ::close(far);
  }
  bool Pass(int near, int far) {
    constexpr int kTurnMs = 10;  // after which it looks whether it is paused or cut
    pollfd fds[2] = {{near, POLLIN, 0}, {far, POLLIN, 0}};
    if (::poll(fds, paused_ ? 0 : 2, kTurnMs) <= 0) return true;
    for (int i = 0; i < 2; ++i) {
      if (fds[i].revents == 0) continue;
      char bytes[16'384];
      const ssize_t count = ::read(fds[i].fd, bytes, sizeof(bytes));
      if (count <= 0) return false;
      for (ssize_t sent = 0; sent < count;) {
        const ssize_t now = ::send(fds[1 - i].fd, bytes + sent, static_cast<size_t>(count - sent),
                                   MSG_NOSIGNAL | MSG_DONTWAIT);
        if (now > 0) sent += now;
        if (now <= 0 && (paused_ || cut_)) return !cut_;
      }
    }
    return true;
  }

  const uint16_t to_;
  const int listening_;
  uint16_t port_ = 0;
  std::atomic<bool> paused_{false};
  std::atomic<bool> cut_{false};
  std::thread thread_;
};

}  // namespace weir::replication

#endif  // WEIR_REPLICATION_GRPC_STREAM_TEST_NODE_H_

// -----------------------------------------------------------------------------
// File: coordination/grpc/internal/preface_acceptor.h
// -----------------------------------------------------------------------------
// Accepts connections, looks at their first bytes without taking them, hands on those that speak
// what is expected and closes the others.
// Threading: a thread of its own, which calls the owner's functions.
// Limits: undecided connections, of which the oldest goes first, and the time that each has.
#ifndef WEIR_COORDINATION_GRPC_INTERNAL_PREFACE_ACCEPTOR_H_
#define WEIR_COORDINATION_GRPC_INTERNAL_PREFACE_ACCEPTOR_H_

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "coordination/grpc/preface.h"

namespace weir::coordination {

// Somebody whose connection was closed for its first bytes.
struct Stranger {
  sockaddr_storage address{};
  Preface spoke = Preface::kOther;
};

}  // namespace weir::coordination

namespace weir::coordination_internal {

class PrefaceAcceptor {
 public:
  struct Options {
    int listening_socket = -1;  // non-blocking; belongs to the acceptor
    coordination::Preface expected = coordination::Preface::kHttp2;
    int64_t wait_ms = 10'000;
    size_t undecided_max = 256;
    std::function<void(int fd)> take;  // the descriptor is its own from then on
    std::function<void(const coordination::Stranger& stranger)> on_stranger;
  };

  static absl::StatusOr<std::unique_ptr<PrefaceAcceptor>> Start(Options options) {
    std::unique_ptr<PrefaceAcceptor> acceptor(new PrefaceAcceptor(std::move(options)));
    acceptor->epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    acceptor->wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (acceptor->epoll_ < 0 || acceptor->wake_ < 0 || !acceptor->Watch(acceptor->wake_, kWake) ||
        !acceptor->Watch(acceptor->options_.listening_socket, kListening)) {
      return absl::UnavailableError(
          absl::StrCat("gRPC listener: epoll: ", std::generic_category().message(errno)));
    }
    acceptor->thread_ = std::thread([raw = acceptor.get()] { raw->Run(); });
    return acceptor;
  }

  ~PrefaceAcceptor() {
    Stop();
    for (const int fd : {options_.listening_socket, wake_, epoll_}) {
      if (fd >= 0) ::close(fd);
    }
  }

  // No connection is taken any more, and those that are undecided are closed.
  void Stop() {
    if (!thread_.joinable()) return;
    const uint64_t one = 1;
    (void)!::write(wake_, &one, sizeof(one));
    thread_.join();
    while (!undecided_.empty()) Close(undecided_.begin());
    ::close(std::exchange(options_.listening_socket, -1));
  }

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Undecided {
    int fd = -1;
    Time until;
  };
  using Connections = std::map<uint64_t, Undecided>;  // by number, so by age

  static constexpr uint64_t kWake = 0;
  static constexpr uint64_t kListening = 1;
  static constexpr int kAcceptsAtOnce = 64;
  static constexpr auto kPause = std::chrono::milliseconds(100);

  explicit PrefaceAcceptor(Options options) : options_(std::move(options)) {}

  bool Watch(int fd, uint64_t number, uint32_t events = EPOLLIN, int how = EPOLL_CTL_ADD) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = number;
    return ::epoll_ctl(epoll_, how, fd, &event) == 0;
  }

  void Run() {
    while (true) {
      epoll_event events[64];
      const int n = ::epoll_wait(epoll_, events, 64, WaitMs());
      for (int i = 0; i < n; ++i) {
        const uint64_t number = events[i].data.u64;
        if (number == kWake) return;
        if (number == kListening) {
          Accept();
        } else {
          Look(undecided_.find(number));
        }
      }
      const Time now = std::chrono::steady_clock::now();
      while (!undecided_.empty() && undecided_.begin()->second.until <= now) {
        Close(undecided_.begin());
      }
      if (paused_ && paused_until_ <= now) {
        paused_ = !Watch(options_.listening_socket, kListening, EPOLLIN, EPOLL_CTL_MOD);
      }
    }
  }

  int WaitMs() const {
    Time until = Time::max();
    if (paused_) until = paused_until_;
    if (!undecided_.empty()) until = std::min(until, undecided_.begin()->second.until);
    if (until == Time::max()) return -1;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    return static_cast<int>(std::clamp<int64_t>(left.count(), 0, 1'000'000));
  }

  void Accept() {
    for (int i = 0; i < kAcceptsAtOnce; ++i) {
      const int fd =
          ::accept4(options_.listening_socket, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return AcceptFailed(errno);
      if (undecided_.size() >= options_.undecided_max) Close(undecided_.begin());
      const auto it = undecided_
                          .insert({next_++,
                                   {fd, std::chrono::steady_clock::now() +
                                            std::chrono::milliseconds(options_.wait_ms)}})
                          .first;
      // At each change only: what was looked at stays in the socket.
      if (!Watch(fd, it->first, EPOLLIN | EPOLLRDHUP | EPOLLET)) Close(it);
    }
  }

  // Without descriptors or memory the listening socket stays readable: not to be asked for a while.
  void AcceptFailed(int error) {
    if (error != EMFILE && error != ENFILE && error != ENOBUFS && error != ENOMEM) return;
    paused_ = Watch(options_.listening_socket, kListening, 0, EPOLL_CTL_MOD);
    paused_until_ = std::chrono::steady_clock::now() + kPause;
  }

  void Look(Connections::iterator it) {
    if (it == undecided_.end()) return;
    char first[coordination::kPrefaceBytesMax];
    const ssize_t n = ::recv(it->second.fd, first, sizeof(first), MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return Close(it);
    const coordination::Preface spoke =
        coordination::PrefaceOf(absl::string_view(first, static_cast<size_t>(n)));
    if (spoke == coordination::Preface::kUndecided) return;
    if (spoke == options_.expected) return Take(it);
    coordination::Stranger stranger;
    stranger.spoke = spoke;
    socklen_t length = sizeof(stranger.address);
    (void)::getpeername(it->second.fd, reinterpret_cast<sockaddr*>(&stranger.address), &length);
    Close(it);
    if (options_.on_stranger != nullptr) options_.on_stranger(stranger);
  }

  void Take(Connections::iterator it) {
    const int fd = it->second.fd;
    undecided_.erase(it);
    (void)::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
    const int on = 1;
    (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    options_.take(fd);
  }

  // What came is read: bytes that were not would make the end a reset.
  void Close(Connections::iterator it) {
    char unread[4096];
    (void)!::recv(it->second.fd, unread, sizeof(unread), MSG_DONTWAIT);
    ::close(it->second.fd);
    undecided_.erase(it);
  }

  Options options_;
  int epoll_ = -1;
  int wake_ = -1;
  Connections undecided_;
  uint64_t next_ = kListening + 1;
  bool paused_ = false;
  Time paused_until_;
  std::thread thread_;
};

}  // namespace weir::coordination_internal

#endif  // WEIR_COORDINATION_GRPC_INTERNAL_PREFACE_ACCEPTOR_H_

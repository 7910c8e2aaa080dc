// -----------------------------------------------------------------------------
// File: server/epoll_poller.h
// -----------------------------------------------------------------------------
// The poller over level-triggered epoll, with an eventfd for wake-ups and a few threads for syncs:
// what every Linux has and every container allows.
#ifndef WEIR_SERVER_EPOLL_POLLER_H_
#define WEIR_SERVER_EPOLL_POLLER_H_

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/clock.h"
#include "log/file.h"
#include "log/thread_syncer.h"
#include "log/worker_threads.h"
#include "server/fd_poller.h"
#include "server/page_cache.h"
#include "server/poller.h"

namespace weir::server {

class EpollPoller final : public FdPoller {
 public:
  explicit EpollPoller(size_t sync_threads_max = 4)
      : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        syncer_(std::make_unique<log::ThreadSyncer>(sync_threads_max, [this] { Wake(); })),
        readers_(std::make_unique<Readers>(kReadThreadsMax, Read, [this] { Wake(); })) {
    WEIR_CHECK(epoll_ >= 0 && wake_ >= 0);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;  // a wake-up is one edge: nothing to read, one call less
    event.data.u64 = kWakeId;
    WEIR_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) == 0);
  }
  ~EpollPoller() override {
    syncer_.reset();  // its threads call Wake until they are joined
    readers_.reset();
    ::close(epoll_);
    ::close(wake_);
  }

  absl::string_view name() const override { return "epoll"; }

  void Watch(SocketId socket, bool readable, bool writable) override {
    Socket& at = At(socket);
    if (at.readable == readable && at.writable == writable) return;
    at.readable = readable;
    at.writable = writable;
    OnInterest(socket);
  }

  void Wait(std::optional<int64_t> timeout_ns, std::vector<PollEvent>* events) override {
    events->clear();
    FinishDiskReads();
    epoll_event ready[kEventsMax];
    const int count = EpollWait(absl::MakeSpan(ready), timeout_ns);
    for (int i = 0; i < count; ++i) {
      if (ready[i].data.u64 == kWakeId) {
        // Reads what the wakers wrote, so that what they did before is seen after this.
        woken_.exchange(false, std::memory_order_acq_rel);
        continue;
      }
      const uint32_t bits = ready[i].events;
      events->push_back({SocketId(ready[i].data.u64), (bits & EPOLLIN) != 0, (bits & EPOLLOUT) != 0,
                         (bits & (EPOLLHUP | EPOLLERR)) != 0});
    }
  }

  void Wake() override {
    // While a wake-up is on its way, another adds nothing.
    if (woken_.exchange(true, std::memory_order_acq_rel)) return;
    const uint64_t one = 1;
    WEIR_CHECK(::write(wake_, &one, sizeof(one)) == sizeof(one));
  }

  log::Syncer& syncer() override { return *syncer_; }

 private:
  static constexpr uint64_t kWakeId = ~uint64_t{0};
  static constexpr int kEventsMax = 256;
  static constexpr size_t kReadThreadsMax = 4;

  struct ReadJob {
    SocketId socket;
    int file;  // the job's own
    int64_t position;
    size_t bytes;
  };
  using Readers = log::WorkerThreads<ReadJob, SocketId>;
  static constexpr int64_t kNsPerSecond = 1'000'000'000;

  static epoll_event EventOf(SocketId socket, bool readable, bool writable) {
    epoll_event event{};
    event.events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
    event.data.u64 = socket.value();
    return event;
  }

  void OnAdd(int fd, SocketId id) override {
    epoll_event event = EventOf(id, false, false);
    WEIR_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0);
  }
  void OnRemove(int fd, SocketId) override {
    // Needed before a detach, where the descriptor lives on.
    WEIR_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr) == 0);
  }

  void OnInterest(SocketId id) override {
    const Socket& at = At(id);
    epoll_event event = EventOf(id, at.readable, at.wants_writable());
    WEIR_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_MOD, Fd(id), &event) == 0);
  }

  void StartDiskRead(SocketId id, int file, int64_t position, size_t bytes) override {
    const int own = OpenForReading(file);
    if (own < 0) return DiskRead(id);  // sendfile waits for the disk then
    readers_->Start({id, own, position, bytes});
  }
  static SocketId Read(const ReadJob& job) {
    ReadIntoCache(job.file, job.position, job.bytes);
    ::close(job.file);
    return job.socket;
  }
  void FinishDiskReads() {
    readers_->Drain(&read_);
    for (const SocketId id : read_) DiskRead(id);
    read_.clear();
  }

  // How many are ready; 0 after a signal too.
  int EpollWait(absl::Span<epoll_event> ready, std::optional<int64_t> timeout_ns) {
    const int capacity = static_cast<int>(ready.size());
    const int64_t ns = std::max<int64_t>(timeout_ns.value_or(0), 0);
    if (has_pwait2_) {
      const timespec timeout{static_cast<time_t>(ns / kNsPerSecond),
                             static_cast<long>(ns % kNsPerSecond)};
      const int count = ::epoll_pwait2(epoll_, ready.data(), capacity,
                                       timeout_ns.has_value() ? &timeout : nullptr, nullptr);
      if (count >= 0 || errno == EINTR) return std::max(count, 0);
      WEIR_CHECK(errno == ENOSYS || errno == EPERM);  // before Linux 5.11, or forbidden
      has_pwait2_ = false;
    }
    // Rounded up: a timer must not find that it woke too early.
    const int64_t ms =
        std::min<int64_t>(ns / kNsPerMs + (ns % kNsPerMs != 0), std::numeric_limits<int>::max());
    const int count = ::epoll_wait(epoll_, ready.data(), capacity,
                                   timeout_ns.has_value() ? static_cast<int>(ms) : -1);
    WEIR_CHECK(count >= 0 || errno == EINTR);
    return std::max(count, 0);
  }

  const int epoll_;
  const int wake_;
  bool has_pwait2_ = true;
  std::atomic<bool> woken_{false};
  std::unique_ptr<log::ThreadSyncer> syncer_;
  std::unique_ptr<Readers> readers_;
  std::vector<SocketId> read_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_EPOLL_POLLER_H_

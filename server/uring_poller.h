// -----------------------------------------------------------------------------
// File: server/uring_poller.h
// -----------------------------------------------------------------------------
// The poller over io_uring: one system call per tick arms polls, starts syncs and waits. Sockets
// are polled once and armed again by the next Wait, which makes readiness last as the port promises
// (a multishot poll tells of edges only and is used for wake-ups); fdatasync runs in the kernel's
// workers, without a thread of ours.
// Threading: nothing is submitted before the first Wait, so that a poller may be made on another
// thread than the one that runs it.
// Errors: Create as log::OpenUring (log/uring_ring.h). Limits: Linux 5.15 or newer.
#ifndef WEIR_SERVER_URING_POLLER_H_
#define WEIR_SERVER_URING_POLLER_H_

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "log/file.h"
#include "log/uring_ring.h"
#include "server/fd_poller.h"
#include "server/page_cache.h"
#include "server/poller.h"

namespace weir::server {

class UringPoller final : public FdPoller {
 public:
  static absl::StatusOr<std::unique_ptr<UringPoller>> Create() {
    WEIR_ASSIGN_OR_RETURN(const io_uring ring,
                          log::OpenUring(IORING_SETUP_COOP_TASKRUN));  // since Linux 5.19
    return absl::WrapUnique(new UringPoller(ring));
  }
  ~UringPoller() override {
    // Polls hold their sockets open, and what Close promises must hold for a listener's port too.
    for (Arm& arm : arms_) Disarm(&arm);
    Submit();
    while (syncer_.syncs.in_flight() > 0 || reads_in_flight_ > 0) {
      Enter(std::nullopt);
      Reap(&early_);
    }
    io_uring_queue_exit(&ring_);
    ::close(wake_);
  }

  absl::string_view name() const override { return "io_uring"; }

  void Watch(SocketId socket, bool readable, bool writable) override {
    Socket& at = At(socket);
    at.readable = readable;
    at.writable = writable;
    // A poll that is armed for more than that is left alone; what it reports is not passed on.
    if ((MaskOf(at) & ~ArmOf(Fd(socket)).mask) != 0) ArmLater(socket);
  }

  void Wait(std::optional<int64_t> timeout_ns, std::vector<PollEvent>* events) override {
    events->clear();
    ArmAll();
    Enter(early_.empty() ? timeout_ns : 0);
    early_.swap(*events);
    std::erase_if(*events, [this](const PollEvent& event) { return !Holds(event.socket); });
    Reap(events);
  }

  void Wake() override {
    // While a wake-up is on its way, another adds nothing.
    if (woken_.exchange(true, std::memory_order_acq_rel)) return;
    const uint64_t one = 1;
    WEIR_CHECK(::write(wake_, &one, sizeof(one)) == sizeof(one));
  }

  log::Syncer& syncer() override { return syncer_; }

 private:
  // The one poll of a socket that is under way.
  struct Arm {
    uint64_t user_data = 0;  // 0: none
    uint32_t mask = 0;
    bool queued = false;  // in to_arm_
  };

  // Queues; Wait submits.
  struct RingSyncer final : log::Syncer {
    explicit RingSyncer(UringPoller* owner) : poller(owner) {}
    void Start(int fd, log::SyncToken token) override {
      io_uring_sqe* const sqe = poller->NextSqe();
      io_uring_sqe_set_data64(sqe, kSync | syncs.Prepare(sqe, fd, token));
    }
    void Drain(std::vector<log::SyncDone>* into) override { syncs.Drain(into); }

    UringPoller* const poller;
    log::UringSyncs syncs;
  };

  static constexpr int64_t kNsPerSecond = 1'000'000'000;
  static constexpr size_t kScratchBytes = size_t{1} << 20;

  // user_data: a kind in the top two bits; below it a poll's number and descriptor, or a sync's
  // index. Numbers tell a late completion from its successor's.
  static constexpr uint64_t kPoll = uint64_t{0} << 62;
  static constexpr uint64_t kWake = uint64_t{1} << 62;
  static constexpr uint64_t kSync = uint64_t{2} << 62;
  // A wake-up has nothing below its kind; a read from the disk has the id of the socket it is for.
  static constexpr uint64_t kRead = kWake;
  static constexpr uint64_t kNobody = uint64_t{3} << 62;
  static constexpr uint64_t kKindMask = uint64_t{3} << 62;
  static constexpr int kDescriptorBits = 24;
  static constexpr uint64_t kDescriptorMask = (uint64_t{1} << kDescriptorBits) - 1;

  explicit UringPoller(const io_uring& ring)
      : ring_(ring), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), syncer_(this) {
    WEIR_CHECK(wake_ >= 0);
  }

  static uint32_t MaskOf(const Socket& socket) {
    return (socket.readable ? POLLIN : 0u) | (socket.wants_writable() ? POLLOUT : 0u);
  }

  Arm& ArmOf(int fd) {
    if (static_cast<size_t>(fd) >= arms_.size()) arms_.resize(fd + 1);
    return arms_[fd];
  }

  // Unwatched sockets are polled too: for their hangup.
  void OnAdd(int fd, SocketId id) override {
    ArmOf(fd) = Arm{};
    ArmLater(id);
  }
  void OnRemove(int fd, SocketId) override {
    Arm& arm = ArmOf(fd);
    if (arm.user_data != 0) {
      Disarm(&arm);
      Submit();  // now: the poll would hold the socket open beyond its close
    }
    arm = Arm{};
  }

  void OnInterest(SocketId id) override {
    if ((MaskOf(At(id)) & ~ArmOf(Fd(id)).mask) != 0) ArmLater(id);
  }

  void StartDiskRead(SocketId id, int file, int64_t position, size_t bytes) override {
    // What is read into is looked at by nobody: one buffer serves all reads under way.
    if (scratch_ == nullptr) scratch_.reset(new char[kScratchBytes]);
    const int own = OpenForReading(file);
    if (own < 0) return DiskRead(id);  // sendfile waits for the disk then
    io_uring_sqe* const sqe = NextSqe();
    io_uring_prep_read(sqe, own, scratch_.get(),
                       static_cast<unsigned>(std::min(bytes, kScratchBytes)),
                       static_cast<uint64_t>(position));
    io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);  // copied by a worker, not by this thread
    io_uring_sqe_set_data64(sqe, kRead | id.value());
    ++reads_in_flight_;
    Submit();  // from here on the ring holds the file
    ::close(own);
  }

  void ArmLater(SocketId id) {
    Arm& arm = ArmOf(Fd(id));
    if (std::exchange(arm.queued, true)) return;
    to_arm_.push_back(id);
  }

  void Disarm(Arm* arm) {
    if (arm->user_data == 0) return;
    io_uring_sqe* const sqe = NextSqe();
    io_uring_prep_poll_remove(sqe, arm->user_data);
    io_uring_sqe_set_data64(sqe, kNobody);
    arm->user_data = 0;
    arm->mask = 0;
  }

  void ArmAll() {
    if (!wake_armed_) {
      io_uring_sqe* const sqe = NextSqe();
      io_uring_prep_poll_multishot(sqe, wake_, POLLIN);
      io_uring_sqe_set_data64(sqe, kWake);
      wake_armed_ = true;
    }
    for (size_t i = 0; i < to_arm_.size(); ++i) {  // may grow on the way
      const SocketId id = to_arm_[i];
      if (!Holds(id)) continue;
      const int fd = Fd(id);
      Arm& arm = ArmOf(fd);
      arm.queued = false;
      const uint32_t mask = MaskOf(At(id));
      if (arm.user_data != 0 && (mask & ~arm.mask) == 0) continue;
      Disarm(&arm);
      io_uring_sqe* const sqe = NextSqe();
      io_uring_prep_poll_add(sqe, fd, mask);
      arm.user_data = NextPoll() << kDescriptorBits | static_cast<uint64_t>(fd);
      arm.mask = mask;
      io_uring_sqe_set_data64(sqe, arm.user_data);
    }
    to_arm_.clear();
  }

  uint64_t NextPoll() {
    polls_ = (polls_ + 1) & ((uint64_t{1} << (62 - kDescriptorBits)) - 1);
    if (polls_ == 0) polls_ = 1;
    return polls_;
  }

  io_uring_sqe* NextSqe() {
    return log::NextSqe(&ring_, [this] { Submit(); });
  }

  // All that is queued.
  void Submit() {
    while (io_uring_sq_ready(&ring_) > 0) {
      const int result = io_uring_submit_and_get_events(&ring_);
      WEIR_CHECK(result >= 0 || log::IsPassingUringError(result));
      // The kernel may want its completions taken first.
      if (result == -EBUSY || result == -EAGAIN) Reap(&early_);
    }
  }

  void Enter(std::optional<int64_t> timeout_ns) {
    int result;
    if (timeout_ns.has_value() && *timeout_ns <= 0) {
      result = io_uring_submit_and_get_events(&ring_);
    } else {
      io_uring_cqe* first = nullptr;
      __kernel_timespec timeout{};
      if (timeout_ns.has_value()) {
        timeout.tv_sec = *timeout_ns / kNsPerSecond;
        timeout.tv_nsec = *timeout_ns % kNsPerSecond;
      }
      result = io_uring_submit_and_wait_timeout(
          &ring_, &first, 1, timeout_ns.has_value() ? &timeout : nullptr, nullptr);
    }
    WEIR_CHECK(result >= 0 || result == -ETIME || log::IsPassingUringError(result));
  }

  void Reap(std::vector<PollEvent>* events) {
    unsigned head;
    unsigned count = 0;
    io_uring_cqe* cqe;
    io_uring_for_each_cqe(&ring_, head, cqe) {
      ++count;
      const uint64_t user_data = io_uring_cqe_get_data64(cqe);
      switch (user_data & kKindMask) {
        case kPoll:
          PollCompleted(user_data, cqe->res, events);
          break;
        case kWake:
          if ((user_data & ~kKindMask) == 0) {
            WakeCompleted((cqe->flags & IORING_CQE_F_MORE) != 0);
          } else {
            --reads_in_flight_;
            DiskRead(SocketId(user_data & ~kKindMask));
          }
          break;
        case kSync:
          syncer_.syncs.Completed(user_data & ~kKindMask, cqe->res);
          break;
        default:
          break;
      }
    }
    io_uring_cq_advance(&ring_, count);
  }

  void PollCompleted(uint64_t user_data, int result, std::vector<PollEvent>* events) {
    const int fd = static_cast<int>(user_data & kDescriptorMask);
    Arm& arm = ArmOf(fd);
    if (arm.user_data != user_data) return;  // disarmed since
    arm.user_data = 0;
    arm.mask = 0;
    const SocketId id = IdOf(fd);
    ArmLater(id);
    if (result < 0) return;  // cancelled, as when the thread that armed it ended
    const Socket& socket = At(id);
    const PollEvent event{id, socket.readable && (result & POLLIN) != 0,
                          socket.wants_writable() && (result & POLLOUT) != 0,
                          (result & (POLLHUP | POLLERR)) != 0};
    if (event.readable || event.writable || event.hangup) events->push_back(event);
  }

  void WakeCompleted(bool stays_armed) {
    if (!stays_armed) {
      wake_armed_ = false;
      uint64_t count;
      // Else the next poll would end at once. It fails when nothing was written: no matter.
      [[maybe_unused]] const ssize_t n = ::read(wake_, &count, sizeof(count));
    }
    // Reads what the wakers wrote, so that what they did before is seen after this.
    woken_.exchange(false, std::memory_order_acq_rel);
  }

  io_uring ring_;
  const int wake_;
  bool wake_armed_ = false;
  std::atomic<bool> woken_{false};
  std::vector<Arm> arms_;  // by descriptor
  std::vector<SocketId> to_arm_;
  std::vector<PollEvent> early_;  // taken between two Waits, for the next
  uint64_t polls_ = 0;
  std::unique_ptr<char[]> scratch_;
  size_t reads_in_flight_ = 0;
  RingSyncer syncer_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_URING_POLLER_H_

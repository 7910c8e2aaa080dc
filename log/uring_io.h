// -----------------------------------------------------------------------------
// File: log/uring_io.h
// -----------------------------------------------------------------------------
// An io_uring of one's own for a disk: many fdatasyncs and reads at once, without threads of ours.
// Everything is submitted when it is started; completions are waited for, or announced by an
// eventfd to whoever has a poller of another kind. A read whose pages are cached completes within
// StartRead; one whose pages are not never blocks the caller.
// Threading: one thread, which must live as long as what it started; ReadDone's buffers belong to
// the ring until their completion is drained. The destructor waits for all that was started.
// Errors: Create as OpenUring (log/uring_ring.h), or kUnavailable when a sync or a read does not
// make the round trip: containers forbid io_uring in several ways, some of them per operation.
#ifndef WEIR_LOG_URING_IO_H_
#define WEIR_LOG_URING_IO_H_

#include <errno.h>
#include <liburing.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "log/file.h"
#include "log/uring_ring.h"

namespace weir::log {

// What StartRead's caller finds its completion by.
using ReadToken = uint64_t;

struct ReadDone {
  ReadToken token = 0;
  // How many bytes: fewer than asked only where the file ends.
  absl::StatusOr<size_t> bytes = size_t{0};
};

class UringIo final : public Syncer {
 public:
  static absl::StatusOr<std::unique_ptr<UringIo>> Create() {
    WEIR_ASSIGN_OR_RETURN(const io_uring ring, OpenUring(0));
    std::unique_ptr<UringIo> io = absl::WrapUnique(new UringIo(ring));
    WEIR_RETURN_IF_ERROR(io->Probe());
    return io;
  }
  UringIo(const UringIo&) = delete;
  UringIo& operator=(const UringIo&) = delete;
  ~UringIo() override {
    while (serves_ && in_flight() > 0) WaitOnce(nullptr);
    io_uring_queue_exit(&ring_);
    if (event_ >= 0) ::close(event_);
  }

  void Start(int fd, SyncToken token) override {
    io_uring_sqe* const sqe = NextSqe();
    io_uring_sqe_set_data64(sqe, kSync | syncs_.Prepare(sqe, fd, token));
    Submit();
  }

  void Drain(std::vector<SyncDone>* done) override {
    Reap();
    syncs_.Drain(done);
  }

  // Reads up to into.size() bytes of `fd`, which `owner` keeps open. A read that comes back short
  // of a multiple of `block_bytes` has reached the file's end: behind one of O_DIRECT, reading on
  // from there is an error.
  void StartRead(int fd, std::shared_ptr<const void> owner, int64_t position, absl::Span<char> into,
                 ReadToken token, size_t block_bytes = 1) {
    size_t index = reads_.size();
    if (free_reads_.empty()) {
      reads_.emplace_back();
    } else {
      index = free_reads_.back();
      free_reads_.pop_back();
    }
    reads_[index] = Read{token, fd, position, into, 0, block_bytes, std::move(owner)};
    ++reads_in_flight_;
    QueueRead(index);
    Submit();
  }

  void DrainReads(std::vector<ReadDone>* done) {
    Reap();
    done->insert(done->end(), std::make_move_iterator(reads_done_.begin()),
                 std::make_move_iterator(reads_done_.end()));
    reads_done_.clear();
  }

  // Blocks until a completion can be drained: true; or until the time is over or nothing is under
  // way: false. Without a timeout it waits as long as it takes.
  bool Wait(std::optional<int64_t> timeout_ns) {
    Reap();
    __kernel_timespec timeout{};
    if (timeout_ns.has_value()) {
      timeout.tv_sec = std::max<int64_t>(*timeout_ns, 0) / kNsPerSecond;
      timeout.tv_nsec = std::max<int64_t>(*timeout_ns, 0) % kNsPerSecond;
    }
    while (!HasDone() && in_flight() > 0) {
      const int result = WaitOnce(timeout_ns.has_value() ? &timeout : nullptr);
      if (result == -ETIME || (result == -EINTR && timeout_ns.has_value())) break;
    }
    return HasDone();
  }

  // Readable when something can be drained; drain syncs and reads then, which makes it unreadable.
  // Stays this object's.
  int event_fd() {
    if (event_ >= 0) return event_;
    event_ = ::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);  // 1: for what has completed already
    WEIR_CHECK(event_ >= 0);
    WEIR_CHECK(io_uring_register_eventfd(&ring_, event_) == 0);
    return event_;
  }

  size_t in_flight() const { return syncs_.in_flight() + reads_in_flight_; }

 private:
  struct Read {
    ReadToken token = 0;
    int fd = -1;
    int64_t position = 0;
    absl::Span<char> into;
    size_t got = 0;
    size_t block_bytes = 1;
    std::shared_ptr<const void> owner;
  };

  static constexpr int64_t kNsPerSecond = 1'000'000'000;
  // user_data: a kind in the top bit, below it the sync's or the read's number.
  static constexpr uint64_t kSync = uint64_t{1} << 63;
  static constexpr size_t kBytesPerRead = size_t{1} << 30;

  explicit UringIo(const io_uring& ring) : ring_(ring) {}

  absl::Status Probe() {
    constexpr int64_t kPatienceNs = kNsPerSecond;
    const int fd = ::memfd_create("weir-probe", MFD_CLOEXEC);
    if (fd < 0) return absl::UnavailableError("io_uring: no file for a probe");
    char byte;
    Start(fd, 1);
    StartRead(fd, nullptr, 0, absl::MakeSpan(&byte, 1), 1);
    for (int i = 0; i < 3 && in_flight() > 0; ++i) {
      Reap();
      __kernel_timespec timeout{kPatienceNs / kNsPerSecond, kPatienceNs % kNsPerSecond};
      if (in_flight() > 0) WaitOnce(&timeout);
    }
    ::close(fd);
    if (in_flight() > 0) return absl::UnavailableError("io_uring: a sync did not complete");
    std::vector<SyncDone> synced;
    std::vector<ReadDone> read;
    syncs_.Drain(&synced);
    read.swap(reads_done_);
    if (!synced[0].status.ok()) {
      return absl::UnavailableError(
          absl::StrCat("io_uring: ", synced[0].status.message(), " a probe"));
    }
    if (!read[0].bytes.ok()) {
      return absl::UnavailableError(absl::StrCat("io_uring: ", read[0].bytes.status().message()));
    }
    serves_ = true;
    return absl::OkStatus();
  }

  bool HasDone() const { return syncs_.has_done() || !reads_done_.empty(); }

  io_uring_sqe* NextSqe() {
    return log::NextSqe(&ring_, [this] { Submit(); });
  }

  void Submit() {
    while (io_uring_sq_ready(&ring_) > 0) {
      const int result = io_uring_submit(&ring_);
      WEIR_CHECK(result >= 0 || IsPassingUringError(result));
      // The kernel may want its completions taken first.
      if (result == -EBUSY || result == -EAGAIN) TakeCompletions();
    }
  }

  // 0 or the error.
  int WaitOnce(__kernel_timespec* timeout) {
    io_uring_cqe* first = nullptr;
    const int result = timeout == nullptr ? io_uring_wait_cqe(&ring_, &first)
                                          : io_uring_wait_cqe_timeout(&ring_, &first, timeout);
    WEIR_CHECK(result == 0 || result == -ETIME || IsPassingUringError(result));
    Reap();
    return result;
  }

  void QueueRead(size_t index) {
    const Read& read = reads_[index];
    const size_t bytes = std::min(read.into.size() - read.got, kBytesPerRead);
    io_uring_sqe* const sqe = NextSqe();
    io_uring_prep_read(sqe, read.fd, read.into.data() + read.got, static_cast<unsigned>(bytes),
                       static_cast<uint64_t>(read.position) + read.got);
    io_uring_sqe_set_data64(sqe, index);
  }

  void Reap() {
    if (event_ >= 0) {
      // First, so that what completes from here on makes it readable again.
      uint64_t count;
      [[maybe_unused]] const ssize_t n = ::read(event_, &count, sizeof(count));
    }
    TakeCompletions();
    if (unfinished_.empty()) return;
    std::vector<size_t> again;
    again.swap(unfinished_);
    for (const size_t index : again) QueueRead(index);
    Submit();
  }

  void TakeCompletions() {
    unsigned head;
    unsigned count = 0;
    io_uring_cqe* cqe;
    io_uring_for_each_cqe(&ring_, head, cqe) {
      ++count;
      const uint64_t user_data = io_uring_cqe_get_data64(cqe);
      if ((user_data & kSync) != 0) {
        syncs_.Completed(user_data & ~kSync, cqe->res);
      } else {
        ReadCompleted(static_cast<size_t>(user_data), cqe->res);
      }
    }
    io_uring_cq_advance(&ring_, count);
  }

  void ReadCompleted(size_t index, int result) {
    Read& read = reads_[index];
    if (result > 0) read.got += static_cast<size_t>(result);
    const bool is_short = read.got < read.into.size() && read.got % read.block_bytes == 0;
    if (IsPassingUringError(result) || (result > 0 && is_short)) {
      unfinished_.push_back(index);
      return;
    }
    ReadDone done{read.token, read.got};
    if (result < 0) {
      done.bytes = absl::DataLossError(
          absl::StrCat("read at position ", read.position + static_cast<int64_t>(read.got), ": ",
                       std::generic_category().message(-result)));
    }
    reads_done_.push_back(std::move(done));
    read.owner.reset();
    free_reads_.push_back(index);
    --reads_in_flight_;
  }

  io_uring ring_;
  int event_ = -1;
  bool serves_ = false;  // what is started completes
  UringSyncs syncs_;
  std::vector<Read> reads_;  // by number
  std::vector<size_t> free_reads_;
  std::vector<size_t> unfinished_;  // to be submitted again
  std::vector<ReadDone> reads_done_;
  size_t reads_in_flight_ = 0;
};

}  // namespace weir::log

#endif  // WEIR_LOG_URING_IO_H_

// -----------------------------------------------------------------------------
// File: log/uring_ring.h
// -----------------------------------------------------------------------------
// What every io_uring of ours does alike: being opened, and running fdatasyncs. Users:
// log/uring_io.h (a ring of its own) and server/uring_poller.h (a ring that also polls sockets).
// Threading: a ring belongs to one thread; what that thread started is cancelled when it ends.
// Errors: OpenUring says why this system has no io_uring for us: kUnimplemented, kPermissionDenied
// (forbidden, as in many containers) or kUnavailable. Limits: Linux 5.15 or newer.
#ifndef WEIR_LOG_URING_RING_H_
#define WEIR_LOG_URING_RING_H_

#include <errno.h>
#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "log/file.h"

namespace weir::log {

inline constexpr unsigned kUringSubmissions = 256;
inline constexpr unsigned kUringCompletions = 4096;  // beyond them the kernel keeps a list

// `setup` are IORING_SETUP_ flags; those that the kernel does not know are left out.
inline absl::StatusOr<io_uring> OpenUring(unsigned setup) {
  constexpr unsigned kFeatures =
      IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_RSRC_TAGS;  // the last: 5.13
  io_uring ring;
  const auto open = [&ring](unsigned flags) {
    io_uring_params params{};
    params.flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    params.cq_entries = kUringCompletions;
    return -io_uring_queue_init_params(kUringSubmissions, &ring, &params);
  };
  int error = open(setup);
  if (error == EINVAL && setup != 0) error = open(0);
  const std::string text = absl::StrCat("io_uring_setup: ", std::generic_category().message(error));
  if (error == ENOSYS) return absl::UnimplementedError(text);
  if (error == EPERM || error == EACCES) return absl::PermissionDeniedError(text);
  if (error != 0) return absl::UnavailableError(text);
  if ((ring.features & kFeatures) != kFeatures) {
    io_uring_queue_exit(&ring);
    return absl::UnimplementedError("io_uring of Linux 5.15 or newer is needed");
  }
  return ring;
}

// Of io_uring_enter: nothing happened, try again.
inline bool IsPassingUringError(int result) {
  return result == -EINTR || result == -EAGAIN || result == -EBUSY;
}

// A free submission. Where all are taken, submit() makes room.
template <class Submit>
io_uring_sqe* NextSqe(io_uring* ring, Submit submit) {
  io_uring_sqe* sqe = io_uring_get_sqe(ring);
  if (sqe == nullptr) {
    submit();
    sqe = io_uring_get_sqe(ring);
  }
  WEIR_CHECK(sqe != nullptr);
  return sqe;
}

// The fdatasyncs under way on a ring that somebody else submits to and reaps.
class UringSyncs {
 public:
  // Fills `sqe` but for its user_data. Returns the number that Completed wants.
  uint64_t Prepare(io_uring_sqe* sqe, int fd, SyncToken token) {
    size_t index = tokens_.size();
    if (free_.empty()) {
      tokens_.push_back(token);
    } else {
      index = free_.back();
      free_.pop_back();
      tokens_[index] = token;
    }
    ++in_flight_;
    io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
    return index;
  }

  void Completed(uint64_t index, int result) {
    WEIR_CHECK(index < tokens_.size() && in_flight_ > 0);
    done_.push_back({tokens_[index], result >= 0 ? absl::OkStatus() : Error(-result)});
    free_.push_back(index);
    --in_flight_;
  }

  void Drain(std::vector<SyncDone>* into) {
    into->insert(into->end(), std::make_move_iterator(done_.begin()),
                 std::make_move_iterator(done_.end()));
    done_.clear();
  }

  size_t in_flight() const { return in_flight_; }
  bool has_done() const { return !done_.empty(); }

 private:
  static absl::Status Error(int error) {
    return absl::DataLossError(
        absl::StrCat("fdatasync: ", std::generic_category().message(error), ", of"));
  }

  std::vector<SyncToken> tokens_;  // by number
  std::vector<uint64_t> free_;
  std::vector<SyncDone> done_;
  size_t in_flight_ = 0;
};

}  // namespace weir::log

#endif  // WEIR_LOG_URING_RING_H_

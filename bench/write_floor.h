// -----------------------------------------------------------------------------
// File: bench/write_floor.h
// -----------------------------------------------------------------------------
// The least that a log could do with a batch: check its CRC-32C and append it to a file. Files are
// as large as the segments of the rows beside it, and only the last two are kept, so that both
// leave the page cache as much to do.
// Threading: one thread. Errors: a disk that fails ends the program.
#ifndef WEIR_BENCH_WRITE_FLOOR_H_
#define WEIR_BENCH_WRITE_FLOOR_H_

#include <fcntl.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "bench/temp_folder.h"
#include "protocol/record_batch.h"

namespace weir::bench {

inline constexpr int64_t kSegmentBytes = int64_t{256} << 20;

class WriteFloor {
 public:
  WriteFloor() { Roll(); }
  WriteFloor(const WriteFloor&) = delete;
  WriteFloor& operator=(const WriteFloor&) = delete;
  ~WriteFloor() { close(fd_); }

  void Append(absl::string_view batch) {
    const absl::string_view covered = batch.substr(protocol::record_batch_at::kAttributes);
    sum_ ^= Crc32c(covered);  // compared with nothing, but not to be left out
    Write(batch);
  }
  void Write(absl::string_view batch) { Write(absl::MakeConstSpan(&batch, 1)); }
  // With one system call.
  void Write(absl::Span<const absl::string_view> batches) {
    vectors_.clear();
    ssize_t bytes = 0;
    for (const absl::string_view batch : batches) {
      vectors_.push_back({const_cast<char*>(batch.data()), batch.size()});
      bytes += static_cast<ssize_t>(batch.size());
    }
    if (written_ + bytes > kSegmentBytes) Roll();
    WEIR_CHECK(pwritev(fd_, vectors_.data(), static_cast<int>(vectors_.size()), written_) == bytes);
    written_ += bytes;
  }
  void Sync() { WEIR_CHECK(fdatasync(fd_) == 0); }

  uint32_t sum() const { return sum_; }

 private:
  void Roll() {
    if (fd_ >= 0) close(fd_);
    if (!last_.empty()) WEIR_CHECK(unlink(last_.c_str()) == 0);
    last_ = std::exchange(current_, absl::StrCat(folder_.path(), "/", ++files_));
    fd_ = open(current_.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    WEIR_CHECK(fd_ >= 0);
    written_ = 0;
  }

  TempFolder folder_;
  std::vector<iovec> vectors_;
  std::string current_, last_;
  int files_ = 0;
  int fd_ = -1;
  int64_t written_ = 0;
  uint32_t sum_ = 0;
};

}  // namespace weir::bench

#endif  // WEIR_BENCH_WRITE_FLOOR_H_

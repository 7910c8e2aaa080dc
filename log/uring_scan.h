// -----------------------------------------------------------------------------
// File: log/uring_scan.h
// -----------------------------------------------------------------------------
// Reads a file from its start to its end, several pieces ahead of the reader, past the page cache
// if asked (O_DIRECT): for backups, checks and other passes over more than the memory holds, which
// would otherwise push out what consumers are reading. Where the cache has the file already, plain
// reads are faster; appends gain nothing from O_DIRECT, as a log does not end at a block's border.
// Figures: docs/adr/0003-file-port.md.
// Threading: one thread. Errors: as File::ReadAt; kNotFound. Limits: depth * chunk_bytes of memory.
#ifndef WEIR_LOG_URING_SCAN_H_
#define WEIR_LOG_URING_SCAN_H_

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "log/posix_file.h"
#include "log/uring_io.h"

namespace weir::log {

struct UringScanOptions {
  size_t chunk_bytes = size_t{1} << 20;  // a multiple of kBlockBytes
  size_t depth = 4;                      // chunks under way at once
  bool direct = false;                   // past the page cache, where the file system can
};

class UringScan {
 public:
  static constexpr size_t kBlockBytes = 4096;  // what O_DIRECT wants memory to be aligned to

  static absl::StatusOr<std::unique_ptr<UringScan>> Open(const std::string& path,
                                                         const UringScanOptions& options = {}) {
    WEIR_CHECK(options.depth > 0 && options.chunk_bytes > 0 &&
               options.chunk_bytes % kBlockBytes == 0);
    WEIR_ASSIGN_OR_RETURN(std::unique_ptr<UringIo> io, UringIo::Create());
    bool direct = options.direct;
    int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | (direct ? O_DIRECT : 0));
    if (fd < 0 && errno == EINVAL && direct) {
      direct = false;
      fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0) return PosixError("open", path, errno);
    return absl::WrapUnique(new UringScan(std::make_shared<log_internal::PosixHandle>(fd, path),
                                          std::move(io), options, direct));
  }

  // The next piece of the file, valid until the next call; empty at the end, and from then on.
  absl::StatusOr<absl::string_view> Next() {
    if (taken_.has_value()) StartRead(*std::exchange(taken_, std::nullopt));
    if (next_ == 0 && started_ == 0) {
      for (size_t i = 0; i < chunks_.size(); ++i) StartRead(i);
    }
    Chunk& chunk = chunks_[next_ % chunks_.size()];
    while (!chunk.done.has_value() && chunk.in_flight) Collect();
    if (!chunk.done.has_value() || ended_) return absl::string_view();
    const absl::StatusOr<size_t> bytes = *std::exchange(chunk.done, std::nullopt);
    if (!bytes.ok()) {
      ended_ = true;
      return absl::Status(bytes.status().code(),
                          absl::StrCat(file_->path, ": ", bytes.status().message()));
    }
    ended_ = *bytes < chunk_bytes_;
    taken_ = next_ % chunks_.size();
    ++next_;
    return absl::string_view(chunk.memory.get(), *bytes);
  }

  // Whether the page cache is passed by.
  bool direct() const { return direct_; }

 private:
  static constexpr size_t kSectorBytes = 512;  // and positions, at least

  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  struct Chunk {
    std::unique_ptr<char, Free> memory;
    bool in_flight = false;
    std::optional<absl::StatusOr<size_t>> done;
  };

  UringScan(std::shared_ptr<log_internal::PosixHandle> file, std::unique_ptr<UringIo> io,
            const UringScanOptions& options, bool direct)
      : file_(std::move(file)),
        chunk_bytes_(options.chunk_bytes),
        direct_(direct),
        chunks_(options.depth),
        io_(std::move(io)) {
    for (Chunk& chunk : chunks_) {
      chunk.memory.reset(static_cast<char*>(std::aligned_alloc(kBlockBytes, chunk_bytes_)));
      WEIR_CHECK(chunk.memory != nullptr);
    }
  }

  // The chunk behind all that were started; none behind the end.
  void StartRead(size_t index) {
    if (ended_) return;
    chunks_[index].in_flight = true;
    io_->StartRead(file_->fd, nullptr, static_cast<int64_t>(started_ * chunk_bytes_),
                   absl::MakeSpan(chunks_[index].memory.get(), chunk_bytes_), index,
                   direct_ ? kSectorBytes : 1);
    ++started_;
  }

  void Collect() {
    io_->Wait(std::nullopt);
    io_->DrainReads(&drained_);
    for (ReadDone& read : drained_) {
      chunks_[read.token].in_flight = false;
      chunks_[read.token].done = std::move(read.bytes);
    }
    drained_.clear();
  }

  const std::shared_ptr<log_internal::PosixHandle> file_;
  const size_t chunk_bytes_;
  const bool direct_;
  std::vector<Chunk> chunks_;
  size_t started_ = 0;           // chunks, since the file's start
  size_t next_ = 0;              // the chunk that Next hands out
  std::optional<size_t> taken_;  // the one that it handed out last
  bool ended_ = false;
  std::vector<ReadDone> drained_;
  const std::unique_ptr<UringIo> io_;  // goes first: it waits for reads into the chunks
};

}  // namespace weir::log

#endif  // WEIR_LOG_URING_SCAN_H_

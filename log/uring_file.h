// -----------------------------------------------------------------------------
// File: log/uring_file.h
// -----------------------------------------------------------------------------
// The file port over an io_uring of its own, for who has no poller of ours: StartSync runs as many
// fdatasyncs at once as are started, StartRead reads without blocking even where the disk must be
// asked. Appends and ReadAt stay the plain system calls of log/posix_file.h, which are faster for
// what the page cache holds (docs/adr/0003-file-port.md).
// Threading: as log/file.h; StartRead, DrainReads, Wait and event_fd on the owner's thread.
// Errors: as log/posix_file.h, a failed sync included. Create as UringIo::Create: where it fails,
// PosixFileSystem with a ThreadSyncer does the same with threads.
#ifndef WEIR_LOG_URING_FILE_H_
#define WEIR_LOG_URING_FILE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "log/file.h"
#include "log/posix_file.h"
#include "log/uring_io.h"

namespace weir::log {

class UringFileSystem final : public FileSystem {
 public:
  static absl::StatusOr<std::unique_ptr<UringFileSystem>> Create() {
    WEIR_ASSIGN_OR_RETURN(std::unique_ptr<UringIo> io, UringIo::Create());
    return absl::WrapUnique(new UringFileSystem(std::move(io)));
  }

  // Reads up to into.size() bytes of `file`, opened here, into memory that must stay until
  // DrainReads hands out the completion.
  void StartRead(ReadToken token, std::shared_ptr<const File> file, int64_t position,
                 absl::Span<char> into) {
    const int fd = file->NativeHandle();
    WEIR_CHECK(fd >= 0);
    io_->StartRead(fd, std::move(file), position, into, token);
  }
  void DrainReads(std::vector<ReadDone>* done) { io_->DrainReads(done); }

  // See UringIo. A sync of a file that has failed before completes at once, which Wait tells of and
  // the descriptor does not.
  bool Wait(std::optional<int64_t> timeout_ns) {
    return posix_.has_completed_sync() || io_->Wait(timeout_ns);
  }
  int event_fd() { return io_->event_fd(); }

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    return posix_.Open(path, mode);
  }
  absl::Status Remove(const std::string& path) override { return posix_.Remove(path); }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return posix_.Rename(from, to);
  }
  absl::Status CreateDirectories(const std::string& path) override {
    return posix_.CreateDirectories(path);
  }
  absl::Status RemoveRecursively(const std::string& path) override {
    return posix_.RemoveRecursively(path);
  }
  bool Exists(const std::string& path) override { return posix_.Exists(path); }
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    return posix_.List(directory);
  }
  absl::Status SyncDirectory(const std::string& directory) override {
    return posix_.SyncDirectory(directory);
  }
  absl::StatusOr<int64_t> FreeBytes(const std::string& directory) override {
    return posix_.FreeBytes(directory);
  }
  absl::StatusOr<int64_t> TotalBytes(const std::string& directory) override {
    return posix_.TotalBytes(directory);
  }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    return posix_.Lock(path);
  }
  void DrainSyncs(std::vector<SyncDone>* done) override { posix_.DrainSyncs(done); }

 private:
  explicit UringFileSystem(std::unique_ptr<UringIo> io) : io_(std::move(io)), posix_(io_.get()) {}

  const std::unique_ptr<UringIo> io_;
  PosixFileSystem posix_;
};

}  // namespace weir::log

#endif  // WEIR_LOG_URING_FILE_H_

// -----------------------------------------------------------------------------
// File: log/posix_file.h
// -----------------------------------------------------------------------------
// The file port on a POSIX system: pread, pwritev, fdatasync, flock. Decision:
// docs/adr/0003-file-port.md. Threading: as log/file.h; asynchronous syncs run where the Syncer
// runs them, and their effects are seen by DrainSyncs. Errors: as log/file.h. A sync that failed
// poisons its file for good: the kernel may have dropped the pages and may report success the next
// time, so neither another Sync nor an Append is tried.
// Limits: IOV_MAX pieces per system call; longer appends take several.
#ifndef WEIR_LOG_POSIX_FILE_H_
#define WEIR_LOG_POSIX_FILE_H_

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/sort.h"
#include "base/status_macros.h"
#include "log/file.h"

namespace weir::log {

// The port's status for a failed system call; the message names the call, the path and the reason.
inline absl::Status PosixError(absl::string_view call, absl::string_view path, int error) {
  const std::string message =
      absl::StrCat(call, " ", path, ": ", std::generic_category().message(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(message);
    case EEXIST:
    case ENOTEMPTY:
      return absl::AlreadyExistsError(message);
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case EMFILE:
    case ENFILE:
    case EWOULDBLOCK:
      return absl::UnavailableError(message);
    default:
      return absl::DataLossError(message);
  }
}

namespace log_internal {

// An open descriptor and what is known of it; shared by the File and by its syncs in flight.
struct PosixHandle {
  PosixHandle(int fd_in, std::string path_in) : fd(fd_in), path(std::move(path_in)) {}
  PosixHandle(const PosixHandle&) = delete;
  PosixHandle& operator=(const PosixHandle&) = delete;
  ~PosixHandle() { ::close(fd); }

  const int fd;
  const std::string path;
  absl::Status poisoned;  // why nothing may be written or synced any more
};

// What the files of one PosixFileSystem share.
struct PosixSyncs {
  Syncer* syncer = nullptr;
  absl::flat_hash_map<SyncToken, std::shared_ptr<PosixHandle>> in_flight;
  std::vector<SyncDone> done;  // completed without the syncer
};

class PosixFile final : public File {
 public:
  PosixFile(std::shared_ptr<PosixHandle> handle, std::shared_ptr<PosixSyncs> syncs, int64_t size,
            bool writable)
      : handle_(std::move(handle)), syncs_(std::move(syncs)), size_(size), writable_(writable) {}

  absl::StatusOr<size_t> ReadAt(int64_t position, absl::Span<char> into) const override {
    size_t got = 0;
    while (got < into.size()) {
      const ssize_t n = ::pread(handle_->fd, into.data() + got, into.size() - got,
                                position + static_cast<int64_t>(got));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return PosixError("pread", handle_->path, errno);
      if (n == 0) break;
      got += static_cast<size_t>(n);
    }
    return got;
  }

  absl::Status Append(absl::Span<const absl::string_view> pieces) override {
    WEIR_CHECK(writable_);
    WEIR_RETURN_IF_ERROR(handle_->poisoned);
    int64_t end = size_;
    if (const int error = WriteAll(pieces, &end); error != 0) {
      absl::Status status = PosixError("pwritev", handle_->path, error);
      // A part may have been written; the file must end where its last good write did.
      if (end != size_ && ::ftruncate(handle_->fd, size_) != 0) {
        handle_->poisoned = PosixError("ftruncate after a failed append", handle_->path, errno);
        return handle_->poisoned;
      }
      return status;
    }
    size_ = end;
    return absl::OkStatus();
  }

  absl::Status Truncate(int64_t size_bytes) override {
    WEIR_CHECK(writable_);
    WEIR_RETURN_IF_ERROR(handle_->poisoned);
    if (::ftruncate(handle_->fd, size_bytes) != 0) {
      return PosixError("ftruncate", handle_->path, errno);
    }
    size_ = size_bytes;
    return absl::OkStatus();
  }

  int64_t size_bytes() const override { return size_; }

  absl::Status Preallocate(int64_t size_bytes) override {
    WEIR_CHECK(writable_);
    if (::fallocate(handle_->fd, FALLOC_FL_KEEP_SIZE, 0, size_bytes) == 0 || errno == EOPNOTSUPP) {
      return absl::OkStatus();
    }
    return PosixError("fallocate", handle_->path, errno);
  }

  absl::Status Sync() override {
    WEIR_RETURN_IF_ERROR(handle_->poisoned);
    if (::fdatasync(handle_->fd) != 0) {
      handle_->poisoned = PosixError("fdatasync", handle_->path, errno);
    }
    return handle_->poisoned;
  }

  void StartSync(SyncToken token) override {
    if (syncs_->syncer == nullptr || !handle_->poisoned.ok()) {
      syncs_->done.push_back({token, Sync()});
      return;
    }
    WEIR_CHECK(syncs_->in_flight.emplace(token, handle_).second);
    syncs_->syncer->Start(handle_->fd, token);
  }

  int NativeHandle() const override { return handle_->fd; }

  bool HasName() const override {
    struct stat info {};
    return ::fstat(handle_->fd, &info) != 0 || info.st_nlink > 0;
  }

 private:
  // Writes `pieces` behind *end, moving it on; 0 or an errno.
  int WriteAll(absl::Span<const absl::string_view> pieces, int64_t* end) const {
    constexpr size_t kPiecesPerCall = 256;
    iovec vectors[kPiecesPerCall];
    size_t piece = 0;
    size_t skip = 0;  // bytes of pieces[piece] that are written
    while (true) {
      size_t count = 0;
      for (size_t i = piece; i < pieces.size() && count < kPiecesPerCall; ++i) {
        const size_t from = i == piece ? skip : 0;
        vectors[count++] = {const_cast<char*>(pieces[i].data()) + from, pieces[i].size() - from};
      }
      if (count == 0) return 0;
      ssize_t n = ::pwritev(handle_->fd, vectors, static_cast<int>(count), *end);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno;
      *end += n;
      for (size_t left = static_cast<size_t>(n); piece < pieces.size();) {
        const size_t rest = pieces[piece].size() - skip;
        if (left < rest) {
          skip += left;
          break;
        }
        left -= rest;
        skip = 0;
        ++piece;
      }
    }
  }

  const std::shared_ptr<PosixHandle> handle_;
  const std::shared_ptr<PosixSyncs> syncs_;
  int64_t size_;
  const bool writable_;
};

class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(int fd) : handle_(fd, "") {}

 private:
  const PosixHandle handle_;  // closing the descriptor gives the lock up
};

}  // namespace log_internal

class PosixFileSystem final : public FileSystem {
 public:
  // `syncer` serves this file system alone and outlives it; without one StartSync blocks.
  explicit PosixFileSystem(Syncer* syncer = nullptr)
      : syncs_(std::make_shared<log_internal::PosixSyncs>()) {
    syncs_->syncer = syncer;
  }

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    int flags = O_CLOEXEC;
    flags |= mode == OpenMode::kRead ? O_RDONLY : O_RDWR;
    if (mode == OpenMode::kCreate) flags |= O_CREAT;
    const int fd = ::open(path.c_str(), flags, 0644);
    if (fd < 0) return PosixError("open", path, errno);
    auto handle = std::make_shared<log_internal::PosixHandle>(fd, path);
    struct stat info {};
    if (::fstat(fd, &info) != 0) return PosixError("fstat", path, errno);
    if (S_ISDIR(info.st_mode)) {
      return absl::FailedPreconditionError(absl::StrCat("open ", path, ": is a directory"));
    }
    return std::make_unique<log_internal::PosixFile>(std::move(handle), syncs_, info.st_size,
                                                     mode != OpenMode::kRead);
  }

  absl::Status Remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return PosixError("unlink", path, errno);
    return absl::OkStatus();
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) {
      return PosixError("rename", absl::StrCat(from, " to ", to), errno);
    }
    return absl::OkStatus();
  }

  absl::Status CreateDirectories(const std::string& path) override {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return PosixError("create directories", path, error.value());
    return absl::OkStatus();
  }

  absl::Status RemoveRecursively(const std::string& path) override {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) return PosixError("remove all of", path, error.value());
    return absl::OkStatus();
  }

  bool Exists(const std::string& path) override { return ::access(path.c_str(), F_OK) == 0; }

  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    DIR* const dir = ::opendir(directory.c_str());
    if (dir == nullptr) return PosixError("opendir", directory, errno);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(dir)) {
      const absl::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      errno = 0;
    }
    const int error = errno;
    ::closedir(dir);
    if (error != 0) return PosixError("readdir", directory, error);
    Sort(names);
    return names;
  }

  absl::Status SyncDirectory(const std::string& directory) override {
    const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return PosixError("open directory", directory, errno);
    const int error = ::fsync(fd) == 0 ? 0 : errno;
    ::close(fd);
    if (error != 0) return PosixError("fsync directory", directory, error);
    return absl::OkStatus();
  }

  absl::StatusOr<int64_t> FreeBytes(const std::string& directory) override {
    struct statvfs info {};
    if (::statvfs(directory.c_str(), &info) != 0) return PosixError("statvfs", directory, errno);
    return static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
  }

  absl::StatusOr<int64_t> TotalBytes(const std::string& directory) override {
    struct statvfs info {};
    if (::statvfs(directory.c_str(), &info) != 0) return PosixError("statvfs", directory, errno);
    return static_cast<int64_t>(info.f_blocks) * static_cast<int64_t>(info.f_frsize);
  }

  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return PosixError("open", path, errno);
    auto lock = std::make_unique<log_internal::PosixFileLock>(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) return PosixError("flock", path, errno);
    return lock;
  }

  void DrainSyncs(std::vector<SyncDone>* done) override {
    const size_t first = done->size();
    if (syncs_->syncer != nullptr) syncs_->syncer->Drain(done);
    for (size_t i = first; i < done->size(); ++i) Complete(&(*done)[i]);
    done->insert(done->end(), std::make_move_iterator(syncs_->done.begin()),
                 std::make_move_iterator(syncs_->done.end()));
    syncs_->done.clear();
  }

  // Whether DrainSyncs has something that the syncer knows nothing of.
  bool has_completed_sync() const { return !syncs_->done.empty(); }
  size_t syncs_in_flight() const { return syncs_->in_flight.size(); }

 private:
  void Complete(SyncDone* completion) {
    const auto found = syncs_->in_flight.find(completion->token);
    WEIR_CHECK(found != syncs_->in_flight.end());
    log_internal::PosixHandle& handle = *found->second;
    if (!completion->status.ok()) {
      completion->status = absl::Status(
          completion->status.code(), absl::StrCat(completion->status.message(), " ", handle.path));
      handle.poisoned.Update(completion->status);
    } else if (!handle.poisoned.ok()) {
      completion->status = handle.poisoned;  // another sync of the same pages failed
    }
    syncs_->in_flight.erase(found);
  }

  const std::shared_ptr<log_internal::PosixSyncs> syncs_;
};

}  // namespace weir::log

#endif  // WEIR_LOG_POSIX_FILE_H_

// -----------------------------------------------------------------------------
// File: log/file.h
// -----------------------------------------------------------------------------
// The file port: everything that Weir asks of a disk. Implementations: log/posix_file.h
// (production), log/memory_file.h (tests and simulator, with faults). Decision:
// docs/adr/0003-file-port.md. Threading: a FileSystem and its Files belong to one thread, except
// ReadAt and NativeHandle, which any thread may call on
//   bytes that were appended before.
// Errors: kNotFound, kAlreadyExists, kResourceExhausted (the disk is full), kUnavailable (locked by
// another process),
//   kDataLoss (an I/O error); messages name the operation, the path and the system's reason.
#ifndef WEIR_LOG_FILE_H_
#define WEIR_LOG_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace weir::log {

// What StartSync's caller finds its completion by; unique among the syncs in flight of one
// FileSystem.
using SyncToken = uint64_t;

struct SyncDone {
  SyncToken token = 0;
  absl::Status status;
};

// An open file. Closed by its destructor, which does not sync.
class File {
 public:
  virtual ~File() = default;

  // Reads up to into.size() bytes from `position`. Returns how many: fewer only where the file
  // ends.
  virtual absl::StatusOr<size_t> ReadAt(int64_t position, absl::Span<char> into) const = 0;

  // Appends the pieces, in order, with one system call where possible. When it fails, the file is
  // as long as before.
  virtual absl::Status Append(absl::Span<const absl::string_view> pieces) = 0;

  virtual absl::Status Truncate(int64_t size_bytes) = 0;

  virtual int64_t size_bytes() const = 0;

  // Takes room on the disk for a file of this size, which stays as long as it is: what is appended
  // later cannot find the disk full. Truncate gives back what was not used. Nothing happens where
  // that cannot be done.
  virtual absl::Status Preallocate(int64_t /*size_bytes*/) { return absl::OkStatus(); }

  // Makes what was appended before this call durable: fdatasync. Blocks.
  virtual absl::Status Sync() = 0;

  // As Sync, but returns at once; FileSystem::DrainSyncs hands out the completion later, in any
  // order. The file stays open until then even if this object is destroyed.
  virtual void StartSync(SyncToken token) = 0;

  // A descriptor for sendfile, or -1 where there is none.
  virtual int NativeHandle() const = 0;

  // False when somebody removed the file while it is open: what is written is lost when it closes.
  // True where that cannot be told.
  virtual bool HasName() const { return true; }
};

// Held while it lives; see FileSystem::Lock.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class OpenMode {
  kRead,       // the file must exist; Append, Truncate and StartSync are programmer errors
  kReadWrite,  // the file must exist
  kCreate,     // the file is created when it is missing
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  virtual absl::Status Remove(const std::string& path) = 0;
  // Replaces `to` atomically when it exists. Works for files and for directories.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // Creates the directory and its missing parents; no error when it exists.
  virtual absl::Status CreateDirectories(const std::string& path) = 0;
  virtual absl::Status RemoveRecursively(const std::string& path) = 0;
  virtual bool Exists(const std::string& path) = 0;
  // The names in a directory, sorted, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& directory) = 0;
  // Makes names created, renamed and removed in `directory` durable.
  virtual absl::Status SyncDirectory(const std::string& directory) = 0;
  virtual absl::StatusOr<int64_t> FreeBytes(const std::string& directory) = 0;
  // How large the file system of `directory` is, with what is in it.
  virtual absl::StatusOr<int64_t> TotalBytes(const std::string& directory) = 0;
  // An exclusive lock among processes, on a file that is created if missing. kUnavailable when
  // another process holds it.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;

  // Appends the syncs that completed since the last call to *done.
  virtual void DrainSyncs(std::vector<SyncDone>* done) = 0;
};

// Runs fdatasync elsewhere than on the caller's thread: log/thread_syncer.h (a few threads) or the
// io_uring poller. Threading: Start and Drain are called by the owner's thread.
class Syncer {
 public:
  virtual ~Syncer() = default;
  // Syncs `fd`, which must stay open until the completion is drained.
  virtual void Start(int fd, SyncToken token) = 0;
  virtual void Drain(std::vector<SyncDone>* done) = 0;
};

}  // namespace weir::log

#endif  // WEIR_LOG_FILE_H_

// -----------------------------------------------------------------------------
// File: log/forwarding_files.h
// -----------------------------------------------------------------------------
// A file system that is another one, but for what a derived class overrides.
// Threading and errors: those of the other, which outlives it.
#ifndef WEIR_LOG_FORWARDING_FILES_H_
#define WEIR_LOG_FORWARDING_FILES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "log/file.h"

namespace weir::log {

class ForwardingFiles : public FileSystem {
 public:
  explicit ForwardingFiles(FileSystem& files) : files_(files) {}

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    return files_.Open(path, mode);
  }
  absl::Status Remove(const std::string& path) override { return files_.Remove(path); }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return files_.Rename(from, to);
  }
  absl::Status CreateDirectories(const std::string& path) override {
    return files_.CreateDirectories(path);
  }
  absl::Status RemoveRecursively(const std::string& path) override {
    return files_.RemoveRecursively(path);
  }
  bool Exists(const std::string& path) override { return files_.Exists(path); }
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    return files_.List(directory);
  }
  absl::Status SyncDirectory(const std::string& directory) override {
    return files_.SyncDirectory(directory);
  }
  absl::StatusOr<int64_t> FreeBytes(const std::string& directory) override {
    return files_.FreeBytes(directory);
  }
  absl::StatusOr<int64_t> TotalBytes(const std::string& directory) override {
    return files_.TotalBytes(directory);
  }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    return files_.Lock(path);
  }
  void DrainSyncs(std::vector<SyncDone>* done) override { files_.DrainSyncs(done); }

 private:
  FileSystem& files_;
};

}  // namespace weir::log

#endif  // WEIR_LOG_FORWARDING_FILES_H_

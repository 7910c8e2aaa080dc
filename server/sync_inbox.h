// -----------------------------------------------------------------------------
// File: server/sync_inbox.h
// -----------------------------------------------------------------------------
// A shard's file system as one of its users sees it: the same files, but only the user's own syncs
// among the completions, which the shard hands over (its loop drains them all).
// Threading: the shard's.
#ifndef WEIR_SERVER_SYNC_INBOX_H_
#define WEIR_SERVER_SYNC_INBOX_H_

#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "log/file.h"

namespace weir::server {

class SyncInbox final : public log::FileSystem {
 public:
  explicit SyncInbox(log::FileSystem& files) : files_(files) {}

  void Deliver(const log::SyncDone& sync) { done_.push_back(sync); }

  absl::StatusOr<std::unique_ptr<log::File>> Open(const std::string& path,
                                                  log::OpenMode mode) override {
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
  absl::StatusOr<std::unique_ptr<log::FileLock>> Lock(const std::string& path) override {
    return files_.Lock(path);
  }
  void DrainSyncs(std::vector<log::SyncDone>* done) override {
    done->insert(done->end(), std::make_move_iterator(done_.begin()),
                 std::make_move_iterator(done_.end()));
    done_.clear();
  }

 private:
  log::FileSystem& files_;
  std::vector<log::SyncDone> done_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_SYNC_INBOX_H_

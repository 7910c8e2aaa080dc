// -----------------------------------------------------------------------------
// File: log/memory_file_view.h
// -----------------------------------------------------------------------------
// One MemoryFileSystem (log/memory_file.h) as several owners see it, each of which names its syncs
// as it likes and drains only its own: what a node with a file system for each shard has on one
// disk.
// Threading: one thread for all of them. Lifetimes: the storage outlives its views, a view the
// files that were opened through it.
#ifndef WEIR_LOG_MEMORY_FILE_VIEW_H_
#define WEIR_LOG_MEMORY_FILE_VIEW_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "log/file.h"
#include "log/memory_file.h"

namespace weir::log {

class SharedMemoryFiles {
 public:
  explicit SharedMemoryFiles(MemoryFileSystem& files) : files_(files) {}
  SharedMemoryFiles(const SharedMemoryFiles&) = delete;
  SharedMemoryFiles& operator=(const SharedMemoryFiles&) = delete;

  MemoryFileSystem& files() { return files_; }

 private:
  friend class MemoryFileView;
  struct Started {
    size_t view;
    SyncToken token;
  };

  size_t AddView() {
    done_.emplace_back();
    return done_.size() - 1;
  }
  SyncToken NewToken(size_t view, SyncToken token) {
    started_[++last_token_] = {view, token};
    return last_token_;
  }
  void Drain(size_t view, std::vector<SyncDone>* into) {
    std::vector<SyncDone> all;
    files_.DrainSyncs(&all);
    for (SyncDone& sync : all) {
      const auto started = started_.find(sync.token);
      if (started == started_.end()) continue;
      done_[started->second.view].push_back({started->second.token, std::move(sync.status)});
      started_.erase(started);
    }
    into->insert(into->end(), std::make_move_iterator(done_[view].begin()),
                 std::make_move_iterator(done_[view].end()));
    done_[view].clear();
  }

  MemoryFileSystem& files_;
  SyncToken last_token_ = 0;
  std::map<SyncToken, Started> started_;     // by the token that the storage knows
  std::vector<std::vector<SyncDone>> done_;  // by view, not drained yet
};

class MemoryFileView final : public FileSystem {
 public:
  explicit MemoryFileView(SharedMemoryFiles& shared) : shared_(shared), view_(shared.AddView()) {}

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    WEIR_ASSIGN_OR_RETURN(std::unique_ptr<File> file, shared_.files_.Open(path, mode));
    return std::make_unique<ViewedFile>(*this, std::move(file));
  }
  absl::Status Remove(const std::string& path) override { return shared_.files_.Remove(path); }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return shared_.files_.Rename(from, to);
  }
  absl::Status CreateDirectories(const std::string& path) override {
    return shared_.files_.CreateDirectories(path);
  }
  absl::Status RemoveRecursively(const std::string& path) override {
    return shared_.files_.RemoveRecursively(path);
  }
  bool Exists(const std::string& path) override { return shared_.files_.Exists(path); }
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    return shared_.files_.List(directory);
  }
  absl::Status SyncDirectory(const std::string& directory) override {
    return shared_.files_.SyncDirectory(directory);
  }
  absl::StatusOr<int64_t> FreeBytes(const std::string& directory) override {
    return shared_.files_.FreeBytes(directory);
  }
  absl::StatusOr<int64_t> TotalBytes(const std::string& directory) override {
    return shared_.files_.TotalBytes(directory);
  }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    return shared_.files_.Lock(path);
  }
  void DrainSyncs(std::vector<SyncDone>* done) override { shared_.Drain(view_, done); }

 private:
  class ViewedFile final : public File {
   public:
    ViewedFile(MemoryFileView& view, std::unique_ptr<File> file)
        : view_(view), file_(std::move(file)) {}

    absl::StatusOr<size_t> ReadAt(int64_t position, absl::Span<char> into) const override {
      return file_->ReadAt(position, into);
    }
    absl::Status Append(absl::Span<const absl::string_view> pieces) override {
      return file_->Append(pieces);
    }
    absl::Status Truncate(int64_t size_bytes) override { return file_->Truncate(size_bytes); }
    int64_t size_bytes() const override { return file_->size_bytes(); }
    absl::Status Sync() override { return file_->Sync(); }
    void StartSync(SyncToken token) override {
      file_->StartSync(view_.shared_.NewToken(view_.view_, token));
    }
    int NativeHandle() const override { return -1; }

   private:
    MemoryFileView& view_;
    const std::unique_ptr<File> file_;
  };

  SharedMemoryFiles& shared_;
  const size_t view_;
};

}  // namespace weir::log

#endif  // WEIR_LOG_MEMORY_FILE_VIEW_H_

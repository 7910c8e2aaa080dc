// -----------------------------------------------------------------------------
// File: log/memory_file.h
// -----------------------------------------------------------------------------
// The file port in memory, with faults, for tests and the simulator. Deterministic: equal calls
// and equal seeds give equal results.
// Model: a file has content that is durable and content that is only written; sectors of 512 bytes
// that were written and not synced survive a power loss each by chance, and so do names created,
// renamed and removed in a directory that was not synced. A killed process loses nothing that it
// wrote, but its last append may be cut short.
// After a crash every File and FileLock of before answers kUnavailable.
// Threading: one thread. Errors: as log/file.h.
#ifndef WEIR_LOG_MEMORY_FILE_H_
#define WEIR_LOG_MEMORY_FILE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "log/file.h"
#include "log/internal/memory_node.h"

namespace weir::log {

enum class FileOp { kRead, kAppend, kTruncate, kSync, kDirectory };

// Makes operations of one kind fail with kDataLoss (an I/O error).
struct FileFault {
  FileOp op = FileOp::kRead;
  std::string path_contains;                            // empty matches every path
  uint64_t one_in = 1;                                  // fails by chance, once in that many
  int64_t times = std::numeric_limits<int64_t>::max();  // and then no more
};

class MemoryFileSystem final : public FileSystem {
 public:
  explicit MemoryFileSystem(uint64_t seed = 1) : random_(seed), root_(NewDirectory()) {}

  // --- faults -------------------------------------------------------------------------------

  // Appends beyond this many bytes in all files together are refused with kResourceExhausted.
  void set_capacity_bytes(int64_t bytes) { capacity_bytes_ = bytes; }
  void InjectFault(FileFault fault) { faults_.push_back(std::move(fault)); }
  void ClearFaults() { faults_.clear(); }
  // Flips bits of one byte that is in the file, as a decaying disk does.
  void Corrupt(const std::string& path, int64_t position, char mask = 0x40) {
    std::string& data = FileNode(path)->data;
    WEIR_CHECK(position >= 0 && position < static_cast<int64_t>(data.size()));
    data[static_cast<size_t>(position)] ^= mask;
  }

  // With manual syncs a StartSync completes when CompleteOneSync picks it; otherwise (the default)
  // DrainSyncs completes all of them.
  void set_manual_syncs(bool manual) { manual_syncs_ = manual; }
  size_t syncs_in_flight() const { return in_flight_.size(); }
  // Completes one sync, any; false when none is in flight.
  bool CompleteOneSync(Random& random) {
    if (in_flight_.empty()) return false;
    CompleteSync(random.Below(in_flight_.size()));
    return true;
  }

  // --- crashes ------------------------------------------------------------------------------

  // Counts the operations that change what a crash would leave: appends, truncations, completed
  // syncs, changes of names.
  int64_t boundaries() const { return boundaries_; }
  // From the n-th boundary on (0 is the next one) nothing takes effect and everything fails, until
  // PowerLoss or KillProcess.
  void CrashAtBoundary(int64_t n) { crash_at_ = boundaries_ + n; }
  bool crashed() const { return crashed_; }

  // The machine loses power and starts again.
  void PowerLoss(Random& random) {
    log_internal::LosePower(*root_, random);
    Restart();
  }
  // The process dies and starts again; what it wrote stays, though not yet durable.
  void KillProcess() { Restart(); }

  // The content of a file as a reader sees it now.
  std::string Content(const std::string& path) { return FileNode(path)->data; }

  // --- FileSystem ---------------------------------------------------------------------------

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;

  absl::Status Remove(const std::string& path) override {
    WEIR_ASSIGN_OR_RETURN(Place place, Find(path));
    if (place.node == nullptr) return absl::NotFoundError(absl::StrCat("unlink ", path));
    if (place.node->is_directory) {
      return absl::FailedPreconditionError(absl::StrCat("unlink ", path, ": is a directory"));
    }
    WEIR_RETURN_IF_ERROR(Boundary(FileOp::kDirectory, path));
    place.parent->SetName(place.name, nullptr);
    return absl::OkStatus();
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    WEIR_ASSIGN_OR_RETURN(Place source, Find(from));
    WEIR_ASSIGN_OR_RETURN(Place target, Find(to));
    if (source.node == nullptr) return absl::NotFoundError(absl::StrCat("rename ", from));
    if (target.node != nullptr && target.node->is_directory && !target.node->names.empty()) {
      return absl::AlreadyExistsError(absl::StrCat("rename ", from, " to ", to, ": not empty"));
    }
    WEIR_RETURN_IF_ERROR(Boundary(FileOp::kDirectory, from));
    if (source.parent == target.parent) {
      source.parent->SetNames({{target.name, source.node}, {source.name, nullptr}});
    } else {
      target.parent->SetName(target.name, source.node);
      source.parent->SetName(source.name, nullptr);
    }
    return absl::OkStatus();
  }

  absl::Status CreateDirectories(const std::string& path) override {
    if (crashed_) return CrashedError(path);
    std::shared_ptr<Node> node = root_;
    for (const std::string& name : Components(path)) {
      std::shared_ptr<Node>* const child = node->Child(name);
      if (child == nullptr) {
        WEIR_RETURN_IF_ERROR(Boundary(FileOp::kDirectory, path));
        std::shared_ptr<Node> created = NewDirectory();
        node->SetName(name, created);
        node = std::move(created);
      } else if ((*child)->is_directory) {
        node = *child;
      } else {
        return absl::AlreadyExistsError(absl::StrCat("create directories ", path));
      }
    }
    return absl::OkStatus();
  }

  absl::Status RemoveRecursively(const std::string& path) override {
    WEIR_ASSIGN_OR_RETURN(Place place, Find(path));
    if (place.node == nullptr) return absl::OkStatus();
    if (place.node->is_directory) {
      WEIR_ASSIGN_OR_RETURN(const std::vector<std::string> names, List(path));
      for (const std::string& name : names) {
        WEIR_RETURN_IF_ERROR(RemoveRecursively(absl::StrCat(path, "/", name)));
      }
    }
    WEIR_RETURN_IF_ERROR(Boundary(FileOp::kDirectory, path));
    place.parent->SetName(place.name, nullptr);
    return absl::OkStatus();
  }

  bool Exists(const std::string& path) override {
    const absl::StatusOr<Place> place = Find(path);
    return place.ok() && place->node != nullptr;
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    WEIR_ASSIGN_OR_RETURN(const Place place, Find(directory));
    if (place.node == nullptr || !place.node->is_directory) {
      return absl::NotFoundError(absl::StrCat("opendir ", directory));
    }
    std::vector<std::string> names;
    for (const auto& [name, node] : place.node->names) names.push_back(name);
    return names;
  }

  absl::Status SyncDirectory(const std::string& directory) override {
    WEIR_ASSIGN_OR_RETURN(const Place place, Find(directory));
    if (place.node == nullptr || !place.node->is_directory) {
      return absl::NotFoundError(absl::StrCat("open directory ", directory));
    }
    WEIR_RETURN_IF_ERROR(Boundary(FileOp::kSync, directory));
    place.node->SyncNames();
    return absl::OkStatus();
  }

  absl::StatusOr<int64_t> FreeBytes(const std::string& directory) override {
    if (crashed_) return CrashedError(directory);
    return std::max<int64_t>(0, capacity_bytes_ - log_internal::BytesUsed(*root_));
  }

  absl::StatusOr<int64_t> TotalBytes(const std::string& directory) override {
    if (crashed_) return CrashedError(directory);
    return capacity_bytes_;
  }

  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override;

  void DrainSyncs(std::vector<SyncDone>* done) override {
    while (!manual_syncs_ && !in_flight_.empty()) CompleteSync(0);
    done->insert(done->end(), std::make_move_iterator(done_.begin()),
                 std::make_move_iterator(done_.end()));
    done_.clear();
  }

 private:
  using Node = log_internal::MemoryNode;
  class OpenFile;
  class HeldLock;

  static constexpr int64_t kUnlimited = int64_t{1} << 50;

  struct Place {
    std::shared_ptr<Node> parent;
    std::string name;
    std::shared_ptr<Node> node;  // null when the parent has no such name
  };

  struct SyncInFlight {
    SyncToken token;
    std::string path;
    std::shared_ptr<Node> node;
    log_internal::SyncStart start;
  };

  static std::shared_ptr<Node> NewDirectory() {
    auto node = std::make_shared<Node>();
    node->is_directory = true;
    return node;
  }

  static std::vector<std::string> Components(absl::string_view path) {
    std::vector<std::string> parts;
    while (!path.empty()) {
      const size_t slash = std::min(path.find('/'), path.size());
      const absl::string_view part = path.substr(0, slash);
      if (!part.empty() && part != ".") parts.emplace_back(part);
      path.remove_prefix(std::min(slash + 1, path.size()));
    }
    return parts;
  }

  absl::StatusOr<Place> Find(const std::string& path) {
    if (crashed_) return CrashedError(path);
    Place place{nullptr, "", root_};
    for (std::string& name : Components(path)) {
      if (place.node == nullptr || !place.node->is_directory) {
        return absl::NotFoundError(absl::StrCat(path, ": no such directory"));
      }
      std::shared_ptr<Node>* const child = place.node->Child(name);
      place.parent = std::move(place.node);
      place.name = std::move(name);
      place.node = child == nullptr ? nullptr : *child;
    }
    return place;
  }

  std::shared_ptr<Node> FileNode(const std::string& path) {
    absl::StatusOr<Place> place = Find(path);
    WEIR_CHECK(place.ok() && place->node != nullptr && !place->node->is_directory);
    return place->node;
  }

  static absl::Status CrashedError(absl::string_view path) {
    return absl::UnavailableError(absl::StrCat(path, ": the simulated machine is down"));
  }

  bool ReachedCrash() {
    if (!crashed_ && boundaries_ >= crash_at_) crashed_ = true;
    if (!crashed_) ++boundaries_;
    return crashed_;
  }

  // An injected fault that this operation meets.
  absl::Status Fault(FileOp op, absl::string_view path) {
    for (FileFault& fault : faults_) {
      if (fault.op != op || fault.times <= 0 || !absl::StrContains(path, fault.path_contains) ||
          !random_.OneIn(fault.one_in)) {
        continue;
      }
      --fault.times;
      return absl::DataLossError(absl::StrCat("injected I/O error on ", path));
    }
    return absl::OkStatus();
  }

  absl::Status Boundary(FileOp op, absl::string_view path) {
    if (ReachedCrash()) return CrashedError(path);
    return Fault(op, path);
  }

  void CompleteSync(size_t index) {
    SyncInFlight sync = std::move(in_flight_[index]);
    in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(index));
    done_.push_back({sync.token, FinishSync(*sync.node, sync.start, sync.path)});
  }

  absl::Status FinishSync(Node& node, const log_internal::SyncStart& start,
                          absl::string_view path) {
    if (!node.poisoned.ok()) return node.poisoned;
    if (ReachedCrash()) return CrashedError(path);
    node.poisoned = Fault(FileOp::kSync, path);
    if (node.poisoned.ok()) node.FinishSync(start);
    return node.poisoned;
  }

  void Restart() {
    ++generation_;
    crashed_ = false;
    crash_at_ = std::numeric_limits<int64_t>::max();
    in_flight_.clear();
    done_.clear();
    locks_.clear();
    log_internal::ClearPoison(*root_);
  }

  SeededRandom random_;
  std::shared_ptr<Node> root_;
  std::vector<SyncInFlight> in_flight_;
  std::vector<SyncDone> done_;
  std::vector<FileFault> faults_;
  std::set<std::string> locks_;
  int64_t capacity_bytes_ = kUnlimited;
  int64_t boundaries_ = 0;
  int64_t crash_at_ = std::numeric_limits<int64_t>::max();
  uint64_t generation_ = 0;
  bool crashed_ = false;
  bool manual_syncs_ = false;
};

class MemoryFileSystem::OpenFile final : public File {
 public:
  OpenFile(MemoryFileSystem* fs, std::string path, std::shared_ptr<Node> node, bool writable)
      : fs_(fs),
        path_(std::move(path)),
        node_(std::move(node)),
        generation_(fs->generation_),
        writable_(writable) {}

  absl::StatusOr<size_t> ReadAt(int64_t position, absl::Span<char> into) const override {
    WEIR_RETURN_IF_ERROR(Alive());
    WEIR_RETURN_IF_ERROR(fs_->Fault(FileOp::kRead, path_));
    const std::string& data = node_->data;
    if (position < 0 || position >= static_cast<int64_t>(data.size())) return size_t{0};
    return data.copy(into.data(), into.size(), static_cast<size_t>(position));
  }

  absl::Status Append(absl::Span<const absl::string_view> pieces) override {
    WEIR_CHECK(writable_);
    WEIR_RETURN_IF_ERROR(Alive());
    WEIR_RETURN_IF_ERROR(node_->poisoned);
    const size_t before = node_->data.size();
    if (fs_->ReachedCrash()) {
      AppendAll(pieces);
      node_->data.resize(before + fs_->random_.Below(node_->data.size() - before + 1));
      return CrashedError(path_);
    }
    WEIR_RETURN_IF_ERROR(fs_->Fault(FileOp::kAppend, path_));
    AppendAll(pieces);
    if (fs_->capacity_bytes_ != kUnlimited &&
        log_internal::BytesUsed(*fs_->root_) > fs_->capacity_bytes_) {
      node_->data.resize(before);
      return absl::ResourceExhaustedError(absl::StrCat("append ", path_, ": no space is left"));
    }
    return absl::OkStatus();
  }

  // Takes no room, and is refused where there is none.
  absl::Status Preallocate(int64_t size_bytes) override {
    WEIR_RETURN_IF_ERROR(Alive());
    const int64_t more = size_bytes - this->size_bytes();
    if (log_internal::BytesUsed(*fs_->root_) + more <= fs_->capacity_bytes_) {
      return absl::OkStatus();
    }
    return absl::ResourceExhaustedError(
        absl::StrCat(path_, ": no space left for ", more, " bytes"));
  }

  absl::Status Truncate(int64_t size_bytes) override {
    WEIR_CHECK(writable_);
    WEIR_RETURN_IF_ERROR(Alive());
    WEIR_RETURN_IF_ERROR(node_->poisoned);
    WEIR_RETURN_IF_ERROR(fs_->Boundary(FileOp::kTruncate, path_));
    for (SyncInFlight& sync : fs_->in_flight_) {
      if (sync.node != node_) continue;
      sync.start.stable_bytes = std::min(sync.start.stable_bytes, static_cast<size_t>(size_bytes));
    }
    node_->Truncate(static_cast<size_t>(size_bytes));
    return absl::OkStatus();
  }

  int64_t size_bytes() const override { return static_cast<int64_t>(node_->data.size()); }

  absl::Status Sync() override {
    WEIR_RETURN_IF_ERROR(Alive());
    return fs_->FinishSync(*node_, node_->StartSync(), path_);
  }

  void StartSync(SyncToken token) override {
    WEIR_CHECK(writable_);
    if (const absl::Status alive = Alive(); !alive.ok()) {
      if (generation_ == fs_->generation_) fs_->done_.push_back({token, alive});
      return;
    }
    for (const SyncInFlight& sync : fs_->in_flight_) WEIR_CHECK(sync.token != token);
    fs_->in_flight_.push_back({token, path_, node_, node_->StartSync()});
  }

  int NativeHandle() const override { return -1; }

 private:
  absl::Status Alive() const {
    return fs_->crashed_ || generation_ != fs_->generation_ ? CrashedError(path_)
                                                            : absl::OkStatus();
  }

  void AppendAll(absl::Span<const absl::string_view> pieces) {
    for (const absl::string_view piece : pieces) node_->data.append(piece.data(), piece.size());
  }

  MemoryFileSystem* const fs_;
  const std::string path_;
  const std::shared_ptr<Node> node_;
  const uint64_t generation_;
  const bool writable_;
};

class MemoryFileSystem::HeldLock final : public FileLock {
 public:
  HeldLock(MemoryFileSystem* fs, std::string path)
      : fs_(fs), path_(std::move(path)), generation_(fs->generation_) {}
  ~HeldLock() override {
    if (generation_ == fs_->generation_) fs_->locks_.erase(path_);
  }

 private:
  MemoryFileSystem* const fs_;
  const std::string path_;
  const uint64_t generation_;
};

inline absl::StatusOr<std::unique_ptr<File>> MemoryFileSystem::Open(const std::string& path,
                                                                    OpenMode mode) {
  WEIR_ASSIGN_OR_RETURN(Place place, Find(path));
  if (place.node == nullptr) {
    if (mode != OpenMode::kCreate) return absl::NotFoundError(absl::StrCat("open ", path));
    WEIR_RETURN_IF_ERROR(Boundary(FileOp::kDirectory, path));
    place.node = std::make_shared<Node>();
    place.parent->SetName(place.name, place.node);
  } else if (place.node->is_directory) {
    return absl::FailedPreconditionError(absl::StrCat("open ", path, ": is a directory"));
  }
  return std::make_unique<OpenFile>(this, path, std::move(place.node), mode != OpenMode::kRead);
}

inline absl::StatusOr<std::unique_ptr<FileLock>> MemoryFileSystem::Lock(const std::string& path) {
  if (!Exists(path)) WEIR_RETURN_IF_ERROR(Open(path, OpenMode::kCreate).status());
  if (!locks_.insert(path).second) {
    return absl::UnavailableError(absl::StrCat("flock ", path, ": another process holds it"));
  }
  return std::make_unique<HeldLock>(this, path);
}

}  // namespace weir::log

#endif  // WEIR_LOG_MEMORY_FILE_H_

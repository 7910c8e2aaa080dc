// -----------------------------------------------------------------------------
// File: server/data_directories.h
// -----------------------------------------------------------------------------
// The folders of a node: those of log.dirs, and the one with the metadata log where that is none of
// them. Knows which folder each partition's log is in, and has a place for each new one: where the
// fewest are, as with Apache Kafka.
// A folder that cannot be opened is offline from the beginning, and the node goes on with the
// others (KIP-112); it does not without the metadata log.
// Decision: docs/adr/0018-log-directories.md; moves: docs/adr/0017-moves-between-folders.md.
// Threading: Open and JoinCluster while no shard uses the folders; the rest is for any thread.
// Errors: kUnavailable when another process has a folder; kFailedPrecondition when one belongs to
//   another node or cluster; those of the folder of the metadata log, or of the last one that could
//   not be opened.
#ifndef WEIR_SERVER_DATA_DIRECTORIES_H_
#define WEIR_SERVER_DATA_DIRECTORIES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/node_directory.h"
#include "log/file.h"
#include "log/move_recovery.h"
#include "server/data_directory.h"

namespace weir::server {

// The partition whose log a directory of this name has; nothing where it is another directory.
inline std::optional<PartitionName> PartitionOfDirectory(absl::string_view name) {
  const size_t dash = name.rfind('-');
  int32_t index = 0;
  if (dash == absl::string_view::npos || dash == 0 || name == metadata::kMetadataLogFolder ||
      !absl::SimpleAtoi(name.substr(dash + 1), &index) || index < 0 ||
      name.substr(dash + 1) != absl::StrCat(index)) {
    return std::nullopt;
  }
  return PartitionName(std::string(name.substr(0, dash)), index);
}

class DataDirectories {
 public:
  // Opens `paths` and finishes what deletions and moves of the last run began. Empty folders get a
  // directory id each, drawn from `random`, and if the node is alone and founds its cluster, a
  // cluster id too. `metadata_path` has the metadata log; empty: the first of `paths`.
  static absl::StatusOr<std::unique_ptr<DataDirectories>> Open(
      log::FileSystem& fs, const std::vector<std::string>& paths, const std::string& metadata_path,
      BrokerId node_id, bool is_alone, Random& random);

  // --- the folders --------------------------------------------------------------------------

  DataDirectory& metadata() const { return *metadata_; }
  absl::Span<const std::unique_ptr<DataDirectory>> all() const { return all_; }
  // Those of log.dirs, in their order, which is that of DataDirectory::index.
  absl::Span<const std::unique_ptr<DataDirectory>> for_logs() const {
    return absl::MakeConstSpan(all_).first(log_count_);
  }
  std::vector<DataDirectory*> Online() const;  // of log.dirs
  // Whether the node can go on: it cannot without the metadata log or any place for others.
  bool suffice() const { return metadata_->is_online() && !Online().empty(); }
  bool some_are_offline() const { return Online().size() < log_count_; }
  // Whether the last run closed all logs of the folders that are online.
  bool were_clean() const;
  // The broker epoch of the last run, if all folders were clean and say which it was; -1 where they
  // differ, as when one was left out of a run.
  std::optional<int64_t> clean_epoch() const;

  bool has_cluster() const { return metadata_->has_cluster(); }
  const std::string& cluster_id() const { return metadata_->properties().cluster_id; }
  absl::Status JoinCluster(log::FileSystem& fs, const std::string& cluster_id);

  // --- the logs -----------------------------------------------------------------------------

  // The folder that has the partition's log, or should have as its checkpoints say, online or not;
  // null where none is known to.
  DataDirectory* Find(const PartitionName& partition) const;
  // That folder; of a new log the one that it goes to: `assigned`, if that is the id of one,
  // otherwise the one with the fewest. kFailedPrecondition where the folder is offline, or may be:
  // when `assigned` says that there is a log, but in none that is online.
  absl::StatusOr<DataDirectory*> FindOrPlace(const PartitionName& partition, const Uuid& assigned);
  // All folders with a log of this name, where there are several: one was away while a topic was
  // made again, or before the metadata had the log there.
  std::vector<DataDirectory*> Rivals(const PartitionName& partition) const;
  // The partition has no log in the folder any more.
  void Drop(const PartitionName& partition, const DataDirectory& folder);

  // --- moves (KIP-113) ----------------------------------------------------------------------

  // The folder of this path, of log.dirs; null where there is none.
  DataDirectory* At(absl::string_view path) const;
  // A partition that has no log here yet is to get it in that folder. Nothing is promised: some
  // 10,000 are remembered, until the process ends.
  void Prefer(const PartitionName& partition, DataDirectory& place);
  // The partition's log is in another folder now.
  void Move(const PartitionName& partition, DataDirectory& to);
  // Where the last run has left a copy of the partition's log that is on its way; null where there
  // is none.
  DataDirectory* CopyOf(const PartitionName& partition) const;

 private:
  DataDirectories() = default;

  absl::Status Tolerate(DataDirectory& directory, const absl::Status& status) const;
  absl::Status Identify(log::FileSystem& fs, BrokerId node_id, bool is_alone, Random& random);
  absl::Status FinishMoves(log::FileSystem& fs);
  absl::Status FindLogs(log::FileSystem& fs, DataDirectory& directory);
  absl::Status ForgetStrangers(log::FileSystem& fs, DataDirectory& directory);
  DataDirectory* FewestLogs() const;

  std::vector<std::unique_ptr<DataDirectory>> all_;
  size_t log_count_ = 0;  // the first so many of all_ are for logs
  DataDirectory* metadata_ = nullptr;
  mutable std::mutex mutex_;
  std::multimap<PartitionName, DataDirectory*> places_;  // guarded by mutex_
  std::vector<int64_t> counts_;                          // of places_, by index; guarded by mutex_
  std::map<PartitionName, DataDirectory*> preferred_;    // guarded by mutex_
  std::map<PartitionName, DataDirectory*> copies_;
  std::set<PartitionName> elsewhere_;  // in a folder that is offline, whatever checkpoints say
};

// What a failing folder is to the node at its start: nothing, where others remain. Who must not go
// on in silence is whoever might be somebody else.
inline absl::Status DataDirectories::Tolerate(DataDirectory& directory,
                                              const absl::Status& status) const {
  if (status.ok() || log_count_ == 1 || &directory == metadata_ || absl::IsUnavailable(status) ||
      absl::IsFailedPrecondition(status)) {
    return status;
  }
  directory.Fail(status);
  return absl::OkStatus();
}

inline absl::StatusOr<std::unique_ptr<DataDirectories>> DataDirectories::Open(
    log::FileSystem& fs, const std::vector<std::string>& paths, const std::string& metadata_path,
    BrokerId node_id, bool is_alone, Random& random) {
  std::unique_ptr<DataDirectories> directories(new DataDirectories());
  directories->log_count_ = paths.size();
  directories->counts_.resize(paths.size());
  std::vector<std::string> all = paths;
  const std::string& with_metadata = metadata_path.empty() ? paths.front() : metadata_path;
  if (std::count(all.begin(), all.end(), with_metadata) == 0) all.push_back(with_metadata);
  for (const std::string& path : all) {
    const size_t index = directories->all_.size();
    absl::StatusOr<std::unique_ptr<DataDirectory>> opened = DataDirectory::Open(fs, path, index);
    directories->all_.push_back(
        opened.ok() ? *std::move(opened) : DataDirectory::Unusable(path, index, opened.status()));
    DataDirectory& directory = *directories->all_.back();
    if (path == with_metadata) directories->metadata_ = &directory;
    WEIR_RETURN_IF_ERROR(directories->Tolerate(directory, directory.failure()));
  }
  WEIR_RETURN_IF_ERROR(directories->Identify(fs, node_id, is_alone, random));
  for (const std::unique_ptr<DataDirectory>& directory : directories->all_) {
    if (!directory->is_online()) continue;
    WEIR_RETURN_IF_ERROR(directories->Tolerate(*directory, directory->BeginRun(fs)));
  }
  WEIR_RETURN_IF_ERROR(directories->FinishMoves(fs));
  for (const std::unique_ptr<DataDirectory>& directory : directories->all_) {
    if (!directory->is_online()) continue;
    WEIR_RETURN_IF_ERROR(directories->Tolerate(*directory, directories->FindLogs(fs, *directory)));
  }
  for (DataDirectory* directory : directories->Online()) {
    WEIR_RETURN_IF_ERROR(
        directories->Tolerate(*directory, directories->ForgetStrangers(fs, *directory)));
  }
  if (!directories->suffice()) return directories->for_logs().back()->failure();
  return directories;
}

inline absl::Status DataDirectories::Identify(log::FileSystem& fs, BrokerId node_id, bool is_alone,
                                              Random& random) {
  std::vector<DataDirectory*> online;
  std::vector<metadata::DataFolder> folders;
  const DataDirectory* of_cluster = nullptr;
  for (const std::unique_ptr<DataDirectory>& directory : all_) {
    if (!directory->is_online()) continue;
    online.push_back(directory.get());
    folders.push_back({directory->path(), std::nullopt});
    if (!directory->has_cluster()) continue;
    folders.back().properties = directory->properties();
    of_cluster = directory.get();
  }
  if (of_cluster == nullptr && !is_alone) {
    for (DataDirectory* directory : online) {
      WEIR_RETURN_IF_ERROR(Tolerate(*directory, directory->AwaitCluster(fs, node_id, random)));
    }
    return absl::OkStatus();
  }
  if (of_cluster != nullptr && is_alone && !metadata_->has_cluster()) {
    return absl::FailedPreconditionError(
        absl::StrCat(metadata_->path(), ": expected the metadata log of cluster ",
                     of_cluster->properties().cluster_id, ", which ", of_cluster->path(),
                     " belongs to; it is empty, and no other controller has what it had"));
  }
  WEIR_ASSIGN_OR_RETURN(const metadata::NodeIdentity identity,
                        metadata::Identify(folders, node_id, random));
  for (size_t i = 0; i < online.size(); ++i) {
    if (!identity.to_write[i]) continue;
    WEIR_RETURN_IF_ERROR(Tolerate(*online[i], online[i]->TakeIdentity(fs, identity.properties[i])));
  }
  return absl::OkStatus();
}

// Removes what deletions of the last run left.
inline absl::Status DataDirectories::FindLogs(log::FileSystem& fs, DataDirectory& directory) {
  WEIR_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.List(directory.path()));
  for (const std::string& name : names) {
    if (absl::EndsWith(name, "-delete")) {
      WEIR_RETURN_IF_ERROR(fs.RemoveRecursively(absl::StrCat(directory.path(), "/", name)));
    }
    std::optional<PartitionName> partition = PartitionOfDirectory(name);
    if (!partition.has_value() || directory.index() >= log_count_) continue;
    places_.emplace(*std::move(partition), &directory);
    ++counts_[directory.index()];
  }
  return absl::OkStatus();
}

// Of the logs that moves have taken elsewhere, or were about to bring here.
inline absl::Status DataDirectories::ForgetStrangers(log::FileSystem& fs,
                                                     DataDirectory& directory) {
  std::vector<PartitionName> strangers;
  for (PartitionName& partition : directory.Remembered()) {
    const auto [begin, end] = places_.equal_range(partition);
    const bool is_here =
        std::any_of(begin, end, [&](const auto& place) { return place.second == &directory; });
    if (begin != end && !is_here) strangers.push_back(std::move(partition));
  }
  return strangers.empty() ? absl::OkStatus() : directory.Forget(fs, strangers);
}

// Without a folder that fails in it, what is left begins again: each step may be repeated.
inline absl::Status DataDirectories::FinishMoves(log::FileSystem& fs) {
  for (;;) {
    std::vector<std::string> paths;
    for (const DataDirectory* directory : Online()) paths.push_back(directory->path());
    std::string at_fault;
    const auto found = log::RecoverMoves(fs, paths, !some_are_offline(), &at_fault);
    if (!found.ok()) {
      DataDirectory* const directory = At(at_fault);
      if (directory == nullptr) return found.status();
      WEIR_RETURN_IF_ERROR(Tolerate(*directory, found.status()));
      continue;
    }
    for (const auto& copy : found->copies) {
      const auto partition = PartitionOfDirectory(copy.partition);
      if (partition.has_value()) copies_[*partition] = At(copy.folder);
    }
    for (const std::string& name : found->elsewhere) {
      if (auto partition = PartitionOfDirectory(name)) elsewhere_.insert(*std::move(partition));
    }
    return absl::OkStatus();
  }
}

inline DataDirectory* DataDirectories::At(absl::string_view path) const {
  for (const std::unique_ptr<DataDirectory>& directory : for_logs()) {
    if (directory->path() == path) return directory.get();
  }
  return nullptr;
}

// The folder with the metadata log first: by its id others may know this node already.
inline absl::Status DataDirectories::JoinCluster(log::FileSystem& fs,
                                                 const std::string& cluster_id) {
  const auto join = [&](DataDirectory& directory) {
    metadata::MetaProperties properties = directory.properties();
    properties.cluster_id = cluster_id;
    return Tolerate(directory, directory.TakeIdentity(fs, properties));
  };
  WEIR_RETURN_IF_ERROR(join(*metadata_));
  for (DataDirectory* directory : Online()) {
    if (directory != metadata_) WEIR_RETURN_IF_ERROR(join(*directory));
  }
  return suffice() ? absl::OkStatus() : for_logs().back()->failure();
}

inline std::vector<DataDirectory*> DataDirectories::Online() const {
  std::vector<DataDirectory*> online;
  for (const std::unique_ptr<DataDirectory>& directory : for_logs()) {
    if (directory->is_online()) online.push_back(directory.get());
  }
  return online;
}

inline bool DataDirectories::were_clean() const {
  return std::all_of(all_.begin(), all_.end(), [](const auto& directory) {
    return !directory->is_online() || directory->was_clean();
  });
}

inline std::optional<int64_t> DataDirectories::clean_epoch() const {
  if (!were_clean()) return std::nullopt;
  const std::optional<int64_t> first = metadata().clean_epoch();
  for (const auto& directory : all_) {
    if (directory->is_online() && directory->clean_epoch() != first) return -1;
  }
  return first;
}

inline DataDirectory* DataDirectories::Find(const PartitionName& partition) const {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = places_.find(partition);
    if (found != places_.end()) return found->second;
  }
  if (elsewhere_.count(partition) != 0) return nullptr;
  for (const std::unique_ptr<DataDirectory>& directory : for_logs()) {
    if (directory->Remembers(partition)) return directory.get();
  }
  return nullptr;
}

inline absl::StatusOr<DataDirectory*> DataDirectories::FindOrPlace(const PartitionName& partition,
                                                                   const Uuid& assigned) {
  DataDirectory* place = Find(partition);
  if (place == nullptr) {
    if (elsewhere_.count(partition) != 0) {
      return absl::FailedPreconditionError(
          "a move of its log was cut off, and the folder at its other end is offline");
    }
    const std::vector<DataDirectory*> online = Online();
    const auto named = std::find_if(online.begin(), online.end(),
                                    [&](const auto* one) { return one->id() == assigned; });
    if (named == online.end() && assigned != metadata::kDirectoryUnassigned && some_are_offline()) {
      return absl::FailedPreconditionError("its log may be in a folder that is offline");
    }
    std::lock_guard<std::mutex> lock(mutex_);
    place = named != online.end() ? *named : FewestLogs();
    const auto preferred = preferred_.extract(partition);
    if (!preferred.empty() && preferred.mapped()->is_online()) place = preferred.mapped();
    if (place == nullptr) return absl::FailedPreconditionError("all folders are offline");
  }
  std::lock_guard<std::mutex> lock(mutex_);
  if (places_.count(partition) == 0) {
    places_.emplace(partition, place);
    ++counts_[place->index()];
  }
  if (place->is_online()) return place;
  return place->Offline();
}

inline DataDirectory* DataDirectories::FewestLogs() const {
  DataDirectory* best = nullptr;
  for (DataDirectory* directory : Online()) {
    if (best == nullptr || counts_[directory->index()] < counts_[best->index()]) best = directory;
  }
  return best;
}

inline void DataDirectories::Prefer(const PartitionName& partition, DataDirectory& place) {
  constexpr size_t kPreferredMax = 10'000;
  constexpr size_t kTopicBytesMax = 249;  // of a name that a topic may have
  std::lock_guard<std::mutex> lock(mutex_);
  if (partition.first.size() > kTopicBytesMax) return;
  if (preferred_.size() >= kPreferredMax && preferred_.count(partition) == 0) return;
  preferred_[partition] = &place;
}

inline void DataDirectories::Move(const PartitionName& partition, DataDirectory& to) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = places_.find(partition);
  if (found == places_.end()) return;
  --counts_[found->second->index()];
  ++counts_[to.index()];
  found->second = &to;
}

inline DataDirectory* DataDirectories::CopyOf(const PartitionName& partition) const {
  const auto found = copies_.find(partition);
  return found == copies_.end() ? nullptr : found->second;
}

inline std::vector<DataDirectory*> DataDirectories::Rivals(const PartitionName& partition) const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<DataDirectory*> rivals;
  if (places_.count(partition) < 2) return rivals;
  const auto [begin, end] = places_.equal_range(partition);
  for (auto it = begin; it != end; ++it) rivals.push_back(it->second);
  return rivals;
}

inline void DataDirectories::Drop(const PartitionName& partition, const DataDirectory& folder) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto [begin, end] = places_.equal_range(partition);
  const auto found = std::find_if(begin, end, [&](const auto& at) { return at.second == &folder; });
  if (found == end) return;
  --counts_[folder.index()];
  places_.erase(found);
}

}  // namespace weir::server

#endif  // WEIR_SERVER_DATA_DIRECTORIES_H_

// -----------------------------------------------------------------------------
// File: server/data_directory.h
// -----------------------------------------------------------------------------
// One folder of log.dirs: who owns it, how it was left, how far each of its logs is durable, and
// whether it is online. After an I/O error it is offline, and stays so while the process runs:
// nobody can tell what of it is still true (docs/adr/0018-log-directories.md).
// Files as Apache Kafka's: meta.properties, .lock, .kafka_cleanshutdown and the offset checkpoints
// (docs/formats/metadata.md, docs/formats/segment.md).
// Threading: opened on the starting thread. Afterwards any shard asks and forgets, with its own
//   file system; the controller's shard writes checkpoints. Any thread may fail it.
// Errors: kUnavailable when another process has the folder; kFailedPrecondition when it belongs to
//   another node or cluster; kDataLoss for a malformed file.
#ifndef WEIR_SERVER_DATA_DIRECTORY_H_
#define WEIR_SERVER_DATA_DIRECTORY_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "coordination/metadata/node_directory.h"
#include "log/checkpoint_file.h"
#include "log/file.h"
#include "log/log_types.h"
#include "server/clean_shutdown_file.h"

namespace weir::server {

inline constexpr int64_t kMetaPropertiesBytesMax = 64 << 10;
inline constexpr char kDirectoryIdName[] = "directory.id";  // until there is a meta.properties
// The snapshot before all records, whole or half written, under whatever name it has meanwhile.
inline constexpr char kFoundersSnapshotPrefix[] = "00000000000000000000-0000000000";
inline constexpr char kRecoveryPointsName[] = "recovery-point-offset-checkpoint";
inline constexpr char kLogStartsName[] = "log-start-offset-checkpoint";
inline constexpr char kHighWatermarksName[] = "replication-offset-checkpoint";
inline constexpr char kCleanedName[] = "cleaner-offset-checkpoint";

// As checkpoints name a partition: topic and index.
using PartitionName = std::pair<std::string, int32_t>;

// Where each partition stands, as the checkpoints have it.
struct PartitionCheckpoints {
  log::PartitionOffsets recovery_points;
  log::PartitionOffsets log_starts;
  log::PartitionOffsets high_watermarks;
  log::PartitionOffsets cleaned;  // how far compaction got, where it did anything
};

class DataDirectory {
 public:
  // Locks the folder, which is created when missing, and reads whose it is. `index` is its place
  // among the node's folders.
  static absl::StatusOr<std::unique_ptr<DataDirectory>> Open(log::FileSystem& fs,
                                                             const std::string& path, size_t index);
  // One that is offline from the beginning.
  static std::unique_ptr<DataDirectory> Unusable(const std::string& path, size_t index,
                                                 absl::Status why);

  const std::string& path() const { return path_; }
  size_t index() const { return index_; }

  // --- identity -----------------------------------------------------------------------------

  // Zero of a folder that could not be read.
  const Uuid& id() const { return properties_.directory_id; }
  // Whether it is known which cluster the folder belongs to; if not, TakeIdentity says it, durably.
  bool has_cluster() const { return !properties_.cluster_id.empty(); }
  const metadata::MetaProperties& properties() const { return properties_; }
  absl::Status TakeIdentity(log::FileSystem& fs, const metadata::MetaProperties& properties);
  // For a folder of no cluster: takes the directory id that it has, or one drawn from `random`.
  // It does not change when the folder gets a cluster: others may found one with it.
  absl::Status AwaitCluster(log::FileSystem& fs, BrokerId node_id, Random& random);

  // --- online and offline -------------------------------------------------------------------

  bool is_online() const { return is_online_.load(std::memory_order_acquire); }
  // Takes the folder offline. False where it is already.
  bool Fail(const absl::Status& why);
  // Why it is offline.
  absl::Status failure() const;
  // What its logs cannot be opened for then.
  absl::Status Offline() const {
    return absl::FailedPreconditionError(absl::StrCat("its folder ", path_, " is offline"));
  }

  // --- what the last run left ---------------------------------------------------------------

  // Reads it. The mark of a clean shutdown is consumed: who crashes from here on recovers.
  absl::Status BeginRun(log::FileSystem& fs);
  bool was_clean() const { return was_clean_; }
  // Of a run that was clean, where it said so.
  std::optional<int64_t> clean_epoch() const { return clean_epoch_; }

  std::string PartitionPath(absl::string_view topic, PartitionIndex partition) const {
    return absl::StrCat(path_, "/", topic, "-", partition.value());
  }

  // How to open the log of a partition that was here when the node started.
  log::RecoveryHint HintFor(const PartitionName& partition) const;
  // What the partition's high watermark was then; kNoOffset where that is not known.
  Offset HighWatermarkOf(const PartitionName& partition) const;
  // Whether a checkpoint names the partition.
  bool Remembers(const PartitionName& partition) const;

  // Drops partitions from the checkpoints, durably. Comes before their directories go, and before a
  // directory is made for a new incarnation: a checkpoint never speaks of another log of that name.
  absl::Status Forget(log::FileSystem& fs, const std::vector<PartitionName>& partitions);

  // The other way round: durably notes where a log starts that is about to be moved here. How far
  // it is durable is not promised until the next checkpoint.
  absl::Status TakeIn(log::FileSystem& fs, const PartitionName& partition, Offset log_start,
                      Offset high_watermark);
  // Those that a checkpoint names.
  std::vector<PartitionName> Remembered() const;

  // Durably notes that the log of a partition starts at `offset`, or later.
  absl::Status AdvanceLogStart(log::FileSystem& fs, const PartitionName& partition, Offset offset);

  // Durably notes that logs are about to be cut off, each at its offset: nothing of them counts as
  // durable or cleaned from there on. With one write for all of them.
  absl::Status PrepareTruncation(log::FileSystem& fs, const log::PartitionOffsets& truncations);

  // Replaces the checkpoints durably, but for what was forgotten, taken in or cut off since
  // BeginCheckpoint.
  void BeginCheckpoint();
  absl::Status WriteCheckpoints(log::FileSystem& fs, PartitionCheckpoints checkpoints);

  // A log of the folder did not close well.
  void NoteUnclean() { is_unclean_.store(true); }
  // The last thing of a run: leaves the mark of a clean shutdown if all logs closed well. It was
  // the run of this broker epoch, if of any.
  absl::Status MarkClean(log::FileSystem& fs, std::optional<int64_t> broker_epoch) {
    if (is_unclean_.load()) return absl::OkStatus();
    return log::WriteFileAtomically(fs, path_, kCleanShutdownName, CleanShutdownText(broker_epoch));
  }

 private:
  DataDirectory(std::string path, size_t index) : path_(std::move(path)), index_(index) {}

  log::OffsetCheckpoint Checkpoint(log::FileSystem& fs, const char* name) const {
    return {&fs, path_, name};
  }
  absl::Status ReadProperties(log::FileSystem& fs);
  absl::Status CheckHasNoLogs(log::FileSystem& fs) const;
  absl::Status ReadCheckpoints(log::FileSystem& fs);
  absl::Status ConsumeCleanMark(log::FileSystem& fs);
  static void CutOff(const log::PartitionOffsets& truncations, PartitionCheckpoints* checkpoints);
  absl::Status ForgetIn(log::FileSystem& fs, const std::vector<PartitionName>& partitions,
                        const char* name, log::PartitionOffsets* offsets);

  const std::string path_;
  const size_t index_;
  std::unique_ptr<log::FileLock> lock_;
  metadata::MetaProperties properties_;
  std::atomic<bool> is_online_{true};
  std::atomic<bool> is_unclean_{false};
  bool was_clean_ = false;
  std::optional<int64_t> clean_epoch_;
  mutable std::mutex mutex_;
  absl::Status failure_;              // guarded by mutex_
  PartitionCheckpoints checkpoints_;  // as on disk; guarded by mutex_
  // Since BeginCheckpoint; guarded by mutex_.
  std::vector<PartitionName> forgotten_;
  std::vector<PartitionName> taken_in_;
  log::PartitionOffsets truncated_;
};

inline absl::StatusOr<std::unique_ptr<DataDirectory>> DataDirectory::Open(log::FileSystem& fs,
                                                                          const std::string& path,
                                                                          size_t index) {
  if (!fs.Exists(absl::StrCat(path, "/", metadata::kMetaPropertiesFile))) {
    WEIR_RETURN_IF_ERROR(log::CreateDirectoriesDurably(fs, path));
  }
  std::unique_ptr<DataDirectory> directory(new DataDirectory(path, index));
  WEIR_ASSIGN_OR_RETURN(directory->lock_, fs.Lock(absl::StrCat(path, "/.lock")));
  WEIR_RETURN_IF_ERROR(directory->ReadProperties(fs));
  return directory;
}

inline std::unique_ptr<DataDirectory> DataDirectory::Unusable(const std::string& path, size_t index,
                                                              absl::Status why) {
  std::unique_ptr<DataDirectory> directory(new DataDirectory(path, index));
  directory->Fail(why);
  return directory;
}

inline absl::Status DataDirectory::ReadProperties(log::FileSystem& fs) {
  const std::string file = absl::StrCat(path_, "/", metadata::kMetaPropertiesFile);
  const absl::StatusOr<std::string> text = log::ReadWholeFile(fs, file, kMetaPropertiesBytesMax);
  if (absl::IsNotFound(text.status())) return CheckHasNoLogs(fs);
  if (!text.ok()) return text.status();
  absl::StatusOr<metadata::MetaProperties> properties = metadata::ParseMetaProperties(*text);
  if (!properties.ok()) {
    return absl::DataLossError(absl::StrCat(path_, "/", properties.status().message()));
  }
  properties_ = *std::move(properties);
  return absl::OkStatus();
}

inline absl::Status DataDirectory::AwaitCluster(log::FileSystem& fs, BrokerId node_id,
                                                Random& random) {
  properties_.node_id = node_id;
  const std::string file = absl::StrCat(path_, "/", kDirectoryIdName);
  const absl::StatusOr<std::string> text = log::ReadWholeFile(fs, file, kMetaPropertiesBytesMax);
  if (text.ok()) {
    const std::optional<Uuid> id = Uuid::Parse(*text);
    if (!id.has_value()) {
      return absl::DataLossError(
          absl::StrCat(file, ": expected a UUID in base64, came '", *text, "'"));
    }
    properties_.directory_id = *id;
    return absl::OkStatus();
  }
  if (!absl::IsNotFound(text.status())) return text.status();
  properties_.directory_id = Uuid::Random(random);
  return log::WriteFileAtomically(fs, path_, kDirectoryIdName, properties_.directory_id.ToString());
}

inline absl::Status DataDirectory::TakeIdentity(log::FileSystem& fs,
                                                const metadata::MetaProperties& properties) {
  properties_ = properties;
  WEIR_RETURN_IF_ERROR(log::WriteFileAtomically(fs, path_, metadata::kMetaPropertiesFile,
                                                metadata::FormatMetaProperties(properties_)));
  const absl::Status removed = fs.Remove(absl::StrCat(path_, "/", kDirectoryIdName));
  return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
}

inline bool DataDirectory::Fail(const absl::Status& why) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!is_online_.load(std::memory_order_relaxed)) return false;
  failure_ = why;
  is_online_.store(false, std::memory_order_release);
  return true;
}

inline absl::Status DataDirectory::failure() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return failure_;
}

inline absl::Status DataDirectory::BeginRun(log::FileSystem& fs) {
  WEIR_RETURN_IF_ERROR(ReadCheckpoints(fs));
  return ConsumeCleanMark(fs);
}

// Somebody's logs without the file that says whose: not a folder to found a cluster in.
inline absl::Status DataDirectory::CheckHasNoLogs(log::FileSystem& fs) const {
  WEIR_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.List(path_));
  for (const std::string& name : names) {
    if (name == metadata::kMetadataLogFolder) {
      WEIR_ASSIGN_OR_RETURN(const std::vector<std::string> files,
                            fs.List(absl::StrCat(path_, "/", name)));
      // Who was killed while it founded a cluster has said who votes, and nothing else.
      const bool is_founders = std::all_of(files.begin(), files.end(), [](const std::string& file) {
        return absl::StartsWith(file, kFoundersSnapshotPrefix);
      });
      if (is_founders) continue;
      return absl::FailedPreconditionError(absl::StrCat(path_, ": expected ",
                                                        metadata::kMetaPropertiesFile, " beside '",
                                                        name, "', it is missing"));
    }
    if (fs.Exists(absl::StrCat(path_, "/", name, "/partition.metadata")) ||
        fs.Exists(absl::StrCat(path_, "/", name, "/00000000000000000000.log"))) {
      return absl::FailedPreconditionError(
          absl::StrCat(path_, ": expected ", metadata::kMetaPropertiesFile, " beside the log of '",
                       name, "', it is missing"));
    }
  }
  return absl::OkStatus();
}

inline absl::Status DataDirectory::ReadCheckpoints(log::FileSystem& fs) {
  WEIR_ASSIGN_OR_RETURN(checkpoints_.recovery_points, Checkpoint(fs, kRecoveryPointsName).Read());
  WEIR_ASSIGN_OR_RETURN(checkpoints_.log_starts, Checkpoint(fs, kLogStartsName).Read());
  WEIR_ASSIGN_OR_RETURN(checkpoints_.high_watermarks, Checkpoint(fs, kHighWatermarksName).Read());
  WEIR_ASSIGN_OR_RETURN(checkpoints_.cleaned, Checkpoint(fs, kCleanedName).Read());
  return absl::OkStatus();
}

inline absl::Status DataDirectory::ConsumeCleanMark(log::FileSystem& fs) {
  const std::string mark = absl::StrCat(path_, "/", kCleanShutdownName);
  was_clean_ = fs.Exists(mark);
  if (!was_clean_) return absl::OkStatus();
  const absl::StatusOr<std::string> text = log::ReadWholeFile(fs, mark, kCleanShutdownBytesMax);
  if (text.ok()) clean_epoch_ = BrokerEpochOf(*text);
  WEIR_RETURN_IF_ERROR(fs.Remove(mark));
  return fs.SyncDirectory(path_);
}

inline log::RecoveryHint DataDirectory::HintFor(const PartitionName& partition) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto find = [&](const log::PartitionOffsets& offsets) {
    const auto found = offsets.find(partition);
    return found == offsets.end() ? Offset(0) : found->second;
  };
  return {was_clean_, find(checkpoints_.recovery_points), find(checkpoints_.log_starts),
          find(checkpoints_.cleaned)};
}

inline Offset DataDirectory::HighWatermarkOf(const PartitionName& partition) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = checkpoints_.high_watermarks.find(partition);
  return found == checkpoints_.high_watermarks.end() ? kNoOffset : found->second;
}

inline bool DataDirectory::Remembers(const PartitionName& partition) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return checkpoints_.recovery_points.count(partition) != 0;
}

inline absl::Status DataDirectory::ForgetIn(log::FileSystem& fs,
                                            const std::vector<PartitionName>& partitions,
                                            const char* name, log::PartitionOffsets* offsets) {
  log::PartitionOffsets left = *offsets;
  size_t dropped = 0;
  for (const PartitionName& partition : partitions) dropped += left.erase(partition);
  if (dropped == 0) return absl::OkStatus();
  WEIR_RETURN_IF_ERROR(Checkpoint(fs, name).Write(left));
  *offsets = std::move(left);  // what could not be written is forgotten by the next call
  return absl::OkStatus();
}

inline absl::Status DataDirectory::Forget(log::FileSystem& fs,
                                          const std::vector<PartitionName>& partitions) {
  std::lock_guard<std::mutex> lock(mutex_);
  forgotten_.insert(forgotten_.end(), partitions.begin(), partitions.end());
  for (const PartitionName& partition : partitions) std::erase(taken_in_, partition);
  WEIR_RETURN_IF_ERROR(
      ForgetIn(fs, partitions, kRecoveryPointsName, &checkpoints_.recovery_points));
  WEIR_RETURN_IF_ERROR(ForgetIn(fs, partitions, kLogStartsName, &checkpoints_.log_starts));
  WEIR_RETURN_IF_ERROR(
      ForgetIn(fs, partitions, kHighWatermarksName, &checkpoints_.high_watermarks));
  return ForgetIn(fs, partitions, kCleanedName, &checkpoints_.cleaned);
}

inline absl::Status DataDirectory::TakeIn(log::FileSystem& fs, const PartitionName& partition,
                                          Offset log_start, Offset high_watermark) {
  std::lock_guard<std::mutex> lock(mutex_);
  std::erase(forgotten_, partition);
  std::erase(taken_in_, partition);
  taken_in_.push_back(partition);
  checkpoints_.recovery_points[partition] = Offset(0);
  checkpoints_.log_starts[partition] = log_start;
  checkpoints_.high_watermarks[partition] = high_watermark;
  if (checkpoints_.cleaned.erase(partition) > 0) {
    WEIR_RETURN_IF_ERROR(Checkpoint(fs, kCleanedName).Write(checkpoints_.cleaned));
  }
  WEIR_RETURN_IF_ERROR(Checkpoint(fs, kHighWatermarksName).Write(checkpoints_.high_watermarks));
  WEIR_RETURN_IF_ERROR(Checkpoint(fs, kLogStartsName).Write(checkpoints_.log_starts));
  return Checkpoint(fs, kRecoveryPointsName).Write(checkpoints_.recovery_points);
}

inline std::vector<PartitionName> DataDirectory::Remembered() const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<PartitionName> names;
  for (const auto& [partition, offset] : checkpoints_.recovery_points) names.push_back(partition);
  return names;
}

inline absl::Status DataDirectory::AdvanceLogStart(log::FileSystem& fs,
                                                   const PartitionName& partition, Offset offset) {
  std::lock_guard<std::mutex> lock(mutex_);
  Offset& noted = checkpoints_.log_starts[partition];
  if (offset <= noted) return absl::OkStatus();
  const Offset before = std::exchange(noted, offset);
  absl::Status status = Checkpoint(fs, kLogStartsName).Write(checkpoints_.log_starts);
  if (!status.ok()) noted = before;
  return status;
}

// The recovery point goes to 0: what a crash leaves of a log that is being cut off is read whole.
inline void DataDirectory::CutOff(const log::PartitionOffsets& truncations,
                                  PartitionCheckpoints* checkpoints) {
  for (const auto& [partition, offset] : truncations) {
    const auto recovery_point = checkpoints->recovery_points.find(partition);
    if (recovery_point != checkpoints->recovery_points.end()) recovery_point->second = Offset(0);
    for (log::PartitionOffsets* offsets :
         {&checkpoints->log_starts, &checkpoints->high_watermarks, &checkpoints->cleaned}) {
      const auto found = offsets->find(partition);
      if (found != offsets->end()) found->second = std::min(found->second, offset);
    }
  }
}

inline absl::Status DataDirectory::PrepareTruncation(log::FileSystem& fs,
                                                     const log::PartitionOffsets& truncations) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [partition, offset] : truncations) {
    const auto [noted, is_new] = truncated_.emplace(partition, offset);
    if (!is_new) noted->second = std::min(noted->second, offset);
  }
  PartitionCheckpoints lower = checkpoints_;
  CutOff(truncations, &lower);
  const auto write = [&](const char* name, log::PartitionOffsets& to, log::PartitionOffsets& at) {
    if (to == at) return absl::OkStatus();
    WEIR_RETURN_IF_ERROR(Checkpoint(fs, name).Write(to));
    at = std::move(to);
    return absl::OkStatus();
  };
  WEIR_RETURN_IF_ERROR(
      write(kRecoveryPointsName, lower.recovery_points, checkpoints_.recovery_points));
  WEIR_RETURN_IF_ERROR(write(kLogStartsName, lower.log_starts, checkpoints_.log_starts));
  WEIR_RETURN_IF_ERROR(
      write(kHighWatermarksName, lower.high_watermarks, checkpoints_.high_watermarks));
  return write(kCleanedName, lower.cleaned, checkpoints_.cleaned);
}

inline void DataDirectory::BeginCheckpoint() {
  std::lock_guard<std::mutex> lock(mutex_);
  forgotten_.clear();
  taken_in_.clear();
  truncated_.clear();
}

inline absl::Status DataDirectory::WriteCheckpoints(log::FileSystem& fs,
                                                    PartitionCheckpoints checkpoints) {
  std::lock_guard<std::mutex> lock(mutex_);
  // What was gathered may be older than what AdvanceLogStart noted meanwhile.
  for (const auto& [partition, start] : checkpoints_.log_starts) {
    if (checkpoints.recovery_points.count(partition) == 0) continue;
    Offset& gathered = checkpoints.log_starts[partition];
    gathered = std::max(gathered, start);
  }
  // What was gathered may be of the log that was here before, or lack this one.
  const auto keep = [](const log::PartitionOffsets& from, const PartitionName& partition,
                       log::PartitionOffsets* to) {
    const auto found = from.find(partition);
    if (found != from.end()) {
      (*to)[partition] = found->second;
    } else {
      to->erase(partition);
    }
  };
  for (const PartitionName& partition : taken_in_) {
    keep(checkpoints_.recovery_points, partition, &checkpoints.recovery_points);
    keep(checkpoints_.log_starts, partition, &checkpoints.log_starts);
    keep(checkpoints_.high_watermarks, partition, &checkpoints.high_watermarks);
    keep(checkpoints_.cleaned, partition, &checkpoints.cleaned);
  }
  CutOff(truncated_, &checkpoints);
  const bool cleaned_changed = checkpoints.cleaned != checkpoints_.cleaned;
  checkpoints_ = std::move(checkpoints);
  for (const PartitionName& partition : forgotten_) {
    checkpoints_.recovery_points.erase(partition);
    checkpoints_.log_starts.erase(partition);
    checkpoints_.high_watermarks.erase(partition);
    checkpoints_.cleaned.erase(partition);
  }
  WEIR_RETURN_IF_ERROR(Checkpoint(fs, kRecoveryPointsName).Write(checkpoints_.recovery_points));
  WEIR_RETURN_IF_ERROR(Checkpoint(fs, kLogStartsName).Write(checkpoints_.log_starts));
  WEIR_RETURN_IF_ERROR(Checkpoint(fs, kHighWatermarksName).Write(checkpoints_.high_watermarks));
  if (!cleaned_changed) return absl::OkStatus();
  return Checkpoint(fs, kCleanedName).Write(checkpoints_.cleaned);
}

}  // namespace weir::server

#endif  // WEIR_SERVER_DATA_DIRECTORY_H_

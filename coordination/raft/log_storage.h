// -----------------------------------------------------------------------------
// File: coordination/raft/log_storage.h
// -----------------------------------------------------------------------------
// The storage port on a disk, in Kafka's files: the folder `__cluster_metadata-0` is a log of
// record batches (log/log.h), with `quorum-state` for the vote and `*.checkpoint` for snapshots in
// it. An entry is a batch; those of data come back with base offset and epoch patched in.
// Format: docs/formats/quorum.md. Decision: docs/adr/0011-raft-on-disk.md.
// Threading: one thread, with a FileSystem of its own, whose completions TakeSynced drains.
// StartSync returns at once. The first append of an epoch, rolling a segment, truncating, trimming
// and the change of names that ends a sync of a vote or a snapshot wait for the disk.
// Errors: kDataLoss names the file, where in it, what was expected and what came; after any error
// but kNotFound nothing is written any more.
// Limits: kQuorumStateBytesMax, kRecordBatchBytesMax for an entry.
#ifndef WEIR_COORDINATION_RAFT_LOG_STORAGE_H_
#define WEIR_COORDINATION_RAFT_LOG_STORAGE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "coordination/raft/entry_batch.h"
#include "coordination/raft/quorum_state.h"
#include "coordination/raft/snapshot_file.h"
#include "coordination/raft/storage.h"
#include "coordination/raft/types.h"
#include "log/checkpoint_file.h"
#include "log/file.h"
#include "log/log.h"
#include "log/log_reader.h"
#include "log/log_types.h"
#include "protocol/record_batch.h"

namespace weir::raft {

inline constexpr char kQuorumStateFile[] = "quorum-state";

struct LogStorageOptions {
  int64_t segment_bytes = int64_t{128} << 20;
  // How much may be appended until a damaged log is known to have been durable up to there.
  int64_t recovery_point_bytes = int64_t{16} << 20;
  // Logs from before kraft.version 1 name voters without their disks: the one with this id is this
  // disk.
  ReplicaKey self;
  // Where the files do not say who votes, it is this replica alone.
  bool is_alone = false;
  // The syncs of this storage have this token and those after it.
  log::SyncToken first_sync_token = 1;
};

class LogStorage final : public Storage {
 public:
  // `directory` is that of the partition. `fs` outlives the storage.
  LogStorage(log::FileSystem& fs, std::string directory, LogStorageOptions options = {})
      : fs_(fs),
        directory_(std::move(directory)),
        options_(options),
        recovery_point_file_(&fs, directory_, "recovery-point-offset-checkpoint"),
        last_sync_(options.first_sync_token - 1) {}
  LogStorage(const LogStorage&) = delete;
  LogStorage& operator=(const LogStorage&) = delete;

  // Makes the folder of a founder of a cluster with these voters, durably; before the first Load.
  static absl::Status Found(log::FileSystem& fs, const std::string& directory,
                            const VoterSet& voters) {
    WEIR_RETURN_IF_ERROR(log::CreateDirectoriesDurably(fs, directory));
    WEIR_ASSIGN_OR_RETURN(SnapshotWriter writer,
                          SnapshotWriter::Create(fs, directory, SnapshotMeta{{}, voters}, 0));
    return writer.Finish();
  }
  // Whether there is anything of a replica: who has nothing may found a cluster, or joins one.
  static absl::StatusOr<bool> HasState(log::FileSystem& fs, const std::string& directory) {
    if (!fs.Exists(directory)) return false;
    WEIR_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.List(directory));
    return std::any_of(names.begin(), names.end(), [](const std::string& name) {
      return name == kQuorumStateFile || absl::EndsWith(name, ".log") ||
             SnapshotIdOfFileName(name).has_value();
    });
  }

  // The last call. What it leaves is opened faster than what a crash leaves.
  absl::Status Close() { return log_ == nullptr ? absl::OkStatus() : log_->Close(); }

  // A snapshot of the application's that a SnapshotWriter has finished in this folder, then for
  // SnapshotTaken. Ignored when there is a later one.
  absl::Status AdoptSnapshot(const SnapshotMeta& meta) {
    if (meta.id.end_offset <= snapshot_.id.end_offset) return RemoveSnapshot(meta.id);
    if (!fs_.Exists(PathOf(meta.id))) return absl::NotFoundError(PathOf(meta.id));
    return TakeOver(meta);
  }
  // Writes one as well; waits for the disk. For snapshots of a few megabytes.
  absl::Status SaveSnapshot(const SnapshotMeta& meta, TimestampMs last_timestamp,
                            absl::Span<const std::string> batches) {
    if (meta.id.end_offset <= snapshot_.id.end_offset) return absl::OkStatus();
    WEIR_ASSIGN_OR_RETURN(SnapshotWriter writer,
                          SnapshotWriter::Create(fs_, directory_, meta, last_timestamp));
    for (const std::string& batch : batches) WEIR_RETURN_IF_ERROR(writer.Append(batch));
    WEIR_RETURN_IF_ERROR(writer.Finish());
    return AdoptSnapshot(meta);
  }
  // For VisitSnapshotFile.
  std::string PathOf(const SnapshotId& id) const {
    return absl::StrCat(directory_, "/", SnapshotFileName(id));
  }
  const std::string& directory() const { return directory_; }
  const log::Log& log() const { return *log_; }

  // --- Storage ------------------------------------------------------------------------------

  absl::StatusOr<Recovered> Load() override;
  absl::StatusOr<std::vector<Entry>> ReadEntries(Offset from, size_t bytes_max) override;
  absl::StatusOr<int64_t> SnapshotSize(const SnapshotId& id) override {
    if (id != snapshot_.id) return absl::NotFoundError("raft: the snapshot was replaced");
    if (snapshot_file_ == nullptr && id == SnapshotId() && !fs_.Exists(PathOf(id))) return 0;
    WEIR_RETURN_IF_ERROR(OpenSnapshot());
    return snapshot_file_->size_bytes();
  }
  absl::StatusOr<std::string> ReadSnapshot(const SnapshotId& id, int64_t position,
                                           size_t bytes_max) override {
    WEIR_ASSIGN_OR_RETURN(const int64_t size, SnapshotSize(id));
    WEIR_CHECK(position >= 0 && position <= size);
    std::string bytes(std::min<size_t>(bytes_max, static_cast<size_t>(size - position)), '\0');
    if (bytes.empty()) return bytes;
    WEIR_ASSIGN_OR_RETURN(
        const size_t got,
        snapshot_file_->ReadAt(position, absl::MakeSpan(bytes.data(), bytes.size())));
    if (got == bytes.size()) return bytes;
    return absl::DataLossError(absl::StrCat(PathOf(id), ", at byte ", position, ": expected ",
                                            bytes.size(), " bytes, came ", got));
  }

  absl::Status Write(const StorageWrite& write) override {
    WEIR_RETURN_IF_ERROR(failed_);
    failed_ = std::visit([this](const auto& w) { return Apply(w); }, write);
    return failed_;
  }
  void StartSync(uint64_t token) override {
    WEIR_CHECK(!sync_.has_value());
    sync_ = SyncInFlight{};  // clang refuses emplace() inside the class that nests it
    sync_->token = token;
    if (failed_.ok()) failed_ = BeginSync();
    sync_->status = failed_;
  }
  std::vector<std::pair<uint64_t, absl::Status>> TakeSynced() override;

 private:
  static constexpr char kTopic[] = "__cluster_metadata";

  // A snapshot that comes from the leader, in a file with a temporary name.
  struct Incoming {
    SnapshotMeta meta;
    std::string path;
    std::unique_ptr<log::File> file;
  };
  struct SyncInFlight {
    uint64_t token = 0;
    std::set<log::SyncToken> waiting;
    absl::Status status;
    std::unique_ptr<log::File> vote;  // written to its temporary name
    std::vector<Incoming> snapshots;  // whole
  };

  std::string Path(absl::string_view name) const { return absl::StrCat(directory_, "/", name); }
  std::string TemporaryVotePath() const { return absl::StrCat(Path(kQuorumStateFile), ".tmp"); }

  // internal/log_storage_load.h
  absl::Status CleanDirectory();
  absl::Status LoadVote(Recovered* found);
  absl::Status LoadSnapshot();
  absl::Status LoadLog();
  absl::Status ScanLog(Recovered* found);
  VoterSet WithOwnDisk(const VoterSet& voters) const;
  log::LogConfig LogConfigOf() const;

  // internal/log_storage_write.h
  absl::Status Apply(const SaveHardState& write) {
    unsynced_vote_ = write.state;
    return absl::OkStatus();
  }
  absl::Status Apply(const AppendEntries& write);
  absl::Status Apply(const TruncateLog& write);
  absl::Status Apply(const TrimLog& write);
  absl::Status Apply(const ResetLog& write);
  absl::Status Apply(const WriteSnapshot& write);
  absl::Status AppendRun(absl::Span<const Entry> entries);
  absl::Status DropLog(Offset start);
  absl::Status SaveRecoveryPoint(Offset offset);

  // internal/log_storage_sync.h
  absl::Status BeginSync();
  absl::Status FinishSync();
  absl::Status TakeOver(const SnapshotMeta& meta);
  absl::Status RemoveSnapshot(const SnapshotId& id);
  absl::Status OpenSnapshot();

  log::FileSystem& fs_;
  const std::string directory_;
  const LogStorageOptions options_;
  const log::OffsetCheckpoint recovery_point_file_;
  std::unique_ptr<log::Log> log_;
  log::SyncToken last_sync_;
  absl::Status failed_;
  SnapshotMeta snapshot_;
  std::unique_ptr<log::File> snapshot_file_;  // open once it was asked for
  std::optional<HardState> unsynced_vote_;
  std::optional<Incoming> incoming_;
  std::vector<Incoming> whole_;  // for the next sync
  uint64_t incoming_count_ = 0;  // for their names
  Offset recovery_point_;
  int64_t bytes_since_recovery_point_ = 0;
  std::optional<SyncInFlight> sync_;
};

}  // namespace weir::raft

#include "coordination/raft/internal/log_storage_load.h"   // IWYU pragma: export
#include "coordination/raft/internal/log_storage_sync.h"   // IWYU pragma: export
#include "coordination/raft/internal/log_storage_write.h"  // IWYU pragma: export

#endif  // WEIR_COORDINATION_RAFT_LOG_STORAGE_H_

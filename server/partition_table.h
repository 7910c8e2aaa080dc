// -----------------------------------------------------------------------------
// File: server/partition_table.h
// -----------------------------------------------------------------------------
// The partitions that live on one shard: opens, closes and deletes their logs as the metadata says,
// and carries questions to their state machines (replication/partition.h) and effects back to those
// who wait. What a tick appends, from clients or leaders elsewhere, is written and flushed together
// when it ends.
// Threading: one per shard, on its thread.
// Errors: a partition whose log cannot be opened or has failed stays in the table and answers
//   KAFKA_STORAGE_ERROR; one that is not here answers NOT_LEADER_OR_FOLLOWER.
#ifndef WEIR_SERVER_PARTITION_TABLE_H_
#define WEIR_SERVER_PARTITION_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/metadata/image.h"
#include "log/append_terms.h"
#include "log/file.h"
#include "log/log_types.h"
#include "log/producer_state.h"
#include "protocol/error_code.h"
#include "replication/partition_events.h"
#include "server/data_directory.h"
#include "server/node.h"
#include "server/preferred_replica.h"
#include "server/reply.h"
#include "server/topic_config.h"

namespace weir::log {
class Cleaning;
class Log;
class LogMove;
struct CleanedSegment;
struct CleaningPlan;
}  // namespace weir::log
namespace weir::protocol {
class Decompressor;
}
namespace weir::replication {
class Partition;
}

namespace weir::server {

struct AppendCall {
  absl::Span<char> batch;  // validated
  int16_t acks = -1;
  int64_t timeout_ms = 0;
  std::shared_ptr<const void> keep_alive;  // whoever owns the bytes
  log::AppendTerms terms{};
};

struct ReadQuestion {
  TopicPartition partition;
  replication::ReadRequest request;
  bool wants_replicas = false;
};
// With the leadership that the answer rests on.
struct ReadReply {
  replication::ReadAnswer answer;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  std::vector<ReplicaPlace> in_sync;  // of a leader that was asked for them: the others

  bool failed() const { return answer.error != protocol::ErrorCode::kNone; }
  bool diverges() const { return answer.diverging.end_offset != kNoOffset; }
};

struct OffsetQuestion {
  TopicPartition partition;
  TimestampMs timestamp = kNoTimestamp;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  bool read_committed = false;
};

struct ProducersAnswer {
  protocol::ErrorCode error = protocol::ErrorCode::kNone;
  std::vector<std::pair<ProducerId, log::ProducerEntry>> producers;  // by id
};

struct PartitionSize {
  std::string topic;
  int32_t partition = 0;
  size_t directory = 0;  // DataDirectory::index
  int64_t bytes = 0;
  int64_t offset_lag = 0;  // of the log's end behind what is known to be committed
  bool is_copy = false;    // on its way there; the lag is behind the log's end
};

// Of a log that is moved to another folder, what its copy is to have next.
struct PieceToCopy {
  log::LogSlice slice;
  bool is_last = false;  // there is nothing behind it
  uint64_t move = 0;     // of which it is
};

// Of the disk that a folder is on; -1 where that cannot be told.
struct DiskSpace {
  int64_t total_bytes = -1;
  int64_t usable_bytes = -1;
};

// A compacted partition with something to clean.
struct DirtyLog {
  TopicPartition partition;
  double ratio = 0;  // of bytes that were not cleaned yet
};

// A place in a partition that a fetch waits to be able to read `bytes_min` from.
struct AwaitedPlace {
  TopicPartition partition;
  Offset offset;
  int64_t bytes_min = 1;
  bool read_committed = false;
};
struct Advanced {};

class PartitionTable {
 public:
  // All outlive the table.
  PartitionTable(const Node& node, log::FileSystem& files, Clock& clock);
  ~PartitionTable();

  // --- metadata -----------------------------------------------------------------------------

  // Opens the log of a partition, or creates it. While no loop runs any thread may do this, several
  // at a time, where the file system allows that; otherwise the shard's.
  absl::StatusOr<std::unique_ptr<log::Log>> OpenLog(const TopicPartition& id,
                                                    const std::string& topic,
                                                    const metadata::PartitionImage& image,
                                                    const TopicSettings& settings);
  // Takes up the copy of a log that was on its way to another folder when the last run ended, as
  // OpenLog does the log. Null where there is none.
  absl::StatusOr<std::unique_ptr<log::LogMove>> OpenCopy(const TopicPartition& id,
                                                         const std::string& topic,
                                                         const TopicSettings& settings,
                                                         Random& random);
  // Keeps what these gave for Open.
  void AddRecovered(const TopicPartition& id, absl::StatusOr<std::unique_ptr<log::Log>> log,
                    std::unique_ptr<log::LogMove> copy);
  // Opens the log of a partition unless that was done, and takes up its leadership as `image` says.
  void Open(const TopicPartition& id, const std::string& topic,
            const metadata::PartitionImage& image, const TopicSettings& settings);
  void Update(const TopicPartition& id, const metadata::PartitionImage& image);
  // Partitions that a full disk, or too few descriptors, keep offline: there may be more by now.
  std::vector<TopicPartition> LackingRoom() const;
  // Opens one of these. False where it is offline still.
  bool Reopen(const TopicPartition& id, const metadata::PartitionImage& image,
              const TopicSettings& settings);
  // Partitions whose logs have lost what was durable, or cannot be read: there may be others to
  // copy them from.
  std::vector<TopicPartition> Damaged() const;
  // The log of a partition turned out to be so, or its folder has failed.
  void TakeOffline(const TopicPartition& id, const absl::Status& why);
  // Those whose logs are in a folder, online or not, by id.
  std::vector<TopicPartition> In(const DataDirectory& directory) const;
  // Those that are online, by id.
  std::vector<TopicPartition> Online() const;
  // What lies on disk from `from` on, durably; from the log's start where that is behind `from`.
  // Empty at the end, and where the partition is not online.
  absl::StatusOr<log::LogSlice> Stored(const TopicPartition& id, Offset from, int64_t bytes_max);
  // Sets the log of one of the damaged aside and opens an empty one. False where that fails.
  bool BeginAnew(const TopicPartition& id, const metadata::PartitionImage& image,
                 const TopicSettings& settings);
  // Whether the metadata know which folder has this broker's replica. Before that it is neither led
  // nor followed: nothing that counts is in it if the folder is away, or another, the next time.
  bool HasPlace(const metadata::PartitionImage& image) const;
  // Those that are in another folder than the metadata say, with its id. Of one that is offline the
  // controller is to know as well.
  std::vector<std::pair<TopicPartition, Uuid>> UnknownPlaces() const;
  void Configure(const TopicPartition& id, const TopicSettings& settings);
  // Closes the logs and renames their directories; Housekeep removes them after
  // file.delete.delay.ms.
  void Delete(const std::vector<TopicPartition>& ids);

  // --- requests -----------------------------------------------------------------------------

  void Append(const TopicPartition& id, AppendCall call, Reply<replication::AppendDone> reply);
  ReadReply Read(const ReadQuestion& question);
  // Offset(0) where the partition is not here.
  Offset LogStart(const TopicPartition& id);
  // Whether the log refuses everything from now on. False where the partition is not here.
  bool HasFailed(const TopicPartition& id);
  replication::OffsetAnswer FindOffset(const OffsetQuestion& question);

  replication::EpochEndAnswer FindEpochEnd(const TopicPartition& id, LeaderEpoch current,
                                           LeaderEpoch epoch);
  ProducersAnswer Producers(const TopicPartition& id);
  // Deletes what is before `offset`, durably: see Partition::DeleteRecords.
  replication::DeleteAnswer DeleteRecords(const TopicPartition& id, Offset offset);
  // Where the last of the replicas' logs starts, as far as this broker knows; kNoOffset where it
  // does not lead the partition.
  Offset LowWatermark(const TopicPartition& id);
  std::vector<PartitionSize> Sizes() const;
  DiskSpace SpaceOf(const DataDirectory& directory);

  // Answers once, when one of the places can be read or cannot be waited for any more. `token` is
  // the caller's; a wait that it named before is cancelled.
  void Await(replication::WaitToken token, const std::vector<AwaitedPlace>& places,
             Reply<Advanced> reply);
  void CancelAwait(replication::WaitToken token);

  // --- replication (server/replicas.h) ------------------------------------------------------

  // Of a partition that is here and online, with its name.
  using ReplicaEffect = std::pair<TopicPartition, replication::Effect>;
  // What partitions asked of the controller and of streams since the last call: ProposeIsr,
  // StartFollowing, StopFollowing, ReplicaNews.
  std::vector<ReplicaEffect> TakeReplicaEffects() { return std::exchange(replica_effects_, {}); }
  // Nothing happens where the partition is not here.
  void Give(const TopicPartition& id, replication::Event event);
  // `storage` owns the records.
  void Replicate(const TopicPartition& id, const replication::Replicate& event,
                 std::shared_ptr<const void> storage);
  // As the functions of replication::Partition.
  replication::FollowAnswer Follow(const TopicPartition& id,
                                   const replication::FollowRequest& request);
  replication::ReplicaRead ReadForReplica(const TopicPartition& id, LeaderEpoch leader_epoch,
                                          Offset from, int64_t bytes_max, bool at_least_one_batch);
  std::optional<replication::StartFollowing> Following(const TopicPartition& id);

  // --- compaction (server/log_cleaner.h) ----------------------------------------------------

  // By partition.
  std::vector<DirtyLog> DirtyLogs() const;
  // kNotFound where the partition is not here, or its topic is not compacted any more.
  absl::StatusOr<log::CleaningPlan> PlanCleaning(const TopicPartition& id);
  // As Log::ReplaceSegments; a failure is told as that of an append is.
  absl::Status TakeCleaned(const TopicPartition& id, const log::CleanedSegment& cleaned);
  void FinishCleaning(const TopicPartition& id, const log::Cleaning& cleaning);

  // --- moves between folders (server/log_mover.h) -------------------------------------------

  // The partition's log is to be in `to`: any other copy of it is dropped. Kafka's error where that
  // cannot be.
  protocol::ErrorCode SetPlace(const TopicPartition& id, DataDirectory& to);
  bool Has(const TopicPartition& id) const { return partitions_.contains(id); }
  // Where it is on its way to; null where it is not.
  DataDirectory* MovesTo(const TopicPartition& id);
  // Begins the copy unless that was done. As the functions below: kNotFound where the partition is
  // not online or not on its way; a folder that is at fault is offline when they return.
  absl::Status BeginCopy(const TopicPartition& id, Random& random);
  absl::StatusOr<PieceToCopy> NextToCopy(const TopicPartition& id, int64_t bytes_max);
  // Of a move that was cancelled meanwhile, nothing is taken.
  absl::Status TakeCopied(const TopicPartition& id, const PieceToCopy& piece,
                          absl::string_view bytes);
  // Where the copy ends, and is durable up to; starts to make it so to its end.
  struct CopyProgress {
    Offset end;
    Offset flushed;
  };
  absl::StatusOr<CopyProgress> FlushCopy(const TopicPartition& id);
  // From now on the controller is not told where the log is.
  void WillEndMove(const TopicPartition& id);
  // What is left is copied, and the copy becomes the partition's log: waits for the disk. After an
  // error the log stays where it is and the move has to begin again, or the partition is offline.
  absl::Status EndMove(const TopicPartition& id);
  void CancelMove(const TopicPartition& id);
  // Those to a folder that is offline.
  void DropMovesTo(const DataDirectory& directory);

  // --- time ---------------------------------------------------------------------------------

  void OnSyncDone(const log::SyncDone& sync);
  // Writes what the tick appended, and starts the flushes; cuts logs off that are to be.
  void OnTickEnd();
  // Whether there is more to do for the end of this tick: here, or for TakeReplicaEffects' caller.
  bool has_tick_work() const {
    return !appended_.empty() || !truncations_.empty() || !replica_effects_.empty();
  }
  // Whether somebody waits for an append.
  bool appends_wait() const { return !appends_.empty(); }
  // When OnTimer is due next, if ever.
  std::optional<MonotonicNs> next_due() const { return next_due_; }
  void OnTimer();
  // Retention, every few minutes.
  void Housekeep();
  // Files and producers whose time has come, every second or so.
  void Tidy();
  // Whether the folders and the directories of the partitions are still there, every second or so:
  // files that are open would take records for as long as nobody looks.
  void CheckDirectories();

  // How far each log is, by DataDirectory::index.
  std::vector<PartitionCheckpoints> Checkpoints() const;
  // Flushes and closes every log of folders that are online; the first error, after all were tried.
  absl::Status Close();

  size_t size() const { return partitions_.size(); }
  // For who looks at it from outside, as simulators do. Null where it is not here and online.
  const replication::Partition* FindPartition(const TopicPartition& id) const;
  // Fetches that wait, and what of them is registered with partitions.
  size_t readers() const;
  // How many offsets are appended and not known to be committed, of all partitions.
  int64_t uncommitted() const;

 private:
  struct Moving {
    DataDirectory* to = nullptr;
    uint64_t number = 0;
    std::unique_ptr<log::LogMove> copy;  // null until it has begun
    bool ends = false;                   // see WillEndMove
  };
  struct Hosted {
    TopicPartition id;
    std::string topic;
    DataDirectory* folder = nullptr;  // null where it is not known
    std::string directory;
    absl::Status offline;  // why there is no partition
    Uuid assigned;         // the folder, as the metadata have it
    std::unique_ptr<replication::Partition> partition;
    TopicSettings settings;
    std::unique_ptr<Moving> moving;
    MonotonicNs leads_since;  // in its present epoch, where it leads
  };
  struct Recovered {
    absl::StatusOr<std::unique_ptr<log::Log>> log;
    std::unique_ptr<log::LogMove> copy;
  };
  struct WaitingAppend {
    Reply<replication::AppendDone> reply;
    std::shared_ptr<const void> keep_alive;
  };
  struct Wait {
    Reply<Advanced> reply;
    std::vector<TopicPartition> partitions;
  };
  struct DelayedRemoval {
    std::string path;
    TimestampMs at_ms = 0;
  };

  Uuid AssignedIn(const metadata::PartitionImage& image) const;
  absl::Status SetStrayAside(DataDirectory& folder, const PartitionName& name,
                             absl::string_view tag, absl::string_view why);
  absl::Status SetEarlierAside(DataDirectory& folder, const PartitionName& name, const Uuid& owner);
  absl::Status SettleRivals(const TopicPartition& id, const PartitionName& name,
                            const Uuid& assigned);
  void EndRole(Hosted* hosted);
  void Locate(Hosted* hosted);
  absl::StatusOr<log::RecoveryHint> PrepareDirectory(DataDirectory& folder,
                                                     const TopicPartition& id,
                                                     const std::string& topic);
  absl::StatusOr<std::unique_ptr<log::Log>> OpenLogIn(DataDirectory& folder,
                                                      const TopicPartition& id,
                                                      const std::string& topic,
                                                      const TopicSettings& settings);
  std::string AsidePath(const std::string& directory, absl::string_view tag,
                        absl::string_view kind) const;
  absl::Status SetAside(DataDirectory& folder, const std::string& directory,
                        const std::string& path);
  void OnFault(DataDirectory& folder, const absl::Status& status);
  void DeleteDirectory(const Hosted& hosted);
  // Numbers the syncs of the partition's logs.
  std::function<log::SyncToken()> TokensOf(const TopicPartition& id);
  absl::StatusOr<std::unique_ptr<log::LogMove>> OpenMove(DataDirectory& from, DataDirectory& to,
                                                         const TopicPartition& id,
                                                         const std::string& topic,
                                                         const TopicSettings& settings,
                                                         bool resumes, Random& random);
  // Of a partition that is online, with a copy that has begun.
  Hosted* FindCopied(const TopicPartition& id);
  absl::Status CopyResult(Hosted& hosted, const absl::Status& status);
  void Adopt(Hosted* hosted, DataDirectory& to, std::unique_ptr<log::Log> log);
  void SetCopyAside(Hosted* hosted);
  void RemoveAbandoned(log::LogMove* copy, int64_t delay_ms);
  void ReportRecovery(const Hosted& hosted) const;
  void Start(Hosted* hosted, std::unique_ptr<log::Log> log);
  log::LogConfig LogConfigOf(const TopicSettings& settings) const;
  replication::PartitionConfig PartitionConfigOf(const TopicSettings& settings) const;

  Hosted* Find(const TopicPartition& id);
  // Null, and why in *error, where no partition answers.
  Hosted* FindOnline(const TopicPartition& id, protocol::ErrorCode* error);
  // In an order that does not differ from run to run.
  std::vector<Hosted*> Sorted() const;
  void NoteDeadline(const Hosted& hosted);
  void WillEndTick(const TopicPartition& id);
  void CutOffLogs();
  replication::Now now() const { return {clock_.Monotonic(), clock_.WallMs()}; }
  void Step(Hosted* hosted, replication::Event event);
  void Carry(Hosted* hosted, replication::Effects effects);
  bool MayBeDeposed(const Hosted& hosted) const;
  bool LeadsNewly(const Hosted& hosted) const;
  bool Distrust(const Hosted& hosted, protocol::ErrorCode* error) const;
  void WarnOfStorage(const Hosted& hosted, absl::string_view what, const std::string& message);

  const Node& node_;
  log::FileSystem& files_;
  Clock& clock_;
  const std::unique_ptr<protocol::Decompressor> decompressor_;
  MonotonicNs next_storage_warning_;

  absl::flat_hash_map<TopicPartition, std::unique_ptr<Hosted>> partitions_;
  absl::flat_hash_map<TopicPartition, std::unique_ptr<Recovered>> recovered_;
  uint64_t last_move_ = 0;
  absl::flat_hash_map<log::SyncToken, TopicPartition> syncs_;
  log::SyncToken next_sync_ = 1;
  std::vector<TopicPartition> appended_;  // in this tick, each once
  absl::flat_hash_set<TopicPartition> appended_set_;
  std::vector<std::shared_ptr<const void>> tick_storage_;  // of what leaders sent
  std::vector<std::pair<TopicPartition, replication::PrepareTruncation>> truncations_;
  std::vector<std::pair<TopicPartition, replication::PrepareTruncation>>
      held_truncations_;  // until the disk has room
  std::vector<ReplicaEffect> replica_effects_;
  absl::flat_hash_map<replication::WaitToken, WaitingAppend> appends_;
  replication::WaitToken next_append_ = 1;
  absl::flat_hash_map<replication::WaitToken, Wait> waits_;
  std::vector<DelayedRemoval> removals_;
  MonotonicNs next_producer_check_;
  std::optional<MonotonicNs> next_due_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_PARTITION_TABLE_H_

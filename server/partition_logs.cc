// What a partition table does as the metadata say: opens, sets aside and deletes logs.

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/sort.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "coordination/metadata/image.h"
#include "log/log.h"
#include "log/log_move.h"
#include "log/partition_metadata.h"
#include "replication/partition.h"
#include "server/data_directories.h"
#include "server/data_directory.h"
#include "server/logger.h"
#include "server/partition_table.h"

namespace weir::server {

log::LogConfig PartitionTable::LogConfigOf(const TopicSettings& settings) const {
  log::LogConfig config;
  config.segment_bytes = settings.segment_bytes;
  config.segment_ms = settings.segment_ms;
  config.segment_jitter_ms = settings.segment_jitter_ms;
  config.preallocate = settings.preallocate;
  config.segment_index_bytes = settings.segment_index_bytes;
  config.index_interval_bytes = settings.index_interval_bytes;
  config.retention_ms = settings.retention_ms;
  config.retention_bytes = settings.retention_bytes;
  config.file_delete_delay_ms = settings.file_delete_delay_ms;
  config.producer_id_expiration_ms = node_.config.producer_id_expiration_ms;
  config.log_append_time = settings.log_append_time;
  config.compact = settings.compacts;
  config.min_cleanable_dirty_ratio = settings.min_cleanable_dirty_ratio;
  config.delete_retention_ms = settings.delete_retention_ms;
  config.min_compaction_lag_ms = settings.min_compaction_lag_ms;
  config.max_compaction_lag_ms = settings.max_compaction_lag_ms;
  // The active segment is not cleaned: it must not stay so for longer than records may.
  if (settings.compacts) {
    config.segment_ms = std::min(config.segment_ms, settings.max_compaction_lag_ms);
  }
  return config;
}

replication::PartitionConfig PartitionTable::PartitionConfigOf(
    const TopicSettings& settings) const {
  constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  replication::PartitionConfig config;
  config.durability = node_.config.flush_policy == FlushPolicy::kAck ? replication::Durability::kAck
                                                                     : replication::Durability::kOs;
  config.min_insync_replicas = settings.min_insync_replicas;
  config.replica_lag_time_max_ns = node_.config.replica_lag_time_max_ms > kNever / kNsPerMs
                                       ? kNever
                                       : node_.config.replica_lag_time_max_ms * kNsPerMs;
  config.flush_messages = settings.flush_messages;
  config.flush_interval_ns =
      settings.flush_ms > kNever / kNsPerMs ? kNever : settings.flush_ms * kNsPerMs;
  return config;
}

// A path for the directory that is free: its own with `tag` and `kind`. No name is longer than file
// systems allow: of a long topic name, only the beginning is left, as with Kafka.
std::string PartitionTable::AsidePath(const std::string& directory, absl::string_view tag,
                                      absl::string_view kind) const {
  constexpr size_t kNameBytesMax = 255;
  const size_t name = directory.rfind('/') + 1;
  for (int taken = 0;; ++taken) {
    const std::string again = taken == 0 ? "" : absl::StrCat(".", taken);
    const std::string end =
        absl::StrCat(directory.substr(directory.rfind('-')), ".", tag, again, "-", kind);
    const size_t kept = std::min(directory.rfind('-') - name, kNameBytesMax - end.size());
    std::string path = absl::StrCat(directory.substr(0, name + kept), end);
    if (!files_.Exists(path)) return path;
  }
}

absl::Status PartitionTable::SetAside(DataDirectory& folder, const std::string& directory,
                                      const std::string& path) {
  WEIR_RETURN_IF_ERROR(files_.Rename(directory, path));
  return files_.SyncDirectory(folder.path());
}

// A folder in which nothing can be changed any more has failed. One that is full has not.
void PartitionTable::OnFault(DataDirectory& folder, const absl::Status& status) {
  if (status.ok() || absl::IsResourceExhausted(status) || absl::IsUnavailable(status)) return;
  node_.fail_directory(folder, status);
}

absl::Status PartitionTable::SetStrayAside(DataDirectory& folder, const PartitionName& name,
                                           absl::string_view tag, absl::string_view why) {
  const std::string directory = folder.PartitionPath(name.first, PartitionIndex(name.second));
  node_.logger->Warning(directory, why, ": set aside");
  WEIR_RETURN_IF_ERROR(folder.Forget(files_, {name}));
  return SetAside(folder, directory, AsidePath(directory, tag, "stray"));
}

absl::Status PartitionTable::SetEarlierAside(DataDirectory& folder, const PartitionName& name,
                                             const Uuid& owner) {
  return SetStrayAside(folder, name, owner.ToString(),
                       absl::StrCat(" is of an earlier topic of this name, ", owner.ToString()));
}

// Leaves one log where several folders have one of this name: of this incarnation of the topic, and
// where the metadata have it. Before they have it anywhere, nothing in it counts.
absl::Status PartitionTable::SettleRivals(const TopicPartition& id, const PartitionName& name,
                                          const Uuid& assigned) {
  std::vector<DataDirectory*> rivals;
  for (DataDirectory* folder : node_.directories->Rivals(name)) {
    const absl::StatusOr<Uuid> owner =
        log::ReadPartitionMetadata(files_, folder->PartitionPath(name.first, id.partition));
    if (!owner.ok() && !absl::IsNotFound(owner.status())) {
      OnFault(*folder, owner.status());
      // It says nothing of the other.
      return absl::FailedPreconditionError(
          absl::StrCat("whose one of its two logs is: ", owner.status().message()));
    }
    if (!owner.ok() || *owner == id.topic_id) {
      rivals.push_back(folder);
    } else {
      WEIR_RETURN_IF_ERROR(SetEarlierAside(*folder, name, *owner));
      node_.directories->Drop(name, *folder);
    }
  }
  if (rivals.size() < 2) return absl::OkStatus();
  const auto kept = std::find_if(rivals.begin(), rivals.end(), [&](const DataDirectory* folder) {
    return assigned == metadata::kDirectoryUnassigned || folder->id() == assigned;
  });
  if (kept == rivals.end()) {
    return absl::FailedPreconditionError(
        absl::StrCat("expected its log in one folder, came one in ", rivals[0]->path(),
                     " and one in ", rivals[1]->path(), ": move the one that is older away"));
  }
  for (DataDirectory* folder : rivals) {
    if (folder == *kept) continue;
    WEIR_RETURN_IF_ERROR(SetStrayAside(*folder, name, absl::StrCat(clock_.WallMs()),
                                       absl::StrCat(" is kept in ", (*kept)->path())));
    node_.directories->Drop(name, *folder);
  }
  return absl::OkStatus();
}

// Makes sure that the partition's directory is of this incarnation of the topic, and says how to
// open what is in it.
absl::StatusOr<log::RecoveryHint> PartitionTable::PrepareDirectory(DataDirectory& folder,
                                                                   const TopicPartition& id,
                                                                   const std::string& topic) {
  const PartitionName name(topic, id.partition.value());
  const std::string directory = folder.PartitionPath(topic, id.partition);
  if (files_.Exists(directory)) {
    const absl::StatusOr<Uuid> owner = log::ReadPartitionMetadata(files_, directory);
    // Without the file, a crash came while the log was created.
    if (absl::IsNotFound(owner.status())) return folder.HintFor(name);
    WEIR_RETURN_IF_ERROR(owner.status());
    if (*owner == id.topic_id) return folder.HintFor(name);
    WEIR_RETURN_IF_ERROR(SetEarlierAside(folder, name, *owner));
  } else if (folder.Remembers(name)) {
    return absl::DataLossError(
        absl::StrCat(directory, ": expected the partition's log up to offset ",
                     folder.HintFor(name).recovery_point.value(), ", the directory is missing"));
  }
  return log::RecoveryHint();
}

Uuid PartitionTable::AssignedIn(const metadata::PartitionImage& image) const {
  const auto self = std::find(image.replicas.begin(), image.replicas.end(), node_.config.node_id);
  const size_t at = static_cast<size_t>(self - image.replicas.begin());
  return at < image.directories.size() ? image.directories[at] : metadata::kDirectoryUnassigned;
}

absl::StatusOr<std::unique_ptr<log::Log>> PartitionTable::OpenLog(
    const TopicPartition& id, const std::string& topic, const metadata::PartitionImage& image,
    const TopicSettings& settings) {
  const PartitionName name(topic, id.partition.value());
  const Uuid assigned = AssignedIn(image);
  WEIR_RETURN_IF_ERROR(SettleRivals(id, name, assigned));
  WEIR_ASSIGN_OR_RETURN(DataDirectory* const folder,
                        node_.directories->FindOrPlace(name, assigned));
  return OpenLogIn(*folder, id, topic, settings);
}

std::function<log::SyncToken()> PartitionTable::TokensOf(const TopicPartition& id) {
  return [this, id] {
    syncs_.emplace(next_sync_, id);
    return next_sync_++;
  };
}

absl::StatusOr<std::unique_ptr<log::Log>> PartitionTable::OpenLogIn(DataDirectory& folder,
                                                                    const TopicPartition& id,
                                                                    const std::string& topic,
                                                                    const TopicSettings& settings) {
  const std::string directory = folder.PartitionPath(topic, id.partition);
  WEIR_ASSIGN_OR_RETURN(const log::RecoveryHint hint, PrepareDirectory(folder, id, topic));
  const bool is_new = !files_.Exists(directory);
  absl::StatusOr<std::unique_ptr<log::Log>> log =
      log::Log::Open(files_, directory, LogConfigOf(settings), hint, clock_.WallMs(), TokensOf(id));
  if (log.ok() && !files_.Exists(absl::StrCat(directory, "/", log::kPartitionMetadataName))) {
    const absl::Status written = log::WritePartitionMetadata(files_, directory, id.topic_id);
    if (!written.ok()) log = written;
  }
  // Of a log that was here before it may be the log alone that is damaged.
  if (is_new) OnFault(folder, log.status());
  return log;
}

void PartitionTable::AddRecovered(const TopicPartition& id,
                                  absl::StatusOr<std::unique_ptr<log::Log>> log,
                                  std::unique_ptr<log::LogMove> copy) {
  recovered_.emplace(id,
                     std::unique_ptr<Recovered>(new Recovered{std::move(log), std::move(copy)}));
}

void PartitionTable::ReportRecovery(const Hosted& hosted) const {
  const log::RecoveryReport& report = hosted.partition->log().recovery_report();
  if (report.replacements_finished > 0) {
    node_.logger->Info(hosted.directory, ": put ", report.replacements_finished,
                       " compacted segments in place, as the last run had begun to");
  }
  if (report.truncated_bytes == 0) return;
  node_.logger->Warning(report.truncated_file, ": dropped ", report.truncated_bytes,
                        " bytes from position ", report.truncated_position,
                        " that were never acknowledged as durable: ", report.truncated_reason);
}

void PartitionTable::Open(const TopicPartition& id, const std::string& topic,
                          const metadata::PartitionImage& image, const TopicSettings& settings) {
  auto hosted = std::make_unique<Hosted>();
  hosted->id = id;
  hosted->topic = topic;
  hosted->settings = settings;
  auto recovered = recovered_.extract(id);
  absl::StatusOr<std::unique_ptr<log::Log>> log =
      recovered.empty() ? OpenLog(id, topic, image, settings) : std::move(recovered.mapped()->log);
  Locate(hosted.get());
  if (hosted->folder != nullptr && !hosted->folder->is_online()) log = hosted->folder->Offline();
  if (log.ok()) {
    Start(hosted.get(), *std::move(log));
    if (!recovered.empty() && recovered.mapped()->copy != nullptr) {
      std::unique_ptr<log::LogMove> copy = std::move(recovered.mapped()->copy);
      DataDirectory* const to = node_.directories->At(copy->to());
      RemoveAbandoned(copy.get(), 0);
      hosted->moving.reset(new Moving{to, ++last_move_, std::move(copy)});
    }
  } else {
    hosted->offline = log.status();
    node_.logger->Error(topic, "-", id.partition.value(), " is offline: ", log.status().message());
  }
  partitions_[id] = std::move(hosted);
  Update(id, image);
}

// After OpenLog, which may have found it elsewhere than before.
void PartitionTable::Locate(Hosted* hosted) {
  hosted->folder =
      node_.directories->Find(PartitionName(hosted->topic, hosted->id.partition.value()));
  if (hosted->folder == nullptr) return;
  hosted->directory = hosted->folder->PartitionPath(hosted->topic, hosted->id.partition);
}

void PartitionTable::Start(Hosted* hosted, std::unique_ptr<log::Log> log) {
  hosted->offline = absl::OkStatus();
  replication::PartitionConfig config = PartitionConfigOf(hosted->settings);
  config.initial_high_watermark =
      hosted->folder->HighWatermarkOf(PartitionName(hosted->topic, hosted->id.partition.value()));
  hosted->partition = std::make_unique<replication::Partition>(node_.config.node_id, std::move(log),
                                                               std::move(config));
  ReportRecovery(*hosted);
}

std::vector<TopicPartition> PartitionTable::LackingRoom() const {
  std::vector<TopicPartition> lacking;
  for (const Hosted* hosted : Sorted()) {
    if (absl::IsResourceExhausted(hosted->offline) || absl::IsUnavailable(hosted->offline)) {
      lacking.push_back(hosted->id);
    }
  }
  return lacking;
}

bool PartitionTable::Reopen(const TopicPartition& id, const metadata::PartitionImage& image,
                            const TopicSettings& settings) {
  Hosted* hosted = Find(id);
  if (hosted == nullptr || hosted->partition != nullptr) return false;
  hosted->settings = settings;
  absl::StatusOr<std::unique_ptr<log::Log>> log = OpenLog(id, hosted->topic, image, settings);
  Locate(hosted);
  if (!log.ok()) {
    hosted->offline = log.status();
    return false;
  }
  Start(hosted, *std::move(log));
  node_.logger->Info(hosted->topic, "-", id.partition.value(), " is online again");
  Update(id, image);
  return true;
}

std::vector<TopicPartition> PartitionTable::Damaged() const {
  std::vector<TopicPartition> damaged;
  for (const Hosted* hosted : Sorted()) {
    if (hosted->partition == nullptr && absl::IsDataLoss(hosted->offline)) {
      damaged.push_back(hosted->id);
    }
  }
  return damaged;
}

void PartitionTable::TakeOffline(const TopicPartition& id, const absl::Status& why) {
  Hosted* hosted = Find(id);
  if (hosted == nullptr) return;
  CancelMove(id);
  hosted->offline = why;
  if (hosted->partition == nullptr) return;
  EndRole(hosted);
  hosted->partition.reset();
}

void PartitionTable::EndRole(Hosted* hosted) {
  Step(hosted, replication::StopLeading{});
  replica_effects_.emplace_back(hosted->id, replication::StopFollowing{});
}

std::vector<TopicPartition> PartitionTable::In(const DataDirectory& directory) const {
  std::vector<TopicPartition> in;
  for (const Hosted* hosted : Sorted()) {
    if (hosted->folder == &directory) in.push_back(hosted->id);
  }
  return in;
}

std::vector<TopicPartition> PartitionTable::Online() const {
  std::vector<TopicPartition> online;
  for (const Hosted* hosted : Sorted()) {
    if (hosted->partition != nullptr) online.push_back(hosted->id);
  }
  return online;
}

absl::StatusOr<log::LogSlice> PartitionTable::Stored(const TopicPartition& id, Offset from,
                                                     int64_t bytes_max) {
  const Hosted* hosted = Find(id);
  if (hosted == nullptr || hosted->partition == nullptr) return log::LogSlice();
  log::Log& log = hosted->partition->log();
  from = std::max(from, log.log_start_offset());
  if (from >= log.flushed_offset()) return log::LogSlice();
  return log.Read(from, bytes_max, log.flushed_offset(), /*at_least_one_batch=*/true);
}

// The name is one that Apache Kafka leaves alone as well.
bool PartitionTable::BeginAnew(const TopicPartition& id, const metadata::PartitionImage& image,
                               const TopicSettings& settings) {
  Hosted* hosted = Find(id);
  if (hosted == nullptr || hosted->partition != nullptr) return false;
  const std::string aside =
      AsidePath(hosted->directory, absl::StrCat(clock_.WallMs()), "damaged-stray");
  absl::Status begun =
      hosted->folder->Forget(files_, {PartitionName(hosted->topic, id.partition.value())});
  const bool is_there = files_.Exists(hosted->directory);
  if (begun.ok() && is_there) begun = SetAside(*hosted->folder, hosted->directory, aside);
  if (!begun.ok()) {
    node_.logger->Error(hosted->directory, " cannot be set aside: ", begun.message());
    OnFault(*hosted->folder, begun);
    return false;
  }
  node_.logger->Warning(
      hosted->topic, "-", id.partition.value(), " is copied anew from its leader",
      is_there ? absl::StrCat("; what was left of it is in ", aside) : std::string());
  return Reopen(id, image, settings);
}

bool PartitionTable::HasPlace(const metadata::PartitionImage& image) const {
  return node_.directories->for_logs().size() == 1 ||
         AssignedIn(image) != metadata::kDirectoryUnassigned;
}

// With one folder the controller knows the place, but of what is lost, or older than directories.
std::vector<std::pair<TopicPartition, Uuid>> PartitionTable::UnknownPlaces() const {
  std::vector<std::pair<TopicPartition, Uuid>> places;
  const bool is_only_one = node_.directories->for_logs().size() == 1;
  for (const auto& [id, hosted] : partitions_) {
    if (hosted->folder == nullptr || hosted->assigned == hosted->folder->id()) continue;
    if (hosted->moving != nullptr && hosted->moving->ends) continue;
    // What is damaged is told of as that.
    if (hosted->partition == nullptr && hosted->folder->is_online()) continue;
    if (is_only_one && hosted->assigned != metadata::kDirectoryLost &&
        hosted->assigned != metadata::kDirectoryMigrating) {
      continue;
    }
    places.emplace_back(id, hosted->folder->id());
  }
  Sort(places);
  return places;
}

void PartitionTable::Update(const TopicPartition& id, const metadata::PartitionImage& image) {
  Hosted* hosted = Find(id);
  if (hosted == nullptr) return;
  hosted->assigned = AssignedIn(image);
  if (hosted->partition == nullptr) return;
  if (!HasPlace(image)) return EndRole(hosted);
  if (image.leader == node_.config.node_id) {
    if (hosted->partition->leader_epoch() < image.leader_epoch) {
      hosted->leads_since = clock_.Monotonic();
    }
    Step(hosted, replication::BecomeLeader{image.leader_epoch, image.partition_epoch,
                                           image.replicas, image.isr, image.leader_recovery_state});
  } else {
    Step(hosted, replication::BecomeFollower{image.leader, image.leader_epoch,
                                             image.partition_epoch, image.replicas, image.isr});
  }
  NoteDeadline(*hosted);
}

void PartitionTable::Configure(const TopicPartition& id, const TopicSettings& settings) {
  Hosted* hosted = Find(id);
  if (hosted == nullptr || hosted->partition == nullptr) return;
  hosted->settings = settings;
  hosted->partition->log().set_config(LogConfigOf(settings));
  if (hosted->moving != nullptr && hosted->moving->copy != nullptr) {
    hosted->moving->copy->future().set_config(LogConfigOf(settings));
  }
  Step(hosted, replication::Reconfigure{PartitionConfigOf(settings)});
  NoteDeadline(*hosted);
}

void PartitionTable::Delete(const std::vector<TopicPartition>& ids) {
  for (DataDirectory* folder : node_.directories->Online()) {
    std::vector<PartitionName> names;
    for (const TopicPartition& id : ids) {
      const Hosted* hosted = Find(id);
      if (hosted == nullptr || hosted->folder != folder) continue;
      names.emplace_back(hosted->topic, id.partition.value());
    }
    const absl::Status forgotten = folder->Forget(files_, names);
    if (forgotten.ok()) continue;
    // What cannot be deleted now is set aside when a topic of its name is made again.
    node_.logger->Error("checkpoints: ", forgotten.message());
    OnFault(*folder, forgotten);
  }
  for (const TopicPartition& id : ids) {
    const Hosted* hosted = Find(id);
    if (hosted == nullptr) continue;
    TakeOffline(id, absl::NotFoundError("it is deleted"));
    DeleteDirectory(*hosted);
    partitions_.erase(id);
  }
}

// In a folder that is offline it stays, known: none of its name is made in another.
void PartitionTable::DeleteDirectory(const Hosted& hosted) {
  if (hosted.folder == nullptr || !hosted.folder->is_online()) return;
  const PartitionName name(hosted.topic, hosted.id.partition.value());
  // A partition that never came online may have no directory.
  const absl::StatusOr<Uuid> owner = log::ReadPartitionMetadata(files_, hosted.directory);
  if (absl::IsNotFound(owner.status())) return node_.directories->Drop(name, *hosted.folder);
  if (owner.ok() && *owner != hosted.id.topic_id) return;
  if (hosted.folder->Remembers(name)) return;  // it could not be forgotten
  const std::string path = AsidePath(hosted.directory, hosted.id.topic_id.ToString(), "delete");
  const absl::Status renamed = SetAside(*hosted.folder, hosted.directory, path);
  if (renamed.ok()) {
    node_.directories->Drop(name, *hosted.folder);
    removals_.push_back({path, clock_.WallMs() + hosted.settings.file_delete_delay_ms});
  } else {
    node_.logger->Error(hosted.directory, " cannot be deleted: ", renamed.message());
    OnFault(*hosted.folder, renamed);
  }
}

}  // namespace weir::server

#include "server/partition_table.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "coordination/metadata/node_directory.h"
#include "log/log.h"
#include "log/partition_metadata.h"
#include "protocol/compression.h"
#include "protocol/compression_batch.h"
#include "replication/partition.h"
#include "server/data_directory.h"
#include "server/logger.h"

namespace weir::server {

using protocol::ErrorCode;

PartitionTable::PartitionTable(const Node& node, log::FileSystem& files, Clock& clock)
    : node_(node),
      files_(files),
      clock_(clock),
      decompressor_(std::make_unique<protocol::Decompressor>()) {}

PartitionTable::~PartitionTable() = default;

// --- metadata -----------------------------------------------------------------------------------

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

// The directory's path with `suffix`. No name is longer than file systems allow: of a long topic
// name, only the beginning is left, as with Kafka.
std::string PartitionTable::AsidePath(const std::string& directory, absl::string_view suffix) {
  constexpr size_t kNameBytesMax = 255;
  const size_t name = directory.rfind('/') + 1;
  const std::string end = absl::StrCat(directory.substr(directory.rfind('-')), suffix);
  const size_t kept = std::min(directory.rfind('-') - name, kNameBytesMax - end.size());
  return absl::StrCat(directory.substr(0, name + kept), end);
}

absl::Status PartitionTable::SetAside(const std::string& directory, const std::string& path) {
  WEIR_RETURN_IF_ERROR(files_.Rename(directory, path));
  return files_.SyncDirectory(node_.directory->path());
}

// Makes sure that the partition's directory is of this incarnation of the topic, and says how to
// open what is in it.
absl::StatusOr<log::RecoveryHint> PartitionTable::PrepareDirectory(const TopicPartition& id,
                                                                   const std::string& topic,
                                                                   const std::string& directory) {
  const PartitionName name(topic, id.partition.value());
  if (files_.Exists(directory)) {
    const absl::StatusOr<Uuid> owner = log::ReadPartitionMetadata(files_, directory);
    // Without the file, a crash came while the log was created.
    if (absl::IsNotFound(owner.status())) return node_.directory->HintFor(name);
    WEIR_RETURN_IF_ERROR(owner.status());
    if (*owner == id.topic_id) return node_.directory->HintFor(name);
    node_.logger->Warning(directory, " is of an earlier topic of this name, ", owner->ToString(),
                          ": set aside");
    WEIR_RETURN_IF_ERROR(node_.directory->Forget(files_, {name}));
    WEIR_RETURN_IF_ERROR(
        SetAside(directory, AsidePath(directory, absl::StrCat(".", owner->ToString(), "-stray"))));
  } else if (node_.directory->Remembers(name)) {
    return absl::DataLossError(absl::StrCat(
        directory, ": expected the partition's log up to offset ",
        node_.directory->HintFor(name).recovery_point.value(), ", the directory is missing"));
  }
  return log::RecoveryHint();
}

absl::StatusOr<std::unique_ptr<log::Log>> PartitionTable::OpenLog(const TopicPartition& id,
                                                                  const std::string& topic,
                                                                  const TopicSettings& settings) {
  const std::string directory = node_.directory->PartitionPath(topic, id.partition);
  WEIR_ASSIGN_OR_RETURN(const log::RecoveryHint hint, PrepareDirectory(id, topic, directory));
  const auto next_token = [this, id] {
    syncs_.emplace(next_sync_, id);
    return next_sync_++;
  };
  WEIR_ASSIGN_OR_RETURN(
      std::unique_ptr<log::Log> log,
      log::Log::Open(files_, directory, LogConfigOf(settings), hint, clock_.WallMs(), next_token));
  if (!files_.Exists(absl::StrCat(directory, "/", log::kPartitionMetadataName))) {
    WEIR_RETURN_IF_ERROR(log::WritePartitionMetadata(files_, directory, id.topic_id));
  }
  return log;
}

void PartitionTable::AddRecovered(const TopicPartition& id,
                                  absl::StatusOr<std::unique_ptr<log::Log>> log) {
  recovered_.emplace(id, std::move(log));
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
  hosted->directory = node_.directory->PartitionPath(topic, id.partition);
  hosted->settings = settings;
  auto recovered = recovered_.extract(id);
  absl::StatusOr<std::unique_ptr<log::Log>> log =
      recovered.empty() ? OpenLog(id, topic, settings) : std::move(recovered.mapped());
  if (log.ok()) {
    Start(hosted.get(), *std::move(log));
  } else {
    hosted->offline = log.status();
    node_.logger->Error(topic, "-", id.partition.value(), " is offline: ", log.status().message());
  }
  partitions_[id] = std::move(hosted);
  Update(id, image);
}

void PartitionTable::Start(Hosted* hosted, std::unique_ptr<log::Log> log) {
  hosted->offline = absl::OkStatus();
  replication::PartitionConfig config = PartitionConfigOf(hosted->settings);
  config.initial_high_watermark =
      node_.directory->HighWatermarkOf(PartitionName(hosted->topic, hosted->id.partition.value()));
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
  absl::StatusOr<std::unique_ptr<log::Log>> log = OpenLog(id, hosted->topic, settings);
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

void PartitionTable::TakeOffline(const TopicPartition& id, const absl::Status& damage) {
  Hosted* hosted = Find(id);
  if (hosted == nullptr || hosted->partition == nullptr) return;
  Step(hosted, replication::StopLeading{});
  replica_effects_.emplace_back(id, replication::StopFollowing{});
  hosted->partition.reset();
  hosted->offline = damage;
  node_.logger->Error(hosted->topic, "-", id.partition.value(),
                      " is taken offline: ", damage.message());
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
      AsidePath(hosted->directory, absl::StrCat(".", clock_.WallMs(), "-damaged-stray"));
  absl::Status begun =
      node_.directory->Forget(files_, {PartitionName(hosted->topic, id.partition.value())});
  const bool is_there = files_.Exists(hosted->directory);
  if (begun.ok() && is_there) begun = SetAside(hosted->directory, aside);
  if (!begun.ok()) {
    node_.logger->Error(hosted->directory, " cannot be set aside: ", begun.message());
    return false;
  }
  node_.logger->Warning(
      hosted->topic, "-", id.partition.value(), " is copied anew from its leader",
      is_there ? absl::StrCat("; what was left of it is in ", aside) : std::string());
  return Reopen(id, image, settings);
}

std::vector<TopicPartition> PartitionTable::BegunAnew() const {
  std::vector<TopicPartition> begun;
  for (const auto& [id, hosted] : partitions_) {
    if (hosted->is_lost && hosted->partition != nullptr) begun.push_back(id);
  }
  std::sort(begun.begin(), begun.end());
  return begun;
}

void PartitionTable::Update(const TopicPartition& id, const metadata::PartitionImage& image) {
  Hosted* hosted = Find(id);
  if (hosted == nullptr) return;
  const auto self = std::find(image.replicas.begin(), image.replicas.end(), node_.config.node_id);
  const size_t at = static_cast<size_t>(self - image.replicas.begin());
  hosted->is_lost =
      at < image.directories.size() && image.directories[at] == metadata::kDirectoryLost;
  if (hosted->partition == nullptr) return;
  if (image.leader == node_.config.node_id) {
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
  hosted->partition->set_config(PartitionConfigOf(settings));
}

void PartitionTable::Delete(const std::vector<TopicPartition>& ids) {
  std::vector<PartitionName> names;
  for (const TopicPartition& id : ids) {
    if (const Hosted* hosted = Find(id)) names.emplace_back(hosted->topic, id.partition.value());
  }
  const absl::Status forgotten = node_.directory->Forget(files_, names);
  if (!forgotten.ok()) node_.logger->Error("checkpoints: ", forgotten.message());
  for (const TopicPartition& id : ids) {
    Hosted* hosted = Find(id);
    if (hosted == nullptr) continue;
    if (hosted->partition != nullptr) {
      Step(hosted, replication::StopLeading{});
      replica_effects_.emplace_back(id, replication::StopFollowing{});
    }
    const std::string path =
        AsidePath(hosted->directory, absl::StrCat(".", id.topic_id.ToString(), "-delete"));
    // What cannot be renamed now is set aside when a topic of its name is made again. A partition
    // that never came online may have no directory.
    const absl::StatusOr<Uuid> owner = log::ReadPartitionMetadata(files_, hosted->directory);
    if (absl::IsNotFound(owner.status()) || (owner.ok() && *owner != id.topic_id)) {
      partitions_.erase(id);
      continue;
    }
    const absl::Status renamed = forgotten.ok() ? SetAside(hosted->directory, path) : forgotten;
    if (renamed.ok()) {
      removals_.push_back({path, clock_.WallMs() + hosted->settings.file_delete_delay_ms});
    } else {
      node_.logger->Error(hosted->directory, " cannot be deleted: ", renamed.message());
    }
    partitions_.erase(id);
  }
}

// --- requests -----------------------------------------------------------------------------------

PartitionTable::Hosted* PartitionTable::Find(const TopicPartition& id) {
  const auto found = partitions_.find(id);
  return found == partitions_.end() ? nullptr : found->second.get();
}

std::vector<PartitionTable::Hosted*> PartitionTable::Sorted() const {
  std::vector<Hosted*> sorted;
  sorted.reserve(partitions_.size());
  for (const auto& [id, hosted] : partitions_) sorted.push_back(hosted.get());
  std::sort(sorted.begin(), sorted.end(),
            [](const Hosted* a, const Hosted* b) { return a->id < b->id; });
  return sorted;
}

void PartitionTable::Step(Hosted* hosted, replication::Event event) {
  replication::Effects effects;
  hosted->partition->Step(now(), std::move(event), &effects);
  Carry(hosted, std::move(effects));
}

void PartitionTable::Carry(Hosted* hosted, replication::Effects effects) {
  for (replication::Effect& effect : effects) {
    if (auto* done = std::get_if<replication::AppendDone>(&effect)) {
      auto waiting = appends_.extract(done->token);
      WEIR_CHECK(!waiting.empty());
      if (done->error == ErrorCode::kKafkaStorageError) {
        WarnOfStorage(*hosted, "refuses records", done->message);
      }
      waiting.mapped().reply(*done);
    } else if (auto* ready = std::get_if<replication::FetchReady>(&effect)) {
      auto wait = waits_.extract(ready->token);
      if (wait.empty()) continue;  // another of its partitions was first
      for (const TopicPartition& other : wait.mapped().partitions) {
        Hosted* also = other == hosted->id ? nullptr : Find(other);
        if (also == nullptr || also->partition == nullptr) continue;
        replication::Effects none;
        also->partition->Step(now(), replication::CancelFetchWaiter{ready->token}, &none);
      }
      wait.mapped().reply(Advanced{});
    } else if (std::holds_alternative<replication::ProposeIsr>(effect) ||
               std::holds_alternative<replication::StartFollowing>(effect) ||
               std::holds_alternative<replication::StopFollowing>(effect) ||
               std::holds_alternative<replication::ReplicaNews>(effect)) {
      replica_effects_.emplace_back(hosted->id, std::move(effect));
    } else if (const auto* truncation = std::get_if<replication::PrepareTruncation>(&effect)) {
      truncations_.emplace_back(hosted->id, *truncation);
    } else if (auto* held = std::get_if<replication::ReplicationHeld>(&effect)) {
      WarnOfStorage(
          *hosted, absl::StrCat("does not take what its leader sent for offset ", held->at.value()),
          held->message);
    } else if (std::holds_alternative<replication::LogFailed>(effect)) {
      const absl::Status& failed = hosted->partition->log().failed();
      node_.fail(absl::Status(
          failed.code(),
          absl::StrCat(hosted->topic, "-", hosted->id.partition.value(), ": ", failed.message())));
    }
  }
}

// Clients try again and again while a disk is full or broken: one line in a while must do.
void PartitionTable::WarnOfStorage(const Hosted& hosted, absl::string_view what,
                                   const std::string& message) {
  constexpr int64_t kIntervalNs = 10'000 * kNsPerMs;
  if (message.empty() || clock_.Monotonic() < next_storage_warning_) return;
  next_storage_warning_ = clock_.Monotonic() + kIntervalNs;
  node_.logger->Error(hosted.topic, "-", hosted.id.partition.value(), " ", what, ": ", message);
}

void PartitionTable::Append(const TopicPartition& id, AppendCall call,
                            Reply<replication::AppendDone> reply) {
  Hosted* hosted = Find(id);
  if (hosted == nullptr || hosted->partition == nullptr) {
    replication::AppendDone refused;
    refused.error =
        hosted == nullptr ? ErrorCode::kNotLeaderOrFollower : ErrorCode::kKafkaStorageError;
    return reply(refused);
  }
  const replication::WaitToken token = next_append_++;
  appends_.emplace(token, WaitingAppend{std::move(reply), std::move(call.keep_alive)});
  WillEndTick(id);
  const MonotonicNs deadline =
      clock_.Monotonic() + std::max<int64_t>(call.timeout_ms, 0) * kNsPerMs;
  Step(hosted, replication::Append{call.batch, call.acks, deadline, token, call.terms});
}

ReadReply PartitionTable::Read(const ReadQuestion& question) {
  ReadReply reply;
  const Hosted* hosted = Find(question.partition);
  if (hosted == nullptr || hosted->partition == nullptr) {
    reply.answer.error =
        hosted == nullptr ? ErrorCode::kNotLeaderOrFollower : ErrorCode::kKafkaStorageError;
    return reply;
  }
  reply.answer = hosted->partition->Read(question.request);
  WarnOfStorage(*hosted, "cannot be read", reply.answer.message);
  reply.leader_epoch = hosted->partition->leader_epoch();
  return reply;
}

Offset PartitionTable::LogStart(const TopicPartition& id) {
  const Hosted* hosted = Find(id);
  if (hosted == nullptr || hosted->partition == nullptr) return Offset(0);
  return hosted->partition->log().log_start_offset();
}

bool PartitionTable::HasFailed(const TopicPartition& id) {
  const Hosted* hosted = Find(id);
  if (hosted == nullptr) return false;
  return hosted->partition == nullptr || !hosted->partition->log().failed().ok();
}

replication::OffsetAnswer PartitionTable::FindOffset(const OffsetQuestion& question) {
  const Hosted* hosted = Find(question.partition);
  if (hosted == nullptr || hosted->partition == nullptr) {
    replication::OffsetAnswer refused;
    refused.error =
        hosted == nullptr ? ErrorCode::kNotLeaderOrFollower : ErrorCode::kKafkaStorageError;
    return refused;
  }
  const auto decode =
      [this](const protocol::RecordBatchView& batch) -> absl::StatusOr<std::string> {
    std::string records;
    WEIR_RETURN_IF_ERROR(decompressor_->Decompress(batch.codec(), batch.records(),
                                                   protocol::DecompressionLimits(), &records));
    return records;
  };
  replication::OffsetAnswer answer = hosted->partition->ListOffset(
      question.timestamp, question.leader_epoch, question.read_committed, decode);
  WarnOfStorage(*hosted, "cannot be searched", answer.message);
  return answer;
}

PartitionTable::Hosted* PartitionTable::FindOnline(const TopicPartition& id, ErrorCode* error) {
  Hosted* hosted = Find(id);
  if (hosted != nullptr && hosted->partition != nullptr) return hosted;
  *error = hosted == nullptr ? ErrorCode::kNotLeaderOrFollower : ErrorCode::kKafkaStorageError;
  return nullptr;
}

replication::EpochEndAnswer PartitionTable::FindEpochEnd(const TopicPartition& id,
                                                         LeaderEpoch current, LeaderEpoch epoch) {
  replication::EpochEndAnswer answer;
  const Hosted* hosted = FindOnline(id, &answer.error);
  return hosted == nullptr ? answer : hosted->partition->EpochEndOffset(current, epoch);
}

ProducersAnswer PartitionTable::Producers(const TopicPartition& id) {
  ProducersAnswer answer;
  const Hosted* hosted = FindOnline(id, &answer.error);
  if (hosted == nullptr) return answer;
  if (hosted->partition->is_leader()) {
    answer.producers = hosted->partition->log().producers().Sorted();
  } else {
    answer.error = ErrorCode::kNotLeaderOrFollower;
  }
  return answer;
}

replication::DeleteAnswer PartitionTable::DeleteRecords(const TopicPartition& id, Offset offset) {
  replication::DeleteAnswer answer;
  Hosted* hosted = FindOnline(id, &answer.error);
  if (hosted == nullptr) return answer;
  if (!hosted->settings.deletes) {
    answer.error = ErrorCode::kPolicyViolation;
    return answer;
  }
  replication::Effects effects;
  answer = hosted->partition->DeleteRecords(offset, &effects);
  Carry(hosted, std::move(effects));
  if (answer.error != ErrorCode::kNone) return answer;
  const absl::Status noted = node_.directory->AdvanceLogStart(
      files_, PartitionName(hosted->topic, id.partition.value()), answer.low_watermark);
  if (noted.ok()) return answer;
  node_.logger->Error("checkpoints: ", noted.message());
  return {ErrorCode::kKafkaStorageError, kNoOffset};
}

Offset PartitionTable::LowWatermark(const TopicPartition& id) {
  const Hosted* hosted = Find(id);
  const bool leads =
      hosted != nullptr && hosted->partition != nullptr && hosted->partition->is_leader();
  return leads ? hosted->partition->low_watermark() : kNoOffset;
}

std::vector<PartitionSize> PartitionTable::Sizes() const {
  std::vector<PartitionSize> sizes;
  for (const auto& [id, hosted] : partitions_) {
    if (hosted->partition == nullptr) continue;
    sizes.push_back({hosted->topic, id.partition.value(), hosted->partition->log().size_bytes()});
  }
  return sizes;
}

absl::StatusOr<int64_t> PartitionTable::FreeBytes() {
  return files_.FreeBytes(node_.directory->path());
}

void PartitionTable::Await(replication::WaitToken token, const std::vector<AwaitedPlace>& places,
                           Reply<Advanced> reply) {
  CancelAwait(token);
  Wait& wait = waits_.emplace(token, Wait{std::move(reply), {}}).first->second;
  for (const AwaitedPlace& place : places) wait.partitions.push_back(place.partition);
  for (const AwaitedPlace& place : places) {
    Hosted* hosted = Find(place.partition);
    if (hosted == nullptr || hosted->partition == nullptr) continue;
    Step(hosted, replication::RegisterFetchWaiter{token, place.offset, place.bytes_min,
                                                  place.read_committed});
    if (!waits_.contains(token)) return;  // answered already
  }
}

void PartitionTable::CancelAwait(replication::WaitToken token) {
  auto wait = waits_.extract(token);
  if (wait.empty()) return;
  for (const TopicPartition& id : wait.mapped().partitions) {
    Hosted* hosted = Find(id);
    if (hosted == nullptr || hosted->partition == nullptr) continue;
    Step(hosted, replication::CancelFetchWaiter{token});
  }
}

// --- replication --------------------------------------------------------------------------------

void PartitionTable::Give(const TopicPartition& id, replication::Event event) {
  Hosted* hosted = Find(id);
  if (hosted == nullptr || hosted->partition == nullptr) return;
  Step(hosted, std::move(event));
  NoteDeadline(*hosted);
}

void PartitionTable::Replicate(const TopicPartition& id, const replication::Replicate& event,
                               std::shared_ptr<const void> storage) {
  Hosted* hosted = Find(id);
  if (hosted == nullptr || hosted->partition == nullptr) return;
  if (!event.records.empty() && (tick_storage_.empty() || tick_storage_.back() != storage)) {
    tick_storage_.push_back(std::move(storage));
  }
  WillEndTick(id);
  Step(hosted, event);
}

replication::FollowAnswer PartitionTable::Follow(const TopicPartition& id,
                                                 const replication::FollowRequest& request) {
  replication::FollowAnswer answer;
  Hosted* hosted = FindOnline(id, &answer.ended.error);
  if (hosted == nullptr) return answer;
  replication::Effects effects;
  answer = hosted->partition->Follow(now(), request, &effects);
  Carry(hosted, std::move(effects));
  NoteDeadline(*hosted);
  return answer;
}

replication::ReplicaRead PartitionTable::ReadForReplica(const TopicPartition& id,
                                                        LeaderEpoch leader_epoch, Offset from,
                                                        int64_t bytes_max,
                                                        bool at_least_one_batch) {
  replication::ReplicaRead read;
  Hosted* hosted = FindOnline(id, &read.error);
  if (hosted == nullptr) return read;
  read = hosted->partition->ReadForReplica(leader_epoch, from, bytes_max, at_least_one_batch);
  WarnOfStorage(*hosted, "cannot be read for a replica", read.message);
  return read;
}

std::optional<replication::StartFollowing> PartitionTable::Following(const TopicPartition& id) {
  const Hosted* hosted = Find(id);
  if (hosted == nullptr || hosted->partition == nullptr) return std::nullopt;
  return hosted->partition->following();
}

size_t PartitionTable::readers() const {
  size_t count = waits_.size();
  for (const auto& [id, hosted] : partitions_) {
    if (hosted->partition != nullptr) count += hosted->partition->reader_count();
  }
  return count;
}

// --- time ---------------------------------------------------------------------------------------

void PartitionTable::OnSyncDone(const log::SyncDone& sync) {
  const auto token = syncs_.extract(sync.token);
  if (token.empty()) return;
  Hosted* hosted = Find(token.mapped());
  if (hosted == nullptr || hosted->partition == nullptr) return;  // deleted meanwhile
  Step(hosted, replication::SyncDone{sync});
}

void PartitionTable::WillEndTick(const TopicPartition& id) {
  if (appended_set_.insert(id).second) appended_.push_back(id);
}

void PartitionTable::NoteDeadline(const Hosted& hosted) {
  const std::optional<MonotonicNs> due = hosted.partition->NextDeadline();
  if (due.has_value() && *due < next_due_.value_or(*due + 1)) next_due_ = due;
}

void PartitionTable::OnTickEnd() {
  // Who hears of an append may append again.
  while (!appended_.empty() || !truncations_.empty()) {
    const std::vector<TopicPartition> appended = std::exchange(appended_, {});
    appended_set_.clear();
    for (const TopicPartition& id : appended) {
      Hosted* hosted = Find(id);
      if (hosted == nullptr || hosted->partition == nullptr) continue;
      Step(hosted, replication::EndOfTick{});
      NoteDeadline(*hosted);
    }
    tick_storage_.clear();
    CutOffLogs();
  }
}

// What the checkpoints promise is taken back first, for all of them with one write.
void PartitionTable::CutOffLogs() {
  if (truncations_.empty()) return;
  const auto truncations = std::exchange(truncations_, {});
  log::PartitionOffsets offsets;
  for (const auto& [id, truncation] : truncations) {
    const Hosted* hosted = Find(id);
    if (hosted == nullptr) continue;
    const PartitionName name(hosted->topic, id.partition.value());
    const auto [noted, is_new] = offsets.emplace(name, truncation.to);
    if (!is_new) noted->second = std::min(noted->second, truncation.to);
  }
  const absl::Status prepared = node_.directory->PrepareTruncation(files_, offsets);
  if (!prepared.ok()) return node_.fail(prepared);
  for (const auto& [id, truncation] : truncations) {
    Hosted* hosted = Find(id);
    if (hosted == nullptr || hosted->partition == nullptr) continue;
    const Offset end = hosted->partition->log().log_end_offset();
    Step(hosted, replication::TruncationPrepared{truncation.to});
    node_.logger->Info(hosted->topic, "-", id.partition.value(), ": cut off at offset ",
                       hosted->partition->log().log_end_offset().value(), " of ", end.value(),
                       ", where its leader's log goes on otherwise",
                       truncation.loses_committed ? "; records that were acknowledged are lost, an "
                                                    "unclean election has chosen this leader"
                                                  : "");
  }
}

void PartitionTable::OnTimer() {
  next_due_.reset();
  std::vector<Hosted*> due;
  for (const auto& [id, hosted] : partitions_) {
    if (hosted->partition == nullptr) continue;
    const std::optional<MonotonicNs> deadline = hosted->partition->NextDeadline();
    if (!deadline.has_value()) continue;
    if (*deadline <= clock_.Monotonic()) {
      due.push_back(hosted.get());
    } else {
      NoteDeadline(*hosted);
    }
  }
  std::sort(due.begin(), due.end(), [](const Hosted* a, const Hosted* b) { return a->id < b->id; });
  for (Hosted* hosted : due) {
    Step(hosted, replication::Tick{});
    NoteDeadline(*hosted);
  }
}

void PartitionTable::Housekeep() {
  const TimestampMs now_ms = clock_.WallMs();
  for (Hosted* hosted : Sorted()) {
    if (hosted->partition == nullptr) continue;
    replication::Effects effects;
    const absl::StatusOr<int> deleted = hosted->partition->ApplyRetention(now_ms, &effects);
    if (deleted.ok() && *deleted > 0) {
      node_.logger->Info(hosted->topic, "-", hosted->id.partition.value(), ": retention deleted ",
                         *deleted, " segments, the log starts at ",
                         hosted->partition->log().log_start_offset().value());
    }
    hosted->partition->log().Tick(now_ms);
    Carry(hosted, std::move(effects));
  }
}

void PartitionTable::Tidy() {
  const TimestampMs now_ms = clock_.WallMs();
  const bool checks_producers = clock_.Monotonic() >= next_producer_check_;
  if (checks_producers) {
    next_producer_check_ =
        clock_.Monotonic() +
        int64_t{node_.config.producer_id_expiration_check_interval_ms} * kNsPerMs;
  }
  for (Hosted* hosted : Sorted()) {
    if (hosted->partition == nullptr) continue;
    hosted->partition->log().RemoveRetiredFiles(now_ms);
    if (checks_producers) hosted->partition->log().ExpireProducers(now_ms);
  }
  std::erase_if(removals_, [&](const DelayedRemoval& removal) {
    if (removal.at_ms > now_ms) return false;
    const absl::Status removed = files_.RemoveRecursively(removal.path);
    if (!removed.ok()) node_.logger->Error(removal.path, ": ", removed.message());
    return true;
  });
}

absl::Status PartitionTable::CheckDirectories() {
  const auto check = [this](const std::string& file) {
    return files_.Exists(file)
               ? absl::OkStatus()
               : absl::DataLossError(absl::StrCat("expected ", file, ", it is gone"));
  };
  // The one is there until the node has a cluster, and goes when the other has come.
  const std::string& path = node_.directory->path();
  if (!files_.Exists(absl::StrCat(path, "/", kDirectoryIdName))) {
    WEIR_RETURN_IF_ERROR(check(absl::StrCat(path, "/", metadata::kMetaPropertiesFile)));
  }
  for (const auto& [id, hosted] : partitions_) {
    if (hosted->partition == nullptr) continue;
    WEIR_RETURN_IF_ERROR(check(absl::StrCat(hosted->directory, "/", log::kPartitionMetadataName)));
  }
  return absl::OkStatus();
}

PartitionCheckpoints PartitionTable::Checkpoints() const {
  PartitionCheckpoints checkpoints;
  for (const auto& [id, hosted] : partitions_) {
    if (hosted->partition == nullptr) continue;
    const auto key = std::make_pair(hosted->topic, id.partition.value());
    const log::Log& log = hosted->partition->log();
    checkpoints.recovery_points[key] = log.flushed_offset();
    checkpoints.high_watermarks[key] = hosted->partition->high_watermark();
    if (log.log_start_offset() > Offset(0)) checkpoints.log_starts[key] = log.log_start_offset();
    if (log.cleaned_to() > Offset(0)) checkpoints.cleaned[key] = log.cleaned_to();
  }
  return checkpoints;
}

absl::Status PartitionTable::Close() {
  absl::Status first;
  for (Hosted* hosted : Sorted()) {
    if (hosted->partition == nullptr) {
      first.Update(hosted->offline);
      continue;
    }
    Step(hosted, replication::StopLeading{});
    first.Update(hosted->partition->log().Close());
  }
  return first;
}

}  // namespace weir::server

#include "server/partition_table.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/sort.h"
#include "base/status_macros.h"
#include "coordination/metadata/node_directory.h"
#include "log/log.h"
#include "log/log_move.h"
#include "log/partition_metadata.h"
#include "protocol/compression.h"
#include "protocol/compression_batch.h"
#include "replication/partition.h"
#include "server/data_directories.h"
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

// --- requests -----------------------------------------------------------------------------------

PartitionTable::Hosted* PartitionTable::Find(const TopicPartition& id) {
  const auto found = partitions_.find(id);
  return found == partitions_.end() ? nullptr : found->second.get();
}

std::vector<PartitionTable::Hosted*> PartitionTable::Sorted() const {
  std::vector<Hosted*> sorted;
  sorted.reserve(partitions_.size());
  for (const auto& [id, hosted] : partitions_) sorted.push_back(hosted.get());
  Sort(sorted, [](const Hosted* a, const Hosted* b) { return a->id < b->id; });
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
      if (Distrust(*hosted, &done->error)) {
        done->message = "the broker has just become the leader, or may be it no longer";
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
      node_.fail_directory(
          *hosted->folder,
          absl::Status(failed.code(), absl::StrCat(hosted->topic, "-", hosted->id.partition.value(),
                                                   ": ", failed.message())));
    }
  }
}

// Whether the controller may have made another broker the leader, and this one does not know: it
// heard of this one last longer ago than a session lasts.
bool PartitionTable::MayBeDeposed(const Hosted& hosted) const {
  return hosted.partition->is_leader() && hosted.partition->is_replicated() &&
         clock_.Monotonic() >= node_.session_ends.load(std::memory_order_relaxed);
}

// Whether what was sent to this leader before it led may have been refused, and what was sent right
// behind that come only now. Clients hear of a new leader from others, who may know sooner.
bool PartitionTable::LeadsNewly(const Hosted& hosted) const {
  constexpr int64_t kNewNs = 2'000 * kNsPerMs;
  return hosted.partition->is_leader() && hosted.partition->is_replicated() &&
         clock_.Monotonic() < hosted.leads_since + kNewNs;
}

// What clients take as final, a leader does not say from a log that its successor may have gone on
// with, nor of a sequence whose beginning it may have refused: they are to look who leads, and try
// again. librdkafka would take a new epoch for its producer, and send again under that what may be
// in the log already. Whether *error was that.
bool PartitionTable::Distrust(const Hosted& hosted, ErrorCode* error) const {
  const bool is_sequence = *error == ErrorCode::kOutOfOrderSequenceNumber;
  const bool is_final = is_sequence || *error == ErrorCode::kOffsetOutOfRange ||
                        *error == ErrorCode::kInvalidProducerEpoch ||
                        *error == ErrorCode::kInvalidTxnState;
  if (!(is_final && MayBeDeposed(hosted)) && !(is_sequence && LeadsNewly(hosted))) return false;
  *error = ErrorCode::kNotLeaderOrFollower;
  return true;
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
  replication::AppendDone refused;
  Hosted* hosted = FindOnline(id, &refused.error);
  if (hosted == nullptr) return reply(refused);
  const replication::WaitToken token = next_append_++;
  appends_.emplace(token, WaitingAppend{std::move(reply), std::move(call.keep_alive)});
  WillEndTick(id);
  const MonotonicNs deadline =
      clock_.Monotonic() + std::max<int64_t>(call.timeout_ms, 0) * kNsPerMs;
  Step(hosted, replication::Append{call.batch, call.acks, deadline, token, call.terms});
}

ReadReply PartitionTable::Read(const ReadQuestion& question) {
  ReadReply reply;
  const Hosted* hosted = FindOnline(question.partition, &reply.answer.error);
  if (hosted == nullptr) return reply;
  reply.answer = hosted->partition->Read(question.request);
  WarnOfStorage(*hosted, "cannot be read", reply.answer.message);
  Distrust(*hosted, &reply.answer.error);
  reply.leader_epoch = hosted->partition->leader_epoch();
  if (!question.wants_replicas || !hosted->partition->is_leader()) return reply;
  const std::vector<BrokerId>& isr = hosted->partition->isr();
  for (const auto& replica : hosted->partition->others()) {
    if (std::count(isr.begin(), isr.end(), replica.broker) == 0) continue;
    reply.in_sync.push_back({replica.broker, replica.log_start, replica.end});
  }
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
  replication::OffsetAnswer refused;
  const Hosted* hosted = FindOnline(question.partition, &refused.error);
  if (hosted == nullptr) return refused;
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
  // Who does not lead does not say either what the topic allows: the client is to ask the leader.
  if (!hosted->partition->is_leader() || !hosted->settings.deletes) {
    answer.error = hosted->partition->is_leader() ? ErrorCode::kPolicyViolation
                                                  : ErrorCode::kNotLeaderOrFollower;
    return answer;
  }
  replication::Effects effects;
  answer = hosted->partition->DeleteRecords(offset, &effects);
  Carry(hosted, std::move(effects));
  Distrust(*hosted, &answer.error);
  if (answer.error != ErrorCode::kNone) return answer;
  const absl::Status noted = hosted->folder->AdvanceLogStart(
      files_, PartitionName(hosted->topic, id.partition.value()), answer.low_watermark);
  if (noted.ok()) return answer;
  node_.logger->Error("checkpoints: ", noted.message());
  OnFault(*hosted->folder, noted);
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
    const log::Log& log = hosted->partition->log();
    sizes.push_back({hosted->topic, id.partition.value(), hosted->folder->index(), log.size_bytes(),
                     hosted->partition->lag()});
    if (hosted->moving == nullptr) continue;
    const log::LogMove* const copy = hosted->moving->copy.get();
    sizes.push_back(
        {hosted->topic, id.partition.value(), hosted->moving->to->index(),
         copy == nullptr ? 0 : copy->future().size_bytes(),
         copy == nullptr ? log.log_end_offset() - log.log_start_offset() : copy->Lag(log), true});
  }
  return sizes;
}

DiskSpace PartitionTable::SpaceOf(const DataDirectory& directory) {
  return {files_.TotalBytes(directory.path()).value_or(-1),
          files_.FreeBytes(directory.path()).value_or(-1)};
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

const replication::Partition* PartitionTable::FindPartition(const TopicPartition& id) const {
  const auto found = partitions_.find(id);
  return found == partitions_.end() ? nullptr : found->second->partition.get();
}

size_t PartitionTable::readers() const {
  size_t count = waits_.size();
  for (const auto& [id, hosted] : partitions_) {
    if (hosted->partition != nullptr) count += hosted->partition->reader_count();
  }
  return count;
}

int64_t PartitionTable::uncommitted() const {
  int64_t count = 0;
  for (const auto& [id, hosted] : partitions_) {
    const replication::Partition* const partition = hosted->partition.get();
    if (partition == nullptr) continue;
    count += partition->log().log_end_offset() - partition->high_watermark();
  }
  return count;
}

// --- time ---------------------------------------------------------------------------------------

void PartitionTable::OnSyncDone(const log::SyncDone& sync) {
  const auto token = syncs_.extract(sync.token);
  if (token.empty()) return;
  Hosted* hosted = Find(token.mapped());
  if (hosted == nullptr || hosted->partition == nullptr) return;  // deleted meanwhile
  if (hosted->moving != nullptr && hosted->moving->copy != nullptr &&
      hosted->moving->copy->future().OnSyncDone(sync.token, sync.status)) {
    return;
  }
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

// What the checkpoints promise is taken back first, for all of a folder with one write. Where there
// is no room for that it waits: see Tidy.
void PartitionTable::CutOffLogs() {
  if (truncations_.empty()) return;
  const auto truncations = std::exchange(truncations_, {});
  std::vector<const DataDirectory*> unprepared;
  for (DataDirectory* folder : node_.directories->Online()) {
    log::PartitionOffsets offsets;
    for (const auto& [id, truncation] : truncations) {
      const Hosted* hosted = Find(id);
      if (hosted == nullptr || hosted->folder != folder) continue;
      const PartitionName name(hosted->topic, id.partition.value());
      const auto [noted, is_new] = offsets.emplace(name, truncation.to);
      if (!is_new) noted->second = std::min(noted->second, truncation.to);
    }
    if (offsets.empty()) continue;
    const absl::Status prepared = folder->PrepareTruncation(files_, offsets);
    OnFault(*folder, prepared);
    if (!prepared.ok()) unprepared.push_back(folder);
  }
  for (const auto& [id, truncation] : truncations) {
    Hosted* hosted = Find(id);
    if (hosted == nullptr || hosted->partition == nullptr) continue;
    if (std::count(unprepared.begin(), unprepared.end(), hosted->folder) > 0) {
      held_truncations_.emplace_back(id, truncation);
      continue;
    }
    if (!hosted->folder->is_online()) continue;
    const Offset end = hosted->partition->log().log_end_offset();
    Step(hosted, replication::TruncationPrepared{truncation.to});
    const Offset now = hosted->partition->log().log_end_offset();
    if (now == end) continue;  // it has another role since
    node_.logger->Info(hosted->topic, "-", id.partition.value(), ": cut off at offset ",
                       now.value(), " of ", end.value(),
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
  Sort(due, [](const Hosted* a, const Hosted* b) { return a->id < b->id; });
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
  for (auto& held : std::exchange(held_truncations_, {})) truncations_.push_back(std::move(held));
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

void PartitionTable::CheckDirectories() {
  const auto check = [this](DataDirectory& folder, const std::string& file) {
    if (files_.Exists(file)) return;
    node_.fail_directory(folder,
                         absl::DataLossError(absl::StrCat("expected ", file, ", it is gone")));
  };
  for (const std::unique_ptr<DataDirectory>& folder : node_.directories->all()) {
    if (!folder->is_online()) continue;
    // The one is there until the node has a cluster, and goes when the other has come.
    if (files_.Exists(absl::StrCat(folder->path(), "/", kDirectoryIdName))) continue;
    check(*folder, absl::StrCat(folder->path(), "/", metadata::kMetaPropertiesFile));
  }
  for (const auto& [id, hosted] : partitions_) {
    if (hosted->partition == nullptr || !hosted->folder->is_online()) continue;
    check(*hosted->folder, absl::StrCat(hosted->directory, "/", log::kPartitionMetadataName));
  }
}

std::vector<PartitionCheckpoints> PartitionTable::Checkpoints() const {
  std::vector<PartitionCheckpoints> all(node_.directories->for_logs().size());
  for (const auto& [id, hosted] : partitions_) {
    if (hosted->partition == nullptr) continue;
    const auto key = std::make_pair(hosted->topic, id.partition.value());
    const log::Log& log = hosted->partition->log();
    PartitionCheckpoints& checkpoints = all[hosted->folder->index()];
    checkpoints.recovery_points[key] = log.flushed_offset();
    checkpoints.high_watermarks[key] = hosted->partition->high_watermark();
    if (log.log_start_offset() > Offset(0)) checkpoints.log_starts[key] = log.log_start_offset();
    if (log.cleaned_to() > Offset(0)) checkpoints.cleaned[key] = log.cleaned_to();
  }
  return all;
}

absl::Status PartitionTable::Close() {
  absl::Status first;
  for (Hosted* hosted : Sorted()) {
    if (hosted->folder == nullptr || !hosted->folder->is_online()) continue;
    absl::Status closed = hosted->offline;
    if (hosted->partition != nullptr) {
      Step(hosted, replication::StopLeading{});
      closed = hosted->partition->log().Close();
    }
    if (!closed.ok()) hosted->folder->NoteUnclean();
    first.Update(closed);
  }
  return first;
}

}  // namespace weir::server

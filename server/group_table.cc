#include "server/group_table.h"

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
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "coordination/group/group_coordinator.h"
#include "protocol/compression.h"
#include "protocol/compression_batch.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"
#include "server/logger.h"
#include "server/partition_table.h"

namespace weir::server {
namespace {

constexpr int64_t kLoadBytesPerTurn = 256 << 10;
constexpr int64_t kForeverMs = int64_t{100} * 365 * 24 * 3600 * 1000;

group::GroupConfig GroupConfigOf(const BrokerConfig& config) {
  group::GroupConfig out;
  out.session_timeout_min_ms = config.group_session_timeout_min_ms;
  out.session_timeout_max_ms = config.group_session_timeout_max_ms;
  out.initial_rebalance_delay_ms = config.group_initial_rebalance_delay_ms;
  out.members_max = config.group_members_max;
  out.offset_metadata_units_max = config.offset_metadata_bytes_max;
  out.offsets_retention_ms = int64_t{config.offsets_retention_minutes} * 60'000;
  out.retention_check_interval_ms = config.offsets_retention_check_interval_ms;
  out.append_timeout_ms = config.offsets_commit_timeout_ms;
  return out;
}

}  // namespace

GroupTable::GroupTable(const Node& node, PartitionTable& partitions, EventLoop& loop,
                       Random& random)
    : node_(node),
      partitions_(partitions),
      loop_(loop),
      random_(random),
      nobody_(std::make_unique<group::GroupCoordinator>(GroupConfigOf(node.config), &random)),
      decompressor_(std::make_unique<protocol::Decompressor>()) {}

GroupTable::~GroupTable() { loop_.timers().Cancel(timer_); }

group::Now GroupTable::now() const {
  return {loop_.clock().Monotonic().value() / kNsPerMs, loop_.clock().WallMs()};
}

void GroupTable::Open(const TopicPartition& partition) {
  const auto [at, is_new] = hosted_.try_emplace(partition.partition);
  if (!is_new) return;
  Hosted& hosted = at->second;
  hosted.partition = partition;
  hosted.coordinator =
      std::make_unique<group::GroupCoordinator>(GroupConfigOf(node_.config), &random_);
  hosted.next_load = partitions_.LogStart(partition);
  Step(partition.partition, group::StartLoading{});
  // A new partition has nothing to load, and clients wait for it.
  int64_t bytes_max = 0;
  if (LoadPiece(partition.partition, &hosted, &bytes_max)) return;
  LoadSoon(partition);
}

void GroupTable::LoadSoon(const TopicPartition& partition) {
  loading_.push_back(partition);
  if (!std::exchange(load_is_scheduled_, true)) loop_.Defer([this] { LoadSome(); });
}

void GroupTable::Close(const TopicPartition& partition) {
  const auto found = hosted_.find(partition.partition);
  if (found == hosted_.end() || found->second.partition != partition) return;
  Step(partition.partition, group::Unload{});
  hosted_.erase(partition.partition);
}

void GroupTable::OnTopicsDeleted(const group::TopicsDeleted& deleted) {
  std::vector<PartitionIndex> indexes;
  for (auto& [index, hosted] : hosted_) {
    if (hosted.coordinator->phase() == group::GroupCoordinator::Phase::kLoading) {
      hosted.deleted_meanwhile.push_back(deleted);
    } else {
      indexes.push_back(index);
    }
  }
  for (const PartitionIndex index : indexes) Step(index, deleted);
}

size_t GroupTable::timeouts() const {
  size_t count = 0;
  for (const auto& [index, hosted] : hosted_) count += hosted.coordinator->timeout_count();
  return count;
}

// --- loading ------------------------------------------------------------------------------------

void GroupTable::LoadSome() {
  load_is_scheduled_ = false;
  int64_t bytes_max = kLoadBytesPerTurn;
  while (!loading_.empty() && bytes_max > 0) {
    const TopicPartition partition = loading_.front();
    const auto found = hosted_.find(partition.partition);
    // Who lost it and has it again may have been told to go on twice.
    const bool is_loading =
        found != hosted_.end() && found->second.partition == partition &&
        found->second.coordinator->phase() == group::GroupCoordinator::Phase::kLoading;
    if (!is_loading || LoadPiece(partition.partition, &found->second, &bytes_max)) {
      loading_.pop_front();
    }
  }
  if (loading_.empty()) return;
  load_is_scheduled_ = true;
  loop_.Defer([this] { LoadSome(); });
}

bool GroupTable::LoadPiece(PartitionIndex partition, Hosted* hosted, int64_t* bytes_max) {
  const absl::StatusOr<Loaded> loaded = Load(hosted, *bytes_max);
  if (!loaded.ok()) {
    node_.logger->Error("__consumer_offsets-", partition.value(),
                        ": its groups cannot be loaded: ", loaded.status().message());
    Step(partition, group::Unload{});
    return true;
  }
  *bytes_max -= loaded->bytes;
  if (loaded->all) FinishLoading(partition, hosted);
  if (loaded->waits) LoadLater(*hosted);
  return loaded->all || loaded->waits;
}

// When more of the log is committed, or this broker leads no more.
void GroupTable::LoadLater(const Hosted& hosted) {
  const TopicPartition partition = hosted.partition;
  partitions_.Await(next_wait_++, {{partition, hosted.next_load}},
                    Reply<Advanced>(nullptr, [this, partition](Advanced) { LoadSoon(partition); }));
}

void GroupTable::FinishLoading(PartitionIndex partition, Hosted* hosted) {
  const std::vector<group::TopicsDeleted> deleted = std::exchange(hosted->deleted_meanwhile, {});
  Step(partition, group::FinishLoading{});
  for (const group::TopicsDeleted& topics : deleted) Step(partition, topics);
}

// With bytes_max 0, only tells whether there is anything to load.
absl::StatusOr<GroupTable::Loaded> GroupTable::Load(Hosted* hosted, int64_t bytes_max) {
  ReadQuestion question;
  question.partition = hosted->partition;
  question.request.offset = hosted->next_load;
  question.request.bytes_max = bytes_max;
  question.request.at_least_one_batch = true;
  const replication::ReadAnswer answer = partitions_.Read(question).answer;
  if (answer.error != protocol::ErrorCode::kNone) {
    return absl::UnavailableError(protocol::ErrorName(answer.error));
  }
  if (answer.slice.empty()) {
    const bool knows_end =
        partitions_.FindOffset({hosted->partition, replication::kLatestTimestamp}).error !=
        protocol::ErrorCode::kOffsetNotAvailable;
    return Loaded{0, knows_end, !knows_end};
  }
  if (bytes_max == 0) return Loaded{0, false};
  std::string bytes(static_cast<size_t>(answer.slice.size_bytes), '\0');
  WEIR_ASSIGN_OR_RETURN(
      const size_t got,
      answer.slice.file->ReadAt(answer.slice.position, absl::MakeSpan(&bytes[0], bytes.size())));
  absl::string_view rest = absl::string_view(bytes).substr(0, got);
  while (!rest.empty()) {
    WEIR_ASSIGN_OR_RETURN(const protocol::RecordBatchView batch,
                          protocol::RecordBatchView::Parse(rest));
    rest.remove_prefix(static_cast<size_t>(batch.size_bytes()));
    WEIR_RETURN_IF_ERROR(LoadBatch(hosted, batch));
  }
  hosted->next_load = answer.slice.next_offset;
  return Loaded{answer.slice.size_bytes, false};
}

absl::Status GroupTable::LoadBatch(Hosted* hosted, const protocol::RecordBatchView& batch) {
  std::string scratch;
  absl::string_view records;
  WEIR_RETURN_IF_ERROR(protocol::DecompressRecords(
      *decompressor_, batch, protocol::DecompressionLimits(), &scratch, &records));
  protocol::RecordIterator it(records, batch.record_count());
  for (protocol::Record record; it.Next(&record);) {
    if (batch.is_control()) {
      const auto type = protocol::GetControlType(record);
      if (!type.has_value() ||
          (*type != protocol::ControlType::kAbort && *type != protocol::ControlType::kCommit)) {
        continue;
      }
      LoadEvent(hosted, group::LoadedMarker{batch.producer_id().value(),
                                            *type == protocol::ControlType::kCommit});
    } else if (record.key.has_value()) {
      LoadEvent(hosted, group::LoadedRecord{(batch.base_offset() + record.offset_delta).value(),
                                            *record.key, record.value, batch.is_transactional(),
                                            batch.producer_id().value()});
    }
  }
  return it.status();
}

// What is loaded asks for nothing but notes, and sets no time.
void GroupTable::LoadEvent(Hosted* hosted, group::Event event) {
  group::Effects effects;
  hosted->coordinator->Step(now(), std::move(event), &effects);
  if (!effects.empty()) Carry(hosted->partition.partition, std::move(effects));
}

// --- running ------------------------------------------------------------------------------------

void GroupTable::Step(PartitionIndex partition, group::Event event) {
  const auto found = hosted_.find(partition);
  group::GroupCoordinator& coordinator =
      found == hosted_.end() ? *nobody_ : *found->second.coordinator;
  group::Effects effects;
  coordinator.Step(now(), std::move(event), &effects);
  Carry(partition, std::move(effects));
  ArmTimer();
}

void GroupTable::Carry(PartitionIndex partition, group::Effects effects) {
  for (group::Effect& effect : effects) {
    if (auto* append = std::get_if<group::AppendRecords>(&effect)) {
      Append(partition, std::move(*append));
    } else if (auto* respond = std::get_if<group::Respond>(&effect)) {
      auto answer = answers_.extract(respond->token);
      WEIR_CHECK(!answer.empty());
      answer.mapped()(std::move(respond->body));
    } else if (const auto* note = std::get_if<group::Note>(&effect)) {
      node_.logger->Warning("__consumer_offsets-", partition.value(), ": ", note->text);
    }
  }
}

void GroupTable::Append(PartitionIndex partition, group::AppendRecords append) {
  const TopicPartition log = hosted_.at(partition).partition;
  const auto done = [this, log, token = append.token](const replication::AppendDone& appended) {
    OnAppendDone(log, token, appended);
  };
  protocol::RecordBatchBuilder builder;
  for (const group::Record& record : append.records) {
    protocol::RecordToAppend to_append;
    to_append.timestamp = append.timestamp_ms;
    to_append.key = record.key;
    to_append.value = record.value;
    const absl::Status added = builder.Append(to_append);
    if (added.ok()) continue;
    node_.logger->Error("__consumer_offsets-", partition.value(), ": ", added.message());
    replication::AppendDone refused;
    refused.error = protocol::ErrorCode::kRecordListTooLarge;
    return done(refused);
  }
  auto batch = std::make_shared<std::string>(builder.Build());
  AppendCall call;
  call.batch = absl::MakeSpan(batch->data(), batch->size());
  call.timeout_ms = kForeverMs;  // the coordinator knows how long its clients wait
  call.keep_alive = std::move(batch);
  partitions_.Append(log, std::move(call), Reply<replication::AppendDone>(nullptr, done));
}

void GroupTable::OnAppendDone(const TopicPartition& partition, uint64_t token,
                              const replication::AppendDone& appended) {
  const auto found = hosted_.find(partition.partition);
  if (found == hosted_.end() || found->second.partition != partition) return;  // closed meanwhile
  if (appended.error == protocol::ErrorCode::kNone || !partitions_.HasFailed(partition)) {
    return Step(partition.partition, group::AppendDone{token, appended.error});
  }
  // Whether its records are in the log will be known when the log is opened again.
  if (found->second.coordinator->phase() == group::GroupCoordinator::Phase::kUnloaded) return;
  node_.logger->Error("__consumer_offsets-", partition.partition.value(),
                      ": its log has failed, its groups are not coordinated any more");
  Step(partition.partition, group::Unload{});
}

void GroupTable::ArmTimer() {
  std::optional<int64_t> next;
  for (const auto& [index, hosted] : hosted_) {
    const std::optional<int64_t> due = hosted.coordinator->NextDeadlineMs();
    if (due.has_value() && (!next.has_value() || *due < *next)) next = due;
  }
  if (!next.has_value() || (timer_ != TimerId() && timer_at_ms_ <= *next)) return;
  loop_.timers().Cancel(timer_);
  timer_at_ms_ = *next;
  // Rounded up to the millisecond in which the deadline has passed.
  timer_ = loop_.timers().Schedule(MonotonicNs((*next + 1) * kNsPerMs), [this] { OnTimer(); });
}

void GroupTable::OnTimer() {
  timer_ = TimerId();
  std::vector<PartitionIndex> due;
  for (const auto& [index, hosted] : hosted_) {
    const std::optional<int64_t> deadline = hosted.coordinator->NextDeadlineMs();
    if (deadline.has_value() && *deadline <= now().monotonic_ms) due.push_back(index);
  }
  for (const PartitionIndex index : due) Step(index, group::Tick{});
  ArmTimer();
}

}  // namespace weir::server

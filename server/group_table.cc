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
#include "protocol/compression_batch.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"
#include "server/logger.h"

namespace weir::server {
namespace {

constexpr int64_t kLoadBytes = 1 << 20;

group::GroupConfig GroupConfigOf(const BrokerConfig& config) {
  group::GroupConfig out;
  out.session_timeout_min_ms = config.group_session_timeout_min_ms;
  out.session_timeout_max_ms = config.group_session_timeout_max_ms;
  out.initial_rebalance_delay_ms = config.group_initial_rebalance_delay_ms;
  out.members_max = config.group_members_max;
  out.offset_metadata_units_max = config.offset_metadata_bytes_max;
  out.offsets_retention_ms = int64_t{config.offsets_retention_minutes} * 60'000;
  out.retention_check_interval_ms = config.offsets_retention_check_interval_ms;
  return out;
}

}  // namespace

GroupTable::GroupTable(const Node& node, PartitionTable& partitions, EventLoop& loop,
                       Random& random)
    : node_(node),
      partitions_(partitions),
      loop_(loop),
      random_(random),
      nobody_(GroupConfigOf(node.config), &random) {}

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
  Step(partition.partition, group::StartLoading{});
  const absl::Status loaded = Load(&hosted);
  if (!loaded.ok()) {
    node_.logger->Error("__consumer_offsets-", partition.partition.value(),
                        ": its groups cannot be loaded: ", loaded.message());
    return Step(partition.partition, group::Unload{});
  }
  Step(partition.partition, group::FinishLoading{});
}

void GroupTable::Close(const TopicPartition& partition) {
  const auto found = hosted_.find(partition.partition);
  if (found == hosted_.end() || found->second.partition != partition) return;
  Step(partition.partition, group::Unload{});
  hosted_.erase(partition.partition);
}

void GroupTable::OnTopicsDeleted(const std::vector<std::string>& names) {
  std::vector<PartitionIndex> indexes;
  for (const auto& [index, hosted] : hosted_) indexes.push_back(index);
  for (const PartitionIndex index : indexes) Step(index, group::TopicsDeleted{names});
}

// --- loading ------------------------------------------------------------------------------------

absl::Status GroupTable::Load(Hosted* hosted) {
  ReadQuestion question;
  question.partition = hosted->partition;
  question.request.bytes_max = kLoadBytes;
  question.request.at_least_one_batch = true;
  std::string bytes;
  // The first read tells where the log starts.
  question.request.offset = partitions_.LogStart(hosted->partition);
  while (true) {
    const replication::ReadAnswer answer = partitions_.Read(question).answer;
    if (answer.error != protocol::ErrorCode::kNone) {
      return absl::UnavailableError(protocol::ErrorName(answer.error));
    }
    if (answer.slice.empty()) return absl::OkStatus();
    bytes.resize(static_cast<size_t>(answer.slice.size_bytes));
    WEIR_ASSIGN_OR_RETURN(const size_t got,
                          answer.slice.file->ReadAt(answer.slice.position,
                                                    absl::MakeSpan(bytes.data(), bytes.size())));
    absl::string_view rest = absl::string_view(bytes).substr(0, got);
    while (!rest.empty()) {
      WEIR_ASSIGN_OR_RETURN(const protocol::RecordBatchView batch,
                            protocol::RecordBatchView::Parse(rest));
      rest.remove_prefix(static_cast<size_t>(batch.size_bytes()));
      WEIR_RETURN_IF_ERROR(LoadBatch(hosted, batch));
    }
    question.request.offset = answer.slice.next_offset;
  }
}

absl::Status GroupTable::LoadBatch(Hosted* hosted, const protocol::RecordBatchView& batch) {
  std::string scratch;
  absl::string_view records;
  WEIR_RETURN_IF_ERROR(protocol::DecompressRecords(
      decompressor_, batch, protocol::DecompressionLimits(), &scratch, &records));
  protocol::RecordIterator it(records, batch.record_count());
  for (protocol::Record record; it.Next(&record);) {
    if (batch.is_control()) {
      const auto type = protocol::GetControlType(record);
      if (!type.has_value() ||
          (*type != protocol::ControlType::kAbort && *type != protocol::ControlType::kCommit)) {
        continue;
      }
      Step(hosted->partition.partition,
           group::LoadedMarker{batch.producer_id().value(),
                               *type == protocol::ControlType::kCommit});
    } else if (record.key.has_value()) {
      Step(
          hosted->partition.partition,
          group::LoadedRecord{(batch.base_offset() + record.offset_delta).value(), *record.key,
                              record.value, batch.is_transactional(), batch.producer_id().value()});
    }
  }
  return it.status();
}

// --- running ------------------------------------------------------------------------------------

void GroupTable::Step(PartitionIndex partition, group::Event event) {
  const auto found = hosted_.find(partition);
  group::GroupCoordinator& coordinator =
      found == hosted_.end() ? nobody_ : *found->second.coordinator;
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
  const auto done = [this, partition,
                     token = append.token](const replication::AppendDone& appended) {
    Step(partition, group::AppendDone{token, appended.error});
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
  call.timeout_ms = node_.config.offsets_commit_timeout_ms;
  call.keep_alive = std::move(batch);
  partitions_.Append(hosted_.at(partition).partition, std::move(call),
                     Reply<replication::AppendDone>(nullptr, done));
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

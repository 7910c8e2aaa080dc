#include "server/controller_driver.h"

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
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "coordination/metadata/apply.h"
#include "coordination/metadata/controller.h"
#include "coordination/metadata/features.h"
#include "coordination/metadata/metadata_batch.h"
#include "coordination/metadata/node_directory.h"
#include "coordination/metadata/topic_name.h"
#include "log/checkpoint_file.h"
#include "log/log.h"
#include "server/data_directory.h"
#include "server/logger.h"
#include "server/topic_config.h"
#include "server/topic_config_table.h"

namespace weir::server {
namespace {

constexpr int64_t kReplayBytes = 1 << 20;
constexpr int64_t kSnapshotBytesMax = int64_t{1} << 30;
// The metadata log shares its file system's syncs with the partitions of the shard, whose tokens
// start at 1.
constexpr log::SyncToken kFirstSyncToken = log::SyncToken{1} << 63;

std::vector<protocol::CreateTopicsResponse::CreatableTopicConfigs> DescribeConfigs(
    const BrokerConfig& config, const metadata::ConfigMap& set) {
  std::vector<protocol::CreateTopicsResponse::CreatableTopicConfigs> configs;
  for (const ConfigEntry& entry : DescribeTopicConfigs(config, TopicOverrides(set))) {
    configs.push_back({entry.name, entry.value, entry.read_only, static_cast<int8_t>(entry.source),
                       entry.sensitive});
  }
  return configs;
}

metadata::ControllerConfig ControllerConfigOf(const BrokerConfig& config) {
  metadata::ControllerConfig out;
  out.num_partitions = config.num_partitions;
  out.default_replication_factor = static_cast<int16_t>(config.default_replication_factor);
  out.delete_topic_enable = config.delete_topics_enabled;
  out.validate_topic_config = [](absl::string_view name, absl::string_view value) {
    return ValidateTopicConfig(name, value);
  };
  out.validate_topic_configs = [&config](const metadata::ConfigMap& set) {
    return ValidateTopicConfigs(config, TopicOverrides(set));
  };
  out.topic_list_default = [](absl::string_view name) -> std::optional<std::string> {
    const TopicConfigDef* topic = FindTopicConfig(name);
    if (topic == nullptr || topic->def.type != ConfigType::kList) return std::nullopt;
    return topic->def.default_value;
  };
  out.describe_topic_configs = [&config](const metadata::ConfigMap& set) {
    return DescribeConfigs(config, set);
  };
  return out;
}

// The name of a snapshot file: the offset behind it and its epoch, as 20 and 10 digits.
std::optional<std::pair<Offset, LeaderEpoch>> ParseSnapshotName(absl::string_view name) {
  constexpr size_t kOffsetDigits = 20;
  constexpr size_t kEpochDigits = 10;
  int64_t offset = 0;
  int32_t epoch = 0;
  if (name.size() != kOffsetDigits + 1 + kEpochDigits + 11 || name[kOffsetDigits] != '-' ||
      !absl::EndsWith(name, ".checkpoint") ||
      !absl::SimpleAtoi(name.substr(0, kOffsetDigits), &offset) ||
      !absl::SimpleAtoi(name.substr(kOffsetDigits + 1, kEpochDigits), &epoch)) {
    return std::nullopt;
  }
  return std::make_pair(Offset(offset), LeaderEpoch(epoch));
}

}  // namespace

ControllerDriver::ControllerDriver(const Node& node, log::FileSystem& files, Clock& clock,
                                   Random& random, Publish publish)
    : node_(node),
      files_(files),
      clock_(clock),
      random_(random),
      publish_(std::move(publish)),
      controller_(std::make_unique<metadata::Controller>(ControllerConfigOf(node.config), random)),
      log_directory_(absl::StrCat(node.directory->path(), "/", metadata::kMetadataLogFolder)) {}

ControllerDriver::~ControllerDriver() = default;

absl::Status ControllerDriver::Close() { return log_->Close(); }

// --- start --------------------------------------------------------------------------------------

absl::Status ControllerDriver::Start() {
  WEIR_RETURN_IF_ERROR(OpenLog());
  WEIR_RETURN_IF_ERROR(LoadSnapshot());
  WEIR_RETURN_IF_ERROR(Replay());
  WEIR_RETURN_IF_ERROR(TakeLead());
  return Register();
}

absl::Status ControllerDriver::OpenLog() {
  log::LogConfig config;
  config.retention_ms = -1;
  const PartitionName name(std::string(metadata::kClusterMetadataTopic), 0);
  WEIR_ASSIGN_OR_RETURN(
      log_, log::Log::Open(files_, log_directory_, config, node_.directory->HintFor(name),
                           clock_.WallMs(), [next = kFirstSyncToken]() mutable { return next++; }));
  return absl::OkStatus();
}

// Begins with the newest snapshot, if the folder has one (Apache Kafka writes them).
absl::Status ControllerDriver::LoadSnapshot() {
  WEIR_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(log_directory_));
  std::string newest;
  for (const std::string& name : names) {
    if (ParseSnapshotName(name).has_value()) newest = std::max(newest, name);
  }
  if (newest.empty()) return absl::OkStatus();
  const auto [end, epoch] = *ParseSnapshotName(newest);
  WEIR_ASSIGN_OR_RETURN(
      const std::string file,
      log::ReadWholeFile(files_, absl::StrCat(log_directory_, "/", newest), kSnapshotBytesMax));
  WEIR_ASSIGN_OR_RETURN(const std::vector<metadata::MetadataRecord> records,
                        metadata::DecodeSnapshot(file));
  if (end == Offset(0)) return absl::OkStatus();  // a bootstrap file: the log has its records too
  WEIR_ASSIGN_OR_RETURN(const metadata::MetadataImagePtr image,
                        metadata::Apply(*image_, records, Offset(0), epoch));
  auto placed = std::make_shared<metadata::MetadataImage>(*image);
  placed->highest_offset = end - 1;
  placed->highest_epoch = epoch;
  image_ = std::move(placed);
  return absl::OkStatus();
}

absl::Status ControllerDriver::Replay() {
  Offset next = std::max(log_->log_start_offset(), image_->highest_offset + 1);
  std::string bytes;
  while (next < log_->log_end_offset()) {
    WEIR_ASSIGN_OR_RETURN(
        const log::LogSlice slice,
        log_->Read(next, kReplayBytes, log_->log_end_offset(), /*at_least_one_batch=*/true));
    bytes.resize(static_cast<size_t>(slice.size_bytes));
    WEIR_ASSIGN_OR_RETURN(
        const size_t got,
        slice.file->ReadAt(slice.position, absl::MakeSpan(bytes.data(), bytes.size())));
    absl::string_view rest = absl::string_view(bytes).substr(0, got);
    while (!rest.empty()) {
      WEIR_ASSIGN_OR_RETURN(const protocol::RecordBatchView view,
                            protocol::RecordBatchView::Parse(rest));
      rest.remove_prefix(static_cast<size_t>(view.size_bytes()));
      WEIR_ASSIGN_OR_RETURN(const metadata::MetadataBatch batch,
                            metadata::DecodeMetadataBatch(view));
      if (batch.is_control || batch.last_offset < next) continue;
      WEIR_ASSIGN_OR_RETURN(
          image_, metadata::Apply(*image_, batch.records, batch.base_offset, batch.epoch));
    }
    next = slice.next_offset;
  }
  return absl::OkStatus();
}

// Wins the election of one: a new epoch, durable before anything is appended in it.
absl::Status ControllerDriver::TakeLead() {
  const BrokerId self = node_.config.node_id;
  const std::string path = absl::StrCat(log_directory_, "/", metadata::kQuorumStateFile);
  LeaderEpoch before = log_->latest_epoch();
  const absl::StatusOr<std::string> text =
      log::ReadWholeFile(files_, path, kMetaPropertiesBytesMax);
  if (text.ok()) {
    WEIR_ASSIGN_OR_RETURN(const metadata::QuorumState state, metadata::ParseQuorumState(*text));
    before = std::max(before, state.leader_epoch);
  } else if (!absl::IsNotFound(text.status())) {
    return text.status();
  }
  const LeaderEpoch epoch(before.value() + 1);
  WEIR_RETURN_IF_ERROR(
      log::WriteFileAtomically(files_, log_directory_, metadata::kQuorumStateFile,
                               metadata::FormatQuorumState({self, epoch, self, {self}})));

  protocol::LeaderChangeMessage change;
  change.leader_id = self.value();
  change.voters.push_back({self.value(), {}});
  change.granting_voters.push_back({self.value(), {}});
  WEIR_RETURN_IF_ERROR(AppendBatch(
      metadata::EncodeLeaderChangeBatch(change, log_->log_end_offset(), epoch, clock_.WallMs()),
      epoch));
  WEIR_RETURN_IF_ERROR(log_->Flush());
  return StepAndFlush(metadata::LeadershipGained{epoch, log_->log_end_offset(), image_});
}

absl::Status ControllerDriver::Register() {
  metadata::RegisterBrokerRecord registration;
  registration.broker_id = node_.config.node_id.value();
  registration.incarnation_id = Uuid::Random(random_);
  registration.rack = node_.config.rack;
  registration.log_dirs.push_back(node_.directory->properties().directory_id);
  for (const Listener& listener : node_.endpoints) {
    auto& endpoint = registration.end_points.emplace_back();
    endpoint.name = listener.name;
    endpoint.host = listener.address.host;
    endpoint.port = listener.address.port;
    endpoint.security_protocol = 0;
  }
  for (const metadata::SupportedFeature& feature : metadata::kSupportedFeatures) {
    auto& supported = registration.features.emplace_back();
    supported.name = std::string(feature.name);
    supported.min_supported_version = feature.min;
    supported.max_supported_version = feature.max;
  }
  metadata::BrokerRegistered registered;
  registered.error = protocol::ErrorCode::kUnknownServerError;
  const auto token = Expect([&registered](metadata::ControllerResponse response) {
    registered = std::get<metadata::BrokerRegistered>(std::move(response));
  });
  metadata::RegisterBroker event{token, std::move(registration)};
  // This process took the lock of the folder from the one before, and recovers what that had.
  event.predecessor_is_gone = true;
  if (const metadata::BrokerImage* before = image_->FindBroker(node_.config.node_id)) {
    event.previous_broker_epoch = before->epoch;
  }
  WEIR_RETURN_IF_ERROR(StepAndFlush(std::move(event)));
  if (registered.error != protocol::ErrorCode::kNone) {
    return absl::FailedPreconditionError(
        absl::StrCat("the controller refused this broker: ", protocol::ErrorName(registered.error),
                     " ", registered.message));
  }
  broker_epoch_ = registered.broker_epoch;
  metadata::BrokerFencingSet unfenced;
  const auto unfence = Expect([&unfenced](metadata::ControllerResponse response) {
    unfenced = std::get<metadata::BrokerFencingSet>(response);
  });
  WEIR_RETURN_IF_ERROR(StepAndFlush(
      metadata::SetBrokerFenced{unfence, node_.config.node_id, broker_epoch_, /*fenced=*/false}));
  if (unfenced.error == protocol::ErrorCode::kNone) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the controller did not unfence this broker: ",
                                                    protocol::ErrorName(unfenced.error)));
}

absl::Status ControllerDriver::StepAndFlush(metadata::ControllerEvent event) {
  Step(std::move(event));
  WEIR_RETURN_IF_ERROR(log_->failed());
  WEIR_RETURN_IF_ERROR(log_->Flush());
  dirty_ = false;
  if (metadata::MetadataImagePtr image = TakeCommitted()) image_ = std::move(image);
  Step(metadata::Committed{log_->flushed_offset() - 1});
  return absl::OkStatus();
}

// --- requests -----------------------------------------------------------------------------------

void ControllerDriver::CreateTopics(protocol::CreateTopicsRequest request,
                                    Reply<protocol::CreateTopicsResponse> reply) {
  Step(metadata::CreateTopics{ExpectFor(std::move(reply)), std::move(request)});
}

void ControllerDriver::CreateOffsetsTopic(Reply<protocol::CreateTopicsResponse> reply) {
  const BrokerConfig& config = node_.config;
  size_t live_brokers = 0;
  image_->brokers.ForEach(
      [&](BrokerId, const metadata::BrokerImage& broker) { live_brokers += broker.is_active(); });
  protocol::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = std::string(metadata::kConsumerOffsetsTopic);
  topic.num_partitions = config.offsets_topic_partitions;
  topic.replication_factor =
      static_cast<int16_t>(std::min<size_t>(config.offsets_topic_replication_factor, live_brokers));
  topic.configs.push_back({"cleanup.policy", "compact"});
  topic.configs.push_back({"compression.type", "producer"});
  topic.configs.push_back({"segment.bytes", absl::StrCat(config.offsets_topic_segment_bytes)});
  Step(metadata::CreateTopics{ExpectFor(std::move(reply)), std::move(request),
                              /*is_internal=*/true});
}

void ControllerDriver::DeleteTopics(protocol::DeleteTopicsRequest request,
                                    Reply<protocol::DeleteTopicsResponse> reply) {
  Step(metadata::DeleteTopics{ExpectFor(std::move(reply)), std::move(request)});
}

void ControllerDriver::CreatePartitions(protocol::CreatePartitionsRequest request,
                                        Reply<protocol::CreatePartitionsResponse> reply) {
  Step(metadata::CreatePartitions{ExpectFor(std::move(reply)), std::move(request)});
}

void ControllerDriver::AlterConfigs(metadata::AlterConfigs event,
                                    Reply<metadata::ConfigsAltered> reply) {
  event.token = ExpectFor(std::move(reply));
  Step(std::move(event));
}

void ControllerDriver::UpdateFeatures(metadata::UpdateFeatures event,
                                      Reply<metadata::FeaturesUpdated> reply) {
  event.token = ExpectFor(std::move(reply));
  Step(std::move(event));
}

void ControllerDriver::AllocateProducerIds(Reply<absl::StatusOr<ProducerIdBlock>> reply) {
  const auto token =
      Expect([reply = std::move(reply)](metadata::ControllerResponse response) mutable {
        const auto& block = std::get<metadata::ProducerIdBlock>(response);
        if (block.error != protocol::ErrorCode::kNone) {
          return reply(absl::UnavailableError(protocol::ErrorName(block.error)));
        }
        reply(ProducerIdBlock{ProducerId(block.first_id), block.count});
      });
  Step(metadata::AllocateProducerIds{token, node_.config.node_id, broker_epoch_});
}

// --- the log ------------------------------------------------------------------------------------

metadata::RequestToken ControllerDriver::Expect(Answer answer) {
  answers_.emplace(next_request_, std::move(answer));
  return next_request_++;
}

void ControllerDriver::Step(metadata::ControllerEvent event) {
  metadata::ControllerEffects effects;
  controller_->Step(clock_.Monotonic(), std::move(event), &effects);
  for (metadata::AppendRecords& append : effects.appends) {
    absl::StatusOr<std::string> batch = metadata::EncodeMetadataBatch(
        append.records, append.base_offset, append.epoch, clock_.WallMs());
    const bool is_encoded = batch.ok();
    const absl::Status appended = AppendBatch(std::move(batch), append.epoch);
    if (!appended.ok()) {
      OnAppendFailed(append, appended, is_encoded, &effects);
      break;
    }
    uncommitted_.push_back({append.image->highest_offset, std::move(append.image)});
    dirty_ = true;
  }
  for (metadata::Respond& respond : effects.responses) {
    auto answer = answers_.extract(respond.token);
    if (!answer.empty()) answer.mapped()(std::move(respond.response));
  }
}

// What does not fit, into a batch or on the disk, fails the request alone.
void ControllerDriver::OnAppendFailed(const metadata::AppendRecords& append,
                                      const absl::Status& status, bool is_encoded,
                                      metadata::ControllerEffects* effects) {
  const auto error =
      is_encoded ? protocol::ErrorCode::kKafkaStorageError : protocol::ErrorCode::kPolicyViolation;
  node_.logger->Error("the metadata log: ", status.message());
  controller_->Step(clock_.Monotonic(), metadata::AppendFailed{append.token, error}, effects);
  const bool is_full = absl::IsResourceExhausted(status) && log_->failed().ok();
  if (is_encoded && !is_full) OnFailure(status);
}

absl::Status ControllerDriver::AppendBatch(absl::StatusOr<std::string> batch, LeaderEpoch epoch) {
  WEIR_RETURN_IF_ERROR(batch.status());
  log::BatchToAppend to_append;
  to_append.bytes = absl::MakeSpan(batch->data(), batch->size());
  to_append.terms.origin = log::AppendOrigin::kController;
  log_->Append(absl::MakeSpan(&to_append, 1), epoch, clock_.WallMs());
  return to_append.status;
}

void ControllerDriver::OnTickEnd() {
  if (dirty_) log_->StartFlush();
  dirty_ = false;
}

bool ControllerDriver::OnSyncDone(const log::SyncDone& sync) {
  if (!log_->OnSyncDone(sync.token, sync.status)) return false;
  if (!log_->failed().ok()) {
    OnFailure(log_->failed());
    return true;
  }
  const Offset committed = log_->flushed_offset() - 1;
  metadata::MetadataImagePtr image = TakeCommitted();
  if (image == nullptr) return true;
  image_ = image;
  publish_(std::move(image), [this, committed] { Step(metadata::Committed{committed}); });
  return true;
}

metadata::MetadataImagePtr ControllerDriver::TakeCommitted() {
  metadata::MetadataImagePtr image;
  while (!uncommitted_.empty() && uncommitted_.front().last_offset < log_->flushed_offset()) {
    image = std::move(uncommitted_.front().image);
    uncommitted_.pop_front();
  }
  return image;
}

void ControllerDriver::OnFailure(const absl::Status& status) {
  if (std::exchange(failed_, true)) return;
  node_.fail(absl::Status(status.code(), absl::StrCat("the metadata log: ", status.message())));
  uncommitted_.clear();
  Step(metadata::LeadershipLost{});
}

}  // namespace weir::server

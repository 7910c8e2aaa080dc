// Produce, and the ids that idempotent producers need for it.

#include "protocol/api/produce.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/topic_name.h"
#include "protocol/api/init_producer_id.h"
#include "protocol/compression.h"
#include "protocol/error_code.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_recompressor.h"
#include "protocol/record_batch_validator.h"
#include "server/call_each.h"
#include "server/endpoints.h"
#include "server/gather.h"
#include "server/handlers/handlers.h"
#include "server/partition_table.h"
#include "server/producer_ids.h"
#include "server/request.h"
#include "server/shard.h"
#include "server/topic_table.h"

namespace weir::server {

// --- Produce -------------------------------------------------------------------------------------
// Produce: every partition's batch is validated on the connection's shard, appended on the shard
// that owns the partition, and answered when its acks are satisfied.

namespace {

using protocol::ErrorCode;
using protocol::ProduceRequest;
using protocol::ProduceResponse;

// Versions 0 to 2 are advertised and decoded only to be refused (router.cc, KIP-896).
constexpr int16_t kFirstServedVersion = 3;
constexpr int16_t kFirstProduceByTopicId = 13;
// The client id with which Kafka lets administrators write internal topics.
constexpr absl::string_view kWriterOfInternals = "__admin_client";

using PartitionResponse = ProduceResponse::PartitionProduceResponse;

PartitionResponse Refuse(int32_t partition, ErrorCode code, std::string message) {
  PartitionResponse response;
  response.index = partition;
  response.error_code = WireCode(code);
  response.base_offset = -1;
  if (!message.empty()) response.error_message = std::move(message);
  return response;
}

PartitionResponse Answer(int32_t partition, const replication::AppendDone& done) {
  if (done.error != ErrorCode::kNone) return Refuse(partition, done.error, done.message);
  PartitionResponse response;
  response.index = partition;
  response.base_offset = done.base_offset.value();
  response.log_append_time_ms = done.log_append_time;
  response.log_start_offset = done.log_start_offset.value();
  return response;
}

protocol::ValidationRules RulesOf(const TopicSettings& settings, const BrokerConfig& config,
                                  int16_t version) {
  protocol::ValidationRules rules;
  rules.mode = config.full_batch_validation ? protocol::ValidationMode::kFull
                                            : protocol::ValidationMode::kFast;
  rules.produce_version = version;
  rules.message_bytes_max = static_cast<int32_t>(settings.max_message_bytes);
  rules.timestamp_type = settings.log_append_time ? protocol::TimestampType::kLogAppendTime
                                                  : protocol::TimestampType::kCreateTime;
  rules.timestamp_before_max_ms = settings.timestamp_before_max_ms;
  rules.timestamp_after_max_ms = settings.timestamp_after_max_ms;
  rules.codec = settings.codec;
  rules.is_compacted = settings.compacts;
  return rules;
}

// A batch on its way to its partition, and who owns its bytes.
struct CheckedBatch {
  absl::Span<char> bytes;
  std::shared_ptr<const void> owner;
};

struct Appending {
  TopicPartition partition;
  AppendCall call;
};

PartitionResponse Refuse(int32_t partition, protocol::ValidationResult result) {
  PartitionResponse refused = Refuse(partition, result.error, std::move(result.message));
  for (protocol::RecordError& record : result.record_errors) {
    refused.record_errors.push_back({record.index, std::move(record.message)});
  }
  return refused;
}

// Replaces *batch by the same records in the topic's codec.
std::optional<PartitionResponse> Recompress(Shard& shard, const TopicSettings& settings,
                                            int32_t partition, CheckedBatch* batch) {
  const auto view =
      protocol::RecordBatchView::Parse(absl::string_view(batch->bytes.data(), batch->bytes.size()));
  auto bytes = std::make_shared<std::string>();
  absl::Status status = view.status();
  if (status.ok()) {
    status = shard.recompressor().Recompress(*view, *settings.codec, settings.codec_level,
                                             protocol::DecompressionLimits(), bytes.get());
  }
  if (!status.ok()) {
    return Refuse(partition, ErrorCode::kUnknownServerError,
                  absl::StrCat("compression.type of the topic: ", status.message()));
  }
  const int64_t bytes_max = std::min<int64_t>(settings.max_message_bytes, kRecordBatchBytesMax);
  if (static_cast<int64_t>(bytes->size()) > bytes_max) {
    return Refuse(partition, ErrorCode::kMessageTooLarge,
                  absl::StrCat("expected a record batch of at most ", bytes_max,
                               " bytes (max.message.bytes), it has ", bytes->size(),
                               " in the topic's codec"));
  }
  batch->bytes = absl::MakeSpan(bytes->data(), bytes->size());
  batch->owner = std::move(bytes);
  return std::nullopt;
}

// What a produce of `data` to `topic` is refused with before it reaches the partition, if at all;
// else *batch is what is appended.
std::optional<PartitionResponse> Check(const Request& from, const ProduceRequest& request,
                                       const TopicInfo* topic,
                                       const ProduceRequest::PartitionProduceData& data,
                                       CheckedBatch* batch) {
  Shard& shard = from.shard();
  const int16_t version = from.version();
  if (version < kFirstServedVersion) return Refuse(data.index, ErrorCode::kUnsupportedVersion, "");
  if (request.acks < -1 || request.acks > 1) {
    return Refuse(data.index, ErrorCode::kInvalidRequiredAcks,
                  absl::StrCat("expected acks -1, 0 or 1, came ", request.acks));
  }
  if (topic == nullptr) {
    return Refuse(data.index,
                  version >= kFirstProduceByTopicId ? ErrorCode::kUnknownTopicId
                                                    : ErrorCode::kUnknownTopicOrPartition,
                  "");
  }
  if (topic->Partition(PartitionIndex(data.index)) == nullptr) {
    return Refuse(data.index, ErrorCode::kUnknownTopicOrPartition, "");
  }
  if (metadata::IsInternalTopic(topic->name()) && from.header().client_id != kWriterOfInternals) {
    return Refuse(
        data.index, ErrorCode::kInvalidTopicException,
        absl::StrCat("topic ", topic->name(), " is internal, clients cannot append to it"));
  }
  protocol::ValidationResult result = shard.validator().Validate(
      data.records.bytes, RulesOf(topic->settings, shard.node().config, version), shard.now_ms());
  if (!result.ok()) return Refuse(data.index, std::move(result));
  // The frame is ours and nobody else reads it: batches are patched in place.
  batch->bytes =
      absl::MakeSpan(const_cast<char*>(data.records.bytes.data()), data.records.bytes.size());
  if (result.max_timestamp.has_value()) {
    protocol::SetMaxTimestamp(batch->bytes.data(), *result.max_timestamp);
  }
  if (!result.needs_recompression) return std::nullopt;
  return Recompress(shard, topic->settings, data.index, batch);
}

// To whom the client is to go instead, and where that is (KIP-951).
void TellLeader(const RequestRef& request, const ProduceResponse::TopicProduceResponse& topic,
                PartitionResponse* answer, ProduceResponse* response) {
  constexpr int16_t kFirstProduceWithLeaders = 10;
  if (answer->error_code != WireCode(ErrorCode::kNotLeaderOrFollower) ||
      request->version() < kFirstProduceWithLeaders) {
    return;
  }
  const Shard& shard = request->shard();
  const TopicInfo* info = request->version() >= kFirstProduceByTopicId
                              ? shard.topics().Find(topic.topic_id)
                              : shard.topics().Find(topic.name);
  const metadata::PartitionImage* partition =
      info == nullptr ? nullptr : info->Partition(PartitionIndex(answer->index));
  if (partition == nullptr) return;
  answer->current_leader.leader_id = partition->leader.value();
  answer->current_leader.leader_epoch = partition->leader_epoch.value();
  AddLeaderEndpoint(*shard.image(), shard.node(), request->listener(), partition->leader,
                    &response->node_endpoints);
}

void Finish(const RequestRef& request, int16_t acks, ProduceResponse response,
            std::vector<PartitionResponse> parts) {
  size_t next = 0;
  for (ProduceResponse::TopicProduceResponse& topic : response.responses) {
    for (PartitionResponse& partition : topic.partition_responses) {
      partition = std::move(parts[next++]);
      TellLeader(request, topic, &partition, &response);
    }
  }
  if (acks != 0) return request->Respond(response);
  // The client asked for no answer: closing the connection is the only way to tell it of a failure.
  for (const ProduceResponse::TopicProduceResponse& topic : response.responses) {
    for (const PartitionResponse& partition : topic.partition_responses) {
      if (partition.error_code != 0) {
        const auto code = static_cast<ErrorCode>(partition.error_code);
        return request->CloseConnection(
            absl::StrCat("produce with acks=0 failed: ", protocol::ErrorName(code)));
      }
    }
  }
  request->RespondNothing();
}

}  // namespace

void HandleProduce(const RequestRef& request) {
  absl::StatusOr<ProduceRequest> decoded = request->Decode<ProduceRequest>();
  if (!decoded.ok()) return request->CloseConnection(decoded.status().message());
  Shard& shard = request->shard();

  ProduceResponse response;
  size_t parts = 0;
  for (const ProduceRequest::TopicProduceData& topic : decoded->topic_data) {
    ProduceResponse::TopicProduceResponse& answer = response.responses.emplace_back();
    answer.name = topic.name;
    answer.topic_id = topic.topic_id;
    answer.partition_responses.resize(topic.partition_data.size());
    parts += topic.partition_data.size();
  }
  if (parts > kPartsPerRequestMax) {
    return request->CloseConnection(absl::StrCat("expected at most ", kPartsPerRequestMax,
                                                 " partitions in a request, came ", parts));
  }
  auto gather = Gather<PartitionResponse>::Create(
      parts, [request, acks = decoded->acks,
              response = std::move(response)](std::vector<PartitionResponse> results) mutable {
        Finish(request, acks, std::move(response), std::move(results));
      });

  CallEach<replication::AppendDone, Appending> calls(shard);
  std::vector<int32_t> numbers(parts);
  size_t part = 0;
  for (const ProduceRequest::TopicProduceData& topic_data : decoded->topic_data) {
    const TopicInfo* topic = request->version() >= kFirstProduceByTopicId
                                 ? shard.topics().Find(topic_data.topic_id)
                                 : shard.topics().Find(topic_data.name);
    for (const ProduceRequest::PartitionProduceData& data : topic_data.partition_data) {
      const size_t index = part++;
      numbers[index] = data.index;
      CheckedBatch batch{{}, request};
      std::optional<PartitionResponse> refused = Check(*request, *decoded, topic, data, &batch);
      if (refused.has_value()) {
        gather->Set(index, std::move(*refused));
        continue;
      }
      const TopicPartition partition{topic->id(), PartitionIndex(data.index)};
      AppendCall call{batch.bytes, decoded->acks, decoded->timeout_ms, std::move(batch.owner)};
      calls.Add(index, shard.OwnerOf(partition), {partition, std::move(call)});
    }
  }
  calls.Run(
      [](Shard& owner, Appending append, Reply<replication::AppendDone> reply) {
        owner.partitions().Append(append.partition, std::move(append.call), std::move(reply));
      },
      [gather, numbers = std::move(numbers)](size_t index, const replication::AppendDone& done) {
        gather->Set(index, Answer(numbers[index], done));
      });
}

// --- InitProducerId ------------------------------------------------------------------------------
// InitProducerId: ids for idempotent producers, from a block that this shard holds.

void HandleInitProducerId(const RequestRef& request) {
  const absl::StatusOr<protocol::InitProducerIdRequest> asked =
      request->Decode<protocol::InitProducerIdRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());

  protocol::InitProducerIdResponse refused;
  refused.producer_epoch = -1;
  const bool has_id = asked->producer_id != -1;
  const bool has_epoch = asked->producer_epoch != -1;
  if (asked->transactional_id.has_value() || has_id != has_epoch) {
    // A transactional id needs a transaction coordinator, which FindCoordinator denies as well.
    refused.error_code =
        WireCode(asked->transactional_id.has_value() && !asked->transactional_id->empty()
                     ? ErrorCode::kCoordinatorNotAvailable
                     : ErrorCode::kInvalidRequest);
    return request->Respond(refused);
  }
  // An id that the client already has makes no difference without a transactional id: it gets a
  // fresh one, whose sequences begin anew (KIP-360).
  request->shard().producer_ids().Allocate(
      [request, refused](const absl::StatusOr<ProducerId>& id) mutable {
        if (!id.ok()) {
          refused.error_code = WireCode(ErrorCode::kCoordinatorNotAvailable);
          return request->Respond(refused);
        }
        protocol::InitProducerIdResponse response;
        response.producer_id = id->value();
        response.producer_epoch = 0;
        request->Respond(response);
      });
}

}  // namespace weir::server

// FindCoordinator: groups are coordinated by the leader of their partition of __consumer_offsets,
// which is created when the first group is looked for. Transactions and share groups have no
// coordinator yet.

#include "protocol/api/find_coordinator.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "coordination/group/partition_for.h"
#include "coordination/metadata/topic_name.h"
#include "protocol/api/create_topics.h"
#include "protocol/error_code.h"
#include "server/controller_driver.h"
#include "server/endpoints.h"
#include "server/handlers/handlers.h"
#include "server/request.h"
#include "server/shard.h"

namespace weir::server {
namespace {

using protocol::ErrorCode;
using protocol::FindCoordinatorRequest;
using protocol::FindCoordinatorResponse;
using Coordinator = FindCoordinatorResponse::Coordinator;

Coordinator Refuse(const std::string& key, ErrorCode error, std::string message) {
  return {key, -1, "", -1, WireCode(error), std::move(message)};
}

// The broker that leads the group's partition.
Coordinator GroupCoordinatorOf(const RequestRef& request, const std::string& group_id) {
  const Shard& shard = request->shard();
  const TopicInfo* topic = shard.topics().Find(metadata::kConsumerOffsetsTopic);
  if (topic == nullptr) {
    return Refuse(group_id, ErrorCode::kCoordinatorNotAvailable, "__consumer_offsets is missing");
  }
  const metadata::PartitionImage* partition =
      topic->Partition(group::PartitionFor(group_id, topic->image->partition_count()));
  for (const NodeEndpoint& broker :
       LiveBrokers(*shard.image(), shard.node(), request->listener())) {
    if (broker.id != partition->leader) continue;
    Coordinator found{group_id, broker.id.value(), broker.host, broker.port, 0, std::nullopt};
    if (request->version() < 4) found.error_message = "NONE";  // as Kafka says it
    return found;
  }
  return Refuse(group_id, ErrorCode::kCoordinatorNotAvailable,
                "the group's partition has no leader");
}

Coordinator Find(const RequestRef& request, int8_t key_type, const std::string& key) {
  switch (key_type) {
    case protocol::kGroupCoordinator:
      return GroupCoordinatorOf(request, key);
    case protocol::kTransactionCoordinator:
    case protocol::kShareCoordinator:
      return Refuse(key, ErrorCode::kCoordinatorNotAvailable,
                    "this broker coordinates neither transactions nor share groups yet");
    default:
      return Refuse(key, ErrorCode::kInvalidRequest,
                    absl::StrCat("expected key type 0, 1 or 2, came ", static_cast<int>(key_type)));
  }
}

void Answer(const RequestRef& request, const FindCoordinatorRequest& asked) {
  FindCoordinatorResponse response;
  if (request->version() >= 4) {
    for (const std::string& key : asked.coordinator_keys) {
      response.coordinators.push_back(Find(request, asked.key_type, key));
    }
  } else {
    Coordinator found = Find(request, asked.key_type, asked.key);
    response.error_code = found.error_code;
    response.error_message = std::move(found.error_message);
    response.node_id = found.node_id;
    response.host = std::move(found.host);
    response.port = found.port;
  }
  request->Respond(response);
}

protocol::CreateTopicsRequest OffsetsTopic(const Shard& shard, size_t live_brokers) {
  const BrokerConfig& config = shard.node().config;
  protocol::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = std::string(metadata::kConsumerOffsetsTopic);
  topic.num_partitions = config.offsets_topic_partitions;
  topic.replication_factor =
      static_cast<int16_t>(std::min<size_t>(config.offsets_topic_replication_factor, live_brokers));
  topic.configs.push_back({"cleanup.policy", "compact"});
  topic.configs.push_back({"compression.type", "producer"});
  topic.configs.push_back({"segment.bytes", absl::StrCat(config.offsets_topic_segment_bytes)});
  return request;
}

}  // namespace

void HandleFindCoordinator(const RequestRef& request) {
  absl::StatusOr<FindCoordinatorRequest> asked = request->Decode<FindCoordinatorRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  Shard& shard = request->shard();
  if (asked->key_type != protocol::kGroupCoordinator ||
      shard.topics().Find(metadata::kConsumerOffsetsTopic) != nullptr) {
    return Answer(request, *asked);
  }
  const size_t live = LiveBrokers(*shard.image(), shard.node(), request->listener()).size();
  shard.Call<protocol::CreateTopicsResponse>(
      kControllerShard,
      [create = OffsetsTopic(shard, live)](Shard& controller, auto reply) mutable {
        controller.controller().CreateInternalTopics(std::move(create), std::move(reply));
      },
      [request, asked = *std::move(asked)](const protocol::CreateTopicsResponse&) {
        Answer(request, asked);
      });
}

}  // namespace weir::server

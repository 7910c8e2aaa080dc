// Metadata: brokers and topics as the image has them; creates missing topics when both the broker
// and the request allow it.

#include "protocol/api/metadata.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/topic_name.h"
#include "protocol/api/create_topics.h"
#include "protocol/error_code.h"
#include "server/authorized_operations.h"
#include "server/controller_driver.h"
#include "server/endpoints.h"
#include "server/handlers/handlers.h"
#include "server/request.h"
#include "server/shard.h"

namespace weir::server {
namespace {

using protocol::ErrorCode;
using protocol::MetadataRequest;
using protocol::MetadataResponse;

std::vector<int32_t> Numbers(const std::vector<BrokerId>& ids) {
  std::vector<int32_t> numbers;
  numbers.reserve(ids.size());
  for (const BrokerId id : ids) numbers.push_back(id.value());
  return numbers;
}

MetadataResponse::Partition DescribePartition(PartitionIndex index,
                                              const metadata::PartitionImage& image,
                                              const metadata::MetadataImage& cluster) {
  MetadataResponse::Partition partition;
  partition.partition_index = index.value();
  partition.leader_id = image.leader.value();
  partition.leader_epoch = image.leader_epoch.value();
  partition.replica_nodes = Numbers(image.replicas);
  partition.isr_nodes = Numbers(image.isr);
  for (const BrokerId replica : image.replicas) {
    const metadata::BrokerImage* broker = cluster.FindBroker(replica);
    if (broker == nullptr || !broker->is_active()) {
      partition.offline_replicas.push_back(replica.value());
    }
  }
  if (image.leader == kNoBroker) partition.error_code = WireCode(ErrorCode::kLeaderNotAvailable);
  return partition;
}

MetadataResponse::Topic DescribeTopic(const metadata::TopicImage& image,
                                      const metadata::MetadataImage& cluster,
                                      bool with_operations) {
  MetadataResponse::Topic topic;
  topic.name = image.name;
  topic.topic_id = image.id;
  topic.is_internal = metadata::IsInternalTopic(image.name);
  if (with_operations) topic.topic_authorized_operations = kTopicOperations;
  topic.partitions.reserve(image.partition_count());
  for (int32_t i = 0; i < image.partition_count(); ++i) {
    const PartitionIndex index(i);
    topic.partitions.push_back(DescribePartition(index, *image.Find(index), cluster));
  }
  return topic;
}

MetadataResponse::Topic UnknownTopic(const MetadataRequest::Topic& asked, ErrorCode error) {
  MetadataResponse::Topic topic;
  topic.name = asked.name;
  topic.topic_id = asked.topic_id;
  topic.error_code = WireCode(error);
  return topic;
}

// A topic of the request by its id, if it gives one, else by its name.
MetadataResponse::Topic AnswerTopic(const MetadataRequest& request,
                                    const MetadataRequest::Topic& asked,
                                    const metadata::MetadataImage& image) {
  const bool by_id = !asked.name.has_value();
  const metadata::TopicImage* topic =
      by_id ? image.FindTopic(asked.topic_id) : image.FindTopic(*asked.name);
  if (topic != nullptr) {
    return DescribeTopic(*topic, image, request.include_topic_authorized_operations);
  }
  if (by_id) return UnknownTopic(asked, ErrorCode::kUnknownTopicId);
  if (!metadata::ValidateTopicName(*asked.name).ok()) {
    return UnknownTopic(asked, ErrorCode::kInvalidTopicException);
  }
  return UnknownTopic(asked, ErrorCode::kUnknownTopicOrPartition);
}

bool WantsAll(const MetadataRequest& request, int16_t version) {
  return version == 0 ? request.topics.has_value() && request.topics->empty()
                      : !request.topics.has_value();
}

// `created` are the results of topics that were to be created for this request.
void Answer(const RequestRef& request, const MetadataRequest& asked,
            const protocol::CreateTopicsResponse& created) {
  const Shard& shard = request->shard();
  const metadata::MetadataImage& image = *shard.image();
  MetadataResponse response;
  for (const NodeEndpoint& node : LiveBrokers(image, shard.node(), request->listener())) {
    response.brokers.push_back({node.id.value(), node.host, node.port, node.rack});
  }
  response.cluster_id = shard.node().cluster_id;
  response.controller_id = shard.node().config.node_id.value();
  if (asked.include_cluster_authorized_operations) {
    response.cluster_authorized_operations = kClusterOperations;
  }
  if (WantsAll(asked, request->version())) {
    for (const metadata::TopicImage* topic : shard.topics().SortedByName()) {
      response.topics.push_back(
          DescribeTopic(*topic, image, asked.include_topic_authorized_operations));
    }
  } else {
    absl::flat_hash_set<std::pair<Uuid, absl::string_view>> answered;
    for (const MetadataRequest::Topic& topic : *asked.topics) {
      const bool is_named = topic.name.has_value();
      const absl::string_view name = is_named ? absl::string_view(*topic.name) : "";
      if (!answered.insert({is_named ? Uuid() : topic.topic_id, name}).second) continue;
      response.topics.push_back(AnswerTopic(asked, topic, image));
    }
  }
  // A topic that could not be created says why, unless another client created it meanwhile.
  absl::flat_hash_map<absl::string_view, int16_t> refused;
  for (const auto& result : created.topics) {
    const auto code = static_cast<ErrorCode>(result.error_code);
    if (code == ErrorCode::kNone || code == ErrorCode::kTopicAlreadyExists) continue;
    refused.emplace(result.name, result.error_code);
  }
  for (MetadataResponse::Topic& topic : response.topics) {
    if (topic.error_code == 0 || !topic.name.has_value()) continue;
    if (const auto why = refused.find(*topic.name); why != refused.end()) {
      topic.error_code = why->second;
    }
  }
  request->Respond(response);
}

// The topics of the request that are missing and may be created.
protocol::CreateTopicsRequest MissingTopics(const Shard& shard, const MetadataRequest& asked) {
  protocol::CreateTopicsRequest create;
  if (!shard.node().config.auto_create_topics || !asked.allow_auto_topic_creation) return create;
  if (!asked.topics.has_value()) return create;
  absl::flat_hash_set<absl::string_view> wanted;
  for (const MetadataRequest::Topic& topic : *asked.topics) {
    if (!topic.name.has_value() || shard.topics().Find(*topic.name) != nullptr) continue;
    if (!metadata::ValidateTopicName(*topic.name).ok()) continue;
    if (!wanted.insert(*topic.name).second) continue;
    protocol::CreateTopicsRequest::CreatableTopic missing;
    missing.name = *topic.name;
    missing.num_partitions = -1;
    missing.replication_factor = -1;
    create.topics.push_back(std::move(missing));
  }
  return create;
}

}  // namespace

void HandleMetadata(const RequestRef& request) {
  absl::StatusOr<MetadataRequest> asked = request->Decode<MetadataRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  if (request->version() < 4) asked->allow_auto_topic_creation = true;
  protocol::CreateTopicsRequest missing = MissingTopics(request->shard(), *asked);
  if (missing.topics.empty()) return Answer(request, *asked, {});
  request->shard().Call<protocol::CreateTopicsResponse>(
      kControllerShard,
      [missing = std::move(missing)](Shard& controller, auto reply) mutable {
        controller.controller().CreateTopics(std::move(missing), std::move(reply));
      },
      [request, asked = *std::move(asked)](const protocol::CreateTopicsResponse& created) {
        Answer(request, asked, created);
      });
}

}  // namespace weir::server

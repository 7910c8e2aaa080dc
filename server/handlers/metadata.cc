// What clients learn of the cluster: its APIs, brokers, topics and partitions.

#include "protocol/api/metadata.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/features.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/topic_name.h"
#include "protocol/api/api_versions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/describe_cluster.h"
#include "protocol/api/describe_topic_partitions.h"
#include "protocol/error_code.h"
#include "server/authorized_operations.h"
#include "server/controller_driver.h"
#include "server/endpoints.h"
#include "server/handlers/ask_controller.h"
#include "server/handlers/handlers.h"
#include "server/request.h"
#include "server/router.h"
#include "server/shard.h"

namespace weir::server {

// --- ApiVersions ---------------------------------------------------------------------------------
// ApiVersions: what the router serves, and the features of the cluster.

namespace {

using protocol::ApiVersionsRequest;
using protocol::ApiVersionsResponse;
using protocol::ErrorCode;

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// KIP-511: letters, digits, '-' and '.', the first and the last a letter or digit.
bool IsValidSoftwareName(absl::string_view text) {
  return !text.empty() && IsAlphanumeric(text.front()) && IsAlphanumeric(text.back()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return IsAlphanumeric(c) || c == '-' || c == '.'; });
}

// Clients of versions before 4 cannot read a lowest level of 0 (KAFKA-17011): they are not told of
// such features.
void AddFeatures(const metadata::MetadataImage& image, int16_t version,
                 ApiVersionsResponse* response) {
  for (const metadata::SupportedFeature& feature : metadata::kSupportedFeatures) {
    if (feature.min > 0 || version >= 4)
      response->supported_features.push_back({std::string(feature.name), feature.min, feature.max});
    const int16_t level = image.FeatureLevel(feature.name);
    if (level > 0)
      response->finalized_features.push_back({std::string(feature.name), level, level});
  }
  response->finalized_features_epoch = image.highest_offset.value();
}

}  // namespace

void HandleApiVersions(const RequestRef& request) {
  ApiVersionsResponse response;
  if (request->version() > ApiVersionsRequest::kApi.versions.max) {
    // KIP-511: the body may be anything; answer in version 0 with the versions of this API.
    response.error_code = WireCode(ErrorCode::kUnsupportedVersion);
    response.api_keys.push_back({ApiVersionsRequest::kApi.key,
                                 ApiVersionsRequest::kApi.versions.min,
                                 ApiVersionsRequest::kApi.versions.max});
    return request->RespondInVersion(response, 0);
  }
  const absl::StatusOr<ApiVersionsRequest> asked = request->Decode<ApiVersionsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  if (request->version() >= 3 && !(IsValidSoftwareName(asked->client_software_name) &&
                                   IsValidSoftwareName(asked->client_software_version))) {
    response.error_code = WireCode(ErrorCode::kInvalidRequest);
    return request->Respond(response);
  }
  for (const Route& route : Routes()) {
    if (!route.advertised) continue;
    response.api_keys.push_back(
        {static_cast<int16_t>(route.key), route.versions.min, route.versions.max});
  }
  AddFeatures(*request->shard().image(), request->version(), &response);
  request->Respond(response);
}

// --- DescribeCluster -----------------------------------------------------------------------------
// DescribeCluster.

void HandleDescribeCluster(const RequestRef& request) {
  using protocol::DescribeClusterResponse;
  const absl::StatusOr<protocol::DescribeClusterRequest> asked =
      request->Decode<protocol::DescribeClusterRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  const Node& node = request->shard().node();

  DescribeClusterResponse response;
  if (asked->endpoint_type != protocol::kBrokerEndpoint) {
    // Controllers are Weir's own business (docs/architecture.md); clients manage by way of brokers.
    const bool known = asked->endpoint_type == protocol::kControllerEndpoint;
    response.error_code =
        WireCode(known ? ErrorCode::kMismatchedEndpointType : ErrorCode::kUnsupportedEndpointType);
    response.error_message = absl::StrCat("expected endpoint type 1 (brokers), came ",
                                          static_cast<int>(asked->endpoint_type));
    return request->Respond(response);
  }
  response.cluster_id = node.cluster_id;
  response.controller_id = node.config.node_id.value();
  for (const NodeEndpoint& broker : BrokerEndpoints(
           *request->shard().image(), node, request->listener(), asked->include_fenced_brokers)) {
    response.brokers.push_back(
        {broker.id.value(), broker.host, broker.port, broker.rack, broker.fenced});
  }
  if (asked->include_cluster_authorized_operations) {
    response.cluster_authorized_operations = kClusterOperations;
  }
  request->Respond(response);
}

// --- Metadata ------------------------------------------------------------------------------------
// Metadata: brokers and topics as the image has them; creates missing topics when both the broker
// and the request allow it.

namespace {

using protocol::MetadataRequest;
using protocol::MetadataResponse;

template <class Result = std::vector<int32_t>>
Result Numbers(const std::vector<BrokerId>& ids) {
  Result numbers;
  numbers.reserve(ids.size());
  for (const BrokerId id : ids) numbers.push_back(id.value());
  return numbers;
}

// Those of brokers that are not there, and those in folders that are offline (KIP-858).
template <class Result>
void AddOfflineReplicas(const metadata::PartitionImage& image,
                        const metadata::MetadataImage& cluster, Result* offline) {
  for (size_t i = 0; i < image.replicas.size(); ++i) {
    const metadata::BrokerImage* broker = cluster.FindBroker(image.replicas[i]);
    if (broker == nullptr || !broker->is_active() || !broker->HasOnline(image.directories[i])) {
      offline->push_back(image.replicas[i].value());
    }
  }
}

MetadataResponse::Partition DescribePartition(PartitionIndex index,
                                              const metadata::PartitionImage& image,
                                              const metadata::MetadataImage& cluster) {
  MetadataResponse::Partition partition;
  partition.partition_index = index.value();
  partition.leader_id = image.leader.value();
  partition.leader_epoch = image.leader_epoch.value();
  partition.replica_nodes = Numbers<MetadataResponse::NodeIds>(image.replicas);
  partition.isr_nodes = Numbers<MetadataResponse::NodeIds>(image.isr);
  AddOfflineReplicas(image, cluster, &partition.offline_replicas);
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

// Of the leaders that an answer names, the one that may just have ended, if any.
BrokerId DoubtedLeader(const Shard& shard, const MetadataResponse& response) {
  BrokerId last = kNoBroker;  // partitions of few brokers
  for (const MetadataResponse::Topic& topic : response.topics) {
    for (const MetadataResponse::Partition& partition : topic.partitions) {
      const BrokerId leader(partition.leader_id);
      if (leader != last && shard.Doubts(leader)) return leader;
      last = leader;
    }
  }
  return kNoBroker;
}

// `created` are the results of topics that were to be created for this request.
void Answer(const RequestRef& request, const MetadataRequest& asked,
            const protocol::CreateTopicsResponse& created) {
  Shard& shard = request->shard();
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
  const BrokerId doubted = DoubtedLeader(shard, response);
  if (doubted == kNoBroker) return request->Respond(response);
  shard.OnceCertainOf(doubted, [request, asked, created] { Answer(request, asked, created); });
}

// A client whose leader ends asks another broker at once, and may come before this one has noticed
// by a fraction of a millisecond. So who asks for topics is answered a little later.
void AnswerSoon(const RequestRef& request, MetadataRequest asked,
                protocol::CreateTopicsResponse created) {
  constexpr int64_t kLaterMs = 2;
  Shard& shard = request->shard();
  const bool has_others = shard.image()->brokers.size() > 1;
  if (!has_others || WantsAll(asked, request->version())) return Answer(request, asked, created);
  shard.loop().timers().Schedule(shard.loop().now() + kLaterMs * kNsPerMs,
                                 [request, asked = std::move(asked), created = std::move(created)] {
                                   Answer(request, asked, created);
                                 });
}

bool MayCreate(const Shard& shard, const MetadataRequest& asked) {
  return shard.node().config.auto_create_topics && asked.allow_auto_topic_creation &&
         asked.topics.has_value();
}

// The topics of the request that are missing and may be created, but for internal ones: these are
// not made with the settings of others.
protocol::CreateTopicsRequest MissingTopics(const Shard& shard, const MetadataRequest& asked) {
  protocol::CreateTopicsRequest create;
  if (!MayCreate(shard, asked)) return create;
  absl::flat_hash_set<absl::string_view> wanted;
  for (const MetadataRequest::Topic& topic : *asked.topics) {
    if (!topic.name.has_value() || shard.topics().Find(*topic.name) != nullptr) continue;
    if (!metadata::ValidateTopicName(*topic.name).ok()) continue;
    if (metadata::IsInternalTopic(*topic.name)) continue;
    if (!wanted.insert(*topic.name).second) continue;
    protocol::CreateTopicsRequest::CreatableTopic missing;
    missing.name = *topic.name;
    missing.num_partitions = -1;
    missing.replication_factor = -1;
    create.topics.push_back(std::move(missing));
  }
  return create;
}

// Versions 10 and 11 have topic ids, but Kafka looks none up.
bool AsksByIdTooEarly(const MetadataRequest& asked, int16_t version) {
  constexpr int16_t kFirstVersionById = 12;
  const auto by_id = [](const MetadataRequest::Topic& topic) {
    return !topic.name.has_value() || !topic.topic_id.is_zero();
  };
  return version < kFirstVersionById && asked.topics.has_value() &&
         std::any_of(asked.topics->begin(), asked.topics->end(), by_id);
}

bool LacksOffsetsTopic(const Shard& shard, const MetadataRequest& asked) {
  if (!MayCreate(shard, asked)) return false;
  const auto is_it = [](const MetadataRequest::Topic& topic) {
    return topic.name == metadata::kConsumerOffsetsTopic;
  };
  return shard.topics().Find(metadata::kConsumerOffsetsTopic) == nullptr &&
         std::any_of(asked.topics->begin(), asked.topics->end(), is_it);
}

}  // namespace

void HandleMetadata(const RequestRef& request) {
  absl::StatusOr<MetadataRequest> asked = request->Decode<MetadataRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  if (request->version() < 4) asked->allow_auto_topic_creation = true;
  if (AsksByIdTooEarly(*asked, request->version())) {
    MetadataResponse refused;
    for (const MetadataRequest::Topic& topic : *asked->topics) {
      refused.topics.push_back(UnknownTopic(topic, ErrorCode::kInvalidRequest));
      // Such a version has no null for a name.
      if (!topic.name.has_value()) refused.topics.back().name = "";
    }
    return request->Respond(refused);
  }
  protocol::CreateTopicsRequest missing = MissingTopics(request->shard(), *asked);
  const bool lacks_offsets = LacksOffsetsTopic(request->shard(), *asked);
  if (missing.topics.empty() && !lacks_offsets) return AnswerSoon(request, *std::move(asked), {});
  request->shard().Call<protocol::CreateTopicsResponse>(
      kControllerShard,
      [missing = std::move(missing), lacks_offsets, client = ClientOf(request)](
          Shard& controller, auto reply) mutable {
        // The answer to the second request waits for what the first one changes.
        if (lacks_offsets)
          controller.controller().CreateOffsetsTopic({nullptr, [](const auto&) {}});
        controller.controller().Ask(metadata::CreateTopics{0, std::move(missing)}, std::move(reply),
                                    std::move(client));
      },
      [request, asked = *std::move(asked)](const protocol::CreateTopicsResponse& created) {
        AnswerSoon(request, asked, created);
      });
}

// --- DescribeTopicPartitions ---------------------------------------------------------------------
// DescribeTopicPartitions: Metadata page by page.

namespace {

using protocol::DescribeTopicPartitionsRequest;
using protocol::DescribeTopicPartitionsResponse;
constexpr int32_t kPartitionsPerPageMax = 2000;  // Kafka's max.request.partition.size.limit

DescribeTopicPartitionsResponse::Partition DescribePartition(
    int32_t index, const metadata::PartitionImage& image, const metadata::MetadataImage& cluster) {
  DescribeTopicPartitionsResponse::Partition partition;
  partition.partition_index = index;
  partition.leader_id = image.leader.value();
  partition.leader_epoch = image.leader_epoch.value();
  partition.replica_nodes = Numbers(image.replicas);
  partition.isr_nodes = Numbers(image.isr);
  partition.eligible_leader_replicas = Numbers(image.eligible_leader_replicas);
  partition.last_known_elr = Numbers(image.last_known_elr);
  AddOfflineReplicas(image, cluster, &partition.offline_replicas);
  return partition;
}

// The names to describe, in order, from the cursor's on.
std::vector<std::string> NamesFrom(const Shard& shard,
                                   const DescribeTopicPartitionsRequest& asked) {
  std::set<std::string> names;
  if (asked.topics.empty()) {
    for (const metadata::TopicImage* topic : shard.topics().SortedByName()) {
      names.insert(topic->name);
    }
  }
  for (const auto& topic : asked.topics) names.insert(topic.name);
  if (asked.cursor.has_value()) {
    names.erase(names.begin(), names.lower_bound(asked.cursor->topic_name));
  }
  return {names.begin(), names.end()};
}

bool IsCursorValid(const DescribeTopicPartitionsRequest& asked) {
  if (!asked.cursor.has_value()) return true;
  if (asked.cursor->partition_index < 0) return false;
  const auto is_it = [&](const auto& topic) { return topic.name == asked.cursor->topic_name; };
  return asked.topics.empty() || std::any_of(asked.topics.begin(), asked.topics.end(), is_it);
}

DescribeTopicPartitionsResponse::Topic UnknownTopic(const std::string& name, ErrorCode error) {
  DescribeTopicPartitionsResponse::Topic topic;
  topic.error_code = WireCode(error);
  topic.name = name;
  topic.is_internal = metadata::IsInternalTopic(name);
  return topic;
}

}  // namespace

void HandleDescribeTopicPartitions(const RequestRef& request) {
  const absl::StatusOr<DescribeTopicPartitionsRequest> asked =
      request->Decode<DescribeTopicPartitionsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  DescribeTopicPartitionsResponse response;
  if (!IsCursorValid(*asked)) {
    for (const auto& topic : asked->topics) {
      response.topics.push_back(UnknownTopic(topic.name, ErrorCode::kInvalidRequest));
    }
    return request->Respond(response);
  }
  const Shard& shard = request->shard();
  int64_t room = std::clamp(asked->response_partition_limit, 1, kPartitionsPerPageMax);
  for (const std::string& name : NamesFrom(shard, *asked)) {
    if (room == 0) {
      response.next_cursor = DescribeTopicPartitionsResponse::Cursor{.topic_name = name};
      break;
    }
    const metadata::TopicImage* image = shard.image()->FindTopic(name);
    if (image == nullptr) {
      const bool valid = metadata::ValidateTopicName(name).ok();
      response.topics.push_back(UnknownTopic(
          name, valid ? ErrorCode::kUnknownTopicOrPartition : ErrorCode::kInvalidTopicException));
      response.topics.back().topic_authorized_operations = kTopicOperations;
      continue;
    }
    DescribeTopicPartitionsResponse::Topic& topic = response.topics.emplace_back();
    topic.name = name;
    topic.topic_id = image->id;
    topic.is_internal = metadata::IsInternalTopic(name);
    topic.topic_authorized_operations = kTopicOperations;
    const bool is_first = asked->cursor.has_value() && asked->cursor->topic_name == name;
    int32_t index = is_first ? asked->cursor->partition_index : 0;
    for (; index < image->partition_count() && room > 0; ++index, --room) {
      topic.partitions.push_back(
          DescribePartition(index, *image->Find(PartitionIndex(index)), *shard.image()));
    }
    if (index < image->partition_count()) {
      response.next_cursor = DescribeTopicPartitionsResponse::Cursor{
          .topic_name = name,
          .partition_index = index,
      };
      break;
    }
  }
  request->Respond(response);
}

}  // namespace weir::server

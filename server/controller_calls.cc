#include "server/controller_calls.h"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "coordination/metadata/controller_types.h"
#include "protocol/api/allocate_producer_ids.h"
#include "protocol/api/alter_client_quotas.h"
#include "protocol/api/alter_configs.h"
#include "protocol/api/alter_partition.h"
#include "protocol/api/alter_partition_reassignments.h"
#include "protocol/api/alter_user_scram_credentials.h"
#include "protocol/api/assign_replicas_to_dirs.h"
#include "protocol/api/broker_heartbeat.h"
#include "protocol/api/broker_registration.h"
#include "protocol/api/create_acls.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_acls.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/elect_leaders.h"
#include "protocol/api/incremental_alter_configs.h"
#include "protocol/api/unregister_broker.h"
#include "protocol/api/update_features.h"
#include "protocol/error_code.h"
#include "protocol/message.h"

namespace weir::server {
namespace {

using protocol::ErrorCode;

int16_t Wire(ErrorCode error) { return static_cast<int16_t>(error); }
ErrorCode Unwire(int16_t code) { return static_cast<ErrorCode>(code); }

std::optional<std::string> MessageOf(ErrorCode error, const std::string& message) {
  return error == ErrorCode::kNone ? std::nullopt : std::make_optional(message);
}

// --- What passes as it is ------------------------------------------------------------------------

// An event that carries Kafka's request as it is.
template <class Event>
concept Carries = requires(Event event) { event.request; };

// All else is converted, by Convert(from, to) below: *to is as constructed.

// The names of old versions have no place in new ones.
protocol::DeleteTopicsRequest WithoutNames(protocol::DeleteTopicsRequest request) {
  std::vector<protocol::DeleteTopicsRequest::DeleteTopicState> topics;
  for (std::string& name : request.topic_names) topics.emplace_back().name = std::move(name);
  for (auto& topic : request.topics) topics.push_back(std::move(topic));
  request.topic_names.clear();
  request.topics = std::move(topics);
  return request;
}

// --- Configs and features ------------------------------------------------------------------------

void SetOperation(const metadata::ConfigEdit& edit,
                  protocol::IncrementalAlterConfigsRequest::AlterableConfig* config) {
  config->config_operation = edit.operation;
}
void SetOperation(const metadata::ConfigEdit& edit,
                  protocol::AlterConfigsRequest::AlterableConfig*) {
  WEIR_CHECK(edit.operation == metadata::ConfigEdit::kSet);
}
int8_t OperationOf(const protocol::IncrementalAlterConfigsRequest::AlterableConfig& config) {
  return config.config_operation;
}
int8_t OperationOf(const protocol::AlterConfigsRequest::AlterableConfig&) {
  return metadata::ConfigEdit::kSet;
}

template <class Request>
concept AltersConfigs = std::same_as<Request, protocol::AlterConfigsRequest> ||
                        std::same_as<Request, protocol::IncrementalAlterConfigsRequest>;

template <AltersConfigs Request>
void Convert(const metadata::AlterConfigs& event, Request* request) {
  request->validate_only = event.validate_only;
  for (const metadata::ConfigChange& change : event.changes) {
    auto& resource = request->resources.emplace_back();
    resource.resource_type = change.type;
    resource.resource_name = change.name;
    for (const metadata::ConfigEdit& edit : change.edits) {
      auto& config = resource.configs.emplace_back();
      config.name = edit.name;
      config.value = edit.value;
      SetOperation(edit, &config);
    }
  }
}
template <AltersConfigs Request>
void Convert(Request&& request, metadata::AlterConfigs* event) {
  event->replace = std::same_as<Request, protocol::AlterConfigsRequest>;
  event->validate_only = request.validate_only;
  for (auto& resource : request.resources) {
    metadata::ConfigChange& change = event->changes.emplace_back();
    change.type = resource.resource_type;
    change.name = std::move(resource.resource_name);
    for (auto& config : resource.configs) {
      change.edits.push_back(
          {std::move(config.name), OperationOf(config), std::move(config.value)});
    }
  }
}

template <class Response>
  requires std::same_as<Response, protocol::AlterConfigsResponse> ||
           std::same_as<Response, protocol::IncrementalAlterConfigsResponse>
void Convert(const metadata::ConfigsAltered& altered, Response* response) {
  for (const metadata::ConfigsAltered::Result& result : altered.results) {
    auto& part = response->responses.emplace_back();
    part.error_code = Wire(result.error);
    part.error_message = MessageOf(result.error, result.message);
  }
}
template <class Response>
  requires std::same_as<Response, protocol::AlterConfigsResponse> ||
           std::same_as<Response, protocol::IncrementalAlterConfigsResponse>
void Convert(Response&& response, metadata::ConfigsAltered* altered) {
  for (auto& part : response.responses) {
    altered->results.push_back({Unwire(part.error_code), part.error_message.value_or("")});
  }
}

void Convert(const metadata::UpdateFeatures& event, protocol::UpdateFeaturesRequest* request) {
  request->validate_only = event.validate_only;
  for (const metadata::FeatureUpdate& update : event.updates) {
    auto& key = request->feature_updates.emplace_back();
    key.feature = update.feature;
    key.max_version_level = update.level;
    key.upgrade_type = static_cast<int8_t>(update.kind);
  }
}
void Convert(protocol::UpdateFeaturesRequest&& request, metadata::UpdateFeatures* event) {
  event->validate_only = request.validate_only;
  for (auto& key : request.feature_updates) {
    event->updates.push_back({std::move(key.feature), key.max_version_level,
                              static_cast<metadata::FeatureUpdate::Kind>(key.upgrade_type)});
  }
}
void Convert(const metadata::FeaturesUpdated& updated, protocol::UpdateFeaturesResponse* response) {
  response->error_code = Wire(updated.error);
  response->error_message = MessageOf(updated.error, updated.message);
}
void Convert(protocol::UpdateFeaturesResponse&& response, metadata::FeaturesUpdated* updated) {
  updated->error = Unwire(response.error_code);
  updated->message = response.error_message.value_or("");
}

// --- Brokers -------------------------------------------------------------------------------------

void Convert(const metadata::AllocateProducerIds& event,
             protocol::AllocateProducerIdsRequest* request) {
  request->broker_id = event.broker.value();
  request->broker_epoch = event.broker_epoch;
}
void Convert(protocol::AllocateProducerIdsRequest&& request, metadata::AllocateProducerIds* event) {
  event->broker = BrokerId(request.broker_id);
  event->broker_epoch = request.broker_epoch;
}
void Convert(const metadata::ProducerIdBlock& block,
             protocol::AllocateProducerIdsResponse* response) {
  response->error_code = Wire(block.error);
  response->producer_id_start = block.first_id;
  response->producer_id_len = block.count;
}
void Convert(protocol::AllocateProducerIdsResponse&& response, metadata::ProducerIdBlock* block) {
  block->error = Unwire(response.error_code);
  block->first_id = response.producer_id_start;
  block->count = response.producer_id_len;
}

void Convert(const metadata::RegisterBroker& event, protocol::BrokerRegistrationRequest* request) {
  const metadata::RegisterBrokerRecord& registration = event.registration;
  request->broker_id = registration.broker_id;
  request->cluster_id = event.cluster_id;
  request->incarnation_id = registration.incarnation_id;
  for (const metadata::MetadataEndpoint& endpoint : registration.end_points) {
    request->listeners.push_back(
        {endpoint.name, endpoint.host, endpoint.port, endpoint.security_protocol});
  }
  for (const metadata::MetadataFeature& feature : registration.features) {
    request->features.push_back(
        {feature.name, feature.min_supported_version, feature.max_supported_version});
  }
  request->rack = registration.rack;
  request->is_migrating_zk_broker = registration.is_migrating_zk_broker;
  request->log_dirs = registration.log_dirs;
  request->previous_broker_epoch = event.previous_broker_epoch;
}
void Convert(protocol::BrokerRegistrationRequest&& request, metadata::RegisterBroker* event) {
  metadata::RegisterBrokerRecord& registration = event->registration;
  registration.broker_id = request.broker_id;
  event->cluster_id = std::move(request.cluster_id);
  registration.incarnation_id = request.incarnation_id;
  for (auto& listener : request.listeners) {
    metadata::MetadataEndpoint& endpoint = registration.end_points.emplace_back();
    endpoint.name = std::move(listener.name);
    endpoint.host = std::move(listener.host);
    endpoint.port = listener.port;
    endpoint.security_protocol = listener.security_protocol;
  }
  for (auto& feature : request.features) {
    metadata::MetadataFeature& range = registration.features.emplace_back();
    range.name = std::move(feature.name);
    range.min_supported_version = feature.min_supported_version;
    range.max_supported_version = feature.max_supported_version;
  }
  registration.rack = std::move(request.rack);
  registration.is_migrating_zk_broker = request.is_migrating_zk_broker;
  registration.log_dirs = std::move(request.log_dirs);
  event->previous_broker_epoch = request.previous_broker_epoch;
}
void Convert(const metadata::BrokerRegistered& registered,
             protocol::BrokerRegistrationResponse* response) {
  response->error_code = Wire(registered.error);
  response->broker_epoch = registered.broker_epoch;
  if (!registered.message.empty()) {
    response->unknown_tags.Add(kRegistrationMessageTag, registered.message);
  }
}
void Convert(protocol::BrokerRegistrationResponse&& response,
             metadata::BrokerRegistered* registered) {
  registered->error = Unwire(response.error_code);
  registered->broker_epoch = response.broker_epoch;
  for (size_t i = 0; i < response.unknown_tags.size(); ++i) {
    const protocol::UnknownTag& tag = response.unknown_tags[i];
    if (tag.tag == kRegistrationMessageTag) registered->message = tag.bytes;
  }
}

void Convert(const metadata::BrokerHeartbeat& event, protocol::BrokerHeartbeatRequest* request) {
  request->broker_id = event.broker.value();
  request->broker_epoch = event.broker_epoch;
  request->current_metadata_offset = event.metadata_offset.value();
  request->want_fence = event.want_fence;
  request->want_shut_down = event.want_shut_down;
  request->offline_log_dirs = event.offline_log_dirs;
}
void Convert(protocol::BrokerHeartbeatRequest&& request, metadata::BrokerHeartbeat* event) {
  event->broker = BrokerId(request.broker_id);
  event->broker_epoch = request.broker_epoch;
  event->metadata_offset = Offset(request.current_metadata_offset);
  event->want_fence = request.want_fence;
  event->want_shut_down = request.want_shut_down;
  event->offline_log_dirs = std::move(request.offline_log_dirs);
}
void Convert(const metadata::BrokerHeartbeatReply& reply,
             protocol::BrokerHeartbeatResponse* response) {
  response->error_code = Wire(reply.error);
  response->is_caught_up = reply.is_caught_up;
  response->is_fenced = reply.is_fenced;
  response->should_shut_down = reply.should_shut_down;
}
void Convert(protocol::BrokerHeartbeatResponse&& response, metadata::BrokerHeartbeatReply* reply) {
  reply->error = Unwire(response.error_code);
  reply->is_caught_up = response.is_caught_up;
  reply->is_fenced = response.is_fenced;
  reply->should_shut_down = response.should_shut_down;
}

void Convert(const metadata::UnregisterBroker& event, protocol::UnregisterBrokerRequest* request) {
  request->broker_id = event.broker.value();
}
void Convert(protocol::UnregisterBrokerRequest&& request, metadata::UnregisterBroker* event) {
  event->broker = BrokerId(request.broker_id);
}
void Convert(const metadata::BrokerUnregistered& unregistered,
             protocol::UnregisterBrokerResponse* response) {
  response->error_code = Wire(unregistered.error);
  response->error_message = MessageOf(unregistered.error, unregistered.message);
}
void Convert(protocol::UnregisterBrokerResponse&& response,
             metadata::BrokerUnregistered* unregistered) {
  unregistered->error = Unwire(response.error_code);
  unregistered->message = response.error_message.value_or("");
}

// --- Replicas ------------------------------------------------------------------------------------

// The last of `groups`, or a new one if that is of another id: so the order stays what it was.
template <class Groups>
auto& GroupOf(const Uuid& id, Uuid Groups::value_type::*id_of, Groups* groups) {
  if (groups->empty() || groups->back().*id_of != id) groups->emplace_back().*id_of = id;
  return groups->back();
}

void Convert(const metadata::AlterPartition& event, protocol::AlterPartitionRequest* request) {
  using Topic = protocol::AlterPartitionRequest::TopicData;
  request->broker_id = event.broker.value();
  request->broker_epoch = event.broker_epoch;
  for (const metadata::AlterPartition::Change& change : event.changes) {
    Topic& topic = GroupOf(change.partition.topic_id, &Topic::topic_id, &request->topics);
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = change.partition.partition.value();
    partition.leader_epoch = change.leader_epoch.value();
    partition.partition_epoch = change.partition_epoch;
    partition.leader_recovery_state = change.leader_recovery_state;
    for (const metadata::AlterPartition::Member& member : change.isr) {
      partition.new_isr_with_epochs.push_back({member.broker.value(), member.broker_epoch});
    }
  }
}
void Convert(protocol::AlterPartitionRequest&& request, metadata::AlterPartition* event) {
  event->broker = BrokerId(request.broker_id);
  event->broker_epoch = request.broker_epoch;
  for (const auto& topic : request.topics) {
    for (const auto& partition : topic.partitions) {
      metadata::AlterPartition::Change& change = event->changes.emplace_back();
      change.partition = {topic.topic_id, PartitionIndex(partition.partition_index)};
      change.leader_epoch = LeaderEpoch(partition.leader_epoch);
      change.partition_epoch = partition.partition_epoch;
      change.leader_recovery_state = partition.leader_recovery_state;
      for (const auto& member : partition.new_isr_with_epochs) {
        change.isr.push_back({BrokerId(member.broker_id), member.broker_epoch});
      }
    }
  }
}
void Convert(const metadata::PartitionsAltered& altered,
             protocol::AlterPartitionResponse* response) {
  using Topic = protocol::AlterPartitionResponse::TopicData;
  response->error_code = Wire(altered.error);
  for (const metadata::PartitionsAltered::Result& result : altered.results) {
    Topic& topic = GroupOf(result.partition.topic_id, &Topic::topic_id, &response->topics);
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = result.partition.partition.value();
    partition.error_code = Wire(result.error);
    partition.leader_id = result.leader.value();
    partition.leader_epoch = result.leader_epoch.value();
    partition.partition_epoch = result.partition_epoch;
    for (const BrokerId id : result.isr) partition.isr.push_back(id.value());
    partition.leader_recovery_state = result.leader_recovery_state;
  }
}
void Convert(protocol::AlterPartitionResponse&& response, metadata::PartitionsAltered* altered) {
  altered->error = Unwire(response.error_code);
  for (const auto& topic : response.topics) {
    for (const auto& partition : topic.partitions) {
      metadata::PartitionsAltered::Result& result = altered->results.emplace_back();
      result.partition = {topic.topic_id, PartitionIndex(partition.partition_index)};
      result.error = Unwire(partition.error_code);
      result.leader = BrokerId(partition.leader_id);
      result.leader_epoch = LeaderEpoch(partition.leader_epoch);
      result.partition_epoch = partition.partition_epoch;
      for (const int32_t id : partition.isr) result.isr.push_back(BrokerId(id));
      result.leader_recovery_state = partition.leader_recovery_state;
    }
  }
}

void Convert(const metadata::AssignReplicasToDirs& event,
             protocol::AssignReplicasToDirsRequest* request) {
  using Directory = protocol::AssignReplicasToDirsRequest::DirectoryData;
  using Topic = protocol::AssignReplicasToDirsRequest::TopicData;
  request->broker_id = event.broker.value();
  request->broker_epoch = event.broker_epoch;
  for (const metadata::AssignReplicasToDirs::Assignment& assignment : event.assignments) {
    Directory& directory = GroupOf(assignment.directory, &Directory::id, &request->directories);
    Topic& topic = GroupOf(assignment.partition.topic_id, &Topic::topic_id, &directory.topics);
    topic.partitions.push_back({assignment.partition.partition.value()});
  }
}
void Convert(protocol::AssignReplicasToDirsRequest&& request,
             metadata::AssignReplicasToDirs* event) {
  event->broker = BrokerId(request.broker_id);
  event->broker_epoch = request.broker_epoch;
  for (const auto& directory : request.directories) {
    for (const auto& topic : directory.topics) {
      for (const auto& partition : topic.partitions) {
        event->assignments.push_back(
            {{topic.topic_id, PartitionIndex(partition.partition_index)}, directory.id});
      }
    }
  }
}
void Convert(const metadata::ReplicasAssigned& assigned,
             protocol::AssignReplicasToDirsResponse* response) {
  response->error_code = Wire(assigned.error);
  if (assigned.errors.empty()) return;
  auto& topic = response->directories.emplace_back().topics.emplace_back();
  for (const ErrorCode error : assigned.errors) {
    topic.partitions.emplace_back().error_code = Wire(error);
  }
}
void Convert(protocol::AssignReplicasToDirsResponse&& response,
             metadata::ReplicasAssigned* assigned) {
  assigned->error = Unwire(response.error_code);
  for (const auto& directory : response.directories) {
    for (const auto& topic : directory.topics) {
      for (const auto& partition : topic.partitions) {
        assigned->errors.push_back(Unwire(partition.error_code));
      }
    }
  }
}

// --- The table -----------------------------------------------------------------------------------

// One API. The functions convert and code at its newest version.
struct Codec {
  int16_t api_key;
  int16_t api_version;
  absl::Status (*decode_request)(absl::string_view, metadata::RequestToken,
                                 metadata::ControllerEvent*);
  void (*encode_response)(const metadata::ControllerResponse&, std::string*);
  absl::Status (*decode_response)(absl::string_view, metadata::ControllerResponse*);
};

template <class Wire>
absl::Status DecodeNewest(absl::string_view bytes, Wire* wire) {
  return protocol::DecodeInto(bytes, Wire::kApi.versions.max, wire);
}

template <class Wire>
EncodedCall CallWith(const Wire& wire) {
  EncodedCall call;
  call.api_key = Wire::kApi.key;
  call.api_version = Wire::kApi.versions.max;
  protocol::Encode(wire, call.api_version, &call.request);
  return call;
}

template <class Wire, class From>
EncodedCall CallOf(const From& from) {
  Wire wire;
  Convert(from, &wire);
  return CallWith(wire);
}

template <class Event, class Request, class Answer, class Response>
constexpr Codec CodecOf() {
  return {Request::kApi.key, Request::kApi.versions.max,
          [](absl::string_view bytes, metadata::RequestToken token,
             metadata::ControllerEvent* decoded) {
            Event& event = decoded->emplace<Event>();
            event.token = token;
            if constexpr (Carries<Event>) {
              return DecodeNewest(bytes, &event.request);
            } else {
              Request request;
              absl::Status status = DecodeNewest(bytes, &request);
              if (status.ok()) Convert(std::move(request), &event);
              return status;
            }
          },
          [](const metadata::ControllerResponse& response, std::string* bytes) {
            const Answer* answer = std::get_if<Answer>(&response);
            WEIR_CHECK(answer != nullptr);
            if constexpr (std::same_as<Answer, Response>) {
              protocol::Encode(*answer, Response::kApi.versions.max, bytes);
            } else {
              *bytes = CallOf<Response>(*answer).request;
            }
          },
          [](absl::string_view bytes, metadata::ControllerResponse* decoded) {
            Answer& answer = decoded->emplace<Answer>();
            if constexpr (std::same_as<Answer, Response>) {
              return DecodeNewest(bytes, &answer);
            } else {
              Response response;
              absl::Status status = DecodeNewest(bytes, &response);
              if (status.ok()) Convert(std::move(response), &answer);
              return status;
            }
          }};
}

// Where the events carry Kafka's messages as they are.
template <Carries Event, class Response>
constexpr Codec CodecOf() {
  return CodecOf<Event, decltype(Event::request), Response, Response>();
}

constexpr Codec kCodecs[] = {
    CodecOf<metadata::CreateTopics, protocol::CreateTopicsResponse>(),
    CodecOf<metadata::DeleteTopics, protocol::DeleteTopicsResponse>(),
    CodecOf<metadata::CreatePartitions, protocol::CreatePartitionsResponse>(),
    CodecOf<metadata::ElectLeaders, protocol::ElectLeadersResponse>(),
    CodecOf<metadata::AlterPartitionReassignments, protocol::AlterPartitionReassignmentsResponse>(),
    CodecOf<metadata::AlterClientQuotas, protocol::AlterClientQuotasResponse>(),
    CodecOf<metadata::AlterUserScramCredentials, protocol::AlterUserScramCredentialsResponse>(),
    CodecOf<metadata::CreateAcls, protocol::CreateAclsResponse>(),
    CodecOf<metadata::DeleteAcls, protocol::DeleteAclsResponse>(),
    CodecOf<metadata::AlterConfigs, protocol::AlterConfigsRequest, metadata::ConfigsAltered,
            protocol::AlterConfigsResponse>(),
    CodecOf<metadata::AlterConfigs, protocol::IncrementalAlterConfigsRequest,
            metadata::ConfigsAltered, protocol::IncrementalAlterConfigsResponse>(),
    CodecOf<metadata::UpdateFeatures, protocol::UpdateFeaturesRequest, metadata::FeaturesUpdated,
            protocol::UpdateFeaturesResponse>(),
    CodecOf<metadata::AllocateProducerIds, protocol::AllocateProducerIdsRequest,
            metadata::ProducerIdBlock, protocol::AllocateProducerIdsResponse>(),
    CodecOf<metadata::RegisterBroker, protocol::BrokerRegistrationRequest,
            metadata::BrokerRegistered, protocol::BrokerRegistrationResponse>(),
    CodecOf<metadata::BrokerHeartbeat, protocol::BrokerHeartbeatRequest,
            metadata::BrokerHeartbeatReply, protocol::BrokerHeartbeatResponse>(),
    CodecOf<metadata::UnregisterBroker, protocol::UnregisterBrokerRequest,
            metadata::BrokerUnregistered, protocol::UnregisterBrokerResponse>(),
    CodecOf<metadata::AlterPartition, protocol::AlterPartitionRequest, metadata::PartitionsAltered,
            protocol::AlterPartitionResponse>(),
    CodecOf<metadata::AssignReplicasToDirs, protocol::AssignReplicasToDirsRequest,
            metadata::ReplicasAssigned, protocol::AssignReplicasToDirsResponse>(),
};

absl::StatusOr<const Codec*> Find(int16_t api_key, int16_t api_version) {
  for (const Codec& codec : kCodecs) {
    if (codec.api_key != api_key) continue;
    if (codec.api_version == api_version) return &codec;
    return absl::UnimplementedError(absl::StrCat("API ", api_key, ": expected version ",
                                                 codec.api_version, ", came ", api_version));
  }
  return absl::UnimplementedError(
      absl::StrCat("expected an API that a controller serves to brokers, came key ", api_key));
}

// Makes calls of events.
struct Encoder {
  using Call = std::optional<EncodedCall>;

  Call operator()(const metadata::CreateTopics& event) const {
    EncodedCall call = CallWith(event.request);
    call.internal = event.is_internal;
    return call;
  }
  Call operator()(const metadata::DeleteTopics& event) const {
    return CallWith(WithoutNames(event.request));
  }
  Call operator()(const metadata::AlterConfigs& event) const {
    return event.replace ? CallOf<protocol::AlterConfigsRequest>(event)
                         : CallOf<protocol::IncrementalAlterConfigsRequest>(event);
  }
  Call operator()(const metadata::UpdateFeatures& event) const {
    return CallOf<protocol::UpdateFeaturesRequest>(event);
  }
  Call operator()(const metadata::AllocateProducerIds& event) const {
    return CallOf<protocol::AllocateProducerIdsRequest>(event);
  }
  Call operator()(const metadata::RegisterBroker& event) const {
    return CallOf<protocol::BrokerRegistrationRequest>(event);
  }
  Call operator()(const metadata::BrokerHeartbeat& event) const {
    return CallOf<protocol::BrokerHeartbeatRequest>(event);
  }
  Call operator()(const metadata::UnregisterBroker& event) const {
    return CallOf<protocol::UnregisterBrokerRequest>(event);
  }
  Call operator()(const metadata::AlterPartition& event) const {
    return CallOf<protocol::AlterPartitionRequest>(event);
  }
  Call operator()(const metadata::AssignReplicasToDirs& event) const {
    return CallOf<protocol::AssignReplicasToDirsRequest>(event);
  }
  template <class Event>
  Call operator()(const Event& event) const {
    if constexpr (Carries<Event>) {
      return CallWith(event.request);
    } else {
      return std::nullopt;
    }
  }
};

}  // namespace

std::optional<EncodedCall> EncodeCall(const metadata::ControllerEvent& event) {
  return std::visit(Encoder(), event);
}

absl::StatusOr<metadata::ControllerEvent> DecodeCall(int16_t api_key, int16_t api_version,
                                                     absl::string_view request,
                                                     metadata::RequestToken token, bool internal) {
  WEIR_ASSIGN_OR_RETURN(const Codec* codec, Find(api_key, api_version));
  metadata::ControllerEvent event;
  WEIR_RETURN_IF_ERROR(codec->decode_request(request, token, &event));
  if (auto* topics = std::get_if<metadata::CreateTopics>(&event)) topics->is_internal = internal;
  return event;
}

std::string EncodeResponse(int16_t api_key, int16_t api_version,
                           const metadata::ControllerResponse& response) {
  const absl::StatusOr<const Codec*> codec = Find(api_key, api_version);
  WEIR_CHECK(codec.ok());
  std::string bytes;
  (*codec)->encode_response(response, &bytes);
  return bytes;
}

absl::StatusOr<metadata::ControllerResponse> DecodeResponse(int16_t api_key, int16_t api_version,
                                                            absl::string_view response) {
  WEIR_ASSIGN_OR_RETURN(const Codec* codec, Find(api_key, api_version));
  metadata::ControllerResponse decoded;
  WEIR_RETURN_IF_ERROR(codec->decode_response(response, &decoded));
  return decoded;
}

}  // namespace weir::server

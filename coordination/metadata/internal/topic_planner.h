// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/topic_planner.h
// -----------------------------------------------------------------------------
// Which records create or delete topics, and what the client is told: the rules of Kafka's
// controller (KIP-4, KIP-500, KIP-516).
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_TOPIC_PLANNER_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_TOPIC_PLANNER_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/internal/placement.h"
#include "coordination/metadata/records.h"
#include "coordination/metadata/topic_name.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_topics.h"
#include "protocol/error_code.h"

namespace weir::metadata::metadata_internal {

// Plans one CreateTopics request against an image. Topics fail one by one.
class TopicCreator {
 public:
  using Request = protocol::CreateTopicsRequest;
  using Response = protocol::CreateTopicsResponse;

  TopicCreator(const MetadataImage& image, const ControllerConfig& config, Random& random)
      : image_(image), config_(config), random_(random) {}

  // Appends to *records what creates the topics that can be created; nothing if only validating.
  // With `check_configs` false, the topic is the broker's own and its configs are what they are.
  Response Plan(const Request& request, bool check_configs, std::vector<MetadataRecord>* records) {
    check_configs_ = check_configs;
    std::map<absl::string_view, int> times;
    for (const Request::CreatableTopic& topic : request.topics) ++times[topic.name];
    const PlanError too_many = CheckPartitions(request);
    Response response;
    for (const Request::CreatableTopic& topic : request.topics) {
      int& count = times[topic.name];
      if (count == 0) continue;  // a duplicate that has its answer
      Response::CreatableTopicResult result;
      result.name = topic.name;
      PlanError error;
      if (!too_many.ok()) {
        error = too_many;
      } else if (count > 1) {
        error = {protocol::ErrorCode::kInvalidRequest, "Topic appears twice in the request"};
      } else {
        std::vector<MetadataRecord> own;
        error = PlanTopic(topic, request.validate_only, &own, &result);
        if (error.ok() && !request.validate_only) {
          MoveRecords(&own, records);
        }
      }
      count = 0;
      result.error_code = static_cast<int16_t>(error.code);
      result.error_message = error.ok() ? std::nullopt : std::optional(error.message);
      response.topics.push_back(std::move(result));
    }
    return response;
  }

 private:
  PlanError PlanTopic(const Request::CreatableTopic& topic, bool validate_only,
                      std::vector<MetadataRecord>* records,
                      Response::CreatableTopicResult* result) {
    if (PlanError error = CheckName(topic.name); !error.ok()) return error;
    ConfigMap configs;
    if (PlanError error = CheckConfigs(topic, &configs); !error.ok()) return error;
    Placement placement;
    if (PlanError error = Place(topic, &placement); !error.ok()) return error;
    collision_keys_.insert(CollisionKey(topic.name));

    const Uuid id = validate_only ? Uuid() : NewTopicId();
    result->topic_id = id;
    result->num_partitions = static_cast<int32_t>(placement.replicas.size());
    result->replication_factor = static_cast<int16_t>(placement.replicas[0].size());
    if (config_.describe_topic_configs) {
      const ConfigMap* cluster = image_.FindConfigs(ConfigResourceType::kBroker, "");
      result->configs =
          config_.describe_topic_configs(configs, cluster == nullptr ? ConfigMap() : *cluster);
    }
    if (!validate_only) AddRecords(topic.name, id, configs, placement, records);
    return {};
  }

  PlanError CheckPartitions(const Request& request) const {
    int64_t partitions = 0;
    for (const Request::CreatableTopic& topic : request.topics) {
      if (!topic.assignments.empty()) {
        partitions += static_cast<int64_t>(topic.assignments.size());
      } else {
        partitions +=
            topic.num_partitions == -1 ? config_.num_partitions : std::max(topic.num_partitions, 0);
      }
    }
    if (partitions <= kPartitionsPerRequestMax) return {};
    return {protocol::ErrorCode::kPolicyViolation,
            absl::StrCat("One request may create at most ", kPartitionsPerRequestMax,
                         " partitions in all, came ", partitions)};
  }

  PlanError CheckName(const std::string& name) const {
    if (absl::Status status = ValidateTopicName(name); !status.ok()) {
      return {protocol::ErrorCode::kInvalidTopicException, std::string(status.message())};
    }
    if (name == kClusterMetadataTopic) {
      return {protocol::ErrorCode::kInvalidRequest,
              absl::StrCat("Topic '", name, "' belongs to the controllers")};
    }
    if (image_.FindTopic(name) != nullptr) {
      return {protocol::ErrorCode::kTopicAlreadyExists,
              absl::StrCat("Topic '", name, "' exists already")};
    }
    const std::string key = CollisionKey(name);
    const std::vector<std::string>* names = image_.names_by_collision_key.Find(key);
    if (names != nullptr || collision_keys_.count(key) != 0) {
      return {protocol::ErrorCode::kInvalidTopicException,
              absl::StrCat("Topic '", name, "' differs only in '.' and '_' from ",
                           names != nullptr ? absl::StrCat("topic '", names->front(), "'")
                                            : "another topic of the request")};
    }
    return {};
  }

  PlanError CheckConfigs(const Request::CreatableTopic& topic, ConfigMap* configs) const {
    for (const Request::CreatableTopicConfig& config : topic.configs) {
      if (!config.value.has_value()) {
        return {protocol::ErrorCode::kInvalidConfig,
                absl::StrCat("Config ", config.name, " has a null value")};
      }
      if (check_configs_ && config_.validate_topic_config) {
        absl::Status status = config_.validate_topic_config(config.name, *config.value);
        if (!status.ok()) {
          return {protocol::ErrorCode::kInvalidConfig, std::string(status.message())};
        }
      }
      (*configs)[config.name] = *config.value;
    }
    if (check_configs_ && config_.validate_topic_configs) {
      absl::Status status = config_.validate_topic_configs(*configs);
      if (!status.ok()) {
        return {protocol::ErrorCode::kInvalidConfig, std::string(status.message())};
      }
    }
    return {};
  }

  PlanError Place(const Request::CreatableTopic& topic, Placement* placement) {
    if (!topic.assignments.empty()) {
      if (topic.replication_factor != -1 || topic.num_partitions != -1) {
        return {protocol::ErrorCode::kInvalidRequest,
                "With a manual assignment, num_partitions and replication_factor must be -1"};
      }
      std::map<int32_t, std::vector<BrokerId>> assignments;
      for (const Request::CreatableReplicaAssignment& a : topic.assignments) {
        std::vector<BrokerId> brokers;
        for (const int32_t id : a.broker_ids) brokers.push_back(BrokerId(id));
        if (!assignments.emplace(a.partition_index, std::move(brokers)).second) {
          return {protocol::ErrorCode::kInvalidReplicaAssignment,
                  absl::StrCat("Partition ", a.partition_index, " is assigned twice")};
        }
      }
      return PlaceManually(image_, std::move(assignments), placement);
    }
    if (topic.replication_factor < -1 || topic.replication_factor == 0) {
      return {protocol::ErrorCode::kInvalidReplicationFactor,
              absl::StrCat("Replication factor must be positive, or -1 for the default; came ",
                           topic.replication_factor)};
    }
    const int32_t partitions =
        topic.num_partitions == -1 ? config_.num_partitions : topic.num_partitions;
    if (partitions <= 0 || partitions > kPartitionsPerTopicMax) {
      return {protocol::ErrorCode::kInvalidPartitions,
              absl::StrCat("Number of partitions must be 1 to ", kPartitionsPerTopicMax,
                           ", or -1 for the default; came ", topic.num_partitions)};
    }
    return StripedPlacer(image_, random_)
        .Place(partitions,
               topic.replication_factor == -1 ? config_.default_replication_factor
                                              : topic.replication_factor,
               placement);
  }

  Uuid NewTopicId() {
    while (true) {
      const Uuid id = Uuid::Random(random_);
      if (image_.FindTopic(id) == nullptr) return id;
    }
  }

  // Configs stand between the topic and its partitions, as Kafka writes them.
  void AddRecords(const std::string& name, const Uuid& id, const ConfigMap& configs,
                  const Placement& placement, std::vector<MetadataRecord>* records) const {
    TopicRecord topic;
    topic.name = name;
    topic.topic_id = id;
    records->push_back(std::move(topic));
    for (const auto& [key, value] : configs) {
      ConfigRecord config;
      config.resource_type = static_cast<int8_t>(ConfigResourceType::kTopic);
      config.resource_name = name;
      config.name = key;
      config.value = value;
      records->push_back(std::move(config));
    }
    for (size_t i = 0; i < placement.replicas.size(); ++i) {
      records->push_back(NewPartition(image_, id, static_cast<int32_t>(i), placement.replicas[i]));
    }
  }

  const MetadataImage& image_;
  const ControllerConfig& config_;
  bool check_configs_ = true;
  Random& random_;
  std::set<std::string> collision_keys_;
};

// Plans one DeleteTopics request: by name or, since version 6, by id.
class TopicDeleter {
 public:
  using Request = protocol::DeleteTopicsRequest;
  using Response = protocol::DeleteTopicsResponse;

  TopicDeleter(const MetadataImage& image, bool enabled) : image_(image), enabled_(enabled) {}

  // A topic that is named twice, be it once by name and once by id, is answered once and stays.
  Response Plan(const Request& request, std::vector<MetadataRecord>* records) {
    std::vector<Request::DeleteTopicState> states = request.topics;
    for (const std::string& name : request.topic_names) states.push_back({name, Uuid()});
    std::map<Key, int> mentions;
    for (const Request::DeleteTopicState& state : states) ++mentions[KeyOf(state)];
    Response response;
    for (const Request::DeleteTopicState& state : states) {
      int& count = mentions[KeyOf(state)];
      if (count == 0) continue;  // answered
      response.responses.push_back(PlanTopic(state, count > 1, records));
      count = 0;
    }
    return response;
  }

 private:
  // What two mentions of one topic share: its id if there is such a topic, else what was asked for.
  using Key = std::pair<Uuid, std::optional<std::string>>;

  const TopicImage* Find(const Request::DeleteTopicState& state) const {
    if (state.name.has_value() != state.topic_id.is_zero()) return nullptr;
    return state.name.has_value() ? image_.FindTopic(*state.name)
                                  : image_.FindTopic(state.topic_id);
  }

  Key KeyOf(const Request::DeleteTopicState& state) const {
    const TopicImage* topic = Find(state);
    return topic == nullptr ? Key(state.topic_id, state.name) : Key(topic->id, std::nullopt);
  }

  Response::DeletableTopicResult PlanTopic(const Request::DeleteTopicState& state, bool repeated,
                                           std::vector<MetadataRecord>* records) {
    Response::DeletableTopicResult result;
    result.name = state.name;
    result.topic_id = state.topic_id;
    const PlanError error = Check(state, repeated);
    if (error.ok()) {
      const TopicImage* topic = Find(state);
      result.name = topic->name;
      result.topic_id = topic->id;
      RemoveTopicRecord record;
      record.topic_id = topic->id;
      records->push_back(std::move(record));
    } else {
      result.error_code = static_cast<int16_t>(error.code);
      result.error_message = error.message;
    }
    return result;
  }

  PlanError Check(const Request::DeleteTopicState& state, bool repeated) const {
    if (!enabled_) {
      return {protocol::ErrorCode::kTopicDeletionDisabled, "delete.topic.enable is false"};
    }
    if (state.name.has_value() != state.topic_id.is_zero()) {
      return {protocol::ErrorCode::kInvalidRequest, "Expected either a topic name or a topic id"};
    }
    if (repeated) {
      return {protocol::ErrorCode::kInvalidRequest, "Topic appears twice in the request"};
    }
    if (Find(state) != nullptr) return {};
    if (state.name.has_value()) {
      return {protocol::ErrorCode::kUnknownTopicOrPartition, "There is no such topic"};
    }
    return {protocol::ErrorCode::kUnknownTopicId,
            absl::StrCat("There is no topic with id ", state.topic_id.ToString())};
  }

  const MetadataImage& image_;
  const bool enabled_;
};

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_TOPIC_PLANNER_H_

// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/partition_planner.h
// -----------------------------------------------------------------------------
// Which records add partitions to topics, and what the client is told: the rules of Kafka's
// controller (KIP-195).
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_PARTITION_PLANNER_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_PARTITION_PLANNER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/random.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/internal/placement.h"
#include "coordination/metadata/records.h"
#include "protocol/api/create_partitions.h"
#include "protocol/error_code.h"

namespace weir::metadata::metadata_internal {

// Plans one CreatePartitions request against an image. Topics fail one by one.
class PartitionCreator {
 public:
  using Request = protocol::CreatePartitionsRequest;
  using Response = protocol::CreatePartitionsResponse;

  PartitionCreator(const MetadataImage& image, Random& random) : image_(image), random_(random) {}

  // Appends to *records what adds the partitions; nothing if only validating.
  Response Plan(const Request& request, std::vector<MetadataRecord>* records) {
    std::map<absl::string_view, int> times;
    for (const Request::CreatePartitionsTopic& topic : request.topics) ++times[topic.name];
    Response response;
    for (const Request::CreatePartitionsTopic& topic : request.topics) {
      int& count = times[topic.name];
      if (count == 0) continue;  // a duplicate that has its answer
      PlanError error;
      std::vector<MetadataRecord> own;
      if (count > 1) {
        error = {protocol::ErrorCode::kInvalidRequest, "Topic appears twice in the request"};
      } else {
        error = PlanTopic(topic, &own);
      }
      count = 0;
      if (error.ok() && !request.validate_only) {
        MoveRecords(&own, records);
      }
      Response::CreatePartitionsTopicResult result;
      result.name = topic.name;
      result.error_code = static_cast<int16_t>(error.code);
      if (!error.ok()) result.error_message = std::move(error.message);
      response.results.push_back(std::move(result));
    }
    return response;
  }

 private:
  PlanError PlanTopic(const Request::CreatePartitionsTopic& asked,
                      std::vector<MetadataRecord>* records) {
    const TopicImage* topic = image_.FindTopic(asked.name);
    if (topic == nullptr) {
      return {protocol::ErrorCode::kUnknownTopicOrPartition,
              absl::StrCat("There is no topic '", asked.name, "'")};
    }
    const int32_t before = topic->partition_count();
    if (asked.count <= before) {
      return {protocol::ErrorCode::kInvalidPartitions,
              absl::StrCat("Topic '", asked.name, "' has ", before,
                           " partitions already; expected a greater count, came ", asked.count)};
    }
    const int32_t added = asked.count - before;
    if (asked.count > kPartitionsPerTopicMax) {
      return {protocol::ErrorCode::kInvalidPartitions,
              absl::StrCat("A topic has at most ", kPartitionsPerTopicMax, " partitions")};
    }
    if (added_ + added > kPartitionsPerRequestMax) {
      return {protocol::ErrorCode::kPolicyViolation,
              absl::StrCat("One request may add at most ", kPartitionsPerRequestMax,
                           " partitions in all")};
    }
    added_ += added;
    Placement placement;
    if (PlanError error = Place(asked, *topic, added, &placement); !error.ok()) return error;
    for (size_t i = 0; i < placement.replicas.size(); ++i) {
      records->push_back(
          NewPartition(image_, topic->id, before + static_cast<int32_t>(i), placement.replicas[i]));
    }
    return {};
  }

  PlanError Place(const Request::CreatePartitionsTopic& asked, const TopicImage& topic,
                  int32_t added, Placement* placement) {
    const size_t replicas = topic.Find(PartitionIndex(0))->replicas.size();
    if (!asked.assignments.has_value()) {
      return StripedPlacer(image_, random_).Place(added, static_cast<int16_t>(replicas), placement);
    }
    if (asked.assignments->size() != static_cast<size_t>(added)) {
      return {protocol::ErrorCode::kInvalidReplicaAssignment,
              absl::StrCat("Expected assignments for ", added, " new partitions, came ",
                           asked.assignments->size())};
    }
    std::map<int32_t, std::vector<BrokerId>> assignments;
    for (const Request::CreatePartitionsAssignment& assignment : *asked.assignments) {
      if (!assignment.broker_ids.empty() && assignment.broker_ids.size() != replicas) {
        return {protocol::ErrorCode::kInvalidReplicaAssignment,
                absl::StrCat("Expected ", replicas, " replicas, as the topic's partitions have, ",
                             "came ", assignment.broker_ids.size())};
      }
      std::vector<BrokerId> brokers;
      for (const int32_t id : assignment.broker_ids) brokers.push_back(BrokerId(id));
      assignments.emplace(static_cast<int32_t>(assignments.size()), std::move(brokers));
    }
    return PlaceManually(image_, std::move(assignments), placement);
  }

  const MetadataImage& image_;
  Random& random_;
  int64_t added_ = 0;  // of this request so far
};

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_PARTITION_PLANNER_H_

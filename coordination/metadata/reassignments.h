// -----------------------------------------------------------------------------
// File: coordination/metadata/reassignments.h
// -----------------------------------------------------------------------------
// Which partitions are moving to other replicas: what ListPartitionReassignments answers (KIP-455).
// Any broker can say it from its image.
#ifndef WEIR_COORDINATION_METADATA_REASSIGNMENTS_H_
#define WEIR_COORDINATION_METADATA_REASSIGNMENTS_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/sort.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/partition_set.h"
#include "protocol/api/list_partition_reassignments.h"

namespace weir::metadata {

// Topics by name, partitions ascending; what is asked for and not moving is left out.
inline protocol::ListPartitionReassignmentsResponse ListReassignments(
    const MetadataState& image, const protocol::ListPartitionReassignmentsRequest& request) {
  using Response = protocol::ListPartitionReassignmentsResponse;
  std::map<std::string, std::vector<int32_t>> found;
  if (request.topics.has_value()) {
    for (const auto& asked : *request.topics) {
      const TopicImage* topic = image.FindTopic(asked.name);
      if (topic == nullptr) continue;
      for (const int32_t index : asked.partition_indexes) {
        if (image.reassigning.Contains({topic->id, PartitionIndex(index)})) {
          found[asked.name].push_back(index);
        }
      }
    }
  } else {
    image.reassigning.ForEach([&](const TopicPartition& tp) {
      found[image.FindTopic(tp.topic_id)->name].push_back(tp.partition.value());
    });
  }
  const auto numbers = [](const std::vector<BrokerId>& ids) {
    std::vector<int32_t> out;
    for (const BrokerId id : ids) out.push_back(id.value());
    return out;
  };
  Response response;
  response.error_message.reset();
  for (auto& [name, indexes] : found) {
    Sort(indexes);
    indexes.erase(std::unique(indexes.begin(), indexes.end()), indexes.end());
    Response::OngoingTopicReassignment& topic = response.topics.emplace_back();
    topic.name = name;
    for (const int32_t index : indexes) {
      const PartitionImage& p = *image.FindTopic(name)->Find(PartitionIndex(index));
      topic.partitions.push_back(
          {index, numbers(p.replicas), numbers(p.adding_replicas), numbers(p.removing_replicas)});
    }
  }
  return response;
}

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_REASSIGNMENTS_H_

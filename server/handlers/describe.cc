// DescribeTopicPartitions and DescribeLogDirs.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/ids.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/topic_name.h"
#include "protocol/api/describe_log_dirs.h"
#include "protocol/api/describe_topic_partitions.h"
#include "protocol/error_code.h"
#include "server/authorized_operations.h"
#include "server/data_directory.h"
#include "server/gather.h"
#include "server/handlers/handlers.h"
#include "server/partition_table.h"
#include "server/request.h"
#include "server/shard.h"

namespace weir::server {
namespace {

using protocol::DescribeLogDirsResponse;
using protocol::DescribeTopicPartitionsRequest;
using protocol::DescribeTopicPartitionsResponse;
using protocol::ErrorCode;

constexpr int32_t kPartitionsPerPageMax = 2000;  // Kafka's max.request.partition.size.limit

std::vector<int32_t> Numbers(const std::vector<BrokerId>& ids) {
  std::vector<int32_t> numbers;
  numbers.reserve(ids.size());
  for (const BrokerId id : ids) numbers.push_back(id.value());
  return numbers;
}

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
  for (const BrokerId replica : image.replicas) {
    const metadata::BrokerImage* broker = cluster.FindBroker(replica);
    if (broker == nullptr || !broker->is_active()) {
      partition.offline_replicas.push_back(replica.value());
    }
  }
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
      response.next_cursor.emplace().topic_name = name;
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
      response.next_cursor.emplace().topic_name = name;
      response.next_cursor->partition_index = index;
      break;
    }
  }
  request->Respond(response);
}

void HandleDescribeLogDirs(const RequestRef& request) {
  absl::StatusOr<protocol::DescribeLogDirsRequest> asked =
      request->Decode<protocol::DescribeLogDirsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  Shard& shard = request->shard();
  const size_t shards = shard.node().shards.size();
  auto gather = Gather<std::vector<PartitionSize>>::Create(
      shards, [request, asked = *std::move(asked)](std::vector<std::vector<PartitionSize>> parts) {
        std::set<std::pair<std::string, int32_t>> wanted;
        if (asked.topics.has_value()) {
          for (const auto& topic : *asked.topics) {
            for (const int32_t partition : topic.partitions) wanted.emplace(topic.topic, partition);
          }
        }
        std::map<std::string, std::map<int32_t, int64_t>> topics;
        for (const std::vector<PartitionSize>& part : parts) {
          for (const PartitionSize& size : part) {
            if (asked.topics.has_value() && wanted.count({size.topic, size.partition}) == 0) {
              continue;
            }
            topics[size.topic][size.partition] = size.bytes;
          }
        }
        DescribeLogDirsResponse response;
        DescribeLogDirsResponse::DescribeLogDirsResult& folder = response.results.emplace_back();
        const std::string& path = request->shard().node().directory->path();
        std::error_code failed;
        folder.log_dir = std::filesystem::absolute(path, failed).lexically_normal().string();
        if (failed) folder.log_dir = path;
        const absl::StatusOr<int64_t> free = request->shard().partitions().FreeBytes();
        if (free.ok()) folder.usable_bytes = *free;
        for (const auto& [name, sizes] : topics) {
          auto& topic = folder.topics.emplace_back();
          topic.name = name;
          for (const auto& [partition, bytes] : sizes) {
            topic.partitions.push_back({partition, bytes, 0, false});
          }
        }
        request->Respond(response);
      });
  for (size_t i = 0; i < shards; ++i) {
    shard.Call<std::vector<PartitionSize>>(
        ShardId(static_cast<uint32_t>(i)),
        [](Shard& owner, Reply<std::vector<PartitionSize>> reply) {
          reply(owner.partitions().Sizes());
        },
        [gather, i](std::vector<PartitionSize> sizes) { gather->Set(i, std::move(sizes)); });
  }
}

}  // namespace weir::server

// ListOffsets: asked of the shard that owns each partition.

#include "protocol/api/list_offsets.h"

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "protocol/api/fetch.h"
#include "protocol/error_code.h"
#include "server/gather.h"
#include "server/handlers/handlers.h"
#include "server/partition_table.h"
#include "server/request.h"
#include "server/shard.h"

namespace weir::server {
namespace {

using protocol::ErrorCode;
using protocol::ListOffsetsRequest;
using protocol::ListOffsetsResponse;
using PartitionAnswer = ListOffsetsResponse::ListOffsetsPartitionResponse;

PartitionAnswer Refuse(int32_t partition, ErrorCode error) {
  PartitionAnswer answer;
  answer.partition_index = partition;
  answer.error_code = WireCode(error);
  return answer;
}

// A partition that a request names twice is an error of the client's and answered once: leaves one
// mention and returns which they were.
absl::flat_hash_set<int32_t> TakeRepeated(ListOffsetsRequest::ListOffsetsTopic* topic) {
  absl::flat_hash_set<int32_t> seen;
  absl::flat_hash_set<int32_t> repeated;
  std::erase_if(topic->partitions, [&](const auto& partition) {
    if (seen.insert(partition.partition_index).second) return false;
    repeated.insert(partition.partition_index);
    return true;
  });
  return repeated;
}

// The special timestamps that `version` does not know yet.
bool IsBeforeItsVersion(int64_t timestamp, int16_t version) {
  switch (timestamp) {
    case protocol::kMaxTimestamp:
      return version < 7;
    case protocol::kEarliestLocalTimestamp:
      return version < 8;
    case protocol::kLatestTieredTimestamp:
      return version < 9;
    case protocol::kEarliestPendingUploadTimestamp:
      return version < 11;
    default:
      return timestamp < protocol::kEarliestPendingUploadTimestamp;
  }
}

}  // namespace

void HandleListOffsets(const RequestRef& request) {
  absl::StatusOr<ListOffsetsRequest> asked = request->Decode<ListOffsetsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  Shard& shard = request->shard();

  ListOffsetsResponse response;
  size_t parts = 0;
  std::vector<absl::flat_hash_set<int32_t>> repeated;
  for (auto& topic : asked->topics) {
    repeated.push_back(TakeRepeated(&topic));
    response.topics.emplace_back().name = topic.name;
    parts += topic.partitions.size();
  }
  std::vector<size_t> counts;
  for (const auto& topic : asked->topics) counts.push_back(topic.partitions.size());
  auto gather = Gather<PartitionAnswer>::Create(
      parts, [request, response = std::move(response),
              counts = std::move(counts)](std::vector<PartitionAnswer> answers) mutable {
        auto next = std::make_move_iterator(answers.begin());
        for (size_t i = 0; i < counts.size(); ++i) {
          response.topics[i].partitions.assign(next, next + counts[i]);
          next += counts[i];
        }
        request->Respond(response);
      });

  size_t part = 0;
  for (size_t i = 0; i < asked->topics.size(); ++i) {
    const auto& topic_asked = asked->topics[i];
    const TopicInfo* topic = shard.topics().Find(topic_asked.name);
    for (const auto& partition_asked : topic_asked.partitions) {
      const size_t index = part++;
      const int32_t number = partition_asked.partition_index;
      if (repeated[i].contains(number)) {
        gather->Set(index, Refuse(number, ErrorCode::kInvalidRequest));
        continue;
      }
      if (topic == nullptr || topic->Partition(PartitionIndex(number)) == nullptr) {
        gather->Set(index, Refuse(number, ErrorCode::kUnknownTopicOrPartition));
        continue;
      }
      if (IsBeforeItsVersion(partition_asked.timestamp, request->version())) {
        gather->Set(index, Refuse(number, ErrorCode::kUnsupportedVersion));
        continue;
      }
      const TopicPartition partition{topic->id(), PartitionIndex(number)};
      const OffsetQuestion question{partition, partition_asked.timestamp,
                                    LeaderEpoch(partition_asked.current_leader_epoch),
                                    asked->isolation_level == protocol::kReadCommitted};
      shard.Call<replication::OffsetAnswer>(
          shard.OwnerOf(partition),
          [question](Shard& owner, Reply<replication::OffsetAnswer> reply) {
            reply(owner.partitions().FindOffset(question));
          },
          [gather, index, number](const replication::OffsetAnswer& found) {
            PartitionAnswer answer = Refuse(number, found.error);
            answer.timestamp = found.timestamp;
            answer.offset = found.offset.value();
            answer.leader_epoch = found.leader_epoch.value();
            gather->Set(index, std::move(answer));
          });
    }
  }
}

}  // namespace weir::server

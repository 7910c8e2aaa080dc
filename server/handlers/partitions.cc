// What clients ask of or about single partitions. Each part goes to the shard that has it.

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/ids.h"
#include "coordination/metadata/topic_name.h"
#include "log/move_names.h"
#include "protocol/api/alter_replica_log_dirs.h"
#include "protocol/api/delete_records.h"
#include "protocol/api/describe_log_dirs.h"
#include "protocol/api/describe_producers.h"
#include "protocol/api/offset_for_leader_epoch.h"
#include "protocol/error_code.h"
#include "server/call_each.h"
#include "server/data_directories.h"
#include "server/data_directory.h"
#include "server/gather.h"
#include "server/handlers/handlers.h"
#include "server/log_mover.h"
#include "server/partition_table.h"
#include "server/request.h"
#include "server/shard.h"

namespace weir::server {

// --- DeleteRecords, OffsetForLeaderEpoch, DescribeProducers --------------------------------------

namespace {

using protocol::ErrorCode;

// Null where there is no such partition.
std::optional<TopicPartition> FindPartition(const Shard& shard, const std::string& topic,
                                            int32_t partition) {
  const TopicInfo* found = shard.topics().Find(topic);
  if (found == nullptr || found->Partition(PartitionIndex(partition)) == nullptr) {
    return std::nullopt;
  }
  return TopicPartition{found->id(), PartitionIndex(partition)};
}

using DeletedPartition = protocol::DeleteRecordsResponse::DeleteRecordsPartitionResult;
using EpochEnd = protocol::OffsetForLeaderEpochResponse::EpochEndOffset;
using Producers = protocol::DescribeProducersResponse::PartitionResponse;

void FailProducers(ErrorCode error, Producers* part) {
  part->error_code = WireCode(error);
  part->error_message = std::string(protocol::ErrorMessage(error));
}

Producers Describe(PartitionIndex index, const ProducersAnswer& answer) {
  Producers result;
  result.partition_index = index.value();
  if (answer.error != ErrorCode::kNone) FailProducers(answer.error, &result);
  for (const auto& [producer, entry] : answer.producers) {
    auto& state = result.active_producers.emplace_back();
    state.producer_id = producer.value();
    state.producer_epoch = entry.epoch.value();
    if (const log::ProducerBatch* last = entry.last_batch(); last != nullptr) {
      state.last_sequence = last->last_sequence;
    }
    state.last_timestamp = entry.last_timestamp;
    state.coordinator_epoch = entry.coordinator_epoch;
    state.current_txn_start_offset = entry.transaction_first_offset.value();
  }
  return result;
}

// Answers when no replica in sync has what was deleted from the leader, or at the deadline.
void AnswerDeleted(Shard& owner, const TopicPartition& id, Offset start, MonotonicNs deadline,
                   Reply<DeletedPartition> reply) {
  constexpr int64_t kLookAgainMs = 10;
  const Offset low = owner.partitions().LowWatermark(id);
  const MonotonicNs now = owner.loop().now();
  if (low != kNoOffset && low < start && now < deadline) {
    const MonotonicNs at = std::min(deadline, now + kLookAgainMs * kNsPerMs);
    owner.loop().timers().Schedule(
        at, [&owner, id, start, deadline, reply = std::move(reply)]() mutable {
          AnswerDeleted(owner, id, start, deadline, std::move(reply));
        });
    return;
  }
  const ErrorCode error = low == kNoOffset ? ErrorCode::kNotLeaderOrFollower
                          : low < start    ? ErrorCode::kRequestTimedOut
                                           : ErrorCode::kNone;
  reply({id.partition.value(), low.value(), WireCode(error)});
}

// Finds the partitions of one request that are to be asked.
class Mentions {
 public:
  explicit Mentions(const Shard& shard) : shard_(shard) {}

  // Nothing, with why in *error, where there is no such partition, or where the request named it
  // before: the answers of one request are no more than the node has to say.
  std::optional<TopicPartition> Take(const std::string& topic, int32_t partition,
                                     ErrorCode* error) {
    std::optional<TopicPartition> id = FindPartition(shard_, topic, partition);
    if (!id.has_value()) {
      *error = ErrorCode::kUnknownTopicOrPartition;
    } else if (!seen_.insert(*id).second) {
      *error = ErrorCode::kInvalidRequest;
      id.reset();
    }
    return id;
  }

 private:
  const Shard& shard_;
  absl::flat_hash_set<TopicPartition> seen_;
};

// Whether a request names more partitions than it may; its connection is closed then.
template <class Topics, class Partitions>
bool NamesTooMany(const RequestRef& request, const Topics& topics, Partitions partitions) {
  size_t count = 0;
  for (const auto& topic : topics) count += (topic.*partitions).size();
  if (count <= kPartsPerRequestMax) return false;
  request->CloseConnection(absl::StrCat("expected at most ", kPartsPerRequestMax,
                                        " partitions in a request, came ", count));
  return true;
}

// Answers with `response`, whose topics have room for their partitions, once all of these are
// there.
template <class Part, class Response>
auto GatherInto(const RequestRef& request, Response response) {
  size_t count = 0;
  for (const auto& topic : response.topics) count += topic.partitions.size();
  return Gather<Part>::Create(
      count, [request, response = std::move(response)](std::vector<Part> parts) mutable {
        size_t next = 0;
        for (auto& topic : response.topics) {
          for (Part& part : topic.partitions) part = std::move(parts[next++]);
        }
        request->Respond(response);
      });
}

}  // namespace

void HandleDeleteRecords(const RequestRef& request) {
  const absl::StatusOr<protocol::DeleteRecordsRequest> asked =
      request->Decode<protocol::DeleteRecordsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  if (NamesTooMany(request, asked->topics,
                   &protocol::DeleteRecordsRequest::DeleteRecordsTopic::partitions)) {
    return;
  }
  protocol::DeleteRecordsResponse response;
  for (const auto& topic : asked->topics) {
    auto& part = response.topics.emplace_back();
    part.name = topic.name;
    part.partitions.resize(topic.partitions.size());
  }
  auto gather = GatherInto<DeletedPartition>(request, std::move(response));
  Shard& shard = request->shard();
  struct Question {
    TopicPartition partition;
    Offset offset;
  };
  CallEach<DeletedPartition, Question> calls(shard);
  Mentions mentions(shard);
  size_t next = 0;
  for (const auto& topic : asked->topics) {
    for (const auto& partition : topic.partitions) {
      const size_t part = next++;
      DeletedPartition result;
      result.partition_index = partition.partition_index;
      result.low_watermark = -1;
      ErrorCode error = ErrorCode::kInvalidTopicException;
      const auto id = mentions.Take(topic.name, partition.partition_index, &error);
      if (!id.has_value() || metadata::IsInternalTopic(topic.name)) {
        result.error_code = WireCode(error);
        gather->Set(part, result);
        continue;
      }
      calls.Add(part, shard.OwnerOf(*id), {*id, Offset(partition.offset)});
    }
  }
  calls.Run(
      [wait_ns = int64_t{std::max(asked->timeout_ms, 0)} * kNsPerMs](
          Shard& owner, const Question& question, Reply<DeletedPartition> reply) {
        const replication::DeleteAnswer answer =
            owner.partitions().DeleteRecords(question.partition, question.offset);
        if (answer.error == ErrorCode::kNone) {
          return AnswerDeleted(owner, question.partition,
                               owner.partitions().LogStart(question.partition),
                               owner.loop().now() + wait_ns, std::move(reply));
        }
        reply({question.partition.partition.value(), answer.low_watermark.value(),
               WireCode(answer.error)});
      },
      [gather](size_t part, const DeletedPartition& result) { gather->Set(part, result); });
}

void HandleOffsetForLeaderEpoch(const RequestRef& request) {
  const absl::StatusOr<protocol::OffsetForLeaderEpochRequest> asked =
      request->Decode<protocol::OffsetForLeaderEpochRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  if (NamesTooMany(request, asked->topics,
                   &protocol::OffsetForLeaderEpochRequest::OffsetForLeaderTopic::partitions)) {
    return;
  }
  protocol::OffsetForLeaderEpochResponse response;
  for (const auto& topic : asked->topics) {
    auto& part = response.topics.emplace_back();
    part.topic = topic.topic;
    part.partitions.resize(topic.partitions.size());
  }
  auto gather = GatherInto<EpochEnd>(request, std::move(response));
  Shard& shard = request->shard();
  struct Question {
    TopicPartition partition;
    LeaderEpoch current;
    LeaderEpoch epoch;
  };
  CallEach<EpochEnd, Question> calls(shard);
  Mentions mentions(shard);
  size_t next = 0;
  for (const auto& topic : asked->topics) {
    for (const auto& partition : topic.partitions) {
      const size_t part = next++;
      EpochEnd result;
      result.partition = partition.partition;
      ErrorCode error = ErrorCode::kNone;
      const auto id = mentions.Take(topic.topic, partition.partition, &error);
      if (!id.has_value()) {
        result.error_code = WireCode(error);
        gather->Set(part, result);
        continue;
      }
      calls.Add(
          part, shard.OwnerOf(*id),
          {*id, LeaderEpoch(partition.current_leader_epoch), LeaderEpoch(partition.leader_epoch)});
    }
  }
  calls.Run(
      [](Shard& owner, const Question& question, Reply<EpochEnd> reply) {
        const replication::EpochEndAnswer answer =
            owner.partitions().FindEpochEnd(question.partition, question.current, question.epoch);
        EpochEnd result;
        result.partition = question.partition.partition.value();
        result.error_code = WireCode(answer.error);
        if (answer.error == ErrorCode::kNone) {
          result.leader_epoch = answer.end.epoch.value();
          result.end_offset = answer.end.end_offset.value();
        }
        reply(result);
      },
      [gather](size_t part, const EpochEnd& result) { gather->Set(part, result); });
}

void HandleDescribeProducers(const RequestRef& request) {
  const absl::StatusOr<protocol::DescribeProducersRequest> asked =
      request->Decode<protocol::DescribeProducersRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  if (NamesTooMany(request, asked->topics,
                   &protocol::DescribeProducersRequest::TopicRequest::partition_indexes)) {
    return;
  }
  protocol::DescribeProducersResponse response;
  for (const auto& topic : asked->topics) {
    auto& part = response.topics.emplace_back();
    part.name = topic.name;
    part.partitions.resize(topic.partition_indexes.size());
  }
  auto gather = GatherInto<Producers>(request, std::move(response));
  Shard& shard = request->shard();
  CallEach<Producers, TopicPartition> calls(shard);
  Mentions mentions(shard);
  size_t next = 0;
  for (const auto& topic : asked->topics) {
    for (const int32_t index : topic.partition_indexes) {
      const size_t part = next++;
      Producers result;
      result.partition_index = index;
      ErrorCode error = ErrorCode::kNone;
      const auto id = mentions.Take(topic.name, index, &error);
      if (!id.has_value()) {
        const bool valid = metadata::ValidateTopicName(topic.name).ok();
        FailProducers(valid ? error : ErrorCode::kInvalidTopicException, &result);
        gather->Set(part, std::move(result));
        continue;
      }
      calls.Add(part, shard.OwnerOf(*id), *id);
    }
  }
  calls.Run(
      [](Shard& owner, const TopicPartition& id, Reply<Producers> reply) {
        reply(Describe(id.partition, owner.partitions().Producers(id)));
      },
      [gather](size_t part, Producers result) { gather->Set(part, std::move(result)); });
}

// --- DescribeLogDirs, AlterReplicaLogDirs --------------------------------------------------------
// DescribeLogDirs: sizes from all shards, space from the file system. AlterReplicaLogDirs says yes
// when a move will begin (server/log_mover.h).

namespace {

using protocol::DescribeLogDirsResponse;

// As it is where the working directory cannot be told.
std::string AbsolutePath(const std::string& path) {
  char folder[PATH_MAX];
  if (path.front() == '/' || getcwd(folder, sizeof(folder)) == nullptr) return path;
  return absl::StrCat(folder, "/", path);
}

// Every folder answers, with those of its partitions that are asked for; one that is offline with
// the reason alone.
DescribeLogDirsResponse DescribeDirectories(
    const protocol::DescribeLogDirsRequest& asked,
    const std::vector<std::vector<PartitionSize>>& of_shards, Shard& shard) {
  std::set<std::pair<std::string, int32_t>> wanted;
  if (asked.topics.has_value()) {
    for (const auto& topic : *asked.topics) {
      for (const int32_t partition : topic.partitions) wanted.emplace(topic.topic, partition);
    }
  }
  const auto folders = shard.node().directories->for_logs();
  std::vector<std::map<std::string, std::map<int32_t, const PartitionSize*>>> sizes(folders.size());
  for (const std::vector<PartitionSize>& part : of_shards) {
    for (const PartitionSize& size : part) {
      if (asked.topics.has_value() && wanted.count({size.topic, size.partition}) == 0) continue;
      sizes[size.directory][size.topic][size.partition] = &size;
    }
  }
  DescribeLogDirsResponse response;
  for (const std::unique_ptr<DataDirectory>& folder : folders) {
    DescribeLogDirsResponse::DescribeLogDirsResult& result = response.results.emplace_back();
    result.log_dir = AbsolutePath(folder->path());
    if (!folder->is_online()) {
      result.error_code = WireCode(ErrorCode::kKafkaStorageError);
      continue;
    }
    const DiskSpace space = shard.partitions().SpaceOf(*folder);
    result.total_bytes = space.total_bytes;
    result.usable_bytes = space.usable_bytes;
    for (const auto& [name, partitions] : sizes[folder->index()]) {
      auto& topic = result.topics.emplace_back();
      topic.name = name;
      for (const auto& [index, size] : partitions) {
        topic.partitions.push_back({index, size->bytes, size->offset_lag, size->is_copy});
      }
    }
  }
  return response;
}

}  // namespace

void HandleDescribeLogDirs(const RequestRef& request) {
  absl::StatusOr<protocol::DescribeLogDirsRequest> asked =
      request->Decode<protocol::DescribeLogDirsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  Shard& shard = request->shard();
  const size_t shards = shard.node().shards.size();
  auto gather = Gather<std::vector<PartitionSize>>::Create(
      shards, [request, asked = *std::move(asked)](std::vector<std::vector<PartitionSize>> parts) {
        request->Respond(DescribeDirectories(asked, parts, request->shard()));
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

namespace {

using protocol::AlterReplicaLogDirsResponse;

// The folder of that path, or why it cannot be moved to.
DataDirectory* FolderAt(const Shard& shard, const std::string& path, ErrorCode* error) {
  *error = ErrorCode::kLogDirNotFound;
  for (const std::unique_ptr<DataDirectory>& folder : shard.node().directories->for_logs()) {
    if (AbsolutePath(folder->path()) != path) continue;
    *error = folder->is_online() ? ErrorCode::kNone : ErrorCode::kKafkaStorageError;
    return folder.get();
  }
  return nullptr;
}

struct MoveQuestion {
  std::string topic;
  PartitionIndex partition;
  DataDirectory* to;
};

// As with Kafka, one that this broker does not have yet will be made there.
void MovePartition(Shard& owner, const MoveQuestion& question, Reply<ErrorCode> reply) {
  const TopicInfo* topic = owner.topics().Find(question.topic);
  if (topic != nullptr && owner.partitions().Has({topic->id(), question.partition})) {
    return owner.mover().Move({topic->id(), question.partition}, *question.to, std::move(reply));
  }
  if (question.partition >= PartitionIndex(0)) {
    owner.node().directories->Prefer({question.topic, question.partition.value()}, *question.to);
  }
  reply(ErrorCode::kReplicaNotAvailable);
}

}  // namespace

void HandleAlterReplicaLogDirs(const RequestRef& request) {
  const absl::StatusOr<protocol::AlterReplicaLogDirsRequest> asked =
      request->Decode<protocol::AlterReplicaLogDirsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  size_t parts = 0;
  for (const auto& dir : asked->dirs) {
    for (const auto& topic : dir.topics) parts += 1 + topic.partitions.size();
  }
  if (parts > kPartsPerRequestMax) {
    return request->CloseConnection(
        absl::StrCat("expected at most ", kPartsPerRequestMax, " parts, came ", parts));
  }
  // Of two folders for one partition, the last counts.
  std::map<std::string, std::map<int32_t, const std::string*>> paths;
  for (const auto& dir : asked->dirs) {
    for (const auto& topic : dir.topics) {
      for (const int32_t partition : topic.partitions) paths[topic.name][partition] = &dir.path;
    }
  }
  AlterReplicaLogDirsResponse response;
  size_t count = 0;
  for (const auto& [name, partitions] : paths) {
    auto& topic = response.results.emplace_back();
    topic.topic_name = name;
    for (const auto& [index, path] : partitions) topic.partitions.push_back({index, 0});
    count += partitions.size();
  }
  auto gather = Gather<ErrorCode>::Create(
      count, [request, response = std::move(response)](std::vector<ErrorCode> errors) mutable {
        size_t next = 0;
        for (auto& topic : response.results) {
          for (auto& part : topic.partitions) part.error_code = WireCode(errors[next++]);
        }
        request->Respond(response);
      });
  Shard& shard = request->shard();
  CallEach<ErrorCode, MoveQuestion> calls(shard);
  size_t part = 0;
  for (const auto& [name, partitions] : paths) {
    for (const auto& [index, path] : partitions) {
      ErrorCode error = ErrorCode::kInvalidTopicException;  // its copy has no name
      DataDirectory* to = nullptr;
      if (log::MayMove(absl::StrCat(name, "-", index))) to = FolderAt(shard, *path, &error);
      if (error == ErrorCode::kNone) {
        const PartitionIndex partition(index);
        calls.Add(part, shard.OwnerOf(name, partition), {name, partition, to});
      } else {
        gather->Set(part, error);
      }
      ++part;
    }
  }
  calls.Run([](Shard& owner, const MoveQuestion& question,
               Reply<ErrorCode> reply) { MovePartition(owner, question, std::move(reply)); },
            [gather](size_t part, ErrorCode error) { gather->Set(part, error); });
}

}  // namespace weir::server

// -----------------------------------------------------------------------------
// File: server/group_table.h
// -----------------------------------------------------------------------------
// The group coordinators of one shard: one for each partition of __consumer_offsets that lives
// here. Loads each from its partition's log, writes what it decides there, and carries answers back
// once they are committed.
// Threading: one per shard, on its thread.
// Errors: a partition that cannot be read leaves its coordinator unloaded, which answers
//   NOT_COORDINATOR.
#ifndef WEIR_SERVER_GROUP_TABLE_H_
#define WEIR_SERVER_GROUP_TABLE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "coordination/group/events.h"
#include "coordination/group/group_coordinator.h"
#include "protocol/compression.h"
#include "server/event_loop.h"
#include "server/node.h"
#include "server/partition_table.h"
#include "server/reply.h"

namespace weir::server {

class GroupTable {
 public:
  // All outlive the table.
  GroupTable(const Node& node, PartitionTable& partitions, EventLoop& loop, Random& random);
  ~GroupTable();

  // This shard leads a partition of __consumer_offsets from now on, or not any more.
  void Open(const TopicPartition& partition);
  void Close(const TopicPartition& partition);
  void OnTopicsDeleted(const std::vector<std::string>& names);

  // Asks the coordinator of `partition`; its answer is a Response message. Where there is no such
  // coordinator, the answer is NOT_COORDINATOR.
  template <class Response, class RequestMessage>
  void Ask(PartitionIndex partition, group::Request<RequestMessage> request,
           Reply<Response> reply) {
    request.token = next_token_++;
    answers_.emplace(request.token, [reply = std::move(reply)](group::ResponseBody body) mutable {
      reply(std::get<Response>(std::move(body)));
    });
    Step(partition, std::move(request));
  }

 private:
  using Answer = absl::AnyInvocable<void(group::ResponseBody)>;
  struct Hosted {
    TopicPartition partition;
    std::unique_ptr<group::GroupCoordinator> coordinator;
  };

  group::Now now() const;
  absl::Status Load(Hosted* hosted);
  absl::Status LoadBatch(Hosted* hosted, const protocol::RecordBatchView& batch);
  void Step(PartitionIndex partition, group::Event event);
  void Carry(PartitionIndex partition, group::Effects effects);
  void Append(PartitionIndex partition, group::AppendRecords append);
  void ArmTimer();
  void OnTimer();

  const Node& node_;
  PartitionTable& partitions_;
  EventLoop& loop_;
  Random& random_;
  group::GroupCoordinator nobody_;  // never loaded: answers for partitions that are not here
  std::map<PartitionIndex, Hosted> hosted_;
  absl::flat_hash_map<uint64_t, Answer> answers_;
  uint64_t next_token_ = 1;
  protocol::Decompressor decompressor_;
  TimerId timer_;
  int64_t timer_at_ms_ = 0;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_GROUP_TABLE_H_

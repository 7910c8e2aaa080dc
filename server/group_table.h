// -----------------------------------------------------------------------------
// File: server/group_table.h
// -----------------------------------------------------------------------------
// The group coordinators of one shard: one for each partition of __consumer_offsets that lives
// here. Loads each from its partition's log, a bounded piece in each turn of the loop, writes what
// it decides there, and carries answers back once they are committed. While it loads, requests are
// answered with COORDINATOR_LOAD_IN_PROGRESS.
// Threading: one per shard, on its thread.
// Errors: a partition that cannot be read, or whose log fails, leaves its coordinator unloaded,
//   which answers NOT_COORDINATOR: what it has in memory may not be what is in the log.
#ifndef WEIR_SERVER_GROUP_TABLE_H_
#define WEIR_SERVER_GROUP_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
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
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "coordination/group/events.h"
#include "server/event_loop.h"
#include "server/node.h"
#include "server/reply.h"

namespace weir::group {
class GroupCoordinator;
}
namespace weir::protocol {
class Decompressor;
class RecordBatchView;
}  // namespace weir::protocol
namespace weir::replication {
struct AppendDone;
}

namespace weir::server {

class PartitionTable;

class GroupTable {
 public:
  // All outlive the table.
  GroupTable(const Node& node, PartitionTable& partitions, EventLoop& loop, Random& random);
  ~GroupTable();

  // This shard leads a partition of __consumer_offsets from now on, or not any more.
  void Open(const TopicPartition& partition);
  void Close(const TopicPartition& partition);
  void OnTopicsDeleted(const group::TopicsDeleted& deleted);

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

  // Requests that are not answered yet.
  size_t waiting() const { return answers_.size(); }
  // Time-outs of members and of rebalances that run.
  size_t timeouts() const;

 private:
  using Answer = absl::AnyInvocable<void(group::ResponseBody)>;
  struct Hosted {
    TopicPartition partition;
    std::unique_ptr<group::GroupCoordinator> coordinator;
    Offset next_load;  // where loading goes on
    std::vector<group::TopicsDeleted> deleted_meanwhile;
  };
  struct Loaded {
    int64_t bytes = 0;
    bool all = false;
    bool waits = false;  // for what followers have yet to get, of before this broker led
  };

  group::Now now() const;
  void LoadSoon(const TopicPartition& partition);
  void LoadSome();
  // Loads about `bytes_max`. True when the partition is done with, for good or ill, or waits.
  bool LoadPiece(PartitionIndex partition, Hosted* hosted, int64_t* bytes_max);
  absl::StatusOr<Loaded> Load(Hosted* hosted, int64_t bytes_max);
  absl::Status LoadBatch(Hosted* hosted, const protocol::RecordBatchView& batch);
  void LoadEvent(Hosted* hosted, group::Event event);
  void LoadLater(const Hosted& hosted);
  void FinishLoading(PartitionIndex partition, Hosted* hosted);
  void Step(PartitionIndex partition, group::Event event);
  void Carry(PartitionIndex partition, group::Effects effects);
  void Append(PartitionIndex partition, group::AppendRecords append);
  void OnAppendDone(const TopicPartition& partition, uint64_t token,
                    const replication::AppendDone& appended);
  void ArmTimer();
  void OnTimer();

  const Node& node_;
  PartitionTable& partitions_;
  EventLoop& loop_;
  Random& random_;
  // Never loaded: answers for partitions that are not here.
  const std::unique_ptr<group::GroupCoordinator> nobody_;
  std::map<PartitionIndex, Hosted> hosted_;
  std::deque<TopicPartition> loading_;
  bool load_is_scheduled_ = false;
  // A replication::WaitToken that no fetch has.
  uint64_t next_wait_ = uint64_t{0xffff} << 48;
  absl::flat_hash_map<uint64_t, Answer> answers_;
  uint64_t next_token_ = 1;
  const std::unique_ptr<protocol::Decompressor> decompressor_;
  TimerId timer_;
  int64_t timer_at_ms_ = 0;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_GROUP_TABLE_H_

// -----------------------------------------------------------------------------
// File: server/shard.h
// -----------------------------------------------------------------------------
// One core of the broker: its connections, the partitions that hash to it, and its copy of the
// metadata image. Shards share nothing that changes: they ask each other by Call, through
// mailboxes. Shard 0 also holds the controller. The simulator runs shards as the broker does: by
// their event loops, on its own poller, clock and file system.
// Decision: docs/adr/0004-poller-and-threading.md.
// Threading: everything on the thread of the shard's loop, except the constructor.
#ifndef WEIR_SERVER_SHARD_H_
#define WEIR_SERVER_SHARD_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/crc32c.h"
#include "base/ids.h"
#include "base/random.h"
#include "coordination/metadata/image_delta.h"
#include "log/file.h"
#include "server/event_loop.h"
#include "server/leader_doubts.h"
#include "server/node.h"
#include "server/reply.h"
#include "server/topic_table.h"

namespace weir::protocol {
class RecordBatchRecompressor;
class RecordBatchValidator;
}  // namespace weir::protocol

namespace weir::server {

// Whoever works with one of these includes its header; who just passes by pays for none.
class ConnectionTable;
class ControllerDriver;
class FetchSessionCache;
class GroupTable;
class IsrProposals;
class LogCleaner;
class LogMover;
class PartitionTable;
class ProducerIds;
class LogScrubber;
class Replicas;

// What a shard runs on; all outlive it.
struct ShardEnvironment {
  EventLoop& loop;
  log::FileSystem& files;
  Random& random;
};

class Shard {
 public:
  Shard(ShardId id, Node& node, const ShardEnvironment& environment);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  ShardId id() const { return id_; }
  const Node& node() const { return node_; }
  EventLoop& loop() { return environment_.loop; }
  Random& random() { return environment_.random; }
  TimestampMs now_ms() { return environment_.loop.clock().WallMs(); }

  const metadata::MetadataImagePtr& image() const { return topics_.image(); }
  const TopicTable& topics() const { return topics_; }
  PartitionTable& partitions() { return *partitions_; }
  LogCleaner& cleaner() { return *cleaner_; }
  LogMover& mover() { return *mover_; }
  GroupTable& groups() { return *groups_; }
  Replicas& replicas() { return *replicas_; }
  LogScrubber& scrubber() { return *scrubber_; }
  LeaderDoubts& leader_doubts() { return leader_doubts_; }
  ConnectionTable& connections() { return *connections_; }
  FetchSessionCache& fetch_sessions() { return *fetch_sessions_; }
  protocol::RecordBatchValidator& validator() { return *validator_; }
  protocol::RecordBatchRecompressor& recompressor() { return *recompressor_; }
  ProducerIds& producer_ids() { return *producer_ids_; }
  // How many partitions of __consumer_offsets groups are spread over: as many as it had when this
  // run first saw it. With more of them, each group would be looked for in another place.
  int32_t group_partitions() const { return group_partitions_; }
  // On the controller's shard only.
  ControllerDriver& controller();
  IsrProposals& isr_proposals();
  void set_controller(std::unique_ptr<ControllerDriver> controller);

  // The shard that a partition lives on: partitions of one topic go round all of them. A topic that
  // is made again under the name of one that was deleted lives where that one did: both have the
  // same directories, and one thread removes the old before it makes the new.
  ShardId OwnerOf(absl::string_view topic_name, PartitionIndex index) const {
    const uint64_t place = uint64_t{Crc32c(topic_name)} + static_cast<uint64_t>(index.value());
    return ShardId(static_cast<uint32_t>(place % node_.shards.size()));
  }
  // Of a topic that the image has not, any shard knows as little as the others.
  ShardId OwnerOf(const TopicPartition& partition) const {
    const TopicInfo* topic = topics_.Find(partition.topic_id);
    return topic == nullptr ? id_ : OwnerOf(topic->name(), partition.partition);
  }

  // Runs work(shard) on `target`, at once if that is this shard.
  template <class Work>
  void Tell(ShardId target, Work work) {
    Shard& other = *node_.shards[target.value()];
    if (target == id_) return work(other);
    other.loop().Post([&other, work = std::move(work)]() mutable { work(other); });
  }

  // Runs work(shard, reply) on `target`, at once if that is this shard; `done` runs here with what
  // `reply` is called with. Calls from one shard to another arrive in their order.
  template <class Result, class Work, class Done>
  void Call(ShardId target, Work work, Done done) {
    if (target == id_) {
      work(*this, Reply<Result>(nullptr, std::move(done)));
      return;
    }
    Shard& other = *node_.shards[target.value()];
    other.loop().Post([&other, work = std::move(work),
                       reply = Reply<Result>(&loop(), std::move(done))]() mutable {
      work(other, std::move(reply));
    });
  }

  // A replication::WaitToken that no other wait of this node has.
  uint64_t NextWaitToken() { return (uint64_t{id_.value()} << 48) | ++last_wait_; }

  // Whether this leader may just have ended, though the metadata have it still.
  bool Doubts(BrokerId leader) const {
    return leader_doubts_.IsDoubted(environment_.loop.now(), leader, *image());
  }
  // Runs `work` once that is certain: at once, as a rule, and soon anyhow.
  void OnceCertainOf(BrokerId leader, absl::AnyInvocable<void()> work);

  // Follows the metadata: opens and deletes partitions of this shard.
  void Follow(metadata::MetadataImagePtr image);

  // The log of a partition that is online is damaged. Where others have its records it is copied
  // anew; where nobody has, what can be read of it can be read.
  void OnDamage(const TopicPartition& id, const absl::Status& damage);

  // A folder is offline: its partitions are too, and the controller is to choose other leaders.
  void OnDirectoryFailed(const DataDirectory& directory);

  // Where its partitions are, as far as the metadata do not have it. Done every second too.
  void TellPlaces() { RepairPartitions(); }

  // Closes the connections, then the logs. Nothing but destruction may follow.
  absl::Status Close();

 private:
  void OnSyncDone(const log::SyncDone& sync);
  void OnTickEnd();
  bool IsOurs(const metadata::TopicImage& topic, PartitionIndex index,
              const metadata::PartitionImage* image) const;
  // Whether this broker is to lead a partition of which it has a replica, and may.
  bool Leads(const metadata::PartitionImage& image) const;
  void FollowPartition(const metadata::TopicImage& topic, PartitionIndex index,
                       const metadata::PartitionImage* before,
                       const metadata::PartitionImage& after);
  void Drop(const std::vector<TopicPartition>& partitions);
  void Reconfigure(absl::string_view topic_name);
  void ReopenPartitions();
  void RepairPartitions();
  void TakeOffline(const std::vector<TopicPartition>& ids, const absl::Status& why);
  void ArmTimer();
  void ScheduleHousekeeping(int64_t delay_ms);
  void ScheduleDirectoryCheck();

  const ShardId id_;
  Node& node_;
  const ShardEnvironment environment_;
  TopicTable topics_;
  const std::unique_ptr<PartitionTable> partitions_;
  const std::unique_ptr<LogCleaner> cleaner_;
  const std::unique_ptr<GroupTable> groups_;
  const std::unique_ptr<FetchSessionCache> fetch_sessions_;
  const std::unique_ptr<protocol::RecordBatchValidator> validator_;
  const std::unique_ptr<protocol::RecordBatchRecompressor> recompressor_;
  const std::unique_ptr<ProducerIds> producer_ids_;
  const std::unique_ptr<Replicas> replicas_;
  const std::unique_ptr<LogScrubber> scrubber_;
  const std::unique_ptr<LogMover> mover_;
  const std::unique_ptr<ConnectionTable> connections_;
  LeaderDoubts leader_doubts_;
  std::unique_ptr<ControllerDriver> controller_;
  std::unique_ptr<IsrProposals> isr_proposals_;
  int32_t group_partitions_ = 0;
  TimerId timer_;  // of the partitions
  MonotonicNs timer_at_;
  uint64_t last_wait_ = 0;
  bool reports_ = false;        // where replicas are, and no answer has come
  bool reports_again_ = false;  // for there was more to tell meanwhile
};

}  // namespace weir::server

#endif  // WEIR_SERVER_SHARD_H_

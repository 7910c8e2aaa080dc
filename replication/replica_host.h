// -----------------------------------------------------------------------------
// File: replication/replica_host.h
// -----------------------------------------------------------------------------
// What the two ends of a replication stream ask of the partitions of the shard that they live on:
// the seam between replication/{leader,follower}_stream.h and replication/partition.h.
// Threading: as the streams; one thread. Functions are called from within those of the streams. Of
// the stream that calls they may call News, Follow and Unfollow, nothing else.
#ifndef WEIR_REPLICATION_REPLICA_HOST_H_
#define WEIR_REPLICATION_REPLICA_HOST_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "base/ids.h"
#include "replication/partition_events.h"
#include "replication/stream_messages.h"

namespace weir::replication {

// Of a leader. A partition that is not on this shard, or not led here, is refused in the answer:
// with kReplicaNotAvailable and its shard, or with kNotLeaderOrFollower.
class LeaderHost {
 public:
  virtual ~LeaderHost() = default;

  // Partition::Follow.
  virtual FollowAnswer Follow(const TopicPartition& partition, const FollowRequest& request) = 0;
  // A ReplicaProgress for the partition.
  virtual void Progress(const TopicPartition& partition, const ReplicaProgress& progress) = 0;
  // A ReplicaGone for it.
  virtual void Gone(const TopicPartition& partition, const ReplicaGone& gone) = 0;
  // Partition::ReadForReplica.
  virtual ReplicaRead ReadForReplica(const TopicPartition& partition, LeaderEpoch leader_epoch,
                                     Offset from, int64_t bytes_max, bool at_least_one_batch) = 0;
  // Whether a follower gets nothing of the partition for now, as what is sent to such replicas has
  // used up its quota (KIP-73); and what was sent.
  virtual bool IsThrottled(const TopicPartition& partition, BrokerId follower) = 0;
  virtual void Sent(const TopicPartition& partition, BrokerId follower, int64_t bytes) = 0;
};

// Of a follower.
class FollowerHost {
 public:
  virtual ~FollowerHost() = default;

  // What is to be said of a partition that is (again) to be followed: Partition::following(). None
  // where it is not to be followed any more, or not now.
  virtual std::optional<StartFollowing> State(const TopicPartition& partition) = 0;
  // A Replicate for the partition; `storage` owns the records until the end of the tick.
  virtual void Replicate(const TopicPartition& partition, LeaderEpoch leader_epoch,
                         const LeaderRecords& records,
                         const std::shared_ptr<const void>& storage) = 0;
  // Whether the partition is to be sent nothing more for now, as what came has used up the quota of
  // such (KIP-73).
  virtual bool IsThrottled(const TopicPartition& partition) = 0;
  // A FollowRefused for it.
  virtual void Ended(const TopicPartition& partition, LeaderEpoch leader_epoch,
                     const FollowEnded& told) = 0;
  // The leader has the partition on another shard: it is to be followed in a stream to that one.
  // The stream that says so has forgotten it.
  virtual void Moved(const TopicPartition& partition, uint32_t shard) = 0;
};

}  // namespace weir::replication

#endif  // WEIR_REPLICATION_REPLICA_HOST_H_

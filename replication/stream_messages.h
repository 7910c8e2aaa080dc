// -----------------------------------------------------------------------------
// File: replication/stream_messages.h
// -----------------------------------------------------------------------------
// What a follower and a leader tell each other on a replication stream. There is one for each
// (follower, leader, shard of the leader); it carries many partitions in each message.
//
// The follower names a partition once, with a handle of its choice, and says what it has. The
// leader answers with where the two logs part, with a refusal, or with records, pushed as soon as
// they are there, from then on. What is told of a handle counts until the follower names the
// partition again (with a higher handle) or drops it. The leader sends no more bytes of records
// than the follower has given credit for; a new stream begins with none.
// Decision: docs/adr/0015-replication-streams.md.
// Threading: values. Limits: below; who exceeds them is refused by the transport.
#ifndef WEIR_REPLICATION_STREAM_MESSAGES_H_
#define WEIR_REPLICATION_STREAM_MESSAGES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "log/leader_epoch_cache.h"
#include "protocol/error_code.h"

namespace weir::replication {

// Names a partition on one stream. The follower counts them up, from 1.
using FollowHandle = uint32_t;

// Of record bytes in a message; one batch that is larger goes alone.
inline constexpr size_t kStreamRecordBytesMax = size_t{1} << 20;
// Of partitions in a message, of each kind.
inline constexpr size_t kStreamPartitionsMax = 10'000;

// Said once, when the stream is opened.
struct StreamHello {
  std::string cluster_id;
  BrokerId leader = kNoBroker;    // whom the follower takes the other end for
  BrokerId follower = kNoBroker;  // who opens
  int64_t follower_epoch = -1;    // its broker epoch, which may have ended since
  uint32_t shard = 0;             // of the leader
};

// --- follower to leader -----------------------------------------------------------------------

// Begins to follow a partition, or begins again.
struct FollowPartition {
  FollowHandle handle = 0;
  TopicPartition partition;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;  // that the follower follows in
  // The follower's log: where it ends, what of it is durable, the epoch of its last record
  // (kNoLeaderEpoch when it has none), where it starts.
  Offset log_end{0};
  Offset flushed{0};
  LeaderEpoch last_epoch = kNoLeaderEpoch;
  Offset log_start{0};
};

// Another time: what the follower has now.
struct FollowProgress {
  FollowHandle handle = 0;
  Offset log_end{0};
  Offset flushed{0};
  Offset log_start{0};
};

struct FollowerMessage {
  std::vector<FollowPartition> follow;
  std::vector<FollowHandle> drop;  // not to be followed any more
  // Of which no more records are to be sent for now, as they have used up the follower's quota, and
  // of which they are again. `hold` comes first.
  std::vector<FollowHandle> hold, resume;
  std::vector<FollowProgress> progress;
  int64_t credit_bytes = 0;  // of records that may be sent beyond what was said before
};

// --- leader to follower -----------------------------------------------------------------------

// Whole batches that continue the follower's log, possibly none; and how far the leader is. They
// are all that the leader's log has of the offsets from `from` up to `to`, and go on where what was
// sent before ends: compaction leaves gaps, so neither need be the first or the end of a batch.
struct LeaderRecords {
  FollowHandle handle = 0;
  Offset from = kNoOffset;  // both kNoOffset without records
  Offset to = kNoOffset;
  Offset high_watermark{0};
  Offset log_start{0};
  absl::string_view records;  // in the message's `storage`
};

// Nothing more comes of this handle.
struct FollowEnded {
  FollowHandle handle = 0;
  // kNone: the logs part, see `diverging`. kOffsetOutOfRange: the follower has nothing that the
  // leader has, whose log starts at `log_start`. kNotLeaderOrFollower, kFencedLeaderEpoch,
  // kUnknownLeaderEpoch, kStaleBrokerEpoch: one of the two is behind with the metadata.
  // kReplicaNotAvailable: the partition is on shard `shard` of the leader.
  // kUnknownTopicOrPartition. kCorruptMessage, kKafkaStorageError: the leader cannot read its log.
  protocol::ErrorCode error = protocol::ErrorCode::kNone;
  log::EpochEnd diverging;
  Offset log_start{0};
  uint32_t shard = 0;
};

struct LeaderMessage {
  std::vector<LeaderRecords> records;
  std::vector<FollowEnded> ended;
  // Whoever keeps the bytes of `records` alive.
  std::shared_ptr<const void> storage;

  int64_t RecordBytes() const {
    int64_t bytes = 0;
    for (const LeaderRecords& part : records) bytes += static_cast<int64_t>(part.records.size());
    return bytes;
  }
};

}  // namespace weir::replication

#endif  // WEIR_REPLICATION_STREAM_MESSAGES_H_

// -----------------------------------------------------------------------------
// File: replication/partition_events.h
// -----------------------------------------------------------------------------
// What goes into and comes out of a Partition (replication/partition.h).
#ifndef WEIR_REPLICATION_PARTITION_EVENTS_H_
#define WEIR_REPLICATION_PARTITION_EVENTS_H_

#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/ids.h"
#include "log/append_terms.h"
#include "log/file.h"
#include "log/leader_epoch_cache.h"
#include "log/log_types.h"
#include "log/transaction_index.h"
#include "protocol/error_code.h"
#include "replication/stream_messages.h"

namespace weir::replication {

// Finds the request that waits; the caller's to choose, unique among those of its kind.
using WaitToken = uint64_t;

// Numbers what a leader's followers have begun, from 1.
using FollowId = uint64_t;

inline constexpr int16_t kAcksAll = -1;

// When records count as safe (weir.flush.policy).
enum class Durability : int8_t {
  kAck,  // when they are on disk on the replicas in sync
  kOs,   // when the replicas in sync have written them
};

struct PartitionConfig {
  Durability durability = Durability::kAck;
  int32_t min_insync_replicas = 1;
  // With kOs: flush after so many records or nanoseconds.
  int64_t flush_messages = std::numeric_limits<int64_t>::max();
  int64_t flush_interval_ns = std::numeric_limits<int64_t>::max();
  // Kafka's replica.lag.time.max.ms.
  int64_t replica_lag_time_max_ns = int64_t{30'000} * kNsPerMs;
  // What was persisted of it; taken up when the partition is made. kNoOffset where nothing was.
  Offset initial_high_watermark = kNoOffset;
};

struct Now {
  MonotonicNs monotonic;
  TimestampMs wall_ms = 0;
};

// --- events -----------------------------------------------------------------------------------

// From the metadata: this broker leads. Ignored unless the leader epoch, or at the same one the
// partition epoch, is newer than what is known.
struct BecomeLeader {
  LeaderEpoch leader_epoch;
  int32_t partition_epoch = 0;
  std::vector<BrokerId> replicas;
  std::vector<BrokerId> isr;
  int8_t recovery_state = 0;  // 1: elected uncleanly, and to tell the controller that it leads
};
// From the metadata: another broker leads, or none does. Ignored as BecomeLeader is.
struct BecomeFollower {
  BrokerId leader = kNoBroker;  // kNoBroker: none, for now
  LeaderEpoch leader_epoch;
  int32_t partition_epoch = 0;
  std::vector<BrokerId> replicas{};
  std::vector<BrokerId> isr{};
};
// The partition is going away from this broker: it neither leads nor follows.
struct StopLeading {};

struct Append {
  absl::Span<char> batch;  // one validated v2 batch; must live until EndOfTick
  int16_t acks = kAcksAll;
  MonotonicNs deadline;  // of the wait for acknowledgement
  WaitToken token = 0;
  log::AppendTerms terms{};
};
// Writes every append since the last one in one go, and starts the flush that the policy asks for.
struct EndOfTick {};
struct SyncDone {
  log::SyncDone done;  // with a token of this partition's log
};
// What a follower has told: its log's end, how much of it is durable, where it starts.
struct ReplicaProgress {
  BrokerId broker;
  int64_t broker_epoch = -1;
  Offset end_offset;
  Offset flushed_offset;
  Offset log_start_offset{0};
  // That Partition::Follow gave: of an earlier one, this is ignored. 0: of whichever there is.
  FollowId follow = 0;
};
// Nothing more will be told of it: its stream has ended, or it was dropped.
struct ReplicaGone {
  BrokerId broker;
  FollowId follow = 0;
};
// From the leader; whole batches, possibly none. Appended at the end of the tick.
struct Replicate {
  LeaderEpoch leader_epoch;
  Offset from = kNoOffset;  // as LeaderRecords'
  Offset to = kNoOffset;
  absl::string_view records;  // must live until EndOfTick
  Offset high_watermark;
  Offset log_start;
};
// The leader sends nothing more in what was begun by StartFollowing. Where the logs part, or the
// leader has nothing that continues this log, is acted upon; anything else is the stream's to try
// again.
struct FollowRefused {
  LeaderEpoch leader_epoch;
  FollowEnded told;
};
// The owner has done what PrepareTruncation asks for.
struct TruncationPrepared {
  Offset to = kNoOffset;  // as it asked; kNoOffset: for the last one
};
// What the controller said to ProposeIsr. Of the errors only INELIGIBLE_REPLICA tells that the
// proposal was not carried out, nor will be. Any other may be about a second asking, after the
// answer to the first was lost: what was proposed counts until the metadata tell.
struct IsrAnswered {
  protocol::ErrorCode error = protocol::ErrorCode::kNone;
  // Without an error: as it is now. With one, the two epochs are those of the proposal.
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  int32_t partition_epoch = -1;
  std::vector<BrokerId> isr{};
};
// Answered once: with FetchReady when `bytes_min` bytes from `offset` on are readable, or when
// waiting makes no sense any more.
struct RegisterFetchWaiter {
  WaitToken token = 0;
  Offset offset;
  int64_t bytes_min = 1;
  bool read_committed = false;  // readable: below the last stable offset
};
struct CancelFetchWaiter {
  WaitToken token = 0;
};
// Time has passed; see Partition::NextDeadline.
struct Tick {};
// The settings are others; what was persisted of the high watermark is not looked at.
struct Reconfigure {
  PartitionConfig config;
};

using Event =
    std::variant<BecomeLeader, StopLeading, Append, EndOfTick, SyncDone, ReplicaProgress,
                 RegisterFetchWaiter, CancelFetchWaiter, Tick, BecomeFollower, ReplicaGone,
                 Replicate, FollowRefused, TruncationPrepared, IsrAnswered, Reconfigure>;

// --- effects ----------------------------------------------------------------------------------

struct AppendDone {
  WaitToken token = 0;
  protocol::ErrorCode error = protocol::ErrorCode::kNone;
  Offset base_offset = kNoOffset;
  TimestampMs log_append_time = kNoTimestamp;
  Offset log_start_offset = kNoOffset;
  std::string message{};  // what the log said of a batch that it refused
};
struct FetchReady {
  WaitToken token = 0;
};
struct HighWatermarkAdvanced {
  Offset high_watermark;
};
// Told once: the log refuses everything from now on (its failed() says why).
struct LogFailed {};

// To the controller, AlterPartition: one is under way at a time, until IsrAnswered or the metadata
// tell what became of it.
struct ProposeIsr {
  struct Member {
    BrokerId broker;
    int64_t broker_epoch = -1;  // -1: not known; of this broker, the owner's to fill in
    friend bool operator==(const Member&, const Member&) = default;
  };
  LeaderEpoch leader_epoch;
  int32_t partition_epoch = -1;  // that the change is made to
  std::vector<Member> isr{};     // ascending
  int8_t recovery_state = 0;
};
// To be followed, with what this broker has. Whatever was begun before has ended.
struct StartFollowing {
  BrokerId leader;
  LeaderEpoch leader_epoch;
  Offset log_end{0};
  Offset flushed{0};
  LeaderEpoch last_epoch = kNoLeaderEpoch;  // of the last record
  Offset log_start{0};
};
// Not to be followed, until StartFollowing.
struct StopFollowing {};
// Of a leader: its streams have something to send, or to end. Of a follower: there is progress to
// report.
struct ReplicaNews {};
// The log is to be cut off: the owner lowers its checkpoints of it durably, as log/log.h asks for,
// and gives TruncationPrepared.
struct PrepareTruncation {
  Offset to;
  bool fully = false;  // the log will start there, empty
  // What it had been told to be committed goes: an unclean election.
  bool loses_committed = false;
};
// Records of the leader were not taken: damaged on their way or there, or the disk is full. It is
// tried again later.
struct ReplicationHeld {
  Offset at;  // where the log ends
  std::string message{};
};

using Effect =
    std::variant<AppendDone, FetchReady, HighWatermarkAdvanced, LogFailed, ProposeIsr,
                 StartFollowing, StopFollowing, ReplicaNews, PrepareTruncation, ReplicationHeld>;
using Effects = std::vector<Effect>;

// --- queries ----------------------------------------------------------------------------------

struct ReadRequest {
  Offset offset;
  int64_t bytes_max = 0;
  bool at_least_one_batch = false;
  LeaderEpoch current_leader_epoch = kNoLeaderEpoch;  // what the client believes
  LeaderEpoch last_fetched_epoch = kNoLeaderEpoch;    // version 12 and later
  bool read_committed = false;  // to the last stable offset, with the aborted transactions
  bool allow_follower = false;  // a replica that follows answers too (KIP-392)
};
struct ReadAnswer {
  protocol::ErrorCode error = protocol::ErrorCode::kNone;
  log::LogSlice slice;
  log::EpochEnd diverging;  // with an end_offset where the reader's log diverges from this one
  Offset high_watermark = kNoOffset;
  Offset last_stable_offset = kNoOffset;
  Offset log_start_offset = kNoOffset;
  // With read_committed: what the slice has of these is to be left out.
  std::vector<log::AbortedTransaction> aborted;
  std::string message{};  // what the log said when it could not be read
};

// ListOffsets' special timestamps.
inline constexpr TimestampMs kLatestTimestamp = -1;
inline constexpr TimestampMs kEarliestTimestamp = -2;
inline constexpr TimestampMs kMaxTimestamp = -3;
inline constexpr TimestampMs kEarliestLocalTimestamp = -4;
inline constexpr TimestampMs kLatestTieredTimestamp = -5;
inline constexpr TimestampMs kEarliestPendingUploadTimestamp = -6;

struct OffsetAnswer {
  protocol::ErrorCode error = protocol::ErrorCode::kNone;
  TimestampMs timestamp = kNoTimestamp;
  Offset offset = kNoOffset;  // kNoOffset without an error: there is no such record
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  std::string message{};  // as ReadAnswer's
};

struct DeleteAnswer {
  protocol::ErrorCode error = protocol::ErrorCode::kNone;
  // Where this broker's log starts now; the others follow, see Partition::low_watermark.
  Offset low_watermark = kNoOffset;
};

// A follower says what it has, and asks for what comes behind.
struct FollowRequest {
  BrokerId broker;
  int64_t broker_epoch = -1;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  Offset log_end{0};
  Offset flushed{0};
  LeaderEpoch last_epoch = kNoLeaderEpoch;
  Offset log_start{0};
};
struct FollowAnswer {
  bool ok = false;
  FollowEnded ended{};  // unless ok; its handle is the stream's to set
  FollowId follow = 0;  // if ok: for ReplicaProgress and ReplicaGone
};
// What a leader has for a follower from an offset on, up to the log's end.
struct ReplicaRead {
  protocol::ErrorCode error = protocol::ErrorCode::kNone;  // nothing may be sent any more
  log::LogSlice slice{};  // empty at the log's end, and where nothing fits
  Offset log_end{0};
  Offset high_watermark{0};
  Offset log_start{0};
  std::string message{};
};

struct EpochEndAnswer {
  protocol::ErrorCode error = protocol::ErrorCode::kNone;
  log::EpochEnd end;
};

}  // namespace weir::replication

#endif  // WEIR_REPLICATION_PARTITION_EVENTS_H_

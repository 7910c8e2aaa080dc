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

#include "absl/types/span.h"
#include "base/clock.h"
#include "base/ids.h"
#include "log/append_terms.h"
#include "log/file.h"
#include "log/leader_epoch_cache.h"
#include "log/log_types.h"
#include "log/transaction_index.h"
#include "protocol/error_code.h"

namespace weir::replication {

// Finds the request that waits; the caller's to choose, unique among those of its kind.
using WaitToken = uint64_t;

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
};
// This broker no longer leads, or the partition is going away.
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
// What a follower has told: its log's end and how much of it is durable.
struct ReplicaProgress {
  BrokerId broker;
  Offset end_offset;
  Offset flushed_offset;
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

using Event = std::variant<BecomeLeader, StopLeading, Append, EndOfTick, SyncDone, ReplicaProgress,
                           RegisterFetchWaiter, CancelFetchWaiter, Tick>;

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

using Effect = std::variant<AppendDone, FetchReady, HighWatermarkAdvanced, LogFailed>;
using Effects = std::vector<Effect>;

// --- queries ----------------------------------------------------------------------------------

struct ReadRequest {
  Offset offset;
  int64_t bytes_max = 0;
  bool at_least_one_batch = false;
  LeaderEpoch current_leader_epoch = kNoLeaderEpoch;  // what the client believes
  LeaderEpoch last_fetched_epoch = kNoLeaderEpoch;    // version 12 and later
  bool read_committed = false;  // to the last stable offset, with the aborted transactions
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
  Offset low_watermark = kNoOffset;  // where every replica's log starts
};

struct EpochEndAnswer {
  protocol::ErrorCode error = protocol::ErrorCode::kNone;
  log::EpochEnd end;
};

}  // namespace weir::replication

#endif  // WEIR_REPLICATION_PARTITION_EVENTS_H_

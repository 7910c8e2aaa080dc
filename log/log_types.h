// -----------------------------------------------------------------------------
// File: log/log_types.h
// -----------------------------------------------------------------------------
// What goes into and comes out of a Log (log/log.h).
#ifndef WEIR_LOG_LOG_TYPES_H_
#define WEIR_LOG_LOG_TYPES_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "log/append_terms.h"
#include "log/file.h"
#include "log/segment_config.h"
#include "protocol/record_batch.h"

namespace weir::log {

// Kafka's topic settings of these names, and their defaults there.
struct LogConfig : SegmentConfig {
  int64_t retention_ms = int64_t{7} * 24 * 3600 * 1000;  // -1: no limit
  int64_t retention_bytes = -1;                          // -1: no limit
  int64_t file_delete_delay_ms = 60'000;
  int64_t producer_id_expiration_ms = int64_t{24} * 3600 * 1000;
  bool log_append_time = false;  // message.timestamp.type=LogAppendTime
  // Compaction: see log/cleaner.h.
  bool compact = false;  // cleanup.policy has compact: offsets may be missing inside
  double min_cleanable_dirty_ratio = 0.5;
  int64_t delete_retention_ms = int64_t{24} * 3600 * 1000;
  int64_t min_compaction_lag_ms = 0;
  int64_t max_compaction_lag_ms = std::numeric_limits<int64_t>::max();
};

// What the owner knows of a log that it opens; it persists these for all logs of a directory.
struct RecoveryHint {
  bool clean = false;  // the directory was closed by Log::Close, or by Kafka's clean shutdown
  // A flushed_offset() of before, 0 since before a truncation. Data below it must be there.
  Offset recovery_point{0};
  Offset log_start_offset{0};  // set by AdvanceLogStart
  Offset cleaned_to{0};        // a cleaned_to() of before, lowered before a truncation as well
};

// What Open had to do.
struct RecoveryReport {
  int64_t replacements_finished = 0;  // of segments by cleaned ones, which a crash had cut off
  int64_t segments_scanned = 0;
  int64_t bytes_scanned = 0;
  // A tail behind the recovery point that was not valid, and was dropped.
  int64_t truncated_bytes = 0;
  std::string truncated_file;
  int64_t truncated_position = 0;
  std::string truncated_reason;
};

enum class AppendOutcome {
  kAppended,
  kDuplicate,             // of an idempotent producer's earlier batch, whose offsets are answered
  kOutOfOrderSequence,    // Kafka's error 45
  kInvalidProducerEpoch,  // Kafka's error 47
  kInvalidTransactionState,  // Kafka's error 48: see log/producer_state.h
  kCoordinatorFenced,        // Kafka's error 52: a marker of a coordinator that was replaced
  kInvalidRecord,            // Kafka's error 87: a control batch that the terms do not allow
  kTooLarge,                 // Kafka's error 10: more than kRecordBatchBytesMax
  kRefused,                  // not one of these: see `status`
};

struct BatchToAppend {
  // One whole v2 batch, validated; base offset, leader epoch and, with log_append_time, timestamps
  // are patched in place. Must live until Append returns.
  absl::Span<char> bytes;
  AppendTerms terms{};

  // Results.
  AppendOutcome outcome = AppendOutcome::kRefused;
  // OK for kAppended and kDuplicate. kResourceExhausted: the disk is full, try again later.
  // kDataLoss: the log has failed. kInvalidArgument: the bytes are not a batch.
  absl::Status status;
  Offset base_offset = kNoOffset;
  Offset last_offset = kNoOffset;
  TimestampMs log_append_time = kNoTimestamp;  // kNoTimestamp unless log_append_time is configured
};

// Whole batches in a file. The file stays readable as long as the slice lives, whatever becomes of
// the segment; the bytes never change.
struct LogSlice {
  std::shared_ptr<const File> file;  // null when the slice is empty
  int64_t position = 0;
  int64_t size_bytes = 0;
  Offset first_offset = kNoOffset;  // base offset of the first batch: may be before what was asked
  Offset next_offset = kNoOffset;   // where to read on
  bool empty() const { return size_bytes == 0; }
};

// A record found by its timestamp.
struct FoundRecord {
  TimestampMs timestamp = kNoTimestamp;
  Offset offset = kNoOffset;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
};

// Decompresses the records of a batch (RecordBatchView::records()); called for compressed ones
// only.
using DecodeRecords =
    absl::FunctionRef<absl::StatusOr<std::string>(const protocol::RecordBatchView&)>;

}  // namespace weir::log

#endif  // WEIR_LOG_LOG_TYPES_H_

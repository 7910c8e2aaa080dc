// -----------------------------------------------------------------------------
// File: log/segment_types.h
// -----------------------------------------------------------------------------
// Places in a segment (log/segment.h), and the names of its files.
#ifndef WEIR_LOG_SEGMENT_TYPES_H_
#define WEIR_LOG_SEGMENT_TYPES_H_

#include <cstdint>
#include <string>

#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "protocol/record_batch.h"

namespace weir::log {

// Where a batch is.
struct BatchSpot {
  int64_t position = 0;
  int64_t size_bytes = 0;
  Offset base_offset;
  Offset next_offset;
  TimestampMs max_timestamp = kNoTimestamp;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  int32_t record_count = 0;  // none: compaction left the header alone

  static BatchSpot Of(const protocol::RecordBatchHeader& batch, int64_t position) {
    return {position,
            batch.size_bytes(),
            batch.base_offset(),
            batch.next_offset(),
            batch.max_timestamp(),
            batch.leader_epoch(),
            batch.record_count()};
  }

  Offset last_offset() const { return next_offset - 1; }
};

// A place between two batches.
struct SegmentCut {
  int64_t position = 0;
  Offset next_offset;  // of the batch that starts there, or would
};

// "00000000000000000042.log" for offset 42.
inline std::string SegmentFileName(Offset base, absl::string_view suffix) {
  return absl::StrFormat("%020d%s", base.value(), suffix);
}

// Of the files of a segment that compaction is making, and of one that is to replace others
// (docs/formats/compaction.md).
inline constexpr char kCleanedEnding[] = ".cleaned";
inline constexpr char kSwapEnding[] = ".swap";

}  // namespace weir::log

#endif  // WEIR_LOG_SEGMENT_TYPES_H_

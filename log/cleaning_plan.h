// -----------------------------------------------------------------------------
// File: log/cleaning_plan.h
// -----------------------------------------------------------------------------
// What a log (log/log.h) and its cleaner (log/cleaner.h) tell each other. The log's owner makes a
// plan on its thread; the cleaner works on it alone, on any thread, and gives back segments for the
// owner to put in place.
#ifndef WEIR_LOG_CLEANING_PLAN_H_
#define WEIR_LOG_CLEANING_PLAN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "log/file.h"
#include "log/log_types.h"
#include "log/transaction_index.h"

namespace weir::log {

// How much there is to clean in a log.
struct Dirt {
  Offset first_dirty;        // nothing from here on has been cleaned
  Offset first_uncleanable;  // where the first segment begins that may not be cleaned yet
  int64_t clean_bytes = 0;   // in segments before first_dirty
  int64_t dirty_bytes = 0;   // in those behind that may be cleaned
  bool is_overdue = false;   // max.compaction.lag.ms is over

  // Kafka's measure.
  double ratio() const {
    const auto all = static_cast<double>(clean_bytes + dirty_bytes);
    return all > 0 ? static_cast<double>(dirty_bytes) / all : 0;
  }
  bool IsWorthCleaning(const LogConfig& config) const {
    return dirty_bytes > 0 && (is_overdue || ratio() > config.min_cleanable_dirty_ratio);
  }
};

// A sealed segment as it was when the plan was made. Its batches stay as they are.
struct SourceSegment {
  std::shared_ptr<const File> file;
  std::string name;  // for messages
  int64_t size_bytes = 0;
  Offset base;
  Offset end;  // where the next segment begins
};

// The last that a producer wrote of what may be cleaned, which the log needs to go on checking its
// sequences.
struct LastRecord {
  ProducerId producer_id = kNoProducerId;
  ProducerEpoch epoch = kNoProducerEpoch;
  Offset last_offset = kNoOffset;  // of data; kNoOffset: only a marker is known
};

struct CleaningPlan {
  std::string directory;
  LogConfig config;
  uint64_t generation = 0;              // changes with every truncation: see Log::ReplaceSegments
  std::vector<SourceSegment> segments;  // all that may be cleaned, from the log's first on
  Offset first_dirty;
  int64_t first_dirty_position = 0;  // of the batch that holds first_dirty, in its segment
  std::vector<LastRecord> producers;
  std::vector<AbortedTransaction> aborted;  // all that overlap the segments
  TimestampMs now_ms = 0;

  Offset end() const { return segments.empty() ? first_dirty : segments.back().end; }
};

// A segment that is to take the place of others. Its files are on disk, durably, under their future
// names and kCleanedSuffix.
struct CleanedSegment {
  uint64_t generation = 0;
  std::vector<SourceSegment> replaced;  // neighbours in the log
  std::vector<std::string> suffixes;    // of its files: ".log", ".index", …

  Offset base() const { return replaced.front().base; }
  Offset end() const { return replaced.back().end; }
};

}  // namespace weir::log

#endif  // WEIR_LOG_CLEANING_PLAN_H_

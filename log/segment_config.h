// -----------------------------------------------------------------------------
// File: log/segment_config.h
// -----------------------------------------------------------------------------
// Kafka's settings of segments by their names, with the defaults there.
#ifndef WEIR_LOG_SEGMENT_CONFIG_H_
#define WEIR_LOG_SEGMENT_CONFIG_H_

#include <cstdint>

namespace weir::log {

struct SegmentConfig {
  int64_t segment_bytes = int64_t{1} << 30;
  int64_t segment_ms = int64_t{7} * 24 * 3600 * 1000;
  int64_t segment_index_bytes = int64_t{10} << 20;
  int64_t index_interval_bytes = 4096;
  // A segment ends earlier by up to this, each by another time: so that those of many partitions do
  // not end together.
  int64_t segment_jitter_ms = 0;
  bool preallocate = false;      // takes segment_bytes of the disk when a segment begins
  const char* file_ending = "";  // of the names of a segment that compaction is making
};

}  // namespace weir::log

#endif  // WEIR_LOG_SEGMENT_CONFIG_H_

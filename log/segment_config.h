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
};

}  // namespace weir::log

#endif  // WEIR_LOG_SEGMENT_CONFIG_H_

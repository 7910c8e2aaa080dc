// -----------------------------------------------------------------------------
// File: server/cli/latency_histogram.h
// -----------------------------------------------------------------------------
// Latencies counted in buckets that are each less than one percent wide, so that any number of
// them takes the same 60 KiB.
// Threading: values.
// Limits: values up to 2^62 nanoseconds; negative ones count as 0.
#ifndef WEIR_SERVER_CLI_LATENCY_HISTOGRAM_H_
#define WEIR_SERVER_CLI_LATENCY_HISTOGRAM_H_

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::cli {

class LatencyHistogram {
 public:
  void Add(int64_t ns) {
    const uint64_t value = static_cast<uint64_t>(std::max<int64_t>(ns, 0));
    const size_t bucket = BucketOf(value);
    if (bucket >= counts_.size()) counts_.resize(bucket + 1);
    ++counts_[bucket];
    ++count_;
    sum_ += static_cast<double>(value);
    max_ = std::max(max_, value);
  }

  int64_t count() const { return count_; }
  double average_ms() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_) / 1e6; }
  double max_ms() const { return static_cast<double>(max_) / 1e6; }
  // The least latency that at least so many percent of all do not exceed, up to one percent more;
  // 0 when there are none.
  double percentile_ms(double percent) const {
    const int64_t rank = std::max<int64_t>(
        1, static_cast<int64_t>(std::ceil(percent / 100 * static_cast<double>(count_))));
    int64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen >= rank) return static_cast<double>(std::min(LastOf(i), max_)) / 1e6;
    }
    return 0;
  }

 private:
  static constexpr int kBits = 7;  // buckets to a power of two: 2^7
  static constexpr uint64_t kLinear = uint64_t{2} << kBits;

  // Below kLinear each value has a bucket of its own.
  static size_t BucketOf(uint64_t value) {
    if (value < kLinear) return static_cast<size_t>(value);
    const int shift = std::bit_width(value) - 1 - kBits;
    return (static_cast<size_t>(shift) << kBits) + static_cast<size_t>(value >> shift);
  }
  // The greatest value of a bucket.
  static uint64_t LastOf(size_t bucket) {
    if (bucket < kLinear) return bucket;
    const int shift = static_cast<int>(bucket >> kBits) - 1;
    const uint64_t top = bucket - (static_cast<size_t>(shift) << kBits);
    return ((top + 1) << shift) - 1;
  }

  std::vector<int64_t> counts_;
  int64_t count_ = 0;
  double sum_ = 0;
  uint64_t max_ = 0;
};

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_LATENCY_HISTOGRAM_H_

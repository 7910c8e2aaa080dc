// Percentiles against those of all values sorted.
#include "server/cli/latency_histogram.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace weir::cli {
namespace {

TEST(LatencyHistogramTest, IsWithinOnePercentOfTheTruth) {
  SeededRandom random(7);
  LatencyHistogram histogram;
  std::vector<int64_t> all;
  for (int i = 0; i < 100'000; ++i) {
    const int64_t ns = static_cast<int64_t>(random.Below(uint64_t{1} << (1 + random.Below(40))));
    all.push_back(ns);
    histogram.Add(ns);
  }
  std::sort(all.begin(), all.end());
  for (const double percent : {0.1, 1.0, 50.0, 95.0, 99.0, 99.9, 100.0}) {
    const size_t rank = static_cast<size_t>(std::ceil(percent / 100 * 100'000));
    const double truth = static_cast<double>(all[rank - 1]) / 1e6;
    EXPECT_GE(histogram.percentile_ms(percent), truth) << percent;
    EXPECT_LE(histogram.percentile_ms(percent), truth * 1.01 + 1e-9) << percent;
  }
  EXPECT_EQ(histogram.max_ms(), static_cast<double>(all.back()) / 1e6);
  EXPECT_EQ(histogram.count(), 100'000);
}

TEST(LatencyHistogramTest, TakesTheSmallestAndTheGreatest) {
  LatencyHistogram histogram;
  EXPECT_EQ(histogram.percentile_ms(50), 0);
  EXPECT_EQ(histogram.average_ms(), 0);
  histogram.Add(-5);
  histogram.Add(int64_t{1} << 62);
  EXPECT_EQ(histogram.percentile_ms(50), 0);
  EXPECT_EQ(histogram.percentile_ms(99), static_cast<double>(int64_t{1} << 62) / 1e6);
}

TEST(LatencyHistogramTest, OneValueIsEveryPercentile) {
  LatencyHistogram histogram;
  histogram.Add(12'345'678);
  EXPECT_DOUBLE_EQ(histogram.percentile_ms(0), 12.345678);
  EXPECT_DOUBLE_EQ(histogram.percentile_ms(99.9), 12.345678);
  EXPECT_DOUBLE_EQ(histogram.average_ms(), 12.345678);
}

}  // namespace
}  // namespace weir::cli

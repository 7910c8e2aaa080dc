#include "server/recovery.h"

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "gtest/gtest.h"

namespace weir::server {
namespace {

constexpr MonotonicNs kStart{5'000'000'000};

MonotonicNs After(int64_t ms) { return kStart + ms * kNsPerMs; }

TEST(RecoveryProgress, SaysAtMostOnceASecondHowFarItIs) {
  RecoveryProgress progress(10'000, kStart);
  std::vector<std::string> lines;
  for (int i = 0; i < 9'999; ++i) {
    if (const auto line = progress.Done(After(i))) lines.push_back(*line);
  }
  ASSERT_EQ(lines.size(), 9u);
  EXPECT_EQ(lines[0], "recovered 1,001 of 10,000 partitions in 1.0 s");
  EXPECT_EQ(lines[8], "recovered 9,001 of 10,000 partitions in 9.0 s");
}

TEST(RecoveryProgress, TheLastOneIsNotProgress) {
  RecoveryProgress progress(2, kStart);
  EXPECT_FALSE(progress.Done(After(10)).has_value());
  EXPECT_FALSE(progress.Done(After(100'000)).has_value());
}

}  // namespace
}  // namespace weir::server

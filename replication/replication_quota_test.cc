#include "replication/replication_quota.h"

#include <cstdint>

#include "base/clock.h"
#include "gtest/gtest.h"

namespace weir::replication {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

TEST(ReplicationQuotaTest, WithoutALimitNothingIsCounted) {
  ReplicationQuota quota;
  EXPECT_FALSE(quota.is_limited());
  quota.Record(MonotonicNs(5 * kSecond), int64_t{1} << 50);
  EXPECT_FALSE(quota.IsExceeded(MonotonicNs(5 * kSecond)));
}

TEST(ReplicationQuotaTest, TheAverageHoldsWhateverTheSizeOfAPiece) {
  for (const int64_t piece : {1'000, 70'000, 3'000'000}) {
    ReplicationQuota quota;
    quota.SetRate(1'000'000);
    MonotonicNs now(100 * kSecond);
    const MonotonicNs begin = now;
    int64_t moved = 0;
    while (now < begin + 60 * kSecond) {
      if (quota.IsExceeded(now)) {
        const MonotonicNs free = quota.FreeAt(now);
        ASSERT_GT(free, now);
        now = free;
        continue;
      }
      quota.Record(now, piece);
      moved += piece;
    }
    // A second's worth at the beginning, and one piece that was begun in time.
    EXPECT_GE(moved, 60'000'000);
    EXPECT_LE(moved, 61'000'000 + piece) << "pieces of " << piece;
  }
}

TEST(ReplicationQuotaTest, AnotherRateBeginsWithoutDebts) {
  ReplicationQuota quota;
  quota.SetRate(10);
  const MonotonicNs now(100 * kSecond);
  quota.Record(now, 1'000'000);
  quota.SetRate(10);
  EXPECT_TRUE(quota.IsExceeded(now + 60 * kSecond));
  quota.SetRate(1'000);
  EXPECT_FALSE(quota.IsExceeded(now));
  quota.SetRate(ReplicationQuota::kNoLimit);
  EXPECT_FALSE(quota.IsExceeded(now));
}

TEST(ReplicationQuotaTest, ARateOfZeroStopsEverything) {
  ReplicationQuota quota;
  quota.SetRate(0);
  const MonotonicNs now(100 * kSecond);
  EXPECT_TRUE(quota.IsExceeded(now));
  EXPECT_GT(quota.FreeAt(now), now);
  quota.Record(now, int64_t{1} << 60);  // no overflow
  EXPECT_TRUE(quota.IsExceeded(now + 10'000 * kSecond));
}

}  // namespace
}  // namespace weir::replication

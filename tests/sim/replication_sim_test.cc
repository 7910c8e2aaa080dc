#include <cstdint>

#include "gtest/gtest.h"
#include "tests/sim/replication_run.h"

namespace weir::sim {
namespace {

constexpr int64_t kSteps = 4000;

// A fixed slice of what tools/soak runs with fresh seeds; some twice, to the same trace.
TEST(ReplicationSim, HoldsAndRepeats) {
  ReplicationOutcome sum;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    const ReplicationOutcome first = ReplicationRun(seed, kSteps, /*verbose=*/false).Go();
    EXPECT_EQ(first.failure, "") << "seed " << seed << ", steps " << kSteps;
    if (seed % 5 == 0) {
      const ReplicationOutcome second = ReplicationRun(seed, kSteps, /*verbose=*/false).Go();
      EXPECT_EQ(first.hash, second.hash) << "seed " << seed << " does not repeat";
    }
    sum.acknowledged += first.acknowledged;
    sum.deaths += first.deaths;
    sum.elections += first.elections;
    sum.truncations += first.truncations;
  }
  // That the clients got somewhere and the faults came.
  EXPECT_GT(sum.acknowledged, 1'500);
  EXPECT_GT(sum.deaths, 300);
  EXPECT_GT(sum.elections, 300);
  EXPECT_GT(sum.truncations, 20);
}

}  // namespace
}  // namespace weir::sim

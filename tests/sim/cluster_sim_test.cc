#include <cstdint>

#include "gtest/gtest.h"
#include "tests/sim/cluster_run.h"

namespace weir::sim {
namespace {

constexpr int64_t kSteps = 1000;

// A fixed slice of what tools/soak runs with fresh seeds; some twice, to the same trace.
TEST(ClusterSim, HoldsAndRepeats) {
  ClusterRunResult sum;
  for (uint64_t seed = 1; seed <= 24; ++seed) {
    const ClusterRunResult result = RunCluster(seed, kSteps, /*verbose=*/false);
    EXPECT_EQ(result.failure, "") << "seed " << seed << ", steps " << kSteps;
    sum.counters.acknowledged += result.counters.acknowledged;
    sum.counters.batches_read += result.counters.batches_read;
    sum.kills += result.kills + result.power_losses;
    sum.cuts += result.cuts;
    if (seed % 3 != 0) continue;
    const ClusterRunResult again = RunCluster(seed, kSteps, /*verbose=*/false);
    EXPECT_EQ(result.hash, again.hash) << "seed " << seed << " does not repeat";
  }
  // That the clients got somewhere and the faults came.
  EXPECT_GT(sum.counters.acknowledged, 200);
  EXPECT_GT(sum.counters.batches_read, 500);
  EXPECT_GT(sum.kills, 40);
  EXPECT_GT(sum.cuts, 10);
}

}  // namespace
}  // namespace weir::sim

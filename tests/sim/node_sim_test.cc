#include <cstdint>

#include "gtest/gtest.h"
#include "tests/sim/node_run.h"

namespace weir::sim {
namespace {

constexpr int64_t kSteps = 1500;

// A fixed slice of what tools/soak runs with fresh seeds; each twice, to the same trace.
TEST(NodeSim, HoldsAndRepeats) {
  Oracle::Counters sum;
  int64_t crashes = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    const NodeRunResult first = RunNode(seed, kSteps, /*verbose=*/false);
    EXPECT_EQ(first.failure, "") << "seed " << seed << ", steps " << kSteps;
    const NodeRunResult second = RunNode(seed, kSteps, /*verbose=*/false);
    EXPECT_EQ(first.hash, second.hash) << "seed " << seed << " does not repeat";
    sum.acknowledged += first.counters.acknowledged;
    sum.batches_read += first.counters.batches_read;
    crashes += first.kills + first.power_losses;
  }
  // That the clients got somewhere and the faults came.
  EXPECT_GT(sum.acknowledged, 200);
  EXPECT_GT(sum.batches_read, 500);
  EXPECT_GT(crashes, 40);
}

}  // namespace
}  // namespace weir::sim

#include <cstdint>

#include "gtest/gtest.h"
#include "tests/sim/controller_run.h"

namespace weir::sim {
namespace {

constexpr int64_t kSteps = 2000;

// A fixed slice of what tools/soak runs with fresh seeds; some twice, to the same trace.
TEST(ControllerSim, HoldsAndRepeats) {
  ControllerOutcome sum;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    const ControllerOutcome first = ControllerRun(seed, kSteps, /*verbose=*/false).Go();
    EXPECT_EQ(first.failure, "") << "seed " << seed << ", steps " << kSteps;
    sum.elections += first.elections;
    sum.failovers += first.failovers;
    sum.acknowledged += first.acknowledged;
    sum.moves += first.moves;
    sum.wipes += first.wipes;
    sum.failed_directories += first.failed_directories;
    sum.replaced_directories += first.replaced_directories;
    if (seed > 10) continue;
    const ControllerOutcome second = ControllerRun(seed, kSteps, /*verbose=*/false).Go();
    EXPECT_EQ(first.hash, second.hash) << "seed " << seed << " does not repeat";
  }
  // That the clients got somewhere and the faults came.
  EXPECT_GT(sum.elections, 1'000);
  EXPECT_GT(sum.failovers, 300);
  EXPECT_GT(sum.acknowledged, 1'000);
  EXPECT_GT(sum.moves, 50);
  EXPECT_GT(sum.wipes, 50);
  EXPECT_GT(sum.failed_directories, 200);
  EXPECT_GT(sum.replaced_directories, 100);
}

}  // namespace
}  // namespace weir::sim

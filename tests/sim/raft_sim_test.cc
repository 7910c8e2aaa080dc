#include <cstdint>

#include "gtest/gtest.h"
#include "tests/sim/raft_run.h"

namespace weir::sim {
namespace {

constexpr int64_t kSteps = 2000;

// A fixed slice of what tools/soak runs with fresh seeds; each twice, to the same trace.
TEST(RaftSim, HoldsAndRepeats) {
  RaftOutcome sum;
  for (uint64_t seed = 1; seed <= 120; ++seed) {
    const RaftOutcome first = RaftRun(seed, kSteps, /*verbose=*/false).Go();
    EXPECT_EQ(first.failure, "") << "seed " << seed << ", steps " << kSteps;
    const RaftOutcome second = RaftRun(seed, kSteps, /*verbose=*/false).Go();
    EXPECT_EQ(first.hash, second.hash) << "seed " << seed << " does not repeat";
    sum.proposals += first.proposals;
    sum.reads += first.reads;
    sum.changes += first.changes;
    sum.installs += first.installs;
  }
  // That the clients got somewhere and the faults came.
  EXPECT_GT(sum.proposals, 10'000);
  EXPECT_GT(sum.reads, 2'000);
  EXPECT_GT(sum.changes, 100);
  EXPECT_GT(sum.installs, 20);
}

}  // namespace
}  // namespace weir::sim

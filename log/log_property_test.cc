// A Log beside its model, through crashes. A failure prints its seed; WEIR_SEED=n runs that one
// alone. With fresh seeds and more of them: tests/sim/log_sim.cc.

#include <cstdint>

#include "gtest/gtest.h"
#include "log/crash_sequences.h"
#include "log/log_model.h"

namespace weir::log {
namespace {

TEST(LogProperty, WithoutCrashes) {
  ForSeeds(0, 40, [](uint64_t seed) { RunSequence<LogModel>({.seed = seed, .steps = 400}); });
}

TEST(LogProperty, ACrashAtEveryBoundaryOfShortRuns) {
  ForSeeds(0, 12, [](uint64_t seed) { CrashEverywhere<LogModel>(seed, 40); });
}

TEST(LogProperty, ACrashSomewhereInLongRuns) {
  ForSeeds(1000, 1300, [](uint64_t seed) { CrashSomewhere<LogModel>(seed, 300, 500); });
}

}  // namespace
}  // namespace weir::log

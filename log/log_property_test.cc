// Random operations on a Log against a simple model, with crashes at every boundary between writes
// and syncs. A failure prints its seed; WEIR_SEED=n runs that one alone. With fresh seeds and more
// of them: tests/sim/log_sim.cc.

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"
#include "log/log_model.h"

namespace weir::log {
namespace {

std::vector<uint64_t> Seeds(uint64_t from, uint64_t to) {
  if (const char* seed = std::getenv("WEIR_SEED")) return {std::strtoull(seed, nullptr, 10)};
  std::vector<uint64_t> seeds;
  for (uint64_t s = from; s < to; ++s) seeds.push_back(s);
  return seeds;
}

TEST(LogProperty, WithoutCrashes) {
  for (const uint64_t seed : Seeds(0, 40)) {
    RunLogSequence({.seed = seed, .steps = 400});
    if (HasFatalFailure()) return;
  }
}

TEST(LogProperty, ACrashAtEveryBoundaryOfShortRuns) {
  for (const uint64_t seed : Seeds(0, 12)) {
    CrashEverywhere(seed, 40);
    if (HasFatalFailure()) return;
  }
}

TEST(LogProperty, ACrashSomewhereInLongRuns) {
  for (const uint64_t seed : Seeds(1000, 1300)) {
    SeededRandom random(seed);
    RunLogSequence({.seed = seed,
                    .steps = 300,
                    .crash_at = static_cast<int64_t>(random.Below(500)),
                    .power_loss = random.OneIn(2)});
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace weir::log

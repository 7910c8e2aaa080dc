// Compaction beside its model, through crashes. A failure prints its seed; WEIR_SEED=n runs that
// one alone.

#include <cstdint>

#include "gtest/gtest.h"
#include "log/compaction_model.h"
#include "log/crash_sequences.h"

namespace weir::log {
namespace {

TEST(CleanerProperty, WithoutCrashes) {
  ForSeeds(0, 40,
           [](uint64_t seed) { RunSequence<CompactionModel>({.seed = seed, .steps = 600}); });
}

TEST(CleanerProperty, ACrashAtEveryBoundary) {
  ForSeeds(0, 3, [](uint64_t seed) { CrashEverywhere<CompactionModel>(seed, 120); });
}

TEST(CleanerProperty, ACrashSomewhereInLongRuns) {
  ForSeeds(1000, 1060, [](uint64_t seed) { CrashSomewhere<CompactionModel>(seed, 500, 700); });
}

}  // namespace
}  // namespace weir::log

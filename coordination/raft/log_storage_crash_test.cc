#include <cstdint>

#include "coordination/raft/log_storage_model.h"
#include "gtest/gtest.h"
#include "log/crash_sequences.h"

namespace weir::raft {
namespace {

TEST(LogStorageCrash, AtEveryBoundary) {
  log::ForSeeds(
      1, 7, [](uint64_t seed) { EXPECT_GT(log::CrashEverywhere<LogStorageModel>(seed, 40), 100); });
}

TEST(LogStorageCrash, AnywhereInLongerRuns) {
  log::ForSeeds(100, 300,
                [](uint64_t seed) { log::CrashSomewhere<LogStorageModel>(seed, 120, 700); });
}

}  // namespace
}  // namespace weir::raft

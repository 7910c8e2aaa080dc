// Runs sequences of operations on a log beside its models (log/log_model.h, transaction_model.h and
// compaction_model.h): each without a crash, then again for every boundary between two changes of
// the disk, with a power loss and with a kill there:
//   log_sim [--seeds=N] [--first_seed=S] [--steps=K]
// A sequence has one to K operations (default 40). Exits 1 at the first seed that fails.

#include <algorithm>
#include <cstdint>
#include <cstdio>

#include "base/random.h"
#include "gtest/gtest.h"
#include "log/compaction_model.h"
#include "log/crash_sequences.h"
#include "log/log_model.h"
#include "log/transaction_model.h"
#include "tests/sim/sim_flags.h"

int main(int argc, char** argv) {
  weir::sim::SimFlags flags;
  flags.steps = 40;
  weir::sim::ReadSimFlags(argc, argv, &flags);
  ::testing::InitGoogleTest();
  const int64_t last = flags.first_seed + flags.seeds - 1;
  int64_t runs = 0;
  for (int64_t seed = flags.first_seed; seed <= last; ++seed) {
    weir::sim::Replay::Set("//tests/sim:log_sim", seed, flags.steps);
    weir::SeededRandom random(static_cast<uint64_t>(seed));
    const auto steps =
        1 +
        static_cast<int>(random.Below(static_cast<uint64_t>(std::max<int64_t>(flags.steps, 1))));
    const auto of_log = static_cast<uint64_t>(seed);
    runs += weir::log::CrashEverywhere<weir::log::LogModel>(of_log, steps);
    runs += weir::log::CrashEverywhere<weir::log::TransactionModel>(of_log, steps);
    runs += weir::log::CrashEverywhere<weir::log::CompactionModel>(of_log, steps);
    if (!::testing::Test::HasFatalFailure()) continue;
    std::printf("log_sim: seed %lld FAILED; replay with: %s", static_cast<long long>(seed),
                weir::sim::Replay::line().c_str());
    return 1;
  }
  std::printf("log_sim: seeds %lld to %lld, 0 failed; %lld runs, each but one with a crash\n",
              static_cast<long long>(flags.first_seed), static_cast<long long>(last),
              static_cast<long long>(runs));
  return 0;
}

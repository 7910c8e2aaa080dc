// Transactions in a Log beside their model, through crashes. A failure prints its seed; WEIR_SEED=n
// runs that one alone.

#include <cstdint>

#include "gtest/gtest.h"
#include "log/crash_sequences.h"
#include "log/transaction_model.h"

namespace weir::log {
namespace {

TEST(LogTransactionProperty, WithoutCrashes) {
  ForSeeds(0, 60,
           [](uint64_t seed) { RunSequence<TransactionModel>({.seed = seed, .steps = 300}); });
}

TEST(LogTransactionProperty, ACrashAtEveryBoundaryOfShortRuns) {
  ForSeeds(0, 12, [](uint64_t seed) { CrashEverywhere<TransactionModel>(seed, 40); });
}

TEST(LogTransactionProperty, ACrashSomewhereInLongRuns) {
  ForSeeds(1000, 1250, [](uint64_t seed) { CrashSomewhere<TransactionModel>(seed, 250, 500); });
}

}  // namespace
}  // namespace weir::log

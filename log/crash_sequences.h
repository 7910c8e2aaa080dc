// -----------------------------------------------------------------------------
// File: log/crash_sequences.h
// -----------------------------------------------------------------------------
// Random sequences of operations on a log beside a model of it, run without a crash and with one at
// any boundary between two changes of the disk. A model decides everything by its seed and has:
//   Model(uint64_t seed);            // not open yet
//   MemoryFileSystem& fs();
//   void Open(bool clean);
//   bool Step();                     // one operation; false when the machine went down in it
//   void Verify();                   // the log is as the model
//   void Recover(bool power_loss);   // opens after a crash, verifies, goes on from what is left
//   static constexpr int kStepsAfterCrash;
// Threading: one thread. Errors: gtest's fatal failures, with what replays the sequence.
#ifndef WEIR_LOG_CRASH_SEQUENCES_H_
#define WEIR_LOG_CRASH_SEQUENCES_H_

#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "gtest/gtest.h"

namespace weir::log {

// What one sequence is, and where it is cut.
struct CrashSequence {
  static constexpr int64_t kNever = int64_t{1} << 60;

  uint64_t seed = 0;
  int steps = 40;
  int64_t crash_at = kNever;  // which boundary between two changes of the disk
  bool power_loss = false;    // else the process is killed
};

inline std::string Describe(const CrashSequence& sequence) {
  std::string text = absl::StrCat("seed ", sequence.seed, ", ", sequence.steps, " steps");
  if (sequence.crash_at == CrashSequence::kNever) return text;
  return absl::StrCat(text, ", ", sequence.power_loss ? "power loss" : "kill", " at boundary ",
                      sequence.crash_at);
}

// Runs a sequence; after a crash recovers, checks, goes on and loses power once more. Returns how
// many boundaries there were.
template <class Model>
int64_t RunSequence(const CrashSequence& sequence) {
  SCOPED_TRACE(Describe(sequence));
  const auto failed = [] { return ::testing::Test::HasFatalFailure(); };
  Model model(sequence.seed);
  model.fs().CrashAtBoundary(sequence.crash_at);
  model.Open(false);
  bool up = !model.fs().crashed();
  for (int i = 0; up && i < sequence.steps && !failed(); ++i) up = model.Step();
  if (failed()) return 0;
  if (up) {
    model.Verify();
    return model.fs().boundaries();
  }
  model.Recover(sequence.power_loss);
  for (int i = 0; i < Model::kStepsAfterCrash && !failed(); ++i) model.Step();
  if (!failed()) model.Recover(true);
  return model.fs().boundaries();
}

// Runs a sequence without a crash, and then as often as it has boundaries, each time with a power
// loss and with a kill at that one. Returns how many runs that were.
template <class Model>
int64_t CrashEverywhere(uint64_t seed, int steps) {
  const int64_t boundaries = RunSequence<Model>({.seed = seed, .steps = steps});
  for (int64_t at = 0; at < boundaries; ++at) {
    for (const bool power_loss : {true, false}) {
      RunSequence<Model>({seed, steps, at, power_loss});
      if (::testing::Test::HasFatalFailure()) return 0;
    }
  }
  return 1 + 2 * boundaries;
}

// Runs a sequence with one crash, at one of the first `boundaries`.
template <class Model>
void CrashSomewhere(uint64_t seed, int steps, uint64_t boundaries) {
  SeededRandom random(seed);
  const auto at = static_cast<int64_t>(random.Below(boundaries));
  RunSequence<Model>({seed, steps, at, random.OneIn(2)});
}

// Calls run(seed) for [from, to), or for the seed in WEIR_SEED alone, until one fails.
inline void ForSeeds(uint64_t from, uint64_t to, absl::FunctionRef<void(uint64_t)> run) {
  if (const char* seed = std::getenv("WEIR_SEED")) return run(std::strtoull(seed, nullptr, 10));
  for (; from < to && !::testing::Test::HasFatalFailure(); ++from) run(from);
}

}  // namespace weir::log

#endif  // WEIR_LOG_CRASH_SEQUENCES_H_

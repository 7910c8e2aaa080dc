// -----------------------------------------------------------------------------
// File: tests/sim/sim_flags.h
// -----------------------------------------------------------------------------
// What every simulator's command line takes, the line that replays the seed that runs, and the
// running of one seed after another.
#ifndef WEIR_TESTS_SIM_SIM_FLAGS_H_
#define WEIR_TESTS_SIM_SIM_FLAGS_H_

#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace weir::sim {

struct SimFlags {
  int64_t seeds = 100;
  int64_t first_seed = 1;
  int64_t steps = 2000;
  bool verbose = false;
};

// Replaces *flags by what the arguments say. Ends the program when they say something else.
inline void ReadSimFlags(int argc, char** argv, SimFlags* flags) {
  const auto take = [](absl::string_view argument, absl::string_view name, int64_t* value) {
    return absl::ConsumePrefix(&argument, absl::StrCat("--", name, "=")) &&
           absl::SimpleAtoi(argument, value);
  };
  for (int i = 1; i < argc; ++i) {
    if (take(argv[i], "seeds", &flags->seeds) || take(argv[i], "first_seed", &flags->first_seed) ||
        take(argv[i], "steps", &flags->steps)) {
      continue;
    }
    if (absl::string_view(argv[i]) == "--verbose") {
      flags->verbose = true;
      continue;
    }
    std::fprintf(stderr, "usage: %s [--seeds=N] [--first_seed=S] [--steps=K] [--verbose]\n",
                 argv[0]);
    std::exit(2);
  }
}

// The command that replays one seed. A failed check ends the program; it is printed all the same.
class Replay {
 public:
  // `target` as Bazel names it.
  static void Set(absl::string_view target, int64_t seed, int64_t steps) {
    line() = absl::StrCat("./bazelw run -c opt ", target, " -- --first_seed=", seed,
                          " --seeds=1 --steps=", steps, " --verbose\n");
    std::signal(SIGABRT, OnAbort);
  }
  static std::string& line() {
    static std::string* const line = new std::string;
    return *line;
  }

 private:
  static void OnAbort(int) {
    constexpr char kText[] = "\naborted; replay with: ";
    (void)!write(STDOUT_FILENO, kText, sizeof(kText) - 1);
    (void)!write(STDOUT_FILENO, line().data(), line().size());
    std::signal(SIGABRT, SIG_DFL);
  }
};

// What became of one seed: nothing in `failure` when it passed; how many there were of what, always
// in the same order.
struct SeedOutcome {
  std::string failure;
  uint64_t hash = 0;
  std::vector<std::pair<int64_t, absl::string_view>> counts;
};

// Runs the seeds that `flags` name, each by run(seed, flags), and prints which failed and the sums.
// The program's exit code.
template <class Run>
int RunSeeds(absl::string_view simulator, const SimFlags& flags, Run run) {
  const int64_t last_seed = flags.first_seed + flags.seeds - 1;
  SeedOutcome sum;
  int64_t failed = 0;
  for (int64_t seed = flags.first_seed; seed <= last_seed; ++seed) {
    Replay::Set(absl::StrCat("//tests/sim:", simulator), seed, flags.steps);
    const SeedOutcome outcome = run(static_cast<uint64_t>(seed), flags);
    sum.hash ^= outcome.hash;
    sum.counts.resize(outcome.counts.size());
    for (size_t i = 0; i < sum.counts.size(); ++i) {
      sum.counts[i] = {sum.counts[i].first + outcome.counts[i].first, outcome.counts[i].second};
    }
    if (outcome.failure.empty()) continue;
    ++failed;
    absl::PrintF("seed %d FAILED %s\n  replay with: %s", seed, outcome.failure, Replay::line());
    std::fflush(stdout);
  }
  absl::PrintF("%s: seeds %d to %d, %d failed; ", simulator, flags.first_seed, last_seed, failed);
  for (size_t i = 0; i < sum.counts.size(); ++i) {
    absl::PrintF("%s%d %s", i == 0 ? "" : ", ", sum.counts[i].first, sum.counts[i].second);
  }
  absl::PrintF("; trace %016x\n", sum.hash);
  return failed == 0 ? 0 : 1;
}

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_SIM_FLAGS_H_

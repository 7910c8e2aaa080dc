// -----------------------------------------------------------------------------
// File: tests/sim/sim_flags.h
// -----------------------------------------------------------------------------
// What every simulator's command line takes, and the line that replays the seed that runs.
#ifndef WEIR_TESTS_SIM_SIM_FLAGS_H_
#define WEIR_TESTS_SIM_SIM_FLAGS_H_

#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
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

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_SIM_FLAGS_H_

// Runs the one-node simulator over seeds: node_sim [--seeds=N] [--first_seed=S] [--steps=K]
// [--verbose]. Exits 1 if any seed failed, naming each with the command that replays it.

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
#include "tests/sim/node_run.h"

namespace {

std::string replay;  // of the seed that runs

// A failed check of the broker's own ends the program; the seed is told all the same.
void OnAbort(int) {
  constexpr char kText[] = "\naborted; replay with: ";
  (void)!write(STDOUT_FILENO, kText, sizeof(kText) - 1);
  (void)!write(STDOUT_FILENO, replay.data(), replay.size());
  std::signal(SIGABRT, SIG_DFL);
}

bool Take(absl::string_view argument, absl::string_view name, int64_t* value) {
  return absl::ConsumePrefix(&argument, absl::StrCat("--", name, "=")) &&
         absl::SimpleAtoi(argument, value);
}

}  // namespace

int main(int argc, char** argv) {
  int64_t seeds = 100, first_seed = 1, steps = 2000;
  bool verbose = false;
  for (int i = 1; i < argc; ++i) {
    if (Take(argv[i], "seeds", &seeds) || Take(argv[i], "first_seed", &first_seed) ||
        Take(argv[i], "steps", &steps)) {
      continue;
    }
    if (absl::string_view(argv[i]) == "--verbose") {
      verbose = true;
      continue;
    }
    std::fprintf(stderr, "usage: %s [--seeds=N] [--first_seed=S] [--steps=K] [--verbose]\n",
                 argv[0]);
    return 2;
  }
  std::signal(SIGABRT, OnAbort);

  weir::sim::NodeRunResult sum;
  int64_t failed = 0;
  for (int64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
    replay = absl::StrCat("./bazelw run -c opt //tests/sim:node_sim -- --first_seed=", seed,
                          " --seeds=1 --steps=", steps, " --verbose\n");
    const auto result = weir::sim::RunNode(static_cast<uint64_t>(seed), steps, verbose);
    sum.hash ^= result.hash;
    sum.kills += result.kills;
    sum.power_losses += result.power_losses;
    sum.shutdowns += result.shutdowns;
    sum.counters.acknowledged += result.counters.acknowledged;
    sum.counters.batches_read += result.counters.batches_read;
    sum.counters.creations += result.counters.creations;
    sum.groups.generations += result.groups.generations;
    sum.groups.commits += result.groups.commits;
    sum.groups.fetches += result.groups.fetches;
    sum.groups.refused += result.groups.refused;
    sum.groups.deletions += result.groups.deletions;
    sum.groups.fenced += result.groups.fenced;
    if (result.failure.empty()) continue;
    ++failed;
    std::printf("seed %lld FAILED %s\n  replay with: %s", static_cast<long long>(seed),
                result.failure.c_str(), replay.c_str());
    std::fflush(stdout);
  }
  std::printf(
      "node_sim: seeds %lld to %lld, %lld failed; %lld kills, %lld power losses, %lld shutdowns, "
      "%lld topics, %lld batches acknowledged, %lld read; groups: %lld generations, %lld commits, "
      "%lld refused, %lld fetches, %lld deletions, %lld members fenced; trace %016llx\n",
      static_cast<long long>(first_seed), static_cast<long long>(first_seed + seeds - 1),
      static_cast<long long>(failed), static_cast<long long>(sum.kills),
      static_cast<long long>(sum.power_losses), static_cast<long long>(sum.shutdowns),
      static_cast<long long>(sum.counters.creations),
      static_cast<long long>(sum.counters.acknowledged),
      static_cast<long long>(sum.counters.batches_read),
      static_cast<long long>(sum.groups.generations), static_cast<long long>(sum.groups.commits),
      static_cast<long long>(sum.groups.refused), static_cast<long long>(sum.groups.fetches),
      static_cast<long long>(sum.groups.deletions), static_cast<long long>(sum.groups.fenced),
      static_cast<unsigned long long>(sum.hash));
  return failed == 0 ? 0 : 1;
}

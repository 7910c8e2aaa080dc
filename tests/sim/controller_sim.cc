// Runs the controller's simulator over seeds: controller_sim [--seeds=N] [--first_seed=S]
// [--steps=K] [--verbose]. Exits 1 if any seed failed, naming each with the command that replays
// it.

#include <cstdint>
#include <cstdio>

#include "tests/sim/controller_run.h"
#include "tests/sim/sim_flags.h"

int main(int argc, char** argv) {
  weir::sim::SimFlags flags;
  flags.steps = 3000;
  weir::sim::ReadSimFlags(argc, argv, &flags);
  const int64_t first_seed = flags.first_seed, last_seed = first_seed + flags.seeds - 1;

  weir::sim::ControllerOutcome sum;
  int64_t failed = 0;
  for (int64_t seed = first_seed; seed <= last_seed; ++seed) {
    weir::sim::Replay::Set("//tests/sim:controller_sim", seed, flags.steps);
    const weir::sim::ControllerOutcome outcome =
        weir::sim::ControllerRun(static_cast<uint64_t>(seed), flags.steps, flags.verbose).Go();
    sum.hash ^= outcome.hash;
    sum.elections += outcome.elections;
    sum.unclean += outcome.unclean;
    sum.failovers += outcome.failovers;
    sum.acknowledged += outcome.acknowledged;
    sum.moves += outcome.moves;
    sum.wipes += outcome.wipes;
    if (outcome.failure.empty()) continue;
    ++failed;
    std::printf("seed %lld FAILED %s\n  replay with: %s", static_cast<long long>(seed),
                outcome.failure.c_str(), weir::sim::Replay::line().c_str());
    std::fflush(stdout);
  }
  std::printf(
      "controller_sim: seeds %lld to %lld, %lld failed; %lld elections, %lld unclean, %lld "
      "failovers, %lld records acknowledged, %lld reassignments, %lld disks wiped; trace %016llx\n",
      static_cast<long long>(first_seed), static_cast<long long>(last_seed),
      static_cast<long long>(failed), static_cast<long long>(sum.elections),
      static_cast<long long>(sum.unclean), static_cast<long long>(sum.failovers),
      static_cast<long long>(sum.acknowledged), static_cast<long long>(sum.moves),
      static_cast<long long>(sum.wipes), static_cast<unsigned long long>(sum.hash));
  return failed == 0 ? 0 : 1;
}

// Runs the simulator of replication over seeds: replication_sim [--seeds=N] [--first_seed=S]
// [--steps=K] [--verbose]. Exits 1 if any seed failed, naming each with the command that replays
// it.

#include <cstdint>
#include <cstdio>

#include "tests/sim/replication_run.h"
#include "tests/sim/sim_flags.h"

int main(int argc, char** argv) {
  weir::sim::SimFlags flags;
  flags.steps = 4000;
  weir::sim::ReadSimFlags(argc, argv, &flags);
  const int64_t first_seed = flags.first_seed, last_seed = first_seed + flags.seeds - 1;

  weir::sim::ReplicationOutcome sum;
  int64_t failed = 0;
  for (int64_t seed = first_seed; seed <= last_seed; ++seed) {
    weir::sim::Replay::Set("//tests/sim:replication_sim", seed, flags.steps);
    const weir::sim::ReplicationOutcome outcome =
        weir::sim::ReplicationRun(static_cast<uint64_t>(seed), flags.steps, flags.verbose).Go();
    sum.hash ^= outcome.hash;
    sum.acknowledged += outcome.acknowledged;
    sum.deaths += outcome.deaths;
    sum.elections += outcome.elections;
    sum.truncations += outcome.truncations;
    if (outcome.failure.empty()) continue;
    ++failed;
    std::printf("seed %lld FAILED %s\n  replay with: %s", static_cast<long long>(seed),
                outcome.failure.c_str(), weir::sim::Replay::line().c_str());
    std::fflush(stdout);
  }
  std::printf(
      "replication_sim: seeds %lld to %lld, %lld failed; %lld batches acknowledged by all, %lld "
      "deaths, %lld elections, %lld truncations; trace %016llx\n",
      static_cast<long long>(first_seed), static_cast<long long>(last_seed),
      static_cast<long long>(failed), static_cast<long long>(sum.acknowledged),
      static_cast<long long>(sum.deaths), static_cast<long long>(sum.elections),
      static_cast<long long>(sum.truncations), static_cast<unsigned long long>(sum.hash));
  return failed == 0 ? 0 : 1;
}

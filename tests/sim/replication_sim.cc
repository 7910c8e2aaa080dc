// Runs the simulator of replication over seeds: replication_sim [--seeds=N] [--first_seed=S]
// [--steps=K] [--verbose]. Exits 1 if any seed failed, naming each with the command that replays
// it.

#include <cstdint>

#include "tests/sim/replication_run.h"
#include "tests/sim/sim_flags.h"

int main(int argc, char** argv) {
  weir::sim::SimFlags flags;
  flags.steps = 4000;
  weir::sim::ReadSimFlags(argc, argv, &flags);
  return weir::sim::RunSeeds(
      "replication_sim", flags, [](uint64_t seed, const weir::sim::SimFlags& f) {
        const auto run = weir::sim::ReplicationRun(seed, f.steps, f.verbose).Go();
        return weir::sim::SeedOutcome{run.failure,
                                      run.hash,
                                      {{run.acknowledged, "batches acknowledged by all"},
                                       {run.deaths, "deaths"},
                                       {run.elections, "elections"},
                                       {run.truncations, "truncations"}}};
      });
}

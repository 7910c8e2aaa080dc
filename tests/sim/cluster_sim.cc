// Runs the whole-cluster simulator over seeds: cluster_sim [--seeds=N] [--first_seed=S] [--steps=K]
// [--verbose]. Exits 1 if any seed failed, naming each with the command that replays it.

#include <cstdint>

#include "tests/sim/cluster_run.h"
#include "tests/sim/sim_flags.h"

int main(int argc, char** argv) {
  weir::sim::SimFlags flags;
  weir::sim::ReadSimFlags(argc, argv, &flags);
  return weir::sim::RunSeeds("cluster_sim", flags, [](uint64_t seed, const weir::sim::SimFlags& f) {
    const auto run = weir::sim::RunCluster(seed, f.steps, f.verbose);
    return weir::sim::SeedOutcome{run.failure,
                                  run.hash,
                                  {{run.kills, "kills"},
                                   {run.power_losses, "power losses"},
                                   {run.shutdowns, "shutdowns"},
                                   {run.pauses, "pauses"},
                                   {run.cuts, "cuts"},
                                   {run.wipes, "disks wiped"},
                                   {run.decays, "bytes decayed"},
                                   {run.given_up, "given up"},
                                   {run.counters.creations, "topics"},
                                   {run.counters.acknowledged, "batches acknowledged"},
                                   {run.counters.batches_read, "read"},
                                   {run.virtual_ms, "ms of simulated time"}}};
  });
}

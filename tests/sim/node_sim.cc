// Runs the one-node simulator over seeds: node_sim [--seeds=N] [--first_seed=S] [--steps=K]
// [--verbose]. Exits 1 if any seed failed, naming each with the command that replays it.

#include <cstdint>

#include "tests/sim/node_run.h"
#include "tests/sim/sim_flags.h"

int main(int argc, char** argv) {
  weir::sim::SimFlags flags;
  weir::sim::ReadSimFlags(argc, argv, &flags);
  return weir::sim::RunSeeds("node_sim", flags, [](uint64_t seed, const weir::sim::SimFlags& f) {
    const auto run = weir::sim::RunNode(seed, f.steps, f.verbose);
    return weir::sim::SeedOutcome{run.failure,
                                  run.hash,
                                  {{run.kills, "kills"},
                                   {run.power_losses, "power losses"},
                                   {run.shutdowns, "shutdowns"},
                                   {run.counters.creations, "topics"},
                                   {run.counters.acknowledged, "batches acknowledged"},
                                   {run.counters.batches_read, "read"},
                                   {run.groups.generations, "generations of groups"},
                                   {run.groups.commits, "commits"},
                                   {run.groups.refused, "refused"},
                                   {run.groups.fetches, "fetches of offsets"},
                                   {run.groups.deletions, "deletions"},
                                   {run.groups.fenced, "members fenced"}}};
  });
}

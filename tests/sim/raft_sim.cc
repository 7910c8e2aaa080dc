// Runs the Raft simulator over seeds: raft_sim [--seeds=N] [--first_seed=S] [--steps=K]
// [--verbose]. Exits 1 if any seed failed, naming each with the command that replays it.

#include <cstdint>

#include "tests/sim/raft_run.h"
#include "tests/sim/sim_flags.h"

int main(int argc, char** argv) {
  weir::sim::SimFlags flags;
  flags.steps = 3000;
  weir::sim::ReadSimFlags(argc, argv, &flags);
  return weir::sim::RunSeeds("raft_sim", flags, [](uint64_t seed, const weir::sim::SimFlags& f) {
    const auto run = weir::sim::RaftRun(seed, f.steps, f.verbose).Go();
    return weir::sim::SeedOutcome{run.failure,
                                  run.hash,
                                  {{run.committed, "entries committed"},
                                   {run.proposals, "proposals"},
                                   {run.reads, "reads"},
                                   {run.changes, "changes"},
                                   {run.installs, "snapshots installed"}}};
  });
}

// Runs the controller's simulator over seeds: controller_sim [--seeds=N] [--first_seed=S]
// [--steps=K] [--verbose]. Exits 1 if any seed failed, naming each with the command that replays
// it.

#include <cstdint>

#include "tests/sim/controller_run.h"
#include "tests/sim/sim_flags.h"

int main(int argc, char** argv) {
  weir::sim::SimFlags flags;
  flags.steps = 3000;
  weir::sim::ReadSimFlags(argc, argv, &flags);
  return weir::sim::RunSeeds(
      "controller_sim", flags, [](uint64_t seed, const weir::sim::SimFlags& f) {
        const auto run = weir::sim::ControllerRun(seed, f.steps, f.verbose).Go();
        return weir::sim::SeedOutcome{run.failure,
                                      run.hash,
                                      {{run.elections, "elections"},
                                       {run.unclean, "unclean"},
                                       {run.failovers, "failovers"},
                                       {run.acknowledged, "records acknowledged"},
                                       {run.moves, "reassignments"},
                                       {run.wipes, "disks wiped"},
                                       {run.failed_directories, "directories failed"},
                                       {run.replaced_directories, "replaced"}}};
      });
}

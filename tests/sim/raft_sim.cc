// Runs the Raft simulator over seeds: raft_sim [--seeds=N] [--first_seed=S] [--steps=K]
// [--verbose]. Exits 1 if any seed failed, naming each with the command that replays it.

#include <cstdint>
#include <cstdio>

#include "tests/sim/raft_run.h"
#include "tests/sim/sim_flags.h"

int main(int argc, char** argv) {
  weir::sim::SimFlags flags;
  flags.steps = 3000;
  weir::sim::ReadSimFlags(argc, argv, &flags);
  const int64_t first_seed = flags.first_seed, last_seed = first_seed + flags.seeds - 1;

  weir::sim::RaftOutcome sum;
  int64_t failed = 0;
  for (int64_t seed = first_seed; seed <= last_seed; ++seed) {
    weir::sim::Replay::Set("//tests/sim:raft_sim", seed, flags.steps);
    const weir::sim::RaftOutcome outcome =
        weir::sim::RaftRun(static_cast<uint64_t>(seed), flags.steps, flags.verbose).Go();
    sum.hash ^= outcome.hash;
    sum.committed += outcome.committed;
    sum.proposals += outcome.proposals;
    sum.reads += outcome.reads;
    sum.changes += outcome.changes;
    sum.installs += outcome.installs;
    if (outcome.failure.empty()) continue;
    ++failed;
    std::printf("seed %lld FAILED %s\n  replay with: %s", static_cast<long long>(seed),
                outcome.failure.c_str(), weir::sim::Replay::line().c_str());
    std::fflush(stdout);
  }
  std::printf(
      "raft_sim: seeds %lld to %lld, %lld failed; %lld entries committed, %lld proposals, %lld "
      "reads, %lld changes, %lld snapshots installed; trace %016llx\n",
      static_cast<long long>(first_seed), static_cast<long long>(last_seed),
      static_cast<long long>(failed), static_cast<long long>(sum.committed),
      static_cast<long long>(sum.proposals), static_cast<long long>(sum.reads),
      static_cast<long long>(sum.changes), static_cast<long long>(sum.installs),
      static_cast<unsigned long long>(sum.hash));
  return failed == 0 ? 0 : 1;
}

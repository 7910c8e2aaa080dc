// Runs the whole-cluster simulator over seeds: cluster_sim [--seeds=N] [--first_seed=S] [--steps=K]
// [--verbose]. Exits 1 if any seed failed, naming each with the command that replays it.

#include <cstdint>
#include <cstdio>

#include "tests/sim/cluster_run.h"
#include "tests/sim/sim_flags.h"

int main(int argc, char** argv) {
  weir::sim::SimFlags flags;
  weir::sim::ReadSimFlags(argc, argv, &flags);
  const int64_t first_seed = flags.first_seed, last_seed = first_seed + flags.seeds - 1;

  weir::sim::ClusterRunResult sum;
  int64_t failed = 0;
  for (int64_t seed = first_seed; seed <= last_seed; ++seed) {
    weir::sim::Replay::Set("//tests/sim:cluster_sim", seed, flags.steps);
    const auto result =
        weir::sim::RunCluster(static_cast<uint64_t>(seed), flags.steps, flags.verbose);
    sum.hash ^= result.hash;
    sum.kills += result.kills;
    sum.power_losses += result.power_losses;
    sum.shutdowns += result.shutdowns;
    sum.pauses += result.pauses;
    sum.cuts += result.cuts;
    sum.wipes += result.wipes;
    sum.virtual_ms += result.virtual_ms;
    sum.counters.acknowledged += result.counters.acknowledged;
    sum.counters.batches_read += result.counters.batches_read;
    sum.counters.creations += result.counters.creations;
    if (result.failure.empty()) continue;
    ++failed;
    std::printf("seed %lld FAILED %s\n  replay with: %s", static_cast<long long>(seed),
                result.failure.c_str(), weir::sim::Replay::line().c_str());
    std::fflush(stdout);
  }
  std::printf(
      "cluster_sim: seeds %lld to %lld, %lld failed; %lld kills, %lld power losses, %lld "
      "shutdowns, "
      "%lld pauses, %lld cuts, %lld disks wiped, %lld topics, %lld batches acknowledged, %lld "
      "read; "
      "%lld s of simulated time; trace %016llx\n",
      static_cast<long long>(first_seed), static_cast<long long>(last_seed),
      static_cast<long long>(failed), static_cast<long long>(sum.kills),
      static_cast<long long>(sum.power_losses), static_cast<long long>(sum.shutdowns),
      static_cast<long long>(sum.pauses), static_cast<long long>(sum.cuts),
      static_cast<long long>(sum.wipes), static_cast<long long>(sum.counters.creations),
      static_cast<long long>(sum.counters.acknowledged),
      static_cast<long long>(sum.counters.batches_read),
      static_cast<long long>(sum.virtual_ms / 1000), static_cast<unsigned long long>(sum.hash));
  return failed == 0 ? 0 : 1;
}

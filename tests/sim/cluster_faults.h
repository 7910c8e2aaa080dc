// -----------------------------------------------------------------------------
// File: tests/sim/cluster_faults.h
// -----------------------------------------------------------------------------
// The kinds of faults that one run of the whole-cluster simulator has, within what its claims
// allow.
#ifndef WEIR_TESTS_SIM_CLUSTER_FAULTS_H_
#define WEIR_TESTS_SIM_CLUSTER_FAULTS_H_

#include <cstdint>

#include "base/clock.h"
#include "base/random.h"
#include "tests/sim/cluster_world.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim_fabric.h"
#include "tests/sim/sim_poller.h"

namespace weir::sim {

struct ClusterFaults {
  uint64_t crash_one_in = 0;  // steps, for each machine; 0: never
  bool power = false;         // crashes may be losses of power
  bool disk_faults = false, full_disk = false;
  bool wall_jumps = false;
  bool pauses = false, cuts = false;
  bool wipes = false;  // disks are lost
  bool decay = false;  // bytes on disks change by themselves
  // Crashes only where nothing is lost by them though nothing is flushed.
  bool within_budget = false;

  // Each run has some kinds of faults and not others: they hide each other's consequences.
  static ClusterFaults Choose(Random& random, SimNetwork::Options* network,
                              SimFabric::Options* fabric) {
    ClusterFaults faults;
    faults.crash_one_in = random.OneIn(8) ? 0 : 60 + random.Below(600);
    faults.power = random.OneIn(2);
    faults.disk_faults = random.OneIn(4);
    faults.full_disk = random.OneIn(6);
    faults.wall_jumps = random.OneIn(3);
    faults.pauses = random.OneIn(2);
    faults.cuts = random.OneIn(2);
    faults.wipes = random.OneIn(3);
    faults.decay = random.OneIn(4);
    network->late_one_in = random.OneIn(2) ? 4 : 0;
    network->chunk_bytes_max = random.OneIn(2) ? 64 : 1 << 20;
    network->reset_one_in = random.OneIn(3) ? 300 : 0;
    network->cold_one_in = random.OneIn(2) ? 5 : 0;
    if (random.OneIn(2)) fabric->lost_one_in = 10 + random.Below(200);
    if (random.OneIn(2)) fabric->twice_one_in = 5 + random.Below(50);
    if (random.OneIn(2)) fabric->late_one_in = 10 + random.Below(200);
    return faults;
  }

  // Leaves out what the records of topics that are replicated like this do not survive.
  void Fit(const ClusterLayout& layout, const Oracle::Replication& replication,
           SimFabric::Options* fabric) {
    // Without flushes nothing is lost as long as one broker at a time ends badly, and others have
    // what it had.
    within_budget = !layout.flush_on_ack && replication.min_insync > 1;
    wipes = wipes && replication.factor > 1;
    // What is not durable is not looked at for decay.
    decay = decay && replication.factor > 1 && layout.flush_on_ack;
    if (within_budget || wipes || decay) disk_faults = full_disk = false;
    // Until the controller knows of a lost disk, or somebody of the decay, others with its records
    // have to stay in sync: no session may end for silence.
    if (!wipes && !decay) return;
    pauses = cuts = false;
    fabric->lost_one_in = 0;
    fabric->late_max_ns = 300 * kNsPerMs;
  }
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_CLUSTER_FAULTS_H_

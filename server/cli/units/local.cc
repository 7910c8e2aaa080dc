// Local clusters: which nodes, their processes, their folders.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/cli/local_cluster.cc"
#include "server/cli/local_plan.cc"
#include "server/cli/local_process.cc"

// The commands that ask a cluster, and what calls them.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/cli/cluster_commands.cc"
#include "server/cli/command.cc"
#include "server/cli/group_commands.cc"
#include "server/cli/perf.cc"
#include "server/cli/record_commands.cc"

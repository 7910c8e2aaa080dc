// The commands that ask a cluster, and what calls them.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/cli/api_versions_command.cc"
#include "server/cli/command.cc"
#include "server/cli/configs_command.cc"
#include "server/cli/consume_command.cc"
#include "server/cli/groups_command.cc"
#include "server/cli/perf_command.cc"
#include "server/cli/produce_command.cc"
#include "server/cli/topics_command.cc"

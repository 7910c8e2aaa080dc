// The commands and what calls them: those that ask a cluster, read files or print traffic.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/cli/api_versions_command.cc"
#include "server/cli/command.cc"
#include "server/cli/configs_command.cc"
#include "server/cli/consume_command.cc"
#include "server/cli/dump_decoders.cc"
#include "server/cli/dump_log_command.cc"
#include "server/cli/groups_command.cc"
#include "server/cli/local_command.cc"
#include "server/cli/logs_command.cc"
#include "server/cli/perf_command.cc"
#include "server/cli/produce_command.cc"
#include "server/cli/quorum_command.cc"
#include "server/cli/sniff_command.cc"
#include "server/cli/sniff_proxy.cc"
#include "server/cli/topics_command.cc"

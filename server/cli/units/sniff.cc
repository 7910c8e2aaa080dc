// The printer of traffic.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/cli/sniff_command.cc"
#include "server/cli/sniff_proxy.cc"

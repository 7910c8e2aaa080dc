// Everything that the command line does as a client of a cluster, and what it knows of the messages
// between others.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/cli/record_clients.cc"
#include "server/cli/remote.cc"
#include "server/cli/sniff_apis.cc"

// Messages that every client sends, as `weir sniff` prints them.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/cli/sniff_cluster.cc"
#include "server/cli/sniff_groups.cc"
#include "server/cli/sniff_records.cc"
#include "server/cli/sniff_transactions.cc"

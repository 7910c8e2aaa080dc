// Messages of administration and security, as `weir sniff` prints them.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/cli/sniff_admin.cc"
#include "server/cli/sniff_operations.cc"
#include "server/cli/sniff_security.cc"

// Consumer groups and their offsets.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/group_table.cc"
#include "server/handlers/groups.cc"

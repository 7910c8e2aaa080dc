// Files of JSON that say what is to move, and proposals.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/cli/json_reader.cc"
#include "server/cli/reassign_plan.cc"

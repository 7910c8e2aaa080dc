// What is said to commands.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/cli/client_properties.cc"
#include "server/cli/flags.cc"
#include "server/cli/reset_plan.cc"

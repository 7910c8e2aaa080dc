// What the controller decides, asked by clients or by other nodes, and what else operators ask.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/controller_calls.cc"
#include "server/handlers/access.cc"
#include "server/handlers/admin.cc"
#include "server/handlers/replicas.cc"

// What records go through on their way in and out.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/handlers/fetch.cc"
#include "server/handlers/produce.cc"
#include "server/router.cc"

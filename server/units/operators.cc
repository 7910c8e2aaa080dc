// What operators ask that clients do not: replicas, brokers, quotas, credentials.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/handlers/access.cc"
#include "server/handlers/replicas.cc"

// What is asked about topics, partitions and the cluster, and what changes them.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/handlers/admin.cc"
#include "server/handlers/metadata.cc"
#include "server/handlers/partitions.cc"

// What clients ask, apart from groups: records, topics, partitions and the cluster.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/handlers/fetch.cc"
#include "server/handlers/metadata.cc"
#include "server/handlers/partitions.cc"
#include "server/handlers/produce.cc"
#include "server/handlers/quorum.cc"
#include "server/router.cc"

// What clients ask: records, topics, partitions and the cluster, groups and their offsets.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/group_table.cc"
#include "server/handlers/fetch.cc"
#include "server/handlers/groups.cc"
#include "server/handlers/metadata.cc"
#include "server/handlers/partitions.cc"
#include "server/handlers/produce.cc"
#include "server/handlers/quorum.cc"
#include "server/router.cc"

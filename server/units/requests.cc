// What clients ask: records, topics, partitions and the cluster, groups and their offsets; and what
// operators and other nodes ask, most of it of the controller.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/controller_calls.cc"
#include "server/group_table.cc"
#include "server/handlers/access.cc"
#include "server/handlers/admin.cc"
#include "server/handlers/fetch.cc"
#include "server/handlers/groups.cc"
#include "server/handlers/metadata.cc"
#include "server/handlers/partitions.cc"
#include "server/handlers/produce.cc"
#include "server/handlers/quorum.cc"
#include "server/handlers/replicas.cc"
#include "server/router.cc"

// The broker, its core, the controller and the table of partitions: all that opens, recovers and
// cleans logs.
// Compiled at one go: see "Units" in docs/architecture.md.

#include "server/broker.cc"
#include "server/broker_core.cc"
#include "server/broker_membership.cc"
#include "server/cluster_entry.cc"
#include "server/controller_driver.cc"
#include "server/isr_proposals.cc"
#include "server/log_cleaner.cc"
#include "server/log_mover.cc"
#include "server/log_scrubber.cc"
#include "server/metadata_log.cc"
#include "server/partition_cleaning.cc"
#include "server/partition_logs.cc"
#include "server/partition_moves.cc"
#include "server/partition_table.cc"
#include "server/peer_watch.cc"
#include "server/quorum_requests.cc"
#include "server/recovery.cc"
#include "server/replicas.cc"
#include "server/shard.cc"

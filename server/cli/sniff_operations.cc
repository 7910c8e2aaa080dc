// What `weir sniff` knows of the messages of OperationApis.
#include "protocol/api/add_raft_voter.h"
#include "protocol/api/alter_partition_reassignments.h"
#include "protocol/api/alter_replica_log_dirs.h"
#include "protocol/api/describe_quorum.h"
#include "protocol/api/elect_leaders.h"
#include "protocol/api/list_partition_reassignments.h"
#include "protocol/api/remove_raft_voter.h"
#include "protocol/api/unregister_broker.h"
#include "protocol/api_list.h"
#include "protocol/sniff/api_table.h"
#include "server/cli/sniff_apis.h"

namespace weir::cli {

void AddOperationApis(protocol::ApiTable* table) {
  table->Add(EntriesOf(protocol::OperationApis()));
}

}  // namespace weir::cli

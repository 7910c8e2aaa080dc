// The messages of TransactionApis, SecurityApis, OperationApis, ControllerApis
// (protocol/api_list.h).
#include <vector>

#include "protocol/api/add_offsets_to_txn.h"
#include "protocol/api/add_partitions_to_txn.h"
#include "protocol/api/add_raft_voter.h"
#include "protocol/api/allocate_producer_ids.h"
#include "protocol/api/alter_client_quotas.h"
#include "protocol/api/alter_partition.h"
#include "protocol/api/alter_partition_reassignments.h"
#include "protocol/api/alter_replica_log_dirs.h"
#include "protocol/api/alter_user_scram_credentials.h"
#include "protocol/api/assign_replicas_to_dirs.h"
#include "protocol/api/broker_heartbeat.h"
#include "protocol/api/broker_registration.h"
#include "protocol/api/create_acls.h"
#include "protocol/api/delete_acls.h"
#include "protocol/api/describe_acls.h"
#include "protocol/api/describe_client_quotas.h"
#include "protocol/api/describe_quorum.h"
#include "protocol/api/describe_transactions.h"
#include "protocol/api/describe_user_scram_credentials.h"
#include "protocol/api/elect_leaders.h"
#include "protocol/api/end_txn.h"
#include "protocol/api/list_partition_reassignments.h"
#include "protocol/api/list_transactions.h"
#include "protocol/api/remove_raft_voter.h"
#include "protocol/api/sasl_authenticate.h"
#include "protocol/api/sasl_handshake.h"
#include "protocol/api/txn_offset_commit.h"
#include "protocol/api/unregister_broker.h"
#include "protocol/api/write_txn_markers.h"
#include "protocol/api_list.h"
#include "tests/fuzz/decode_checks.h"

namespace weir::fuzz {

void AppendSecurityChecks(std::vector<DecodeCheck>* checks) {
  AppendApiChecks(protocol::TransactionApis(), checks);
  AppendApiChecks(protocol::SecurityApis(), checks);
  AppendApiChecks(protocol::OperationApis(), checks);
  AppendApiChecks(protocol::ControllerApis(), checks);
}

}  // namespace weir::fuzz

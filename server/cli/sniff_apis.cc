#include "server/cli/sniff_apis.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "protocol/api/add_offsets_to_txn.h"
#include "protocol/api/add_partitions_to_txn.h"
#include "protocol/api/add_raft_voter.h"
#include "protocol/api/allocate_producer_ids.h"
#include "protocol/api/alter_client_quotas.h"
#include "protocol/api/alter_configs.h"
#include "protocol/api/alter_partition.h"
#include "protocol/api/alter_partition_reassignments.h"
#include "protocol/api/alter_replica_log_dirs.h"
#include "protocol/api/alter_user_scram_credentials.h"
#include "protocol/api/api_versions.h"
#include "protocol/api/assign_replicas_to_dirs.h"
#include "protocol/api/broker_heartbeat.h"
#include "protocol/api/broker_registration.h"
#include "protocol/api/consumer_group_describe.h"
#include "protocol/api/consumer_group_heartbeat.h"
#include "protocol/api/create_acls.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_acls.h"
#include "protocol/api/delete_groups.h"
#include "protocol/api/delete_records.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/describe_acls.h"
#include "protocol/api/describe_client_quotas.h"
#include "protocol/api/describe_cluster.h"
#include "protocol/api/describe_configs.h"
#include "protocol/api/describe_groups.h"
#include "protocol/api/describe_log_dirs.h"
#include "protocol/api/describe_producers.h"
#include "protocol/api/describe_quorum.h"
#include "protocol/api/describe_topic_partitions.h"
#include "protocol/api/describe_transactions.h"
#include "protocol/api/describe_user_scram_credentials.h"
#include "protocol/api/elect_leaders.h"
#include "protocol/api/end_txn.h"
#include "protocol/api/fetch.h"
#include "protocol/api/find_coordinator.h"
#include "protocol/api/get_telemetry_subscriptions.h"
#include "protocol/api/heartbeat.h"
#include "protocol/api/incremental_alter_configs.h"
#include "protocol/api/init_producer_id.h"
#include "protocol/api/join_group.h"
#include "protocol/api/leave_group.h"
#include "protocol/api/list_config_resources.h"
#include "protocol/api/list_groups.h"
#include "protocol/api/list_offsets.h"
#include "protocol/api/list_partition_reassignments.h"
#include "protocol/api/list_transactions.h"
#include "protocol/api/metadata.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_delete.h"
#include "protocol/api/offset_fetch.h"
#include "protocol/api/offset_for_leader_epoch.h"
#include "protocol/api/produce.h"
#include "protocol/api/remove_raft_voter.h"
#include "protocol/api/sasl_authenticate.h"
#include "protocol/api/sasl_handshake.h"
#include "protocol/api/sync_group.h"
#include "protocol/api/txn_offset_commit.h"
#include "protocol/api/unregister_broker.h"
#include "protocol/api/update_features.h"
#include "protocol/api/write_txn_markers.h"
#include "protocol/api_list.h"
#include "protocol/sniff/address_rewriter.h"
#include "protocol/sniff/api_table.h"

namespace weir::cli {

protocol::ApiTable AllSniffedApis() {
  protocol::ApiTable table;
  table.Add(EntriesOf(protocol::AllApis()));
  return table;
}

std::optional<std::string> RewriteSniffedAddresses(
    int16_t api_key, int16_t version, absl::string_view frame,
    const std::function<void(size_t of, std::string* host, int32_t* port)>& change) {
  return protocol::RewriteAddresses(api_key, version, frame, change);
}

}  // namespace weir::cli

// The messages of RecordApis, ClusterApis (protocol/api_list.h).
#include <vector>

#include "protocol/api/api_versions.h"
#include "protocol/api/delete_records.h"
#include "protocol/api/describe_cluster.h"
#include "protocol/api/describe_log_dirs.h"
#include "protocol/api/describe_producers.h"
#include "protocol/api/describe_topic_partitions.h"
#include "protocol/api/fetch.h"
#include "protocol/api/find_coordinator.h"
#include "protocol/api/get_telemetry_subscriptions.h"
#include "protocol/api/init_producer_id.h"
#include "protocol/api/list_offsets.h"
#include "protocol/api/metadata.h"
#include "protocol/api/offset_for_leader_epoch.h"
#include "protocol/api/produce.h"
#include "protocol/api_list.h"
#include "tests/fuzz/decode_checks.h"

namespace weir::fuzz {

void AppendDataChecks(std::vector<DecodeCheck>* checks) {
  AppendApiChecks(protocol::RecordApis(), checks);
  AppendApiChecks(protocol::ClusterApis(), checks);
}

}  // namespace weir::fuzz

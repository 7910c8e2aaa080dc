// The messages of GroupApis, AdminApis (protocol/api_list.h).
#include <vector>

#include "protocol/api/alter_configs.h"
#include "protocol/api/consumer_group_describe.h"
#include "protocol/api/consumer_group_heartbeat.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_groups.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/describe_configs.h"
#include "protocol/api/describe_groups.h"
#include "protocol/api/heartbeat.h"
#include "protocol/api/incremental_alter_configs.h"
#include "protocol/api/join_group.h"
#include "protocol/api/leave_group.h"
#include "protocol/api/list_config_resources.h"
#include "protocol/api/list_groups.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_delete.h"
#include "protocol/api/offset_fetch.h"
#include "protocol/api/sync_group.h"
#include "protocol/api/update_features.h"
#include "protocol/api_list.h"
#include "tests/fuzz/decode_checks.h"

namespace weir::fuzz {

void AppendGroupChecks(std::vector<DecodeCheck>* checks) {
  AppendApiChecks(protocol::GroupApis(), checks);
  AppendApiChecks(protocol::AdminApis(), checks);
}

}  // namespace weir::fuzz

// What `weir sniff` knows of the messages of GroupApis.
#include "protocol/api/consumer_group_describe.h"
#include "protocol/api/consumer_group_heartbeat.h"
#include "protocol/api/delete_groups.h"
#include "protocol/api/describe_groups.h"
#include "protocol/api/heartbeat.h"
#include "protocol/api/join_group.h"
#include "protocol/api/leave_group.h"
#include "protocol/api/list_groups.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_delete.h"
#include "protocol/api/offset_fetch.h"
#include "protocol/api/sync_group.h"
#include "protocol/api_list.h"
#include "protocol/sniff/api_table.h"
#include "server/cli/sniff_apis.h"

namespace weir::cli {

void AddGroupApis(protocol::ApiTable* table) { table->Add(EntriesOf(protocol::GroupApis())); }

}  // namespace weir::cli

// What `weir sniff` knows of the messages of AdminApis.
#include "protocol/api/alter_configs.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/describe_configs.h"
#include "protocol/api/incremental_alter_configs.h"
#include "protocol/api/list_config_resources.h"
#include "protocol/api/update_features.h"
#include "protocol/api_list.h"
#include "protocol/sniff/api_table.h"
#include "server/cli/sniff_apis.h"

namespace weir::cli {

void AddAdminApis(protocol::ApiTable* table) { table->Add(EntriesOf(protocol::AdminApis())); }

}  // namespace weir::cli

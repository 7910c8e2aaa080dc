// What `weir sniff` knows of the messages of RecordApis.
#include "protocol/api/delete_records.h"
#include "protocol/api/describe_producers.h"
#include "protocol/api/fetch.h"
#include "protocol/api/list_offsets.h"
#include "protocol/api/offset_for_leader_epoch.h"
#include "protocol/api/produce.h"
#include "protocol/api_list.h"
#include "protocol/sniff/api_table.h"
#include "server/cli/sniff_apis.h"

namespace weir::cli {

void AddRecordApis(protocol::ApiTable* table) { table->Add(EntriesOf(protocol::RecordApis())); }

}  // namespace weir::cli

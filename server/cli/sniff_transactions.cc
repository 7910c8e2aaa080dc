// What `weir sniff` knows of the messages of TransactionApis.
#include "protocol/api/add_offsets_to_txn.h"
#include "protocol/api/add_partitions_to_txn.h"
#include "protocol/api/describe_transactions.h"
#include "protocol/api/end_txn.h"
#include "protocol/api/list_transactions.h"
#include "protocol/api/txn_offset_commit.h"
#include "protocol/api/write_txn_markers.h"
#include "protocol/api_list.h"
#include "protocol/sniff/api_table.h"
#include "server/cli/sniff_apis.h"

namespace weir::cli {

void AddTransactionApis(protocol::ApiTable* table) {
  table->Add(EntriesOf(protocol::TransactionApis()));
}

}  // namespace weir::cli

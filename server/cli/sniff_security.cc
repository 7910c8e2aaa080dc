// What `weir sniff` knows of the messages of SecurityApis.
#include "protocol/api/alter_client_quotas.h"
#include "protocol/api/alter_user_scram_credentials.h"
#include "protocol/api/create_acls.h"
#include "protocol/api/delete_acls.h"
#include "protocol/api/describe_acls.h"
#include "protocol/api/describe_client_quotas.h"
#include "protocol/api/describe_user_scram_credentials.h"
#include "protocol/api/sasl_authenticate.h"
#include "protocol/api/sasl_handshake.h"
#include "protocol/api_list.h"
#include "protocol/sniff/api_table.h"
#include "server/cli/sniff_apis.h"

namespace weir::cli {

void AddSecurityApis(protocol::ApiTable* table) { table->Add(EntriesOf(protocol::SecurityApis())); }

}  // namespace weir::cli

// What `weir sniff` knows of the messages of ClusterApis, and of the addresses in them.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "protocol/api/api_versions.h"
#include "protocol/api/describe_cluster.h"
#include "protocol/api/describe_log_dirs.h"
#include "protocol/api/describe_topic_partitions.h"
#include "protocol/api/find_coordinator.h"
#include "protocol/api/get_telemetry_subscriptions.h"
#include "protocol/api/init_producer_id.h"
#include "protocol/api/metadata.h"
#include "protocol/api_list.h"
#include "protocol/sniff/address_rewriter.h"
#include "protocol/sniff/api_table.h"
#include "server/cli/sniff_apis.h"

namespace weir::cli {

void AddClusterApis(protocol::ApiTable* table) { table->Add(EntriesOf(protocol::ClusterApis())); }

std::optional<std::string> RewriteSniffedAddresses(
    int16_t api_key, int16_t version, absl::string_view frame,
    const std::function<void(size_t of, std::string* host, int32_t* port)>& change) {
  return protocol::RewriteAddresses(api_key, version, frame, change);
}

}  // namespace weir::cli

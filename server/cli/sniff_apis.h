// -----------------------------------------------------------------------------
// File: server/cli/sniff_apis.h
// -----------------------------------------------------------------------------
// All that `weir sniff` needs of the messages' declarations, compiled in one unit.
#ifndef WEIR_SERVER_CLI_SNIFF_APIS_H_
#define WEIR_SERVER_CLI_SNIFF_APIS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "protocol/sniff/api_table.h"

namespace weir::cli {

// Those of protocol::AllApis.
protocol::ApiTable AllSniffedApis();

// As protocol/sniff/address_rewriter.h.
std::optional<std::string> RewriteSniffedAddresses(
    int16_t api_key, int16_t version, absl::string_view frame,
    const std::function<void(size_t of, std::string* host, int32_t* port)>& change);

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_SNIFF_APIS_H_

// -----------------------------------------------------------------------------
// File: server/cli/sniff_apis.h
// -----------------------------------------------------------------------------
// All that `weir sniff` needs of the messages, for which their headers are compiled in units of
// their own: one for each list of protocol/api_list.h.
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

void AddRecordApis(protocol::ApiTable* table);
void AddClusterApis(protocol::ApiTable* table);
void AddGroupApis(protocol::ApiTable* table);
void AddAdminApis(protocol::ApiTable* table);
void AddTransactionApis(protocol::ApiTable* table);
void AddSecurityApis(protocol::ApiTable* table);
void AddOperationApis(protocol::ApiTable* table);

inline protocol::ApiTable AllSniffedApis() {
  protocol::ApiTable table;
  AddRecordApis(&table);
  AddClusterApis(&table);
  AddGroupApis(&table);
  AddAdminApis(&table);
  AddTransactionApis(&table);
  AddSecurityApis(&table);
  AddOperationApis(&table);
  return table;
}

// As protocol/sniff/address_rewriter.h.
std::optional<std::string> RewriteSniffedAddresses(
    int16_t api_key, int16_t version, absl::string_view frame,
    const std::function<void(size_t of, std::string* host, int32_t* port)>& change);

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_SNIFF_APIS_H_

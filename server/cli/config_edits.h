// -----------------------------------------------------------------------------
// File: server/cli/config_edits.h
// -----------------------------------------------------------------------------
// What --add-config and --delete-config say: "a=1,b=[x,y]" and "a,b".
// Errors: UsageError().
#ifndef WEIR_SERVER_CLI_CONFIG_EDITS_H_
#define WEIR_SERVER_CLI_CONFIG_EDITS_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "client/admin_types.h"
#include "protocol/api/incremental_alter_configs.h"
#include "server/cli/flags.h"

namespace weir::cli {

// Pieces between commas, but for commas in brackets.
inline std::vector<std::string> SplitOutsideBrackets(absl::string_view text) {
  std::vector<std::string> pieces(1);
  int depth = 0;
  for (const char c : text) {
    if (c == '[') ++depth;
    if (c == ']' && depth > 0) --depth;
    if (c == ',' && depth == 0) {
      pieces.emplace_back();
    } else {
      pieces.back().push_back(c);
    }
  }
  return pieces;
}

inline absl::StatusOr<std::vector<client::ConfigEdit>> ParseConfigEdits(
    absl::Span<const std::string> added, absl::Span<const std::string> deleted) {
  std::vector<client::ConfigEdit> edits;
  for (const std::string& list : added) {
    for (const std::string& piece : SplitOutsideBrackets(list)) {
      WEIR_ASSIGN_OR_RETURN(auto pair, ParseKeyValue("add-config", piece));
      std::string& value = pair.second;
      if (value.size() >= 2 && value.front() == '[' && value.back() == ']') {
        value = value.substr(1, value.size() - 2);
      }
      edits.push_back({pair.first, protocol::kSetConfig, value});
    }
  }
  for (const std::string& list : deleted) {
    for (absl::string_view key : absl::StrSplit(list, ',', absl::SkipEmpty())) {
      edits.push_back({std::string(key), protocol::kDeleteConfig, ""});
    }
  }
  return edits;
}

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_CONFIG_EDITS_H_

// -----------------------------------------------------------------------------
// File: server/cli/local_plan.h
// -----------------------------------------------------------------------------
// What a local cluster of `weir start` looks like: which nodes there are, what each one's
// server.properties says, where everything lies. Decides, and touches no file.
//
// Node i serves clients at port + i - 1, and the other nodes 10,000 above that (below where there
// is no room above). The first three nodes vote where there are three or more, otherwise only
// the first; which nodes vote stays as it was when the first one was made.
// Threading: values.
#ifndef WEIR_SERVER_CLI_LOCAL_PLAN_H_
#define WEIR_SERVER_CLI_LOCAL_PLAN_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace weir::cli {

inline constexpr int kLocalBrokersMax = 100;
inline constexpr int kLocalPort = 9092;

struct LocalShape {
  int brokers = 1;
  int controllers = 1;  // the first so many nodes
  int port = kLocalPort;
};

int ControllersOf(int brokers);
int ClientPort(const LocalShape& shape, int node);
int InternalPort(const LocalShape& shape, int node);

// "node-2".
std::string NodeName(int node);
// "node-2" or "2"; a UsageError() for what names no node.
absl::StatusOr<int> ParseNodeName(absl::string_view text);

// $WEIR_HOME, else weir-local beside the folder of a plain `weir`. Empty strings are unset.
std::string LocalFolder(absl::string_view weir_home, absl::string_view xdg_data_home,
                        absl::string_view home);

// The text of a node's server.properties; `folder` is the node's own. A folder whose name the
// format cannot carry is kInvalidArgument.
absl::StatusOr<std::string> NodeProperties(const LocalShape& shape, int node,
                                           const std::string& folder);
// "key=value" as a line of it; a UsageError() for text that is none, and for keys that the plan
// decides.
absl::StatusOr<std::string> OverrideLine(absl::string_view text);

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_LOCAL_PLAN_H_

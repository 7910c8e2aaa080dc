#include "server/cli/local_plan.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "server/cli/flags.h"

namespace weir::cli {
namespace {

constexpr const char* kPlannedKeys[] = {"process.roles",
                                        "node.id",
                                        "broker.id",
                                        "listeners",
                                        "advertised.listeners",
                                        "controller.listener.names",
                                        "controller.quorum.voters",
                                        "controller.quorum.bootstrap.servers",
                                        "listener.security.protocol.map",
                                        "inter.broker.listener.name",
                                        "weir.internal.listener.name",
                                        "log.dirs",
                                        "log.dir",
                                        "metadata.log.dir"};

// A value as Java's format has it: a backslash begins an escape there.
std::string Escaped(absl::string_view value) {
  std::string text;
  for (const char c : value) {
    if (c == '\\' || (c == ' ' && text.empty())) text.push_back('\\');
    text.push_back(c);
  }
  return text;
}

}  // namespace

int ControllersOf(int brokers) { return brokers >= 3 ? 3 : 1; }

int ClientPort(const LocalShape& shape, int node) { return shape.port + node - 1; }

int InternalPort(const LocalShape& shape, int node) {
  constexpr int kApart = 10'000;
  const bool is_room = shape.port + kApart + kLocalBrokersMax <= 65'535;
  return ClientPort(shape, node) + (is_room ? kApart : -kApart);
}

std::string NodeName(int node) { return absl::StrCat("node-", node); }

absl::StatusOr<int> ParseNodeName(absl::string_view text) {
  absl::string_view number = text;
  absl::ConsumePrefix(&number, "node-");
  int node = 0;
  if (absl::SimpleAtoi(number, &node) && node >= 1 && node <= kLocalBrokersMax) return node;
  return UsageError(absl::StrCat("expected a node as node-1 or 1, came '", text, "'"));
}

std::string LocalFolder(absl::string_view weir_home, absl::string_view xdg_data_home,
                        absl::string_view home) {
  if (!weir_home.empty()) return std::string(weir_home);
  if (!xdg_data_home.empty()) return absl::StrCat(xdg_data_home, "/weir-local");
  if (!home.empty()) return absl::StrCat(home, "/.local/share/weir-local");
  return "weir-local";
}

absl::StatusOr<std::string> NodeProperties(const LocalShape& shape, int node,
                                           const std::string& folder) {
  if (folder.find_first_of(",\n\r") != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder, ": expected a folder without commas and line ends in its name"));
  }
  const bool votes = node <= shape.controllers;
  std::vector<std::string> voters;
  for (int voter = 1; voter <= shape.controllers; ++voter) {
    voters.push_back(absl::StrCat(voter, "@localhost:", InternalPort(shape, voter)));
  }
  const int replicas = std::min(shape.brokers, 3);
  std::string text =
      absl::StrCat("# Node ", node, " of a local cluster, made by weir start.\n",
                   "process.roles=", votes ? "broker,controller" : "broker", "\nnode.id=", node,
                   "\nlisteners=PLAINTEXT://localhost:", ClientPort(shape, node),
                   votes ? ",CONTROLLER" : ",INTERNAL", "://localhost:", InternalPort(shape, node),
                   "\ncontroller.listener.names=CONTROLLER\n");
  absl::StrAppend(&text, "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,",
                  "INTERNAL:PLAINTEXT\ncontroller.quorum.voters=", absl::StrJoin(voters, ","),
                  "\nlog.dirs=", Escaped(folder), "/data\n\n",
                  "# These are only suggestions for a cluster to develop against.\n",
                  "default.replication.factor=", replicas,
                  "\noffsets.topic.replication.factor=", replicas,
                  "\ntransaction.state.log.replication.factor=", replicas,
                  "\ntransaction.state.log.min.isr=", std::min(replicas, 2),
                  "\ngroup.initial.rebalance.delay.ms=0\n");
  return text;
}

absl::StatusOr<std::string> OverrideLine(absl::string_view text) {
  WEIR_ASSIGN_OR_RETURN(const auto setting, ParseKeyValue("override", text));
  const auto& [key, value] = setting;
  for (const char* planned : kPlannedKeys) {
    if (key != planned) continue;
    return UsageError(absl::StrCat("--override ", key,
                                   ": expected a key that weir start does not decide itself; for "
                                   "other nodes than it makes there is weir server"));
  }
  if (key.empty() || key.find_first_of(" \t\\:#!\n") != std::string::npos ||
      absl::StrContains(value, "\n")) {
    return UsageError(absl::StrCat("--override: expected KEY=VALUE, came '", text, "'"));
  }
  return absl::StrCat(key, "=", Escaped(value), "\n");
}

}  // namespace weir::cli

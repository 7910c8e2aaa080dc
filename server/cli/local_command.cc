// weir start, stop, status, list and current: a cluster of several brokers on this machine.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "client/admin_types.h"
#include "server/cli/client_properties.h"
#include "server/cli/command.h"
#include "server/cli/flags.h"
#include "server/cli/local_cluster.h"
#include "server/cli/local_plan.h"
#include "server/cli/local_process.h"
#include "server/cli/output.h"
#include "server/cli/remote.h"

namespace weir::cli {
namespace {

constexpr FlagSpec kStartFlags[] = {
    {"brokers", FlagKind::kOne, "N", "how many nodes; as many as there are, or one"},
    {"port", FlagKind::kOne, "PORT",
     "where the first one serves clients (9092), the next behind it"},
    {"override", FlagKind::kMany, "KEY=VALUE", "configuration, kept in each server.properties"},
    {"timeout-ms", FlagKind::kOne, "MS", "how long to wait until all are ready (60000)"},
};
constexpr FlagSpec kStopFlags[] = {
    {"timeout-ms", FlagKind::kOne, "MS", "how long to wait before a node is killed (30000)"},
};

std::string Uptime(int64_t seconds) {
  const int64_t minutes = seconds / 60, hours = minutes / 60;
  if (hours > 0) return absl::StrCat(hours, "h ", minutes % 60, "m");
  return minutes > 0 ? absl::StrCat(minutes, "m ", seconds % 60, "s") : absl::StrCat(seconds, "s");
}

absl::StatusOr<std::unique_ptr<Remote>> ConnectTo(const std::string& servers) {
  ClientProperties properties;
  properties.Set("bootstrap.servers", servers);
  properties.Set("client.id", "weir-local");
  return Remote::Connect(&properties);
}

// --- What runs -----------------------------------------------------------------------------------

// The node that is the active controller, if it can be asked.
std::optional<int> ActiveController(const LocalCluster& cluster) {
  std::vector<std::string> servers;
  std::vector<int> voters;
  for (const LocalNode& node : cluster.nodes()) {
    if (node.runs()) servers.push_back(node.address());
    if (node.votes()) voters.push_back(node.id);
  }
  if (servers.empty()) return std::nullopt;
  const auto remote = ConnectTo(absl::StrJoin(servers, ","));
  if (!remote.ok()) return std::nullopt;
  const absl::StatusOr<client::QuorumDescription> quorum = (*remote)->DescribeQuorum();
  if (quorum.ok()) return quorum->state.leader_id;
  // Who is asked may be older than the question.
  if (voters.size() == 1) return voters[0];
  return std::nullopt;
}

// Prints a line for each node. True when each that was started is still there.
bool PrintStatus(Context& context, const LocalCluster& cluster) {
  const std::optional<int> active = ActiveController(cluster);
  const bool json = context.out().json();
  Table table(
      {"NODE", "STATE", "PID", json ? "UPTIME-SECONDS" : "UPTIME", "LISTENER", "CONTROLLER"});
  bool all_there = true;
  for (const LocalNode& node : cluster.nodes()) {
    const bool runs = node.runs();
    const bool ended = node.process.has_value() && !runs;
    all_there = all_there && !ended;
    const int64_t seconds = runs ? UptimeSeconds(*node.process) : 0;
    Cell uptime;
    if (runs) uptime = json ? Cell(seconds) : Cell(Uptime(seconds));
    const char* role = !node.votes() ? "no" : active == node.id ? "active" : "voter";
    table.Add({NodeName(node.id),
               runs    ? "running"
               : ended ? "ended by itself"
                       : "stopped",
               runs ? Cell(node.process->pid) : Cell(), uptime, node.address(), role});
  }
  context.out().Print(table);
  return all_there;
}

// --- start ---------------------------------------------------------------------------------------

absl::Status WhyItEnded(const LocalNode& node, int64_t log_begin) {
  const std::string tail = TailOf(node.log_path(), log_begin, SizeOf(node.log_path()), 12);
  return absl::UnavailableError(
      absl::StrCat(NodeName(node.id), " ended at once; ", node.log_path(),
                   tail.empty() ? " is empty" : absl::StrCat(" closes with\n", tail)));
}

// Whether the node answers and knows all others; an error when it has ended.
bool IsReady(const LocalNode& node, size_t brokers) {
  // The client waits long between its tries, so that it is asked only where somebody listens.
  if (!Accepts(node.listeners[0].address)) return false;
  const auto remote = ConnectTo(node.address());
  if (!remote.ok()) return false;
  const auto known = (*remote)->ListBrokers();
  return known.ok() && known->size() >= brokers;
}

absl::Status WaitUntilReady(const LocalCluster& cluster, const std::map<int, int64_t>& log_begins,
                            int64_t timeout_ms) {
  constexpr int64_t kPauseMs = 5;
  SystemClock clock;
  const MonotonicNs deadline = clock.Monotonic() + timeout_ms * kNsPerMs;
  std::vector<LocalNode> waited(cluster.nodes().begin(), cluster.nodes().end());
  for (;;) {
    for (const LocalNode& node : cluster.nodes()) {
      if (!node.runs()) return WhyItEnded(node, log_begins.at(node.id));
    }
    const auto is_ready = [&](const LocalNode& node) {
      return IsReady(node, cluster.nodes().size());
    };
    waited.erase(std::remove_if(waited.begin(), waited.end(), is_ready), waited.end());
    if (waited.empty()) return absl::OkStatus();
    if (clock.Monotonic() >= deadline) break;
    SleepMs(kPauseMs);
  }
  return absl::DeadlineExceededError(absl::StrCat(
      NodeName(waited[0].id), " at ", waited[0].address(), " does not answer with all ",
      cluster.nodes().size(), " brokers after ", timeout_ms, " ms; ", waited[0].log_path(),
      " closes with\n",
      TailOf(waited[0].log_path(), log_begins.at(waited[0].id), SizeOf(waited[0].log_path()), 12)));
}

void SayWhatNext(Context& context, const LocalCluster& cluster) {
  if (context.out().json()) return;
  const std::string address = cluster.nodes()[0].address();
  context.out().Text(absl::StrCat("\nThe data is in ", cluster.folder(), ". Next:\n",
                                  "  weir topics --create --topic greetings --bootstrap-server ",
                                  address, "\n  echo hello | kcat -b ", address,
                                  " -P -t greetings\n  weir consume --topic greetings "
                                  "--from-beginning --bootstrap-server ",
                                  address, "\n  weir status | weir logs --follow | weir stop\n"));
}

absl::Status RunStart(Context& context) {
  const Flags& flags = context.flags();
  WEIR_ASSIGN_OR_RETURN(LocalCluster cluster, LocalCluster::Open());
  WEIR_RETURN_IF_ERROR(cluster.Lock());
  int32_t brokers = 1;
  if (cluster.HasRun()) brokers = static_cast<int32_t>(cluster.nodes().size());
  WEIR_RETURN_IF_ERROR(flags.Number("brokers", 1, kLocalBrokersMax, &brokers));
  int32_t port = 0;
  WEIR_RETURN_IF_ERROR(flags.Number("port", 1, 65'535 - kLocalBrokersMax, &port));
  int64_t timeout_ms = 60'000;
  WEIR_RETURN_IF_ERROR(flags.Number("timeout-ms", 1, INT32_MAX, &timeout_ms));
  std::vector<std::string> lines;
  for (const std::string& text : flags.All("override")) {
    WEIR_ASSIGN_OR_RETURN(lines.emplace_back(), OverrideLine(text));
  }
  if (cluster.AnyRuns() && !lines.empty()) {
    return absl::FailedPreconditionError(
        "--override: expected a cluster that is stopped, came one that runs: weir stop");
  }
  WEIR_RETURN_IF_ERROR(
      cluster.Grow(brokers, flags.Has("port") ? std::optional<int>(port) : std::nullopt, lines));
  std::map<int, int64_t> log_begins;
  for (const LocalNode& node : cluster.nodes()) log_begins[node.id] = SizeOf(node.log_path());
  WEIR_ASSIGN_OR_RETURN(const std::vector<int> started, cluster.StartNodes());
  if (started.empty()) {
    context.Note(absl::StrCat("runs already, in ", cluster.folder()));
  } else if (const absl::Status ready = WaitUntilReady(cluster, log_begins, timeout_ms);
             !ready.ok()) {
    cluster.StopNodes(started, /*timeout_ms=*/10'000);
    return ready;
  }
  PrintStatus(context, cluster);
  if (!started.empty()) SayWhatNext(context, cluster);
  return absl::OkStatus();
}

// --- stop, status, list, current -----------------------------------------------------------------

absl::Status RunStop(Context& context) {
  WEIR_ASSIGN_OR_RETURN(LocalCluster cluster, LocalCluster::Open());
  int64_t timeout_ms = 30'000;
  WEIR_RETURN_IF_ERROR(context.flags().Number("timeout-ms", 0, INT32_MAX, &timeout_ms));
  if (!cluster.nodes().empty()) WEIR_RETURN_IF_ERROR(cluster.Lock());
  std::vector<int> recorded, running;
  for (const LocalNode& node : cluster.nodes()) {
    if (node.process.has_value()) recorded.push_back(node.id);
    if (node.runs()) running.push_back(node.id);
  }
  const std::vector<int> killed = cluster.StopNodes(recorded, timeout_ms);
  for (const int id : killed) {
    context.Fail(absl::DeadlineExceededError(
        absl::StrCat(NodeName(id), " did not end within ", timeout_ms, " ms and was killed")));
  }
  if (running.empty()) context.Note(absl::StrCat("nothing runs in ", cluster.folder()));
  Table table({"NODE", "STATE"});
  for (const int id : running) {
    const bool was_killed = std::find(killed.begin(), killed.end(), id) != killed.end();
    table.Add({NodeName(id), was_killed ? "killed" : "stopped"});
  }
  if (!running.empty() || context.out().json()) context.out().Print(table);
  return absl::OkStatus();
}

absl::Status RunStatus(Context& context) {
  WEIR_ASSIGN_OR_RETURN(const LocalCluster cluster, LocalCluster::Open());
  if (cluster.nodes().empty()) {
    context.Note(absl::StrCat("there is no cluster in ", cluster.folder(), ": weir start"));
  }
  if (PrintStatus(context, cluster)) return absl::OkStatus();
  return absl::UnavailableError(
      "not all that was started is there: weir logs says why, weir start "
      "starts it again");
}

absl::Status RunList(Context& context) {
  WEIR_ASSIGN_OR_RETURN(const LocalCluster cluster, LocalCluster::Open());
  if (cluster.nodes().empty()) {
    context.Note(absl::StrCat("there is no cluster in ", cluster.folder(), ": weir start"));
  }
  Table table({"NODE", "ROLES", "LISTENERS", "FOLDER"});
  for (const LocalNode& node : cluster.nodes()) {
    std::vector<std::string> listeners;
    for (const auto& listener : node.listeners) listeners.push_back(listener.ToString());
    table.Add({NodeName(node.id), node.roles, absl::StrJoin(listeners, ","), node.folder});
  }
  context.out().Print(table);
  return absl::OkStatus();
}

absl::Status RunCurrent(Context& context) {
  WEIR_ASSIGN_OR_RETURN(const LocalCluster cluster, LocalCluster::Open());
  if (context.out().json()) {
    context.out().Print(
        JsonWriter().BeginObject().Key("folder").String(cluster.folder()).EndObject());
  } else {
    context.out().Line(cluster.folder());
  }
  return absl::OkStatus();
}

}  // namespace

const Command& StartCommand() {
  static const Command command = {"start",
                                  "start a cluster on this machine, in $WEIR_HOME",
                                  "start\nstart --brokers 3 --override num.partitions=6",
                                  kStartFlags,
                                  false,
                                  RunStart};
  return command;
}

const Command& StopCommand() {
  static const Command command = {
      "stop", "stop that cluster; its data stays", "stop", kStopFlags, false, RunStop};
  return command;
}

const Command& StatusCommand() {
  static const Command command = {"status", "say which nodes of that cluster run, and which leads",
                                  "status", {},
                                  false,    RunStatus};
  return command;
}

const Command& ListCommand() {
  static const Command command = {
      "list", "list the nodes of that cluster with their folders", "list", {}, false, RunList};
  return command;
}

const Command& CurrentCommand() {
  static const Command command = {
      "current", "print the folder of that cluster", "current", {}, false, RunCurrent};
  return command;
}

}  // namespace weir::cli

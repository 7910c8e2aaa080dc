// weir quorum: describe the metadata quorum, and change who votes in it.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "client/admin_types.h"
#include "coordination/metadata/node_directory.h"
#include "protocol/api/add_raft_voter.h"
#include "protocol/api/describe_quorum.h"
#include "server/cli/command.h"
#include "server/cli/flags.h"
#include "server/cli/local_files.h"
#include "server/cli/output.h"
#include "server/cli/remote.h"
#include "server/listener.h"
#include "server/properties.h"

namespace weir::cli {
namespace {

using Replica = protocol::DescribeQuorumResponse::ReplicaState;

constexpr FlagSpec kDescribeQuorumFlags[] = {
    {"status", FlagKind::kSwitch, "", "who leads, who votes, how far the slowest voter is behind"},
    {"replication", FlagKind::kSwitch, "", "how far each replica is"},
    {"human-readable", FlagKind::kSwitch, "", "with --replication: how long ago, not when"},
};
constexpr FlagSpec kAddControllerFlags[] = {
    {"dry-run", FlagKind::kSwitch, "", "say what would be done, and do not do it"},
};
constexpr FlagSpec kRemoveControllerFlags[] = {
    {"controller-id", FlagKind::kOne, "N", "the node.id of the controller", "i"},
    {"controller-directory-id", FlagKind::kOne, "UUID", "the directory.id of its metadata log",
     "d"},
    {"dry-run", FlagKind::kSwitch, "", "say what would be done, and do not do it"},
};

std::string DirectoryText(const Uuid& directory) {
  return directory.is_zero() ? "null" : absl::StrCat("\"", directory.ToString(), "\"");
}

std::string Endpoint(absl::string_view name, const std::string& host, uint16_t port) {
  return server::Listener{std::string(name), {host, port}}.ToString();
}

std::vector<std::string> EndpointsOf(const client::QuorumDescription& quorum, int32_t node) {
  std::vector<std::string> endpoints;
  for (const auto& one : quorum.nodes) {
    if (one.node_id != node) continue;
    for (const auto& at : one.listeners) endpoints.push_back(Endpoint(at.name, at.host, at.port));
  }
  return endpoints;
}

// [{"id": 1, "directoryId": "...", "endpoints": ["CONTROLLER://host:port"]}], as Kafka's tool.
std::string ReplicasText(const client::QuorumDescription& quorum,
                         const std::vector<Replica>& replicas) {
  std::vector<std::string> texts;
  for (const Replica& replica : replicas) {
    const std::vector<std::string> endpoints = EndpointsOf(quorum, replica.replica_id);
    texts.push_back(absl::StrCat(
        "{\"id\": ", replica.replica_id,
        ", \"directoryId\": ", DirectoryText(replica.replica_directory_id),
        endpoints.empty()
            ? ""
            : absl::StrCat(", \"endpoints\": [\"", absl::StrJoin(endpoints, "\", \""), "\"]"),
        "}"));
  }
  return absl::StrCat("[", absl::StrJoin(texts, ", "), "]");
}

void ReplicasJson(JsonWriter* json, const char* key, const client::QuorumDescription& quorum,
                  const std::vector<Replica>& replicas) {
  json->Key(key).BeginArray();
  for (const Replica& replica : replicas) {
    json->BeginObject().Key("id").Number(int64_t{replica.replica_id}).Key("directory_id");
    if (replica.replica_directory_id.is_zero()) {
      json->Null();
    } else {
      json->String(replica.replica_directory_id.ToString());
    }
    json->Key("endpoints").BeginArray();
    for (const std::string& endpoint : EndpointsOf(quorum, replica.replica_id)) {
      json->String(endpoint);
    }
    json->EndArray().EndObject();
  }
  json->EndArray();
}

const Replica* LeaderOf(const client::QuorumDescription& quorum) {
  for (const Replica& voter : quorum.state.current_voters) {
    if (voter.replica_id == quorum.state.leader_id) return &voter;
  }
  return nullptr;
}

// How far the slowest voter is behind the leader; -1 where that is not known.
struct Lag {
  int64_t records = -1;
  int64_t ms = -1;
};

Lag MaxFollowerLag(const client::QuorumDescription& quorum) {
  const Replica* leader = LeaderOf(quorum);
  if (leader == nullptr) return {};
  const auto& voters = quorum.state.current_voters;
  const auto slowest = std::min_element(
      voters.begin(), voters.end(),
      [](const Replica& a, const Replica& b) { return a.log_end_offset < b.log_end_offset; });
  Lag lag;
  lag.records = leader->log_end_offset - slowest->log_end_offset;
  if (slowest->replica_id == leader->replica_id) {
    lag.ms = 0;
  } else if (leader->last_caught_up_timestamp >= 0 && slowest->last_caught_up_timestamp >= 0) {
    lag.ms = leader->last_caught_up_timestamp - slowest->last_caught_up_timestamp;
  }
  return lag;
}

absl::Status DescribeStatus(Context& context, Remote& remote) {
  WEIR_ASSIGN_OR_RETURN(const std::string cluster, remote.ClusterId());
  WEIR_ASSIGN_OR_RETURN(const client::QuorumDescription quorum, remote.DescribeQuorum());
  const auto& state = quorum.state;
  const Lag lag = MaxFollowerLag(quorum);
  if (context.out().json()) {
    JsonWriter json;
    json.BeginObject().Key("cluster_id").String(cluster);
    json.Key("leader_id").Number(int64_t{state.leader_id});
    json.Key("leader_epoch").Number(int64_t{state.leader_epoch});
    json.Key("high_watermark").Number(state.high_watermark);
    json.Key("max_follower_lag").Number(lag.records);
    json.Key("max_follower_lag_time_ms").Number(lag.ms);
    ReplicasJson(&json, "current_voters", quorum, state.current_voters);
    ReplicasJson(&json, "current_observers", quorum, state.observers);
    context.out().Print(json.EndObject());
    return absl::OkStatus();
  }
  context.out().Line(absl::StrCat("ClusterId:              ", cluster));
  context.out().Line(absl::StrCat("LeaderId:               ", state.leader_id));
  context.out().Line(absl::StrCat("LeaderEpoch:            ", state.leader_epoch));
  context.out().Line(absl::StrCat("HighWatermark:          ", state.high_watermark));
  context.out().Line(absl::StrCat("MaxFollowerLag:         ", lag.records));
  context.out().Line(absl::StrCat("MaxFollowerLagTimeMs:   ", lag.ms));
  context.out().Line(
      absl::StrCat("CurrentVoters:          ", ReplicasText(quorum, state.current_voters)));
  context.out().Line(
      absl::StrCat("CurrentObservers:       ", ReplicasText(quorum, state.observers)));
  return absl::OkStatus();
}

absl::Status DescribeReplication(Context& context, Remote& remote) {
  WEIR_ASSIGN_OR_RETURN(const client::QuorumDescription quorum, remote.DescribeQuorum());
  const int64_t now = remote.WallMs();
  const bool ago = context.flags().Has("human-readable");
  const auto time_cell = [&](int64_t timestamp) -> Cell {
    if (!ago || timestamp < 0) return timestamp;
    return absl::StrCat(std::max<int64_t>(now - timestamp, 0), " ms ago");
  };
  const Replica* leader = LeaderOf(quorum);
  using Headers = std::vector<std::string>;
  Table table(context.out().json()
                  ? Headers{"NODE-ID", "DIRECTORY-ID", "LOG-END-OFFSET", "LAG",
                            "LAST-FETCH-TIMESTAMP", "LAST-CAUGHT-UP-TIMESTAMP", "STATUS"}
                  : Headers{"NodeId", "DirectoryId", "LogEndOffset", "Lag", "LastFetchTimestamp",
                            "LastCaughtUpTimestamp", "Status"});
  const auto add = [&](const Replica& replica, const char* status) {
    const int64_t lag = leader == nullptr ? -1 : leader->log_end_offset - replica.log_end_offset;
    table.Add({replica.replica_id, replica.replica_directory_id.ToString(), replica.log_end_offset,
               lag, time_cell(replica.last_fetch_timestamp),
               time_cell(replica.last_caught_up_timestamp), status});
  };
  if (leader != nullptr) add(*leader, "Leader");
  for (const Replica& voter : quorum.state.current_voters) {
    if (&voter != leader) add(voter, "Follower");
  }
  for (const Replica& observer : quorum.state.observers) add(observer, "Observer");
  context.out().Print(table);
  return absl::OkStatus();
}

absl::Status RunDescribeQuorum(Context& context) {
  WEIR_ASSIGN_OR_RETURN(const std::string what,
                        context.flags().ExactlyOne({"status", "replication"}));
  if (what == "status" && context.flags().Has("human-readable")) {
    return UsageError("--human-readable: expected with --replication, came with --status");
  }
  WEIR_ASSIGN_OR_RETURN(Remote * remote, context.Connect());
  return what == "status" ? DescribeStatus(context, *remote)
                          : DescribeReplication(context, *remote);
}

// --- Changes of who votes ------------------------------------------------------------------------

// The controller whose own configuration --command-config is.
struct NewController {
  int32_t node = -1;
  Uuid directory;
  std::vector<protocol::AddRaftVoterRequest::Listener> listeners;
};

absl::StatusOr<std::string> Needed(const server::Properties& file, const std::string& path,
                                   absl::string_view key) {
  if (const server::Property* property = file.Find(key)) return property->value;
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": expected the configuration of a controller, came no ", key));
}

absl::StatusOr<Uuid> DirectoryOf(const server::Properties& file, const std::string& path) {
  const server::Property* folder = file.Find("metadata.log.dir");
  if (folder == nullptr) folder = file.Find("log.dirs");
  if (folder == nullptr) folder = file.Find("log.dir");
  if (folder == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected metadata.log.dir or log.dirs, came neither"));
  }
  const std::vector<std::string> folders = absl::StrSplit(folder->value, ',');
  const std::string meta =
      absl::StrCat(folders[0], "/", std::string(metadata::kMetaPropertiesFile));
  WEIR_ASSIGN_OR_RETURN(const std::string text, ReadLocalFile(meta, server::kPropertiesBytesMax));
  WEIR_ASSIGN_OR_RETURN(const metadata::MetaProperties properties,
                        metadata::ParseMetaProperties(text));
  if (!properties.directory_id.is_zero()) return properties.directory_id;
  return absl::FailedPreconditionError(absl::StrCat(meta, ": expected a directory.id, came none"));
}

absl::StatusOr<NewController> ReadController(const std::string& path) {
  WEIR_ASSIGN_OR_RETURN(const std::string text, ReadLocalFile(path, server::kPropertiesBytesMax));
  WEIR_ASSIGN_OR_RETURN(const server::Properties file, server::ParseProperties(text, path));
  NewController controller;
  WEIR_ASSIGN_OR_RETURN(const std::string node, Needed(file, path, "node.id"));
  WEIR_ASSIGN_OR_RETURN(const int64_t number, ParseNumber("node.id", node, 0, INT32_MAX));
  controller.node = static_cast<int32_t>(number);
  WEIR_ASSIGN_OR_RETURN(const std::string roles, Needed(file, path, "process.roles"));
  if (!absl::StrContains(roles, "controller")) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected process.roles with controller, came '", roles, "'"));
  }
  WEIR_ASSIGN_OR_RETURN(controller.directory, DirectoryOf(file, path));
  WEIR_ASSIGN_OR_RETURN(const std::string names, Needed(file, path, "controller.listener.names"));
  WEIR_ASSIGN_OR_RETURN(const std::string bound, Needed(file, path, "listeners"));
  WEIR_ASSIGN_OR_RETURN(const std::vector<server::Listener> listeners,
                        server::ParseListeners(bound));
  std::vector<server::Listener> advertised;
  if (const server::Property* property = file.Find("advertised.listeners")) {
    WEIR_ASSIGN_OR_RETURN(advertised, server::ParseListeners(property->value));
  }
  for (absl::string_view name : absl::StrSplit(names, ',')) {
    const server::Listener* at = server::FindListener(advertised, name);
    if (at == nullptr) at = server::FindListener(listeners, name);
    if (at == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": expected the listener ", name, " in listeners, came ", bound));
    }
    controller.listeners.push_back(
        {at->name, at->address.host.empty() ? "localhost" : at->address.host, at->address.port});
  }
  return controller;
}

void SayWhatChanged(Context& context, bool added, int32_t node, const Uuid& directory,
                    const std::vector<std::string>& endpoints) {
  const bool dry = context.flags().Has("dry-run");
  if (context.out().json()) {
    JsonWriter json;
    json.BeginObject().Key(added ? "added" : "removed").Number(int64_t{node});
    json.Key("directory_id").String(directory.ToString()).Key("dry_run").Bool(dry);
    return context.out().Print(json.EndObject());
  }
  std::string text = dry ? absl::StrCat("DRY RUN of ", added ? "adding" : "removing")
                         : std::string(added ? "Added" : "Removed");
  absl::StrAppend(&text, added ? " controller " : " KRaft controller ", node, " with directory id ",
                  directory.ToString());
  if (added) absl::StrAppend(&text, " and endpoints: ", absl::StrJoin(endpoints, ", "));
  context.out().Line(text);
}

absl::Status RunAddController(Context& context) {
  const Flags& flags = context.flags();
  if (!flags.Has("command-config")) {
    return UsageError("--command-config is needed: the configuration of the controller to add");
  }
  WEIR_ASSIGN_OR_RETURN(const NewController controller,
                        ReadController(flags.Text("command-config")));
  if (!flags.Has("dry-run")) {
    WEIR_ASSIGN_OR_RETURN(Remote * remote, context.Connect());
    WEIR_RETURN_IF_ERROR(
        remote->AddVoter(controller.node, controller.directory, controller.listeners));
  }
  std::vector<std::string> endpoints;
  for (const auto& at : controller.listeners) {
    endpoints.push_back(Endpoint(at.name, at.host, at.port));
  }
  SayWhatChanged(context, /*added=*/true, controller.node, controller.directory, endpoints);
  return absl::OkStatus();
}

absl::Status RunRemoveController(Context& context) {
  const Flags& flags = context.flags();
  WEIR_RETURN_IF_ERROR(flags.Required("controller-id").status());
  int32_t node = -1;
  WEIR_RETURN_IF_ERROR(flags.Number("controller-id", 0, INT32_MAX, &node));
  WEIR_ASSIGN_OR_RETURN(const std::string text, flags.Required("controller-directory-id"));
  const std::optional<Uuid> directory = Uuid::Parse(text);
  if (!directory.has_value()) {
    return UsageError(
        absl::StrCat("--controller-directory-id: expected a UUID in base64, came '", text, "'"));
  }
  if (!flags.Has("dry-run")) {
    WEIR_ASSIGN_OR_RETURN(Remote * remote, context.Connect());
    WEIR_RETURN_IF_ERROR(remote->RemoveVoter(node, *directory));
  }
  SayWhatChanged(context, /*added=*/false, node, *directory, {});
  return absl::OkStatus();
}

}  // namespace

const Command& DescribeQuorumCommand() {
  static const Command command = {"quorum describe",
                                  "describe the metadata quorum",
                                  "quorum describe --status\n"
                                  "quorum describe --replication --human-readable",
                                  kDescribeQuorumFlags,
                                  true,
                                  RunDescribeQuorum};
  return command;
}

const Command& AddControllerCommand() {
  static const Command command = {
      "quorum add-controller",
      "let a controller vote that follows already (also quorum add-voter)",
      "quorum add-controller --bootstrap-server localhost:9092 --command-config server.properties",
      kAddControllerFlags,
      true,
      RunAddController};
  return command;
}

const Command& RemoveControllerCommand() {
  static const Command command = {"quorum remove-controller",
                                  "take a controller's vote away (also quorum remove-voter)",
                                  "quorum remove-controller --controller-id 3 "
                                  "--controller-directory-id tuP9LUEqQCCqz1OQDPK6ew",
                                  kRemoveControllerFlags,
                                  true,
                                  RunRemoveController};
  return command;
}

}  // namespace weir::cli

// weir reassign: moves partitions to other replicas, and says how far that is.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "base/sort.h"
#include "base/status_macros.h"
#include "client/admin_types.h"
#include "client/topic_and_partition.h"
#include "protocol/error_code.h"
#include "server/cli/command.h"
#include "server/cli/flags.h"
#include "server/cli/local_files.h"
#include "server/cli/output.h"
#include "server/cli/reassign_plan.h"
#include "server/cli/reassign_throttles.h"
#include "server/cli/remote.h"

namespace weir::cli {
namespace {

constexpr FlagSpec kReassignFlags[] = {
    {"generate", FlagKind::kSwitch, "", "propose where the partitions of topics could go"},
    {"execute", FlagKind::kSwitch, "", "begin to move partitions as a file says"},
    {"verify", FlagKind::kSwitch, "", "say how far the moves of a file are"},
    {"cancel", FlagKind::kSwitch, "", "end the moves of a file that are under way"},
    {"list", FlagKind::kSwitch, "", "list the moves that are under way"},
    {"topics-to-move-json-file", FlagKind::kOne, "FILE",
     "for --generate: {\"topics\":[{\"topic\":\"orders\"}],\"version\":1}"},
    {"broker-list", FlagKind::kOne, "ID[,ID...]",
     "for --generate: the brokers to spread them over"},
    {"reassignment-json-file", FlagKind::kOne, "FILE",
     "for the others: what --generate prints as its proposal"},
    {"disable-rack-aware", FlagKind::kSwitch, "", "for --generate: leave racks out of account"},
    {"additional", FlagKind::kSwitch, "",
     "for --execute: though moves are under way, these ones too if their throttle is to change"},
    {"disallow-replication-factor-change", FlagKind::kSwitch, "",
     "for --execute: refuse moves that change the number of replicas"},
    {"timeout", FlagKind::kOne, "MS",
     "for --execute: how long brokers may take to have replicas that go to log_dirs (10000)"},
    {"throttle", FlagKind::kOne, "BYTES",
     "for --execute: how many bytes a second each broker may send and may get for moves"},
    {"replica-alter-log-dirs-throttle", FlagKind::kOne, "BYTES",
     "for --execute: how many a second each broker may copy to log_dirs"},
    {"preserve-throttles", FlagKind::kSwitch, "",
     "for --verify and --cancel: leave throttles, which go when no moves are under way any more, "
     "or are cancelled"},
};

using Moves = std::vector<client::PartitionMove>;
using Assignment = std::map<client::TopicAndPartition, std::vector<int32_t>>;

std::string NameOf(const std::string& topic, int32_t partition) {
  return absl::StrCat(topic, "-", partition);
}

absl::StatusOr<std::string> ReadFlagFile(Context& context, const char* flag) {
  constexpr int64_t kFileBytesMax = int64_t{64} << 20;
  WEIR_ASSIGN_OR_RETURN(const std::string path, context.flags().Required(flag));
  return ReadLocalFile(path, kFileBytesMax);
}

absl::Status InFile(Context& context, const char* flag, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(context.flags().Text(flag), ": ", status.message()));
}

using Places = std::vector<client::ReplicaPlace>;

absl::StatusOr<Moves> ReadMoves(Context& context, Places* places) {
  WEIR_ASSIGN_OR_RETURN(const std::string text, ReadFlagFile(context, "reassignment-json-file"));
  absl::StatusOr<Moves> moves = ParseMoves(text, places);
  if (!moves.ok()) return InFile(context, "reassignment-json-file", moves.status());
  return moves;
}

std::string NameOf(const client::ReplicaPlace& place) {
  return absl::StrCat(place.topic, "-", place.partition, "-", place.broker);
}

// Where all partitions have their replicas now.
absl::StatusOr<Assignment> CurrentAssignment(Remote& remote) {
  WEIR_ASSIGN_OR_RETURN(const std::vector<Remote::Topic> topics, remote.ListTopics());
  Assignment current;
  for (const Remote::Topic& topic : topics) {
    for (const auto& partition : topic.partitions) {
      current[{topic.name.value_or(""), partition.partition_index}].assign(
          partition.replica_nodes.begin(), partition.replica_nodes.end());
    }
  }
  return current;
}

absl::Status Generate(Context& context, Remote& remote) {
  const Flags& flags = context.flags();
  WEIR_ASSIGN_OR_RETURN(const std::string text, ReadFlagFile(context, "topics-to-move-json-file"));
  const absl::StatusOr<std::vector<std::string>> names = ParseTopicsToMove(text);
  if (!names.ok()) return InFile(context, "topics-to-move-json-file", names.status());
  WEIR_ASSIGN_OR_RETURN(const std::string list, flags.Required("broker-list"));
  WEIR_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, ParseBrokerIds("broker-list", list));
  WEIR_ASSIGN_OR_RETURN(const std::vector<Remote::Broker> known, remote.ListBrokers());
  std::vector<PlanBroker> brokers;
  for (const Remote::Broker& broker : known) {
    if (std::count(ids.begin(), ids.end(), broker.id) > 0)
      brokers.push_back({broker.id, broker.rack});
  }
  if (brokers.size() < ids.size()) {
    return absl::NotFoundError("--broker-list names brokers that the cluster does not have");
  }
  WEIR_ASSIGN_OR_RETURN(const Assignment current, CurrentAssignment(remote));
  Moves present;
  std::vector<PlanTopic> topics;
  for (const std::string& name : *names) {
    PlanTopic topic{.name = name};
    for (auto it = current.lower_bound({name, 0}); it != current.end() && it->first.topic == name;
         ++it) {
      if (topic.partitions == 0) {
        topic.replication_factor = static_cast<int32_t>(it->second.size());
      }
      ++topic.partitions;
      present.push_back({name, it->first.partition, it->second});
    }
    if (topic.partitions == 0) return absl::NotFoundError(absl::StrCat("there is no topic ", name));
    topics.push_back(std::move(topic));
  }
  WEIR_ASSIGN_OR_RETURN(const Moves proposed,
                        ProposeMoves(std::move(brokers), topics, !flags.Has("disable-rack-aware")));
  if (context.out().json()) {
    context.out().Line(absl::StrCat("{\"current\":", MovesAsJson(present),
                                    ",\"proposed\":", MovesAsJson(proposed), "}"));
    return absl::OkStatus();
  }
  context.out().Line("Current partition replica assignment");
  context.out().Line(MovesAsJson(present));
  context.out().Line("");
  context.out().Line("Proposed partition reassignment configuration");
  context.out().Line(MovesAsJson(proposed));
  return absl::OkStatus();
}

// Says which of them went well, and fails for the others. JSON begins with where they are now.
void Report(Context& context, const std::vector<client::PartitionOutcome>& outcomes,
            absl::string_view said, absl::string_view key, const Moves* present = nullptr) {
  std::vector<std::string> done;
  for (const client::PartitionOutcome& outcome : outcomes) {
    if (outcome.status.ok()) {
      done.push_back(NameOf(outcome.topic, outcome.partition));
    } else {
      context.Fail(outcome.status);
    }
  }
  Sort(done);
  if (context.out().json()) {
    JsonWriter json;
    json.BeginArray();
    for (const std::string& name : done) json.String(name);
    json.EndArray();
    const std::string before =
        present == nullptr ? "" : absl::StrCat("\"previous\":", MovesAsJson(*present), ",");
    context.out().Line(absl::StrCat("{", before, "\"", key, "\":", json.text(), "}"));
  } else if (!done.empty()) {
    context.out().Line(absl::StrCat(said, absl::StrJoin(done, ",")));
  }
}

// Asks brokers to move their replicas to directories, until those that are to have them do: as
// Kafka's tool, for a while.
Places MoveReplicas(Context& context, Remote& remote, Places places, int64_t timeout_ms) {
  constexpr auto kPause = std::chrono::milliseconds(100);
  const int64_t deadline_ms = remote.WallMs() + timeout_ms;
  Places started;
  for (;;) {
    std::map<int32_t, Places> by_broker;
    for (client::ReplicaPlace& place : places) by_broker[place.broker].push_back(std::move(place));
    places.clear();
    const bool is_late = remote.WallMs() >= deadline_ms;
    for (const auto& [broker, of_broker] : by_broker) {
      const auto errors = remote.MoveReplicas(broker, of_broker);
      if (!errors.ok()) context.Fail(errors.status());
      for (size_t i = 0; errors.ok() && i < of_broker.size(); ++i) {
        const protocol::ErrorCode error = (*errors)[i];
        if (error == protocol::ErrorCode::kNone) {
          started.push_back(of_broker[i]);
        } else if (error == protocol::ErrorCode::kReplicaNotAvailable && !is_late) {
          places.push_back(of_broker[i]);
        } else {
          context.Fail(absl::FailedPreconditionError(absl::StrCat(NameOf(of_broker[i]), " to ",
                                                                  of_broker[i].directory, ": ",
                                                                  protocol::ErrorName(error))));
        }
      }
    }
    if (places.empty()) return started;
    std::this_thread::sleep_for(kPause);
  }
}

absl::Status Execute(Context& context, Remote& remote) {
  const Flags& flags = context.flags();
  int64_t timeout_ms = 10'000;
  WEIR_RETURN_IF_ERROR(flags.Number("timeout", 0, INT32_MAX, &timeout_ms));
  WEIR_ASSIGN_OR_RETURN(const ThrottleRates rates, ReadThrottleRates(flags));
  Places places;
  WEIR_ASSIGN_OR_RETURN(const Moves moves, ReadMoves(context, &places));
  WEIR_ASSIGN_OR_RETURN(const Assignment current, CurrentAssignment(remote));
  WEIR_ASSIGN_OR_RETURN(const auto ongoing, remote.ListReassignments());
  if (!ongoing.empty() && !flags.Has("additional")) {
    return absl::FailedPreconditionError(
        "other moves are under way (see --list); --additional begins these beside them, or changes "
        "their throttle");
  }
  Moves present;
  for (const client::PartitionMove& move : moves) {
    const auto at = current.find({move.topic, move.partition});
    if (at == current.end()) {
      return absl::NotFoundError(
          absl::StrCat("there is no partition ", NameOf(move.topic, move.partition)));
    }
    present.push_back({move.topic, move.partition, at->second});
  }
  if (!context.out().json()) {
    context.out().Line("Current partition replica assignment, the way back:");
    context.out().Line(MovesAsJson(present));
    context.out().Line("");
  }
  WEIR_RETURN_IF_ERROR(SetThrottles(context, remote, rates, {moves, present, ongoing, places}));
  const auto outcomes =
      remote.AlterReassignments(moves, !flags.Has("disallow-replication-factor-change"));
  Places started;
  if (outcomes.ok()) started = MoveReplicas(context, remote, std::move(places), timeout_ms);
  // An error may hide that they have begun: the way back is told all the same.
  Report(context, outcomes.ok() ? *outcomes : std::vector<client::PartitionOutcome>(),
         "Successfully started partition reassignments for ", "started", &present);
  for (const client::ReplicaPlace& place : started) {
    if (context.out().json()) continue;
    context.out().Line(absl::StrCat("Successfully started moving log directory to ",
                                    place.directory, " for replica ", place.topic, "-",
                                    place.partition, " with broker ", place.broker));
  }
  return outcomes.status();
}

// What DescribeLogDirs tells of one replica: the directories with it, and with a copy on its way.
struct Found {
  std::string directory;
  std::string copy;
  bool some_are_offline = false;
};

absl::StatusOr<Found> FindReplica(Remote& remote, const client::ReplicaPlace& place) {
  WEIR_ASSIGN_OR_RETURN(const auto directories, remote.DescribeLogDirs(place.broker));
  Found found;
  for (const auto& directory : directories) {
    if (directory.error_code != 0) found.some_are_offline = true;
    for (const auto& topic : directory.topics) {
      if (topic.name != place.topic) continue;
      for (const auto& partition : topic.partitions) {
        if (partition.partition_index != place.partition) continue;
        (partition.is_future_key ? found.copy : found.directory) = directory.log_dir;
      }
    }
  }
  return found;
}

// In the words of Kafka's tool, and in one for JSON.
std::pair<std::string, const char*> StateOf(const client::ReplicaPlace& place, const Found& found) {
  const std::string partition = absl::StrCat(place.topic, "-", place.partition);
  if (found.directory == place.directory) {
    return {absl::StrCat("Reassignment of replica ", NameOf(place), " completed successfully."),
            "completed"};
  }
  if (found.copy == place.directory) {
    return {absl::StrCat("Reassignment of replica ", NameOf(place), " is still in progress."),
            "in-progress"};
  }
  if (!found.copy.empty()) {
    return {absl::StrCat("Partition ", partition, " on broker ", place.broker,
                         " is being moved to log dir ", found.copy, " instead of ", place.directory,
                         "."),
            "different"};
  }
  if (!found.directory.empty()) {
    return {absl::StrCat("Partition ", partition, " on broker ", place.broker,
                         " is not being moved from log dir ", found.directory, " to ",
                         place.directory, "."),
            "different"};
  }
  if (found.some_are_offline) {
    return {absl::StrCat("Partition ", partition, " is not found in any live log dir on broker ",
                         place.broker, ". There is likely an offline log directory on the broker."),
            "offline"};
  }
  return {absl::StrCat("Partition ", partition,
                       " cannot be found in any live log directory on broker ", place.broker, "."),
          "missing"};
}

absl::Status Verify(Context& context, Remote& remote) {
  Places places;
  WEIR_ASSIGN_OR_RETURN(const Moves moves, ReadMoves(context, &places));
  WEIR_ASSIGN_OR_RETURN(const auto ongoing, remote.ListReassignments());
  WEIR_ASSIGN_OR_RETURN(const Assignment current, CurrentAssignment(remote));
  std::set<client::TopicAndPartition> moving;
  for (const client::OngoingMove& move : ongoing) moving.insert({move.topic, move.partition});
  JsonWriter json;
  json.BeginArray();
  if (!context.out().json()) context.out().Line("Status of partition reassignment:");
  for (const client::PartitionMove& move : moves) {
    const client::TopicAndPartition tp{move.topic, move.partition};
    const auto at = current.find(tp);
    const std::vector<int32_t> replicas = at == current.end() ? std::vector<int32_t>() : at->second;
    const bool is_moving = moving.count(tp) > 0;
    const bool is_there = replicas == *move.replicas;
    json.BeginObject().Key("topic").String(move.topic).Key("partition");
    json.Number(int64_t{move.partition}).Key("state");
    json.String(is_moving ? "in-progress" : is_there ? "completed" : "different").EndObject();
    if (context.out().json()) continue;
    const std::string name = NameOf(move.topic, move.partition);
    if (is_moving) {
      context.out().Line(
          absl::StrCat("Reassignment of partition ", name, " is still in progress."));
    } else if (is_there) {
      context.out().Line(absl::StrCat("Reassignment of partition ", name, " is completed."));
    } else {
      context.out().Line(absl::StrCat("There is no active reassignment of partition ", name,
                                      ", but replica set is ", absl::StrJoin(replicas, ","),
                                      " rather than ", absl::StrJoin(*move.replicas, ","), "."));
    }
  }
  bool is_over = ongoing.empty();
  for (const client::ReplicaPlace& place : places) {
    const absl::StatusOr<Found> found = FindReplica(remote, place);
    is_over = is_over && found.ok() && found->copy.empty() && !found->directory.empty();
    if (!found.ok()) {
      context.Fail(found.status());
      continue;
    }
    const auto [said, state] = StateOf(place, *found);
    json.BeginObject().Key("topic").String(place.topic).Key("partition");
    json.Number(int64_t{place.partition}).Key("broker").Number(int64_t{place.broker});
    json.Key("logDir").String(place.directory).Key("state").String(state).EndObject();
    if (!context.out().json()) context.out().Line(said);
  }
  if (context.out().json()) context.out().Print(json.EndArray());
  if (!is_over || context.flags().Has("preserve-throttles")) return absl::OkStatus();
  return ClearThrottles(context, remote, moves);
}

// Those of `moves` that are under way.
absl::Status EndMoves(Context& context, Remote& remote, const Moves& moves) {
  WEIR_ASSIGN_OR_RETURN(const auto ongoing, remote.ListReassignments());
  std::set<client::TopicAndPartition> moving;
  for (const client::OngoingMove& move : ongoing) moving.insert({move.topic, move.partition});
  Moves ended;
  for (const client::PartitionMove& move : moves) {
    if (moving.count({move.topic, move.partition}) == 0) continue;
    ended.push_back({move.topic, move.partition, std::nullopt});
  }
  if (ended.empty()) {
    if (context.out().json()) {
      context.out().Line("{\"cancelled\":[]}");
    } else {
      context.out().Line("None of the specified partition reassignments are active.");
    }
    return absl::OkStatus();
  }
  WEIR_ASSIGN_OR_RETURN(const auto outcomes, remote.AlterReassignments(ended, true));
  Report(context, outcomes, "Successfully cancelled partition reassignments for: ", "cancelled");
  return absl::OkStatus();
}

absl::Status Cancel(Context& context, Remote& remote) {
  Places places;
  WEIR_ASSIGN_OR_RETURN(const Moves moves, ReadMoves(context, &places));
  WEIR_RETURN_IF_ERROR(EndMoves(context, remote, moves));
  // What could not be cancelled stays throttled.
  if (context.failed() || context.flags().Has("preserve-throttles")) return absl::OkStatus();
  return ClearThrottles(context, remote, moves);
}

absl::Status List(Context& context, Remote& remote) {
  WEIR_ASSIGN_OR_RETURN(const auto ongoing, remote.ListReassignments());
  if (context.out().json()) {
    JsonWriter json;
    json.BeginArray();
    const auto add = [&](const char* key, const std::vector<int32_t>& ids) {
      json.Key(key).BeginArray();
      for (const int32_t id : ids) json.Number(int64_t{id});
      json.EndArray();
    };
    for (const client::OngoingMove& move : ongoing) {
      json.BeginObject().Key("topic").String(move.topic).Key("partition");
      json.Number(int64_t{move.partition});
      add("replicas", move.replicas);
      add("adding", move.adding);
      add("removing", move.removing);
      json.EndObject();
    }
    context.out().Print(json.EndArray());
    return absl::OkStatus();
  }
  context.out().Line(ongoing.empty() ? "No partition reassignments found."
                                     : "Current partition reassignments:");
  for (const client::OngoingMove& move : ongoing) {
    std::string line = absl::StrCat(NameOf(move.topic, move.partition),
                                    ": replicas: ", absl::StrJoin(move.replicas, ","), ".");
    if (!move.adding.empty())
      absl::StrAppend(&line, " adding: ", absl::StrJoin(move.adding, ","), ".");
    if (!move.removing.empty()) {
      absl::StrAppend(&line, " removing: ", absl::StrJoin(move.removing, ","), ".");
    }
    context.out().Line(line);
  }
  return absl::OkStatus();
}

absl::Status RunReassign(Context& context) {
  WEIR_ASSIGN_OR_RETURN(
      const std::string action,
      context.flags().ExactlyOne({"generate", "execute", "verify", "cancel", "list"}));
  for (const char* flag : {"throttle", "replica-alter-log-dirs-throttle"}) {
    if (action != "execute" && context.flags().Has(flag)) {
      return UsageError(absl::StrCat("--", flag, " goes with --execute, came with --", action));
    }
  }
  WEIR_ASSIGN_OR_RETURN(Remote * remote, context.Connect());
  if (action == "generate") return Generate(context, *remote);
  if (action == "execute") return Execute(context, *remote);
  if (action == "verify") return Verify(context, *remote);
  if (action == "cancel") return Cancel(context, *remote);
  return List(context, *remote);
}

}  // namespace

const Command& ReassignCommand() {
  static const Command command = {
      "reassign",
      "move partitions to other brokers (kafka-reassign-partitions.sh)",
      "reassign --generate --topics-to-move-json-file topics.json --broker-list 1,2,3\n"
      "reassign --execute --reassignment-json-file moves.json --throttle 50000000\n"
      "reassign --verify --reassignment-json-file moves.json",
      kReassignFlags,
      true,
      RunReassign};
  return command;
}

}  // namespace weir::cli

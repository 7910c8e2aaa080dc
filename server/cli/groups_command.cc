// weir groups.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/ids.h"
#include "base/sort.h"
#include "base/status_macros.h"
#include "client/admin_types.h"
#include "client/topic_and_partition.h"
#include "server/cli/command.h"
#include "server/cli/flags.h"
#include "server/cli/output.h"
#include "server/cli/remote.h"
#include "server/cli/reset_offsets.h"
#include "server/cli/reset_plan.h"

namespace weir::cli {

// --- --reset-offsets -----------------------------------------------------------------------------

namespace {

using client::TopicAndPartition;

// What the flags ask for.
struct Reset {
  ResetTo to = ResetTo::kLatest;
  int64_t number = 0;                        // offset, shift, or time
  int64_t query_time = client::kLatestTime;  // what to ask the leaders for besides both ends
};

absl::StatusOr<Reset> ReadReset(const Flags& flags, int64_t now_ms) {
  WEIR_ASSIGN_OR_RETURN(const std::string how,
                        flags.ExactlyOne({"to-earliest", "to-latest", "to-current", "to-offset",
                                          "shift-by", "to-datetime", "by-duration"}));
  Reset reset;
  if (how == "to-earliest") {
    reset.to = ResetTo::kEarliest;
  } else if (how == "to-current") {
    reset.to = ResetTo::kCurrent;
  } else if (how == "to-offset") {
    reset.to = ResetTo::kOffset;
    WEIR_RETURN_IF_ERROR(flags.Number(how, 0, INT64_MAX, &reset.number));
  } else if (how == "shift-by") {
    reset.to = ResetTo::kShift;
    WEIR_RETURN_IF_ERROR(flags.Number(how, INT64_MIN, INT64_MAX, &reset.number));
  } else if (how == "to-datetime") {
    reset.to = ResetTo::kTime;
    WEIR_ASSIGN_OR_RETURN(reset.query_time, ParseDatetime(how, flags.Text(how)));
  } else if (how == "by-duration") {
    reset.to = ResetTo::kTime;
    WEIR_ASSIGN_OR_RETURN(const int64_t duration, ParseDuration(how, flags.Text(how)));
    reset.query_time = now_ms - duration;
  }
  // Times before 1970 mean something else to brokers.
  if (reset.to == ResetTo::kTime) reset.query_time = std::max<int64_t>(reset.query_time, 0);
  return reset;
}

absl::StatusOr<std::map<TopicAndPartition, PartitionFacts>> AskFacts(
    Context& context, Remote& remote, const Reset& reset,
    const std::vector<TopicAndPartition>& partitions) {
  std::map<TopicAndPartition, PartitionFacts> facts;
  for (const int64_t time : {client::kEarliestTime, client::kLatestTime, reset.query_time}) {
    std::vector<client::OffsetQuery> queries;
    for (const TopicAndPartition& tp : partitions)
      queries.push_back({tp.topic, tp.partition, time});
    WEIR_ASSIGN_OR_RETURN(const std::vector<client::OffsetAnswer> answers,
                          remote.ListOffsets(queries));
    for (const client::OffsetAnswer& answer : answers) {
      const absl::Status status = TakeAnswer(answer, time, &facts);
      if (!status.ok()) context.Fail(status);
    }
    if (time == reset.query_time && time == client::kLatestTime) break;
  }
  return facts;
}

// A group whose members are there would overwrite what is set.
absl::Status CheckInactive(Remote& remote, const std::string& group) {
  WEIR_ASSIGN_OR_RETURN(const auto descriptions, remote.DescribeGroups({group}));
  const client::GroupDescription& description = descriptions.at(0);
  if (absl::IsNotFound(description.status)) return absl::OkStatus();  // it begins with this
  WEIR_RETURN_IF_ERROR(description.status);
  if (description.members.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("offsets can be reset only while the group is inactive, but '", group, "' is ",
                   description.state, " with ", description.members.size(), " members"));
}

absl::Status ResetGroup(Context& context, Remote& remote, const Reset& reset,
                        const std::string& group, Table* table) {
  WEIR_RETURN_IF_ERROR(CheckInactive(remote, group));
  WEIR_ASSIGN_OR_RETURN(const std::vector<client::GroupOffset> committed,
                        remote.ListGroupOffsets(group));
  std::vector<TopicAndPartition> partitions;
  if (context.flags().Has("all-topics")) {
    for (const auto& offset : committed) partitions.push_back({offset.topic, offset.partition});
  } else {
    WEIR_ASSIGN_OR_RETURN(partitions, PartitionsOfTopicFlags(context, remote));
  }
  WEIR_ASSIGN_OR_RETURN(auto facts, AskFacts(context, remote, reset, partitions));
  for (const client::GroupOffset& offset : committed) {
    const auto it = facts.find({offset.topic, offset.partition});
    if (it != facts.end() && offset.status.ok()) it->second.current = offset.offset;
  }
  std::vector<client::GroupOffset> offsets;
  for (const auto& [tp, known] : facts) {
    const absl::StatusOr<Offset> offset = NewOffset(reset.to, reset.number, known);
    if (offset.ok()) {
      offsets.push_back({tp.topic, tp.partition, *offset, -1, "", absl::OkStatus()});
    } else {
      context.Fail(absl::NotFoundError(
          absl::StrCat(tp.topic, "-", tp.partition, ": ", offset.status().message())));
    }
  }
  if (context.flags().Has("execute") && !offsets.empty()) {
    WEIR_ASSIGN_OR_RETURN(const auto outcomes, remote.AlterGroupOffsets(group, offsets));
    for (const client::PartitionOutcome& outcome : outcomes) {
      if (outcome.status.ok()) continue;
      context.Fail(outcome.status);
      offsets.erase(std::remove_if(offsets.begin(), offsets.end(),
                                   [&](const client::GroupOffset& offset) {
                                     return offset.topic == outcome.topic &&
                                            offset.partition == outcome.partition;
                                   }),
                    offsets.end());
    }
  }
  for (const client::GroupOffset& offset : offsets) {
    table->Add({group, offset.topic, offset.partition, offset.offset.value()});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<TopicAndPartition>> PartitionsOfTopicFlags(Context& context,
                                                                      Remote& remote) {
  WEIR_ASSIGN_OR_RETURN(const std::vector<Remote::Topic> topics, remote.ListTopics());
  std::map<std::string, size_t> counts;
  for (const Remote::Topic& topic : topics) counts[*topic.name] = topic.partitions.size();
  std::vector<TopicAndPartition> partitions;
  for (const std::string& text : context.flags().All("topic")) {
    WEIR_ASSIGN_OR_RETURN(const TopicScope scope, ParseTopicScope("topic", text));
    const auto it = counts.find(scope.topic);
    if (it == counts.end()) {
      return absl::NotFoundError(absl::StrCat("there is no topic '", scope.topic, "'"));
    }
    std::vector<int32_t> wanted = scope.partitions.value_or(std::vector<int32_t>());
    for (int32_t i = 0; !scope.partitions.has_value() && i < static_cast<int32_t>(it->second);
         ++i) {
      wanted.push_back(i);
    }
    for (const int32_t partition : wanted) partitions.push_back({scope.topic, partition});
  }
  Sort(partitions);
  partitions.erase(std::unique(partitions.begin(), partitions.end()), partitions.end());
  return partitions;
}

absl::Status ResetOffsets(Context& context, Remote& remote,
                          const std::vector<std::string>& groups) {
  WEIR_ASSIGN_OR_RETURN(const Reset reset, ReadReset(context.flags(), remote.WallMs()));
  Table table({"GROUP", "TOPIC", "PARTITION", "NEW-OFFSET"});
  for (const std::string& group : groups) {
    const absl::Status status = ResetGroup(context, remote, reset, group, &table);
    if (!status.ok()) context.Fail(status);
  }
  context.out().Print(table);
  if (!context.flags().Has("execute")) context.Note("nothing was changed: --execute does it");
  return absl::OkStatus();
}

// --- groups --------------------------------------------------------------------------------------
// weir groups: list, describe and delete consumer groups, and set their offsets.

namespace {

constexpr FlagSpec kGroupsFlags[] = {
    {"list", FlagKind::kSwitch, "", "list the groups"},
    {"describe", FlagKind::kSwitch, "", "describe groups; --offsets unless another is given"},
    {"delete", FlagKind::kSwitch, "", "delete groups that have no members"},
    {"reset-offsets", FlagKind::kSwitch, "", "set the offsets of groups that have no members"},
    {"delete-offsets", FlagKind::kSwitch, "", "forget a group's offsets of --topic"},
    {"group", FlagKind::kMany, "GROUP", "the group"},
    {"all-groups", FlagKind::kSwitch, "", "all groups"},
    {"offsets", FlagKind::kSwitch, "", "describe offsets and lag"},
    {"members", FlagKind::kSwitch, "", "describe members"},
    {"state", FlagKind::kOptional, "STATE[,...]",
     "describe the state; with --list print it, and list only those"},
    {"type", FlagKind::kOptional, "TYPE[,...]",
     "with --list print the type, and list only those: classic, consumer"},
    {"verbose", FlagKind::kSwitch, "", "describe members with their partitions"},
    {"topic", FlagKind::kMany, "TOPIC[:P,...]", "the topic, or single partitions of it"},
    {"all-topics", FlagKind::kSwitch, "", "all topics that the group has offsets of"},
    {"to-earliest", FlagKind::kSwitch, "", "to the beginning of the log"},
    {"to-latest", FlagKind::kSwitch, "", "to its end"},
    {"to-current", FlagKind::kSwitch, "", "to what is committed, else the end"},
    {"to-offset", FlagKind::kOne, "OFFSET", "to this offset"},
    {"shift-by", FlagKind::kOne, "N", "forwards, or backwards when it is negative"},
    {"to-datetime", FlagKind::kOne, "TIME",
     "to the first record that is not older: YYYY-MM-DDTHH:mm:SS.sss, in UTC unless +HH:mm "
     "follows"},
    {"by-duration", FlagKind::kOne, "DURATION", "to the time so long ago: PnDTnHnMnS"},
    {"dry-run", FlagKind::kSwitch, "", "print what would be set; the default"},
    {"execute", FlagKind::kSwitch, "", "set it"},
};

using client::GroupDescription;
using client::GroupMember;
using client::TopicAndPartition;

std::vector<std::string> List(const std::string& text) {
  return absl::StrSplit(text, ',', absl::SkipEmpty());
}

// Brokers compare states as they are spelled: Stable, PreparingRebalance, ...
std::vector<std::string> StateNames(const std::string& text) {
  constexpr const char* kStates[] = {
      "Stable", "PreparingRebalance", "CompletingRebalance", "Empty",
      "Dead",   "Assigning",          "Reconciling",         "NotReady"};
  std::vector<std::string> states = List(text);
  for (std::string& state : states) {
    for (const char* known : kStates) {
      if (absl::EqualsIgnoreCase(state, known)) state = known;
    }
  }
  return states;
}

absl::Status ListThem(Context& context, Remote& remote) {
  const Flags& flags = context.flags();
  WEIR_ASSIGN_OR_RETURN(
      const std::vector<client::GroupListing> groups,
      remote.ListGroups(StateNames(flags.Text("state")), List(flags.Text("type"))));
  if (!context.out().json() && !flags.Has("state") && !flags.Has("type")) {
    for (const client::GroupListing& group : groups) context.out().Line(group.id);
    return absl::OkStatus();
  }
  Table table({"GROUP", "PROTOCOL", "TYPE", "STATE"});
  for (const client::GroupListing& group : groups) {
    table.Add({group.id, group.protocol_type, group.type, group.state});
  }
  context.out().Print(table);
  return absl::OkStatus();
}

// The groups that --group and --all-groups name.
absl::StatusOr<std::vector<std::string>> ChosenGroups(Context& context, Remote& remote) {
  std::vector<std::string> names = context.flags().All("group");
  if (!context.flags().Has("all-groups")) return names;
  WEIR_ASSIGN_OR_RETURN(const std::vector<client::GroupListing> groups, remote.ListGroups({}, {}));
  for (const client::GroupListing& group : groups) {
    if (std::find(names.begin(), names.end(), group.id) == names.end()) names.push_back(group.id);
  }
  return names;
}

absl::Status AddOffsets(Context& context, Remote& remote, const GroupDescription& group,
                        Table* table) {
  WEIR_ASSIGN_OR_RETURN(const std::vector<client::GroupOffset> committed,
                        remote.ListGroupOffsets(group.id));
  struct Row {
    Cell current;
    Cell end;
    const GroupMember* member = nullptr;
    int64_t offset = -1;
  };
  std::map<TopicAndPartition, Row> rows;
  for (const client::GroupOffset& offset : committed) {
    if (!offset.status.ok()) {
      context.Fail(offset.status);
      continue;
    }
    Row& row = rows[{offset.topic, offset.partition}];
    row.current = Cell(offset.offset.value());
    row.offset = offset.offset.value();
  }
  for (const GroupMember& member : group.members) {
    for (const TopicAndPartition& tp : member.assignment) rows[tp].member = &member;
  }
  std::vector<client::OffsetQuery> queries;
  for (const auto& [tp, row] : rows) queries.push_back({tp.topic, tp.partition});
  WEIR_ASSIGN_OR_RETURN(const std::vector<client::OffsetAnswer> ends, remote.ListOffsets(queries));
  for (const client::OffsetAnswer& end : ends) {
    // A topic that is gone has no end; its offsets stay for a while.
    if (end.status.ok()) rows[{end.topic, end.partition}].end = Cell(end.offset.value());
  }
  const auto add = [&](Cell topic, Cell partition, const Row& row, Cell lag) {
    const GroupMember* member = row.member;
    table->Add({group.id, std::move(topic), std::move(partition), row.current, row.end,
                std::move(lag), member == nullptr ? Cell() : Cell(member->id),
                member == nullptr ? Cell() : Cell(member->host),
                member == nullptr ? Cell() : Cell(member->client_id)});
  };
  for (const auto& [tp, row] : rows) {
    Cell lag;
    if (row.offset >= 0 && row.end.kind == Cell::Kind::kNumber) {
      lag = Cell(std::max<int64_t>(0, std::stoll(row.end.text) - row.offset));
    }
    add(tp.topic, tp.partition, row, lag);
  }
  for (const GroupMember& member : group.members) {
    if (!member.assignment.empty()) continue;
    Row idle;
    idle.member = &member;
    add(Cell(), Cell(), idle, Cell());
  }
  return absl::OkStatus();
}

// "orders(0,1), users(3)"
std::string AssignmentText(const std::vector<TopicAndPartition>& partitions) {
  std::map<std::string, std::vector<int32_t>> topics;
  for (const TopicAndPartition& tp : partitions) topics[tp.topic].push_back(tp.partition);
  std::vector<std::string> pieces;
  for (const auto& [topic, numbers] : topics) {
    pieces.push_back(absl::StrCat(topic, "(", absl::StrJoin(numbers, ","), ")"));
  }
  return absl::StrJoin(pieces, ", ");
}

void AddMembers(const GroupDescription& group, bool verbose, Table* table) {
  for (const GroupMember& member : group.members) {
    std::vector<Cell> cells{group.id,
                            member.id,
                            member.instance_id.has_value() ? Cell(*member.instance_id) : Cell(),
                            member.host,
                            member.client_id,
                            static_cast<int64_t>(member.assignment.size())};
    if (verbose) cells.push_back(AssignmentText(member.assignment));
    table->Add(std::move(cells));
  }
}

Table TableFor(const Flags& flags) {
  if (flags.Has("members")) {
    std::vector<std::string> headers{"GROUP", "CONSUMER-ID", "GROUP-INSTANCE-ID",
                                     "HOST",  "CLIENT-ID",   "#PARTITIONS"};
    if (flags.Has("verbose")) headers.push_back("ASSIGNMENT");
    return Table(std::move(headers));
  }
  if (flags.Has("state")) {
    return Table({"GROUP", "COORDINATOR (ID)", "ASSIGNMENT-STRATEGY", "STATE", "#MEMBERS"});
  }
  return Table({"GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG",
                "CONSUMER-ID", "HOST", "CLIENT-ID"});
}

absl::Status Describe(Context& context, Remote& remote, const std::vector<std::string>& names) {
  const Flags& flags = context.flags();
  WEIR_ASSIGN_OR_RETURN(const std::vector<GroupDescription> groups, remote.DescribeGroups(names));
  std::map<int32_t, std::string> brokers;
  WEIR_ASSIGN_OR_RETURN(const std::vector<Remote::Broker> known, remote.ListBrokers());
  for (const auto& broker : known) brokers[broker.id] = absl::StrCat(broker.host, ":", broker.port);
  Table table = TableFor(flags);
  for (const GroupDescription& group : groups) {
    if (!group.status.ok()) {
      context.Fail(group.status);
      continue;
    }
    if (flags.Has("state")) {
      table.Add({group.id, absl::StrCat(brokers[group.coordinator], " (", group.coordinator, ")"),
                 group.assignor.empty() ? Cell() : Cell(group.assignor), group.state,
                 static_cast<int64_t>(group.members.size())});
      continue;
    }
    if (group.members.empty()) {
      context.Note(absl::StrCat("group '", group.id, "' has no active members"));
    }
    if (flags.Has("members")) {
      AddMembers(group, flags.Has("verbose"), &table);
    } else if (const absl::Status status = AddOffsets(context, remote, group, &table);
               !status.ok()) {
      context.Fail(status);
    }
  }
  if (!table.empty() || context.out().json()) context.out().Print(table);
  return absl::OkStatus();
}

absl::Status Delete(Context& context, Remote& remote, const std::vector<std::string>& names) {
  WEIR_ASSIGN_OR_RETURN(const std::vector<client::GroupOutcome> outcomes,
                        remote.DeleteGroups(names));
  JsonWriter json;
  json.BeginObject().Key("deleted").BeginArray();
  for (const client::GroupOutcome& outcome : outcomes) {
    if (!outcome.status.ok()) {
      context.Fail(outcome.status);
    } else if (context.out().json()) {
      json.String(outcome.id);
    } else {
      context.out().Line(absl::StrCat("Deleted group ", outcome.id, "."));
    }
  }
  if (context.out().json()) context.out().Print(json.EndArray().EndObject());
  return absl::OkStatus();
}

absl::Status DeleteOffsets(Context& context, Remote& remote, const std::string& group) {
  WEIR_ASSIGN_OR_RETURN(const std::vector<TopicAndPartition> partitions,
                        PartitionsOfTopicFlags(context, remote));
  WEIR_ASSIGN_OR_RETURN(const std::vector<client::PartitionOutcome> outcomes,
                        remote.DeleteGroupOffsets(group, partitions));
  Table table({"TOPIC", "PARTITION", "STATUS"});
  for (const client::PartitionOutcome& outcome : outcomes) {
    table.Add({outcome.topic, outcome.partition, outcome.status.ok() ? "Successful" : "Error"});
    if (!outcome.status.ok()) context.Fail(outcome.status);
  }
  context.out().Print(table);
  return absl::OkStatus();
}

absl::Status CheckFlags(const Flags& flags, absl::string_view action) {
  if (action == "list") return absl::OkStatus();
  if (flags.Has("group") == flags.Has("all-groups")) {
    return UsageError("expected either --group or --all-groups");
  }
  if (action == "describe") {
    const int views = flags.Has("offsets") + flags.Has("members") + flags.Has("state");
    if (views > 1) return UsageError("expected one of --offsets, --members and --state");
    if (!flags.Text("state").empty()) {
      return UsageError("--describe --state takes no value");
    }
  }
  if (action == "reset-offsets") {
    if (flags.Has("topic") == flags.Has("all-topics")) {
      return UsageError("expected either --topic or --all-topics");
    }
    if (flags.Has("dry-run") && flags.Has("execute")) {
      return UsageError("expected either --dry-run or --execute");
    }
  }
  if (action == "delete-offsets" && (flags.All("group").size() != 1 || !flags.Has("topic"))) {
    return UsageError("--delete-offsets: expected one --group, and --topic");
  }
  return absl::OkStatus();
}

absl::Status RunGroups(Context& context) {
  const Flags& flags = context.flags();
  WEIR_ASSIGN_OR_RETURN(
      const std::string action,
      flags.ExactlyOne({"list", "describe", "delete", "reset-offsets", "delete-offsets"}));
  WEIR_RETURN_IF_ERROR(CheckFlags(flags, action));
  WEIR_ASSIGN_OR_RETURN(Remote * remote, context.Connect());
  if (action == "list") return ListThem(context, *remote);
  WEIR_ASSIGN_OR_RETURN(const std::vector<std::string> names, ChosenGroups(context, *remote));
  if (action == "describe") return Describe(context, *remote, names);
  if (action == "delete") return Delete(context, *remote, names);
  if (action == "delete-offsets") return DeleteOffsets(context, *remote, names.at(0));
  return ResetOffsets(context, *remote, names);
}

}  // namespace

const Command& GroupsCommand() {
  static const Command command = {
      "groups",
      "list, describe and delete consumer groups, and set their offsets",
      "groups --describe --group billing\n"
      "groups --reset-offsets --group billing --topic orders --to-earliest --execute\n"
      "groups --reset-offsets --group billing --all-topics --by-duration PT2H",
      kGroupsFlags,
      true,
      RunGroups};
  return command;
}

}  // namespace weir::cli

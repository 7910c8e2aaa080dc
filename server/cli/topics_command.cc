// weir topics: create, list, describe, alter and delete topics.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "client/admin_types.h"
#include "client/topic_and_partition.h"
#include "protocol/api/describe_configs.h"
#include "protocol/error_code.h"
#include "server/cli/command.h"
#include "server/cli/config_edits.h"
#include "server/cli/flags.h"
#include "server/cli/output.h"
#include "server/cli/reassign_plan.h"
#include "server/cli/remote.h"

namespace weir::cli {

namespace {

constexpr FlagSpec kTopicsFlags[] = {
    {"create", FlagKind::kSwitch, "", "create a topic"},
    {"list", FlagKind::kSwitch, "", "list the topics"},
    {"describe", FlagKind::kSwitch, "", "describe topics, all without --topic"},
    {"alter", FlagKind::kSwitch, "", "give topics more partitions"},
    {"delete", FlagKind::kSwitch, "", "delete topics"},
    {"topic", FlagKind::kOne, "TOPIC", "the topic; but for --create a regular expression"},
    {"partitions", FlagKind::kOne, "N", "how many partitions it is to have"},
    {"replication-factor", FlagKind::kOne, "N", "how many brokers are to have each partition"},
    {"replica-assignment", FlagKind::kOne, "ID[:ID...][,...]",
     "for --create, in place of both: the brokers of each partition, its leader first: 1:2,2:1"},
    {"config", FlagKind::kMany, "KEY=VALUE", "configuration of the topic that is created"},
    {"if-not-exists", FlagKind::kSwitch, "", "with --create: a topic that is there is fine"},
    {"if-exists", FlagKind::kSwitch, "", "with the others: a topic that is not there is fine"},
    {"exclude-internal", FlagKind::kSwitch, "", "leave out the brokers' own topics"},
    {"under-replicated-partitions", FlagKind::kSwitch, "",
     "describe only partitions with replicas out of sync"},
    {"unavailable-partitions", FlagKind::kSwitch, "", "describe only partitions without a leader"},
    {"under-min-isr-partitions", FlagKind::kSwitch, "",
     "describe only partitions with fewer replicas in sync than min.insync.replicas"},
    {"at-min-isr-partitions", FlagKind::kSwitch, "",
     "describe only partitions with just as many in sync"},
    {"topics-with-overrides", FlagKind::kSwitch, "",
     "describe only topics with settings of their own, without their partitions"},
};

using Topic = Remote::Topic;

absl::Status Create(Context& context, Remote& remote) {
  const Flags& flags = context.flags();
  client::NewTopic topic;
  WEIR_ASSIGN_OR_RETURN(topic.name, flags.Required("topic"));
  WEIR_RETURN_IF_ERROR(flags.Number("partitions", 1, INT32_MAX, &topic.partitions));
  int32_t factor = topic.replication_factor;
  WEIR_RETURN_IF_ERROR(flags.Number("replication-factor", 1, INT16_MAX, &factor));
  topic.replication_factor = static_cast<int16_t>(factor);
  if (flags.Has("replica-assignment")) {
    if (flags.Has("partitions") || flags.Has("replication-factor")) {
      return UsageError("--replica-assignment goes with neither --partitions nor the factor");
    }
    WEIR_ASSIGN_OR_RETURN(
        topic.assignment,
        ParseReplicaAssignment("replica-assignment", flags.Text("replica-assignment")));
  }
  WEIR_ASSIGN_OR_RETURN(topic.configs, ParseKeyValues("config", flags.All("config")));
  const absl::Status status = remote.CreateTopic(topic);
  if (absl::IsAlreadyExists(status) && flags.Has("if-not-exists")) return absl::OkStatus();
  WEIR_RETURN_IF_ERROR(status);
  if (context.out().json()) {
    context.out().Print(JsonWriter().BeginObject().Key("created").String(topic.name).EndObject());
  } else {
    context.out().Line(absl::StrCat("Created topic ", topic.name, "."));
  }
  return absl::OkStatus();
}

// The topics that --topic matches, all without it; kNotFound when it matches none.
absl::StatusOr<std::vector<Topic>> ChosenTopics(Context& context, Remote& remote) {
  const Flags& flags = context.flags();
  WEIR_ASSIGN_OR_RETURN(std::vector<Topic> topics, remote.ListTopics());
  std::vector<std::string> names;
  for (const Topic& topic : topics) {
    if (flags.Has("exclude-internal") && topic.is_internal) continue;
    names.push_back(topic.name.value_or(""));
  }
  if (flags.Has("topic")) {
    const std::string pattern = flags.Text("topic");
    WEIR_ASSIGN_OR_RETURN(names, Matching(pattern, names));
    if (names.empty() && !flags.Has("if-exists") && !flags.Has("list")) {
      return absl::NotFoundError(absl::StrCat("there is no topic '", pattern, "'"));
    }
  }
  const std::set<std::string> chosen(names.begin(), names.end());
  topics.erase(
      std::remove_if(topics.begin(), topics.end(),
                     [&](const Topic& topic) { return !chosen.contains(topic.name.value_or("")); }),
      topics.end());
  return topics;
}

void List(Context& context, const std::vector<Topic>& topics) {
  if (!context.out().json()) {
    for (const Topic& topic : topics) context.out().Line(*topic.name);
    return;
  }
  JsonWriter json;
  json.BeginArray();
  for (const Topic& topic : topics) json.String(*topic.name);
  context.out().Print(json.EndArray());
}

// A topic's settings: those that were made for itself, and how many replicas are waited for.
struct TopicConfigs {
  std::map<std::string, std::string> set;
  size_t min_insync_replicas = 1;
};
absl::StatusOr<TopicConfigs> ConfigsOf(Remote& remote, const std::string& topic) {
  WEIR_ASSIGN_OR_RETURN(const client::ConfigOutcome outcome,
                        remote.DescribeConfigs(protocol::kTopicResource, topic));
  WEIR_RETURN_IF_ERROR(outcome.status);
  TopicConfigs configs;
  for (const auto& config : outcome.configs) {
    size_t number = 0;
    if (config.name == "min.insync.replicas" &&
        absl::SimpleAtoi(config.value.value_or(""), &number)) {
      configs.min_insync_replicas = number;
    }
    if (config.config_source != protocol::kTopicConfigSource) continue;
    configs.set[config.name] = config.is_sensitive ? "hidden" : config.value.value_or("");
  }
  return configs;
}

void DescribeTopicAsText(Output& out, const Topic& topic,
                         const std::map<std::string, std::string>& configs) {
  const size_t factor = topic.partitions.empty() ? 0 : topic.partitions[0].replica_nodes.size();
  out.Line(absl::StrCat("Topic: ", *topic.name, "\tTopicId: ", topic.topic_id.ToString(),
                        "\tPartitionCount: ", topic.partitions.size(),
                        "\tReplicationFactor: ", factor,
                        "\tConfigs: ", absl::StrJoin(configs, ",", absl::PairFormatter("="))));
}

// What Metadata do not tell of partitions.
struct MoreOfPartitions {
  std::map<client::TopicAndPartition, client::OngoingMove> moves;
  // None where brokers do not know them.
  std::optional<std::map<client::TopicAndPartition, client::EligibleReplicas>> eligible;
};
absl::StatusOr<MoreOfPartitions> Ask(Remote& remote, const std::vector<Topic>& topics) {
  MoreOfPartitions more;
  auto moves = remote.ListReassignments();
  if (!moves.ok() && !absl::IsUnimplemented(moves.status())) return moves.status();
  if (moves.ok()) {
    for (client::OngoingMove& move : *moves) {
      more.moves[{move.topic, move.partition}] = std::move(move);
    }
  }
  std::vector<std::string> names;
  for (const Topic& topic : topics) names.push_back(*topic.name);
  auto eligible = remote.ListEligible(names);
  if (!eligible.ok() && !absl::IsUnimplemented(eligible.status())) return eligible.status();
  if (eligible.ok()) more.eligible = *std::move(eligible);
  return more;
}

// As Kafka's tool has it, and the replicas that are offline behind that.
void DescribePartitionsAsText(Output& out, const Topic& topic, const MoreOfPartitions& more) {
  const auto list = [](absl::string_view name, const std::vector<int32_t>& ids) {
    return absl::StrCat("\t", name, ": ", absl::StrJoin(ids, ","));
  };
  for (const auto& partition : topic.partitions) {
    const client::TopicAndPartition id{*topic.name, partition.partition_index};
    std::string line = absl::StrCat(
        "\tTopic: ", *topic.name, "\tPartition: ", partition.partition_index,
        "\tLeader: ", partition.leader_id < 0 ? "none" : absl::StrCat(partition.leader_id),
        "\tReplicas: ", absl::StrJoin(partition.replica_nodes, ","),
        "\tIsr: ", absl::StrJoin(partition.isr_nodes, ","));
    if (const auto move = more.moves.find(id); move != more.moves.end()) {
      line += list("Adding Replicas", move->second.adding);
      line += list("Removing Replicas", move->second.removing);
    }
    if (!more.eligible.has_value()) {
      line += "\tElr: N/A\tLastKnownElr: N/A";
    } else if (const auto eligible = more.eligible->find(id); eligible != more.eligible->end()) {
      line += list("Elr", eligible->second.eligible);
      line += list("LastKnownElr", eligible->second.last_known);
    }
    if (!partition.offline_replicas.empty()) {
      line += absl::StrCat("\tOffline: ", absl::StrJoin(partition.offline_replicas, ","));
    }
    out.Line(line);
  }
}

void AddNumbers(JsonWriter* json, const char* key, absl::Span<const int32_t> numbers) {
  json->Key(key).BeginArray();
  for (const int32_t number : numbers) json->Number(int64_t{number});
  json->EndArray();
}

void DescribeAsJson(JsonWriter* json, const Topic& topic,
                    const std::map<std::string, std::string>& configs,
                    const MoreOfPartitions& more) {
  json->BeginObject()
      .Key("topic")
      .String(*topic.name)
      .Key("topic_id")
      .String(topic.topic_id.ToString());
  json->Key("internal").Bool(topic.is_internal).Key("configs").BeginObject();
  for (const auto& [key, value] : configs) json->Key(key).String(value);
  json->EndObject().Key("partitions").BeginArray();
  for (const auto& partition : topic.partitions) {
    json->BeginObject().Key("partition").Number(int64_t{partition.partition_index});
    json->Key("leader").Number(int64_t{partition.leader_id});
    json->Key("leader_epoch").Number(int64_t{partition.leader_epoch});
    AddNumbers(json, "replicas", partition.replica_nodes);
    AddNumbers(json, "isr", partition.isr_nodes);
    AddNumbers(json, "offline", partition.offline_replicas);
    const client::TopicAndPartition id{*topic.name, partition.partition_index};
    if (const auto move = more.moves.find(id); move != more.moves.end()) {
      AddNumbers(json, "adding", move->second.adding);
      AddNumbers(json, "removing", move->second.removing);
    }
    if (more.eligible.has_value() && more.eligible->contains(id)) {
      AddNumbers(json, "eligible", more.eligible->at(id).eligible);
      AddNumbers(json, "last_known_eligible", more.eligible->at(id).last_known);
    }
    json->EndObject();
  }
  json->EndArray().EndObject();
}

// Which partitions --describe is about.
struct PartitionFilter {
  explicit PartitionFilter(const Flags& flags)
      : lagging(flags.Has("under-replicated-partitions")),
        unavailable(flags.Has("unavailable-partitions")),
        under_min(flags.Has("under-min-isr-partitions")),
        at_min(flags.Has("at-min-isr-partitions")) {}

  bool any() const { return lagging || unavailable || under_min || at_min; }
  // `adding`: replicas that a move has not brought in yet, which are not missed.
  bool Takes(const protocol::MetadataResponse::Partition& partition, size_t min_isr,
             size_t adding) const {
    const size_t in_sync = partition.isr_nodes.size();
    const bool is_led = partition.leader_id >= 0;
    if (lagging && in_sync + adding >= partition.replica_nodes.size()) return false;
    if (unavailable && is_led) return false;
    return !(under_min && is_led && in_sync >= min_isr) && !(at_min && in_sync != min_isr);
  }

  const bool lagging, unavailable, under_min, at_min;
};

absl::Status Describe(Context& context, Remote& remote, std::vector<Topic> topics) {
  const PartitionFilter filter(context.flags());
  const bool only_overrides = context.flags().Has("topics-with-overrides");
  if (filter.any() && only_overrides) {
    return UsageError("--topics-with-overrides goes with no other choice of partitions");
  }
  WEIR_ASSIGN_OR_RETURN(const MoreOfPartitions more, Ask(remote, topics));
  JsonWriter json;
  json.BeginArray();
  for (Topic& topic : topics) {
    if (topic.error_code != 0) {
      context.Fail(absl::UnavailableError(
          absl::StrCat(*topic.name, ": ",
                       protocol::ErrorName(static_cast<protocol::ErrorCode>(topic.error_code)))));
      continue;
    }
    const auto configs = ConfigsOf(remote, *topic.name);
    if (!configs.ok()) {
      context.Fail(configs.status());
      continue;
    }
    auto& partitions = topic.partitions;
    partitions.erase(
        std::remove_if(
            partitions.begin(), partitions.end(),
            [&](const protocol::MetadataResponse::Partition& partition) {
              const auto move = more.moves.find({*topic.name, partition.partition_index});
              return !filter.Takes(partition, configs->min_insync_replicas,
                                   move == more.moves.end() ? 0 : move->second.adding.size());
            }),
        partitions.end());
    if (partitions.empty() && filter.any()) continue;
    if (only_overrides && configs->set.empty()) continue;
    if (context.out().json()) {
      DescribeAsJson(&json, topic, configs->set, more);
    } else {
      // Of some partitions no line could say how many there are.
      if (!filter.any()) DescribeTopicAsText(context.out(), topic, configs->set);
      if (!only_overrides) DescribePartitionsAsText(context.out(), topic, more);
    }
  }
  if (context.out().json()) context.out().Print(json.EndArray());
  return absl::OkStatus();
}

void Report(Context& context, const std::vector<client::TopicOutcome>& outcomes,
            absl::string_view key) {
  JsonWriter json;
  json.BeginObject().Key(key).BeginArray();
  for (const client::TopicOutcome& outcome : outcomes) {
    if (outcome.status.ok()) {
      json.String(outcome.name);
    } else {
      context.Fail(outcome.status);
    }
  }
  if (context.out().json()) context.out().Print(json.EndArray().EndObject());
}

absl::Status Alter(Context& context, Remote& remote, const std::vector<Topic>& topics) {
  int32_t count = 0;
  WEIR_RETURN_IF_ERROR(context.flags().Required("partitions").status());
  WEIR_RETURN_IF_ERROR(context.flags().Number("partitions", 1, INT32_MAX, &count));
  std::map<std::string, int32_t> counts;
  for (const Topic& topic : topics) counts[*topic.name] = count;
  WEIR_ASSIGN_OR_RETURN(const auto outcomes, remote.CreatePartitions(counts));
  Report(context, outcomes, "altered");
  return absl::OkStatus();
}

absl::Status Delete(Context& context, Remote& remote, const std::vector<Topic>& topics) {
  std::vector<std::string> names;
  for (const Topic& topic : topics) names.push_back(*topic.name);
  WEIR_ASSIGN_OR_RETURN(const auto outcomes, remote.DeleteTopics(names));
  Report(context, outcomes, "deleted");
  return absl::OkStatus();
}

absl::Status RunTopics(Context& context) {
  const Flags& flags = context.flags();
  WEIR_ASSIGN_OR_RETURN(const std::string action,
                        flags.ExactlyOne({"create", "list", "describe", "alter", "delete"}));
  if (action == "create" || action == "alter" || action == "delete") {
    WEIR_RETURN_IF_ERROR(flags.Required("topic").status());
  }
  WEIR_ASSIGN_OR_RETURN(Remote * remote, context.Connect());
  if (action == "create") return Create(context, *remote);
  WEIR_ASSIGN_OR_RETURN(std::vector<Topic> topics, ChosenTopics(context, *remote));
  if (action == "describe") return Describe(context, *remote, std::move(topics));
  if (action == "alter") return Alter(context, *remote, topics);
  if (action == "delete") return Delete(context, *remote, topics);
  List(context, topics);
  return absl::OkStatus();
}

}  // namespace

const Command& TopicsCommand() {
  static const Command command = {
      "topics",
      "create, list, describe, alter and delete topics",
      "topics --create --topic orders --partitions 6 --config retention.ms=86400000\n"
      "topics --describe --topic orders\n"
      "topics --alter --topic orders --partitions 12",
      kTopicsFlags,
      true,
      RunTopics};
  return command;
}

}  // namespace weir::cli

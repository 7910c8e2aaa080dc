#include "server/cli/reassign_plan.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/sort.h"
#include "base/status_macros.h"
#include "client/admin_types.h"
#include "client/topic_and_partition.h"
#include "server/cli/flags.h"
#include "server/cli/json_reader.h"
#include "server/cli/output.h"

namespace weir::cli {
namespace {

using Kind = JsonValue::Kind;

absl::Status CheckVersion(const JsonValue& file) {
  const JsonValue* version = file.Find("version");
  if (version == nullptr) return absl::OkStatus();
  if (version->kind == Kind::kNumber && version->number == 1) return absl::OkStatus();
  return absl::InvalidArgumentError("'version': expected 1");
}

absl::StatusOr<int32_t> Number(const JsonValue& value) {
  if (value.kind != Kind::kNumber || value.number < 0 ||
      value.number > std::numeric_limits<int32_t>::max()) {
    return absl::InvalidArgumentError("expected a whole number of at least 0");
  }
  return static_cast<int32_t>(value.number);
}

absl::StatusOr<client::TopicAndPartition> ParsePartition(const JsonValue& entry) {
  client::TopicAndPartition tp;
  WEIR_ASSIGN_OR_RETURN(const JsonValue* topic, entry.Member("topic", Kind::kString));
  WEIR_ASSIGN_OR_RETURN(const JsonValue* partition, entry.Member("partition", Kind::kNumber));
  tp.topic = topic->text;
  WEIR_ASSIGN_OR_RETURN(tp.partition, Number(*partition));
  return tp;
}

std::string NameOf(const client::TopicAndPartition& tp) {
  return absl::StrCat(tp.topic, "-", tp.partition);
}

absl::StatusOr<std::vector<int32_t>> ParseReplicas(const JsonValue& entry) {
  WEIR_ASSIGN_OR_RETURN(const JsonValue* replicas, entry.Member("replicas", Kind::kArray));
  std::vector<int32_t> ids;
  for (const JsonValue& item : replicas->items) {
    WEIR_ASSIGN_OR_RETURN(const int32_t id, Number(item));
    if (std::count(ids.begin(), ids.end(), id) > 0) {
      return absl::InvalidArgumentError(absl::StrCat("'replicas': ", id, " is named twice"));
    }
    ids.push_back(id);
  }
  if (ids.empty()) return absl::InvalidArgumentError("'replicas': expected at least one broker");
  return ids;
}

absl::Status ParseDirectories(const JsonValue& entry, const client::TopicAndPartition& tp,
                              const std::vector<int32_t>& replicas,
                              std::vector<client::ReplicaPlace>* places) {
  const JsonValue* directories = entry.Find("log_dirs");
  if (directories == nullptr) return absl::OkStatus();
  if (directories->kind != Kind::kArray || directories->items.size() != replicas.size()) {
    return absl::InvalidArgumentError("'log_dirs': expected one for each replica");
  }
  for (size_t i = 0; i < replicas.size(); ++i) {
    const JsonValue& directory = directories->items[i];
    if (directory.kind != Kind::kString || directory.text.empty()) {
      return absl::InvalidArgumentError("'log_dirs': expected paths, or \"any\"");
    }
    if (directory.text == "any") continue;
    places->push_back({tp.topic, tp.partition, replicas[i], directory.text});
  }
  return absl::OkStatus();
}

absl::Status In(absl::string_view what, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(what, ": ", status.message()));
}

// One of each rack in turn, for as long as there are any.
std::vector<PlanBroker> RacksInTurn(const std::vector<PlanBroker>& brokers) {
  std::map<std::string, std::vector<PlanBroker>> by_rack;
  for (const PlanBroker& broker : brokers) by_rack[broker.rack].push_back(broker);
  std::vector<PlanBroker> ordered;
  for (size_t i = 0; ordered.size() < brokers.size(); ++i) {
    for (auto& [rack, members] : by_rack) {
      if (i < members.size()) ordered.push_back(members[i]);
    }
  }
  return ordered;
}

// Beginning with the leader: brokers of racks that are not there yet first, and further on in the
// circle for each round of partitions, so that the same two do not always go together.
std::vector<int32_t> ReplicasFrom(const std::vector<PlanBroker>& brokers, size_t leader,
                                  size_t round, size_t count) {
  std::vector<int32_t> replicas = {brokers[leader].id};
  std::set<std::string> racks = {brokers[leader].rack};
  const size_t others = brokers.size() - 1;
  for (const bool new_racks : {true, false}) {
    for (size_t i = 0; i < others && replicas.size() < count; ++i) {
      const PlanBroker& next = brokers[(leader + 1 + (round + i) % others) % brokers.size()];
      const bool has_it = std::count(replicas.begin(), replicas.end(), next.id) > 0;
      if (has_it || (new_racks && !next.rack.empty() && racks.count(next.rack) > 0)) continue;
      replicas.push_back(next.id);
      racks.insert(next.rack);
    }
  }
  return replicas;
}

}  // namespace

absl::StatusOr<std::vector<client::PartitionMove>> ParseMoves(
    absl::string_view text, std::vector<client::ReplicaPlace>* places) {
  WEIR_ASSIGN_OR_RETURN(const JsonValue file, ParseJson(text));
  WEIR_RETURN_IF_ERROR(CheckVersion(file));
  WEIR_ASSIGN_OR_RETURN(const JsonValue* partitions, file.Member("partitions", Kind::kArray));
  std::vector<client::PartitionMove> moves;
  std::set<client::TopicAndPartition> seen;
  for (const JsonValue& entry : partitions->items) {
    WEIR_ASSIGN_OR_RETURN(client::TopicAndPartition tp, ParsePartition(entry));
    absl::StatusOr<std::vector<int32_t>> replicas = ParseReplicas(entry);
    if (!replicas.ok()) return In(NameOf(tp), replicas.status());
    const absl::Status parsed = ParseDirectories(entry, tp, *replicas, places);
    if (!parsed.ok()) return In(NameOf(tp), parsed);
    if (!seen.insert(tp).second) {
      return absl::InvalidArgumentError(absl::StrCat(NameOf(tp), " is named twice"));
    }
    moves.push_back({std::move(tp.topic), tp.partition, *std::move(replicas)});
  }
  if (moves.empty()) return absl::InvalidArgumentError("'partitions': expected at least one");
  return moves;
}

std::string MovesAsJson(absl::Span<const client::PartitionMove> moves) {
  JsonWriter json;
  json.BeginObject().Key("version").Number(int64_t{1}).Key("partitions").BeginArray();
  for (const client::PartitionMove& move : moves) {
    json.BeginObject().Key("topic").String(move.topic);
    json.Key("partition").Number(int64_t{move.partition}).Key("replicas").BeginArray();
    const std::vector<int32_t> replicas = move.replicas.value_or(std::vector<int32_t>());
    for (const int32_t id : replicas) json.Number(int64_t{id});
    json.EndArray().Key("log_dirs").BeginArray();
    for (size_t i = 0; i < replicas.size(); ++i) json.String("any");
    json.EndArray().EndObject();
  }
  return json.EndArray().EndObject().text();
}

absl::StatusOr<std::vector<std::string>> ParseTopicsToMove(absl::string_view text) {
  WEIR_ASSIGN_OR_RETURN(const JsonValue file, ParseJson(text));
  WEIR_RETURN_IF_ERROR(CheckVersion(file));
  WEIR_ASSIGN_OR_RETURN(const JsonValue* topics, file.Member("topics", Kind::kArray));
  std::vector<std::string> names;
  for (const JsonValue& entry : topics->items) {
    WEIR_ASSIGN_OR_RETURN(const JsonValue* topic, entry.Member("topic", Kind::kString));
    if (std::count(names.begin(), names.end(), topic->text) > 0) {
      return absl::InvalidArgumentError(absl::StrCat("topic ", topic->text, " is named twice"));
    }
    names.push_back(topic->text);
  }
  if (names.empty()) return absl::InvalidArgumentError("'topics': expected at least one");
  return names;
}

absl::StatusOr<std::vector<client::TopicAndPartition>> ParsePartitions(absl::string_view text) {
  WEIR_ASSIGN_OR_RETURN(const JsonValue file, ParseJson(text));
  WEIR_ASSIGN_OR_RETURN(const JsonValue* partitions, file.Member("partitions", Kind::kArray));
  std::set<client::TopicAndPartition> seen;
  for (const JsonValue& entry : partitions->items) {
    WEIR_ASSIGN_OR_RETURN(client::TopicAndPartition tp, ParsePartition(entry));
    const std::string name = NameOf(tp);
    if (!seen.insert(std::move(tp)).second) {
      return absl::InvalidArgumentError(absl::StrCat(name, " is named twice"));
    }
  }
  if (seen.empty()) return absl::InvalidArgumentError("'partitions': expected at least one");
  return std::vector<client::TopicAndPartition>(seen.begin(), seen.end());
}

absl::StatusOr<std::vector<int32_t>> ParseBrokerIds(absl::string_view flag,
                                                    absl::string_view text) {
  std::vector<int32_t> ids;
  for (absl::string_view word : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    WEIR_ASSIGN_OR_RETURN(const int64_t id,
                          ParseNumber(flag, word, 0, std::numeric_limits<int32_t>::max()));
    if (std::count(ids.begin(), ids.end(), id) > 0) {
      return UsageError(absl::StrCat("--", flag, ": broker ", id, " is named twice"));
    }
    ids.push_back(static_cast<int32_t>(id));
  }
  if (ids.empty()) return UsageError(absl::StrCat("--", flag, ": expected ids of brokers"));
  return ids;
}

absl::StatusOr<std::vector<std::vector<int32_t>>> ParseReplicaAssignment(absl::string_view flag,
                                                                         absl::string_view text) {
  std::vector<std::vector<int32_t>> partitions;
  for (absl::string_view list : absl::StrSplit(text, ',')) {
    std::vector<int32_t> replicas;
    for (absl::string_view word : absl::StrSplit(list, ':')) {
      WEIR_ASSIGN_OR_RETURN(const int64_t id, ParseNumber(flag, absl::StripAsciiWhitespace(word), 0,
                                                          std::numeric_limits<int32_t>::max()));
      if (std::count(replicas.begin(), replicas.end(), id) > 0) {
        return UsageError(absl::StrCat("--", flag, ": partition ", partitions.size(),
                                       " has broker ", id, " twice"));
      }
      replicas.push_back(static_cast<int32_t>(id));
    }
    if (!partitions.empty() && replicas.size() != partitions[0].size()) {
      return UsageError(absl::StrCat("--", flag, ": expected ", partitions[0].size(),
                                     " replicas of each partition, came ", replicas.size()));
    }
    partitions.push_back(std::move(replicas));
  }
  return partitions;
}

absl::StatusOr<std::vector<client::PartitionMove>> ProposeMoves(std::vector<PlanBroker> brokers,
                                                                std::vector<PlanTopic> topics,
                                                                bool by_rack) {
  Sort(brokers, [](const auto& a, const auto& b) { return a.id < b.id; });
  const auto with_rack = std::count_if(brokers.begin(), brokers.end(),
                                       [](const PlanBroker& b) { return !b.rack.empty(); });
  if (by_rack && with_rack != 0 && with_rack != static_cast<ptrdiff_t>(brokers.size())) {
    return absl::FailedPreconditionError(
        "only some of the brokers have a rack; --disable-rack-aware leaves racks out of account");
  }
  if (!by_rack) {
    for (PlanBroker& broker : brokers) broker.rack.clear();
  }
  brokers = RacksInTurn(brokers);
  std::vector<client::PartitionMove> moves;
  size_t next = 0;  // goes on from topic to topic
  for (const PlanTopic& topic : topics) {
    if (topic.replication_factor > static_cast<int32_t>(brokers.size())) {
      return absl::FailedPreconditionError(absl::StrCat(
          "topic ", topic.name, " has ", topic.replication_factor,
          " replicas of each partition, expected at least as many brokers, came ", brokers.size()));
    }
    for (int32_t partition = 0; partition < topic.partitions; ++partition, ++next) {
      moves.push_back({topic.name, partition,
                       ReplicasFrom(brokers, next % brokers.size(), next / brokers.size(),
                                    static_cast<size_t>(topic.replication_factor))});
    }
  }
  return moves;
}

}  // namespace weir::cli

// weir log-dirs: what the brokers have in their directories.

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/sort.h"
#include "base/status_macros.h"
#include "protocol/api/describe_log_dirs.h"
#include "protocol/error_code.h"
#include "server/cli/command.h"
#include "server/cli/flags.h"
#include "server/cli/output.h"
#include "server/cli/reassign_plan.h"
#include "server/cli/remote.h"

namespace weir::cli {
namespace {

constexpr FlagSpec kLogDirsFlags[] = {
    {"describe", FlagKind::kSwitch, "", "say what is in the directories; what there is to do"},
    {"broker-list", FlagKind::kOne, "ID[,ID...]", "only these brokers"},
    {"topic-list", FlagKind::kOne, "TOPIC[,TOPIC...]", "only the partitions of these topics"},
};

using Result = protocol::DescribeLogDirsResponse::DescribeLogDirsResult;

// As kafka-log-dirs.sh prints it.
void AddAsJson(JsonWriter* json, const Result& directory) {
  json->BeginObject().Key("partitions").BeginArray();
  for (const auto& topic : directory.topics) {
    for (const auto& partition : topic.partitions) {
      json->BeginObject().Key("partition");
      json->String(absl::StrCat(topic.name, "-", partition.partition_index));
      json->Key("size").Number(partition.partition_size);
      json->Key("offsetLag").Number(partition.offset_lag);
      json->Key("isFuture").Bool(partition.is_future_key).EndObject();
    }
  }
  json->EndArray().Key("error");
  if (directory.error_code == 0) {
    json->Null();
  } else {
    json->String(protocol::ErrorName(static_cast<protocol::ErrorCode>(directory.error_code)));
  }
  json->Key("logDir").String(directory.log_dir).EndObject();
}

void AddAsRows(Table* table, int32_t broker, const Result& directory) {
  if (directory.error_code != 0) {
    table->Add({broker, directory.log_dir, Cell(), Cell(), Cell(), Cell(),
                protocol::ErrorName(static_cast<protocol::ErrorCode>(directory.error_code))});
  }
  for (const auto& topic : directory.topics) {
    for (const auto& partition : topic.partitions) {
      table->Add({broker, directory.log_dir,
                  absl::StrCat(topic.name, "-", partition.partition_index),
                  partition.partition_size, partition.offset_lag, partition.is_future_key, Cell()});
    }
  }
}

void KeepTopics(const std::vector<std::string>& names, Result* directory) {
  auto& topics = directory->topics;
  topics.erase(std::remove_if(topics.begin(), topics.end(),
                              [&](const auto& topic) {
                                return !names.empty() &&
                                       std::count(names.begin(), names.end(), topic.name) == 0;
                              }),
               topics.end());
  Sort(topics, [](const auto& a, const auto& b) { return a.name < b.name; });
  for (auto& topic : topics) {
    Sort(topic.partitions,
         [](const auto& a, const auto& b) { return a.partition_index < b.partition_index; });
  }
}

absl::Status RunLogDirs(Context& context) {
  const Flags& flags = context.flags();
  WEIR_RETURN_IF_ERROR(flags.ExactlyOne({"describe"}).status());
  std::vector<int32_t> ids;
  if (flags.Has("broker-list")) {
    WEIR_ASSIGN_OR_RETURN(ids, ParseBrokerIds("broker-list", flags.Text("broker-list")));
  }
  std::vector<std::string> names;
  if (flags.Has("topic-list")) {
    names = absl::StrSplit(flags.Text("topic-list"), ',', absl::SkipWhitespace());
  }
  WEIR_ASSIGN_OR_RETURN(Remote * remote, context.Connect());
  WEIR_ASSIGN_OR_RETURN(const std::vector<Remote::Broker> known, remote->ListBrokers());
  std::vector<int32_t> brokers;
  for (const Remote::Broker& broker : known) {
    if (ids.empty() || std::count(ids.begin(), ids.end(), broker.id) > 0) {
      brokers.push_back(broker.id);
    }
  }
  for (const int32_t id : ids) {
    if (std::count(brokers.begin(), brokers.end(), id) > 0) continue;
    return absl::NotFoundError(absl::StrCat("the cluster has no broker ", id));
  }
  Sort(brokers);
  JsonWriter json;
  Table table({"BROKER", "LOG-DIR", "PARTITION", "SIZE", "OFFSET-LAG", "FUTURE", "ERROR"});
  json.BeginObject().Key("brokers").BeginArray();
  for (const int32_t broker : brokers) {
    absl::StatusOr<std::vector<Result>> directories = remote->DescribeLogDirs(broker);
    if (!directories.ok()) {
      context.Fail(directories.status());
      continue;
    }
    json.BeginObject().Key("broker").Number(int64_t{broker}).Key("logDirs").BeginArray();
    for (Result& directory : *directories) {
      KeepTopics(names, &directory);
      AddAsJson(&json, directory);
      AddAsRows(&table, broker, directory);
    }
    json.EndArray().EndObject();
  }
  json.EndArray().Key("version").Number(int64_t{1}).EndObject();
  if (context.out().json()) {
    context.out().Print(json);
  } else {
    context.out().Print(table);
  }
  return absl::OkStatus();
}

}  // namespace

const Command& LogDirsCommand() {
  static const Command command = {"log-dirs",
                                  "say what brokers have on their disks (kafka-log-dirs.sh)",
                                  "log-dirs --describe\n"
                                  "log-dirs --describe --broker-list 1 --topic-list orders",
                                  kLogDirsFlags,
                                  true,
                                  RunLogDirs};
  return command;
}

}  // namespace weir::cli

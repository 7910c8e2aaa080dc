// weir consume: prints the records of topics.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "client/fetched_records.h"
#include "client/topic_and_partition.h"
#include "server/cli/command.h"
#include "server/cli/flags.h"
#include "server/cli/output.h"
#include "server/cli/reader.h"
#include "server/cli/record_printer.h"
#include "server/cli/remote.h"

namespace weir::cli {

namespace {

constexpr FlagSpec kConsumeFlags[] = {
    {"topic", FlagKind::kOne, "TOPIC", "what to read"},
    {"include", FlagKind::kOne, "REGEX", "all topics whose whole name matches", "whitelist"},
    {"from-beginning", FlagKind::kSwitch, "",
     "from the first record there is, not the next to come"},
    {"partition", FlagKind::kOne, "N", "only this partition"},
    {"offset", FlagKind::kOne, "OFFSET", "with --partition: a number, earliest or latest"},
    {"group", FlagKind::kOne, "GROUP",
     "share the topics with the group's other members, and go on where it has committed"},
    {"max-messages", FlagKind::kOne, "N", "end after so many records"},
    {"timeout-ms", FlagKind::kOne, "MS", "end when for so long no record came"},
    {"property", FlagKind::kMany, "KEY=VALUE",
     "what is printed: print.timestamp, print.partition, print.offset, print.headers, print.key, "
     "print.value (true), key.separator (tab), headers.separator (,), line.separator, "
     "null.literal (null)",
     "formatter-property"},
    {"consumer-property", FlagKind::kMany, "KEY=VALUE", "settings of the consumer",
     "command-property"},
    {"consumer.config", FlagKind::kOne, "FILE", "the same, in a .properties file"},
    {"isolation-level", FlagKind::kOne, "LEVEL", "read_uncommitted or read_committed"},
};

using client::TopicAndPartition;

// Whether Ctrl-C was pressed is looked at so often.
constexpr int64_t kPollMs = 100;
// New topics and partitions are looked for so often.
constexpr int64_t kRefreshMs = 10'000;
constexpr int64_t kAbsentMs = 1'000;  // while there is nothing to read

absl::Status SetConsumerProperties(Context& context) {
  const Flags& flags = context.flags();
  ClientProperties& properties = context.properties();
  WEIR_ASSIGN_OR_RETURN(const auto settings,
                        ParseKeyValues("consumer-property", flags.All("consumer-property")));
  for (const auto& [key, value] : settings) properties.Set(key, value);
  if (flags.Has("group")) properties.Set("group.id", flags.Text("group"));
  if (flags.Has("isolation-level")) {
    properties.Set("isolation.level", flags.Text("isolation-level"));
  }
  if (flags.Has("consumer.config")) {
    WEIR_RETURN_IF_ERROR(properties.SetFromFile(flags.Text("consumer.config")));
  }
  if (flags.Has("from-beginning")) {
    const std::string* reset = properties.Find("auto.offset.reset");
    if (reset != nullptr && *reset != "earliest") {
      return UsageError(absl::StrCat("--from-beginning and auto.offset.reset=", *reset,
                                     " contradict each other"));
    }
    properties.Set("auto.offset.reset", "earliest");
  }
  return absl::OkStatus();
}

absl::Status CheckFlags(const Flags& flags) {
  WEIR_RETURN_IF_ERROR(flags.ExactlyOne({"topic", "include"}).status());
  if (flags.Has("partition") && !flags.Has("topic")) {
    return UsageError("--partition: expected --topic with it");
  }
  if (flags.Has("partition") && flags.Has("group")) {
    return UsageError("expected either --group or --partition");
  }
  if (flags.Has("offset") && !flags.Has("partition")) {
    return UsageError("--offset: expected --partition with it");
  }
  if (flags.Has("offset") && flags.Has("from-beginning")) {
    return UsageError("expected either --offset or --from-beginning");
  }
  return absl::OkStatus();
}

// Kafka lets commas stand for alternatives.
std::string PatternOf(const Flags& flags) {
  return absl::StrReplaceAll(flags.Text("include"), {{",", "|"}});
}

// The partitions that the flags name and that there are.
absl::StatusOr<std::vector<TopicAndPartition>> Wanted(const Flags& flags, Remote& remote) {
  WEIR_ASSIGN_OR_RETURN(const std::vector<Remote::Topic> topics, remote.ListTopics());
  std::vector<std::string> names;
  for (const Remote::Topic& topic : topics) names.push_back(*topic.name);
  if (flags.Has("include")) {
    WEIR_ASSIGN_OR_RETURN(names, Matching(PatternOf(flags), names));
  } else {
    names = {flags.Text("topic")};
  }
  int32_t only = -1;
  WEIR_RETURN_IF_ERROR(flags.Number("partition", 0, INT32_MAX, &only));
  std::vector<TopicAndPartition> partitions;
  for (const Remote::Topic& topic : topics) {
    if (std::find(names.begin(), names.end(), *topic.name) == names.end()) continue;
    for (const auto& partition : topic.partitions) {
      if (only >= 0 && partition.partition_index != only) continue;
      partitions.push_back({*topic.name, partition.partition_index});
    }
  }
  return partitions;
}

// How far and how long to go.
struct Limits {
  int64_t max_messages = INT64_MAX;
  int64_t timeout_ms = INT64_MAX;
};

// Prints what comes until a limit is reached or the process is to stop.
class Consumption {
 public:
  Consumption(Context& context, Remote& remote, RecordReader& reader, RecordPrinter printer,
              Limits limits)
      : context_(context),
        remote_(remote),
        reader_(reader),
        printer_(std::move(printer)),
        limits_(limits),
        has_group_(context.properties().Find("group.id") != nullptr) {}

  absl::Status Run() {
    CatchInterrupts();
    WEIR_RETURN_IF_ERROR(has_group_ ? Subscribe() : Assign(/*first=*/true));
    const absl::Status status = PrintUntilDone();
    const absl::Status closed = reader_.Close();
    return status.ok() ? closed : status;
  }

  int64_t count() const { return count_; }

 private:
  absl::Status PrintUntilDone() {
    int64_t last_ms = remote_.WallMs();
    int64_t refreshed_ms = last_ms;
    while (!Interrupted() && context_.out().status().ok() && count_ < limits_.max_messages) {
      const int64_t now_ms = remote_.WallMs();
      const int64_t left_ms = limits_.timeout_ms - (now_ms - last_ms);
      if (left_ms <= 0) break;
      if (!has_group_ && now_ms - refreshed_ms > (assigned_.empty() ? kAbsentMs : kRefreshMs)) {
        refreshed_ms = now_ms;
        WEIR_RETURN_IF_ERROR(Assign(/*first=*/false));
      }
      WEIR_ASSIGN_OR_RETURN(const client::ConsumedRecords records,
                            reader_.Poll(std::min(kPollMs, left_ms)));
      if (records.empty()) continue;
      Print(records);
      last_ms = remote_.WallMs();
    }
    return absl::OkStatus();
  }

  absl::Status Subscribe() {
    const Flags& flags = context_.flags();
    return flags.Has("include") ? reader_.SubscribeTo(PatternOf(flags))
                                : reader_.Subscribe({flags.Text("topic")});
  }

  // Reads what there is; partitions that come later are read from their beginning.
  absl::Status Assign(bool first) {
    WEIR_ASSIGN_OR_RETURN(const std::vector<TopicAndPartition> partitions,
                          Wanted(context_.flags(), remote_));
    if (first && partitions.empty()) {
      context_.Note(absl::StrCat("there is nothing to read yet of '",
                                 context_.flags().Text("topic", context_.flags().Text("include")),
                                 "'"));
    }
    reader_.Assign(partitions);
    for (const TopicAndPartition& tp : partitions) {
      if (assigned_.insert(tp).second) WEIR_RETURN_IF_ERROR(Begin(tp, first));
    }
    return absl::OkStatus();
  }

  absl::Status Begin(const TopicAndPartition& tp, bool first) {
    const std::string offset = context_.flags().Text("offset");
    if (!first || offset == "earliest") {
      reader_.SeekToBeginning(tp);
    } else if (!offset.empty() && offset != "latest") {
      WEIR_ASSIGN_OR_RETURN(const int64_t number, ParseNumber("offset", offset, 0, INT64_MAX));
      reader_.Seek(tp, Offset(number));
    }
    return absl::OkStatus();
  }

  void Print(const client::ConsumedRecords& records) {
    std::string text;
    std::set<TopicAndPartition> put_back;
    for (const client::ConsumerRecord& record : records) {
      if (count_ == limits_.max_messages) {
        // What is not printed must not be committed.
        const TopicAndPartition tp{std::string(record.topic), record.partition};
        if (put_back.insert(tp).second) reader_.Seek(tp, record.offset);
        continue;
      }
      ++count_;
      if (context_.out().json()) {
        RecordPrinter::AppendJson(record, &text);
        text.push_back('\n');
      } else {
        printer_.AppendText(record, &text);
      }
    }
    context_.out().Text(text);
    context_.out().Flush();
  }

  Context& context_;
  Remote& remote_;
  RecordReader& reader_;
  const RecordPrinter printer_;
  const Limits limits_;
  const bool has_group_;
  std::set<TopicAndPartition> assigned_;
  int64_t count_ = 0;
};

absl::Status RunConsume(Context& context) {
  const Flags& flags = context.flags();
  WEIR_RETURN_IF_ERROR(CheckFlags(flags));
  if (const std::string offset = flags.Text("offset", "latest");
      offset != "latest" && offset != "earliest") {
    int64_t number = 0;
    if (!absl::SimpleAtoi(offset, &number) || number < 0) {
      return UsageError(
          absl::StrCat("--offset: expected a number, earliest or latest, came '", offset, "'"));
    }
  }
  Limits limits;
  WEIR_RETURN_IF_ERROR(flags.Number("max-messages", 0, INT64_MAX, &limits.max_messages));
  WEIR_RETURN_IF_ERROR(flags.Number("timeout-ms", 0, INT64_MAX / 2, &limits.timeout_ms));
  WEIR_ASSIGN_OR_RETURN(const auto properties, ParseKeyValues("property", flags.All("property"),
                                                              RecordPrinter::kProperties));
  WEIR_RETURN_IF_ERROR(SetConsumerProperties(context));
  WEIR_ASSIGN_OR_RETURN(Remote * remote, context.Connect());
  WEIR_ASSIGN_OR_RETURN(const std::unique_ptr<RecordReader> reader,
                        RecordReader::Create(*remote, &context.properties()));
  Consumption consumption(context, *remote, *reader, RecordPrinter(properties), limits);
  const absl::Status status = consumption.Run();
  context.Note(absl::StrCat(consumption.count(), " records"));
  return status;
}

}  // namespace

const Command& ConsumeCommand() {
  static const Command command = {
      "consume",
      "print the records of topics",
      "consume --topic orders --from-beginning\n"
      "consume --topic orders --property print.key=true --property print.offset=true\n"
      "consume --topic orders --group billing --from-beginning\n"
      "consume --topic orders --partition 0 --offset 100 --max-messages 10 --json",
      kConsumeFlags,
      true,
      RunConsume};
  return command;
}

}  // namespace weir::cli

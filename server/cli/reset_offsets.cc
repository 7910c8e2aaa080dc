#include "server/cli/reset_offsets.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "client/admin_types.h"
#include "server/cli/flags.h"
#include "server/cli/output.h"
#include "server/cli/reset_plan.h"

namespace weir::cli {
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
      const TopicAndPartition tp{answer.topic, answer.partition};
      if (!answer.status.ok()) {
        if (time == client::kEarliestTime) context.Fail(answer.status);
        facts.erase(tp);
      } else if (time == client::kEarliestTime) {
        facts[tp].earliest = answer.offset;
      } else if (const auto it = facts.find(tp); it != facts.end()) {
        if (time == client::kLatestTime) {
          it->second.latest = answer.offset;
        } else if (answer.offset >= Offset(0)) {
          it->second.at_time = answer.offset;
        }
      }
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
  std::sort(partitions.begin(), partitions.end());
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

}  // namespace weir::cli

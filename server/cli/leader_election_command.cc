// weir leader-election: gives partitions leaders.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "client/admin_types.h"
#include "client/topic_and_partition.h"
#include "server/cli/command.h"
#include "server/cli/flags.h"
#include "server/cli/local_files.h"
#include "server/cli/output.h"
#include "server/cli/reassign_plan.h"
#include "server/cli/remote.h"

namespace weir::cli {
namespace {

constexpr FlagSpec kLeaderElectionFlags[] = {
    {"election-type", FlagKind::kOne, "preferred|unclean",
     "the first replicas, if they are in sync; or anybody where nobody leads, though records are "
     "lost"},
    {"all-topic-partitions", FlagKind::kSwitch, "", "wherever it changes something"},
    {"topic", FlagKind::kOne, "TOPIC", "this topic's"},
    {"partition", FlagKind::kOne, "N", "this partition of it"},
    {"path-to-json-file", FlagKind::kOne, "FILE",
     "these: {\"partitions\":[{\"topic\":\"orders\",\"partition\":0}]}"},
};

using Partitions = std::vector<client::TopicAndPartition>;

absl::StatusOr<std::optional<Partitions>> ChosenPartitions(const Flags& flags) {
  constexpr int64_t kFileBytesMax = int64_t{64} << 20;
  WEIR_ASSIGN_OR_RETURN(const std::string how,
                        flags.ExactlyOne({"all-topic-partitions", "topic", "path-to-json-file"}));
  if (how == "all-topic-partitions") return std::optional<Partitions>();
  if (how == "path-to-json-file") {
    WEIR_ASSIGN_OR_RETURN(const std::string text, ReadLocalFile(flags.Text(how), kFileBytesMax));
    WEIR_ASSIGN_OR_RETURN(Partitions partitions, ParsePartitions(text));
    return std::optional(std::move(partitions));
  }
  int32_t partition = 0;
  WEIR_RETURN_IF_ERROR(flags.Required("partition").status());
  WEIR_RETURN_IF_ERROR(flags.Number("partition", 0, INT32_MAX, &partition));
  return std::optional(Partitions{{flags.Text("topic"), partition}});
}

absl::Status RunLeaderElection(Context& context) {
  const Flags& flags = context.flags();
  WEIR_ASSIGN_OR_RETURN(const std::string type, flags.Required("election-type"));
  if (type != "preferred" && type != "unclean") {
    return UsageError(
        absl::StrCat("--election-type: expected preferred or unclean, came '", type, "'"));
  }
  WEIR_ASSIGN_OR_RETURN(const std::optional<Partitions> partitions, ChosenPartitions(flags));
  WEIR_ASSIGN_OR_RETURN(Remote * remote, context.Connect());
  const bool unclean = type == "unclean";
  WEIR_ASSIGN_OR_RETURN(
      const std::vector<client::ElectionOutcome> outcomes,
      remote->ElectLeaders(unclean ? client::kUncleanElection : client::kPreferredElection,
                           partitions));
  std::vector<std::string> elected, there;
  for (const client::ElectionOutcome& outcome : outcomes) {
    if (!outcome.status.ok()) {
      context.Fail(outcome.status);
    } else {
      (outcome.elected ? elected : there)
          .push_back(absl::StrCat(outcome.topic, "-", outcome.partition));
    }
  }
  Output& out = context.out();
  if (out.json()) {
    JsonWriter json;
    json.BeginObject().Key("elected").BeginArray();
    for (const std::string& name : elected) json.String(name);
    json.EndArray().Key("not_needed").BeginArray();
    for (const std::string& name : there) json.String(name);
    out.Print(json.EndArray().EndObject());
    return absl::OkStatus();
  }
  if (!elected.empty()) {
    out.Line(absl::StrCat("Successfully completed leader election (",
                          unclean ? "UNCLEAN" : "PREFERRED", ") for partitions ",
                          absl::StrJoin(elected, ", ")));
  }
  if (!there.empty()) {
    out.Line(
        absl::StrCat("Valid replica already elected for partitions ", absl::StrJoin(there, ", ")));
  }
  return absl::OkStatus();
}

}  // namespace

const Command& LeaderElectionCommand() {
  static const Command command = {
      "leader-election",
      "elect leaders of partitions (kafka-leader-election.sh)",
      "leader-election --election-type preferred --all-topic-partitions\n"
      "leader-election --election-type unclean --topic orders --partition 3",
      kLeaderElectionFlags,
      true,
      RunLeaderElection};
  return command;
}

}  // namespace weir::cli

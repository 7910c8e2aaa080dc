// -----------------------------------------------------------------------------
// File: server/cli/reassign_plan.h
// -----------------------------------------------------------------------------
// What kafka-reassign-partitions.sh reads and writes: files that say which topics or partitions are
// to move, and proposals where to.
// Threading: values. Errors: kInvalidArgument, with what is wrong in the file.
#ifndef WEIR_SERVER_CLI_REASSIGN_PLAN_H_
#define WEIR_SERVER_CLI_REASSIGN_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "client/admin_types.h"
#include "client/topic_and_partition.h"

namespace weir::cli {

// --reassignment-json-file: {"partitions":[{"topic":T,"partition":N,"replicas":[1,2]}]}.
// Where "log_dirs" has another entry than "any" for a replica, that goes to *places.
absl::StatusOr<std::vector<client::PartitionMove>> ParseMoves(
    absl::string_view text, std::vector<client::ReplicaPlace>* places);
// The same, as a file.
std::string MovesAsJson(absl::Span<const client::PartitionMove> moves);
// --topics-to-move-json-file: {"version":1,"topics":[{"topic":T}]}.
absl::StatusOr<std::vector<std::string>> ParseTopicsToMove(absl::string_view text);
// --path-to-json-file of an election: {"partitions":[{"topic":T,"partition":N}]}.
absl::StatusOr<std::vector<client::TopicAndPartition>> ParsePartitions(absl::string_view text);
// "1,2,3", each once.
absl::StatusOr<std::vector<int32_t>> ParseBrokerIds(absl::string_view flag, absl::string_view text);
// "1:2,2:3": the replicas of partition 0, then those of 1; each partition has as many.
absl::StatusOr<std::vector<std::vector<int32_t>>> ParseReplicaAssignment(absl::string_view flag,
                                                                         absl::string_view text);

struct PlanBroker {
  int32_t id = -1;
  std::string rack;  // empty: none is known
};
struct PlanTopic {
  std::string name;
  int32_t partitions = 0;
  int32_t replication_factor = 1;
};
// Spreads the partitions over these brokers: leaders in turn, the replicas of each over as many
// racks as there are. An error where there are too few brokers, or racks of only some are known and
// `by_rack` wants them.
absl::StatusOr<std::vector<client::PartitionMove>> ProposeMoves(std::vector<PlanBroker> brokers,
                                                                std::vector<PlanTopic> topics,
                                                                bool by_rack);

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_REASSIGN_PLAN_H_

// -----------------------------------------------------------------------------
// File: server/cli/reassign_throttles.h
// -----------------------------------------------------------------------------
// How fast moves may go (KIP-73, KIP-455): the rates of brokers, and the lists by which topics say
// which of their replicas are held to them.
// Threading: values, and one thread for what asks brokers.
// Errors: each says whose throttle could not be set or removed, and why.
#ifndef WEIR_SERVER_CLI_REASSIGN_THROTTLES_H_
#define WEIR_SERVER_CLI_REASSIGN_THROTTLES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "client/admin_types.h"
#include "server/cli/flags.h"

namespace weir::cli {

class Context;
class Remote;

// What was typed; none leaves that throttle as it is.
struct ThrottleRates {
  std::optional<int64_t> inter_broker_bytes_per_second;  // --throttle
  std::optional<int64_t> log_dirs_bytes_per_second;      // --replica-alter-log-dirs-throttle
};

// A usage error for a rate below 0.
absl::StatusOr<ThrottleRates> ReadThrottleRates(const Flags& flags);

// What --execute is about to do, and what goes on already.
struct MovesToThrottle {
  absl::Span<const client::PartitionMove> moves;
  absl::Span<const client::PartitionMove> present;  // where the same partitions are now
  absl::Span<const client::OngoingMove> ongoing;    // all of the cluster
  absl::Span<const client::ReplicaPlace> places;
};

// The settings of a topic: "partition:broker,...", or "*" for all replicas.
struct ThrottleLists {
  std::string leaders;    // leader.replication.throttled.replicas
  std::string followers;  // follower.replication.throttled.replicas
};

struct ThrottlePlan {
  std::map<std::string, ThrottleLists> topics;  // what each is to have
  std::set<int32_t> brokers;                    // those that send or get replicas
  std::set<int32_t> log_dir_brokers;            // those that move replicas between folders
};

// As Kafka's tool, with the moves that are under way: the replicas that a partition has are
// throttled as leaders, those that it gets as followers. What it was getting already does not count
// as what it has. Each list is added to what `set` has for the topic.
ThrottlePlan PlanThrottles(const MovesToThrottle& asked,
                           const std::map<std::string, ThrottleLists>& set);

// The replicas of both lists, each once; "*" where either says that.
std::string MergeThrottledReplicas(absl::string_view set, const std::set<std::string>& added);

// Sets them and says so. Nothing is set where a broker that takes part is not there or a topic
// cannot be described; else it ends at the first setting that fails.
absl::Status SetThrottles(Context& context, Remote& remote, const ThrottleRates& rates,
                          const MovesToThrottle& asked);

// Removes the rates of all brokers, and the lists of the topics that `moves` name. Who took part in
// the moves is not known any more, so all brokers are cleared. Each failure is told to `context`.
absl::Status ClearThrottles(Context& context, Remote& remote,
                            absl::Span<const client::PartitionMove> moves);

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_REASSIGN_THROTTLES_H_

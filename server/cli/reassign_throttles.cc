#include "server/cli/reassign_throttles.h"

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "client/admin_types.h"
#include "client/topic_and_partition.h"
#include "coordination/metadata/throttle_rates.h"
#include "protocol/api/describe_configs.h"
#include "protocol/api/incremental_alter_configs.h"
#include "server/cli/command.h"
#include "server/cli/flags.h"
#include "server/cli/remote.h"

namespace weir::cli {
namespace {

using metadata::kFollowerThrottledRate;
using metadata::kLeaderThrottledRate;
using metadata::kLogDirsThrottledRate;
constexpr char kLeaderReplicas[] = "leader.replication.throttled.replicas";
constexpr char kFollowerReplicas[] = "follower.replication.throttled.replicas";

// From which brokers a partition goes to which.
struct Way {
  std::set<int32_t> sources;
  std::set<int32_t> destinations;
};

std::set<int32_t> Without(const std::vector<int32_t>& ids, const std::set<int32_t>& left_out) {
  std::set<int32_t> rest;
  for (const int32_t id : ids) {
    if (left_out.count(id) == 0) rest.insert(id);
  }
  return rest;
}

std::map<client::TopicAndPartition, Way> WaysOf(const MovesToThrottle& asked) {
  std::map<client::TopicAndPartition, Way> ways;
  for (const client::OngoingMove& move : asked.ongoing) {
    const std::set<int32_t> adding(move.adding.begin(), move.adding.end());
    ways[{move.topic, move.partition}] = {Without(move.replicas, adding), adding};
  }
  for (const client::PartitionMove& at : asked.present) {
    // Of one that moves already, the sources are known.
    ways.try_emplace({at.topic, at.partition}, Way{Without(*at.replicas, {}), {}});
  }
  for (const client::PartitionMove& move : asked.moves) {
    Way& way = ways[{move.topic, move.partition}];
    way.destinations = Without(*move.replicas, way.sources);
  }
  return ways;
}

std::string ValueOf(const client::ConfigOutcome& outcome, absl::string_view key) {
  for (const auto& config : outcome.configs) {
    if (config.name == key) return config.value.value_or("");
  }
  return "";
}

// "cannot set KEY of broker 1: INVALID_CONFIG: ..."; some of the client's errors begin with the
// name, others do not have it.
absl::Status Cannot(absl::string_view what, absl::string_view name, const absl::Status& status) {
  absl::string_view why = status.message();
  absl::ConsumePrefix(&why, absl::StrCat(name, ": "));
  return absl::Status(status.code(), absl::StrCat("cannot ", what, " ", name, ": ", why));
}

absl::StatusOr<std::map<std::string, ThrottleLists>> DescribeTopicThrottles(
    Remote& remote, const MovesToThrottle& asked) {
  std::map<std::string, ThrottleLists> topics;
  for (const client::OngoingMove& move : asked.ongoing) topics[move.topic];
  for (const client::PartitionMove& move : asked.moves) topics[move.topic];
  for (auto& [topic, set] : topics) {
    const absl::StatusOr<client::ConfigOutcome> outcome =
        remote.DescribeConfigs(protocol::kTopicResource, topic);
    const absl::Status status = outcome.ok() ? outcome->status : outcome.status();
    if (!status.ok()) return Cannot("read the throttles of topic", topic, status);
    set = {ValueOf(*outcome, kLeaderReplicas), ValueOf(*outcome, kFollowerReplicas)};
  }
  return topics;
}

absl::StatusOr<std::set<int32_t>> BrokersThatAreThere(Remote& remote) {
  WEIR_ASSIGN_OR_RETURN(const std::vector<Remote::Broker> brokers, remote.ListBrokers());
  std::set<int32_t> ids;
  for (const Remote::Broker& broker : brokers) ids.insert(broker.id);
  return ids;
}

// A broker sets its own throttle only.
absl::Status CheckThere(const std::set<int32_t>& brokers, const std::set<int32_t>& there) {
  for (const int32_t id : brokers) {
    if (there.count(id) > 0) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("broker ", id, " is not there, so it cannot be throttled"));
  }
  return absl::OkStatus();
}

absl::Status SetBrokerThrottles(Remote& remote, const std::set<int32_t>& brokers,
                                absl::Span<const absl::string_view> keys,
                                int64_t bytes_per_second) {
  std::vector<client::ConfigEdit> edits;
  for (const absl::string_view key : keys) {
    edits.push_back({std::string(key), protocol::kSetConfig, absl::StrCat(bytes_per_second)});
  }
  for (const int32_t id : brokers) {
    const std::string name = absl::StrCat(id);
    const absl::Status status =
        remote.IncrementalAlterConfigs(protocol::kBrokerResource, name, edits);
    if (status.ok()) continue;
    return Cannot(absl::StrCat("set ", absl::StrJoin(keys, " and "), " of broker"), name, status);
  }
  return absl::OkStatus();
}

absl::Status SetTopicThrottles(Remote& remote, const std::map<std::string, ThrottleLists>& topics) {
  for (const auto& [topic, replicas] : topics) {
    std::vector<client::ConfigEdit> edits;
    for (const auto& [key, value] : {std::pair(kLeaderReplicas, replicas.leaders),
                                     std::pair(kFollowerReplicas, replicas.followers)}) {
      if (!value.empty()) edits.push_back({key, protocol::kSetConfig, value});
    }
    if (edits.empty()) continue;
    const absl::Status status =
        remote.IncrementalAlterConfigs(protocol::kTopicResource, topic, edits);
    if (status.ok()) continue;
    return Cannot(absl::StrCat("set ", kLeaderReplicas, " and ", kFollowerReplicas, " of topic"),
                  topic, status);
  }
  return absl::OkStatus();
}

// For people, or beside the one value that JSON is.
void Say(Context& context, absl::string_view line) {
  if (context.out().json()) {
    context.Note(line);
  } else {
    context.out().Line(line);
  }
}

void SayLimit(Context& context, absl::string_view throttle, int64_t bytes_per_second) {
  Say(context,
      absl::StrCat("The ", throttle, " throttle limit was set to ", bytes_per_second, " B/s"));
}

absl::Status TrySetThrottles(Context& context, Remote& remote, const ThrottleRates& rates,
                             const MovesToThrottle& asked) {
  std::map<std::string, ThrottleLists> set;
  if (rates.inter_broker_bytes_per_second.has_value()) {
    WEIR_ASSIGN_OR_RETURN(set, DescribeTopicThrottles(remote, asked));
  }
  const ThrottlePlan plan = PlanThrottles(asked, set);
  WEIR_ASSIGN_OR_RETURN(const std::set<int32_t> there, BrokersThatAreThere(remote));
  if (rates.inter_broker_bytes_per_second.has_value()) {
    WEIR_RETURN_IF_ERROR(CheckThere(plan.brokers, there));
  }
  if (rates.log_dirs_bytes_per_second.has_value()) {
    WEIR_RETURN_IF_ERROR(CheckThere(plan.log_dir_brokers, there));
  }
  Say(context,
      "Warning: You must run --verify periodically, until the reassignment completes, to ensure "
      "the throttle is removed.");
  if (rates.inter_broker_bytes_per_second.has_value()) {
    const int64_t rate = *rates.inter_broker_bytes_per_second;
    WEIR_RETURN_IF_ERROR(SetTopicThrottles(remote, plan.topics));
    WEIR_RETURN_IF_ERROR(SetBrokerThrottles(remote, plan.brokers,
                                            {kLeaderThrottledRate, kFollowerThrottledRate}, rate));
    SayLimit(context, "inter-broker", rate);
  }
  if (rates.log_dirs_bytes_per_second.has_value()) {
    const int64_t rate = *rates.log_dirs_bytes_per_second;
    WEIR_RETURN_IF_ERROR(
        SetBrokerThrottles(remote, plan.log_dir_brokers, {kLogDirsThrottledRate}, rate));
    SayLimit(context, "replica-alter-dir", rate);
  }
  return absl::OkStatus();
}

absl::Status Remove(Remote& remote, int8_t resource, const std::string& name,
                    absl::Span<const absl::string_view> keys) {
  std::vector<client::ConfigEdit> edits;
  for (const absl::string_view key : keys) {
    edits.push_back({std::string(key), protocol::kDeleteConfig, ""});
  }
  return remote.IncrementalAlterConfigs(resource, name, edits);
}

// "on broker 1", "on brokers 1,2".
template <class Names>
std::string On(absl::string_view what, const Names& names) {
  return absl::StrCat(" on ", what, names.size() == 1 ? " " : "s ", absl::StrJoin(names, ","));
}

}  // namespace

absl::StatusOr<ThrottleRates> ReadThrottleRates(const Flags& flags) {
  ThrottleRates rates;
  for (auto& [flag, rate] :
       {std::pair("throttle", &rates.inter_broker_bytes_per_second),
        std::pair("replica-alter-log-dirs-throttle", &rates.log_dirs_bytes_per_second)}) {
    if (!flags.Has(flag)) continue;
    WEIR_RETURN_IF_ERROR(
        flags.Number(flag, 0, std::numeric_limits<int64_t>::max(), &rate->emplace()));
  }
  return rates;
}

std::string MergeThrottledReplicas(absl::string_view set, const std::set<std::string>& added) {
  std::set<std::string> replicas = added;
  for (const absl::string_view word : absl::StrSplit(set, ',', absl::SkipWhitespace())) {
    replicas.emplace(absl::StripAsciiWhitespace(word));
  }
  return replicas.count("*") > 0 ? "*" : absl::StrJoin(replicas, ",");
}

ThrottlePlan PlanThrottles(const MovesToThrottle& asked,
                           const std::map<std::string, ThrottleLists>& set) {
  struct Added {
    std::set<std::string> leaders;
    std::set<std::string> followers;
  };
  ThrottlePlan plan;
  std::map<std::string, Added> topics;
  for (const auto& [tp, way] : WaysOf(asked)) {
    Added& added = topics[tp.topic];
    for (const int32_t id : way.sources) added.leaders.insert(absl::StrCat(tp.partition, ":", id));
    for (const int32_t id : way.destinations) {
      added.followers.insert(absl::StrCat(tp.partition, ":", id));
    }
    plan.brokers.insert(way.sources.begin(), way.sources.end());
    plan.brokers.insert(way.destinations.begin(), way.destinations.end());
  }
  for (const auto& [topic, added] : topics) {
    const auto found = set.find(topic);
    const ThrottleLists before = found == set.end() ? ThrottleLists() : found->second;
    plan.topics[topic] = {MergeThrottledReplicas(before.leaders, added.leaders),
                          MergeThrottledReplicas(before.followers, added.followers)};
  }
  for (const client::ReplicaPlace& place : asked.places) plan.log_dir_brokers.insert(place.broker);
  return plan;
}

absl::Status SetThrottles(Context& context, Remote& remote, const ThrottleRates& rates,
                          const MovesToThrottle& asked) {
  if (!rates.inter_broker_bytes_per_second.has_value() &&
      !rates.log_dirs_bytes_per_second.has_value()) {
    return absl::OkStatus();
  }
  const absl::Status status = TrySetThrottles(context, remote, rates, asked);
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(status.message(), "; nothing was moved"));
}

absl::Status ClearThrottles(Context& context, Remote& remote,
                            absl::Span<const client::PartitionMove> moves) {
  WEIR_ASSIGN_OR_RETURN(const std::set<int32_t> there, BrokersThatAreThere(remote));
  std::set<int32_t> brokers = there;
  std::set<std::string> topics;
  for (const client::PartitionMove& move : moves) {
    topics.insert(move.topic);
    brokers.insert(move.replicas->begin(), move.replicas->end());
  }
  Say(context, absl::StrCat("Clearing broker-level throttles", On("broker", brokers)));
  for (const int32_t id : brokers) {
    if (there.count(id) == 0) {
      context.Note(absl::StrCat("broker ", id,
                                " is not there: a throttle that it has stays until --verify is "
                                "run when it is back"));
      continue;
    }
    const std::string name = absl::StrCat(id);
    const absl::Status status =
        Remove(remote, protocol::kBrokerResource, name,
               {kLeaderThrottledRate, kFollowerThrottledRate, kLogDirsThrottledRate});
    if (!status.ok()) context.Fail(Cannot("remove the throttles of broker", name, status));
  }
  Say(context, absl::StrCat("Clearing topic-level throttles", On("topic", topics)));
  for (const std::string& topic : topics) {
    const absl::Status status =
        Remove(remote, protocol::kTopicResource, topic, {kLeaderReplicas, kFollowerReplicas});
    // One that was deleted has none.
    if (status.ok() || absl::IsNotFound(status)) continue;
    context.Fail(Cannot("remove the throttles of topic", topic, status));
  }
  return absl::OkStatus();
}

}  // namespace weir::cli

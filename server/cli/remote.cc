#include "server/cli/remote.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "client/admin.h"
#include "client/group_admin.h"
#include "client/log_admin.h"
#include "client/partition_admin.h"
#include "client/quorum_admin.h"
#include "client/system_cluster.h"
#include "protocol/api/add_raft_voter.h"

namespace weir::cli {
namespace {

constexpr int64_t kConnectMs = 5'000;

void TakeClusterProperties(ClientProperties* properties, client::ClusterConfig* config) {
  properties->TakeText("bootstrap.servers", &config->bootstrap_servers);
  properties->TakeText("client.id", &config->network.connection.client_id);
  properties->TakeNumber("request.timeout.ms", 1, INT32_MAX, &config->request_timeout_ms);
  properties->TakeNumber("metadata.max.age.ms", 1, INT32_MAX, &config->metadata_max_age_ms);
  properties->TakeNumber("retry.backoff.ms", 1, INT32_MAX, &config->retry_backoff_ms);
  properties->TakeNumber("retry.backoff.max.ms", 1, INT32_MAX, &config->retry_backoff_max_ms);
  properties->TakeNumber("reconnect.backoff.ms", 1, INT32_MAX,
                         &config->network.reconnect_backoff_ms);
  properties->TakeNumber("reconnect.backoff.max.ms", 1, INT32_MAX,
                         &config->network.reconnect_backoff_max_ms);
  properties->TakeNumber("socket.connection.setup.timeout.ms", 1, INT32_MAX,
                         &config->network.connect_timeout_ms);
  properties->TakeBool("allow.auto.create.topics", &config->allow_auto_create_topics);
  std::string protocol;
  properties->TakeChoice("security.protocol", {"PLAINTEXT"}, &protocol);
  properties->Ignore({"default.api.timeout.ms", "connections.max.idle.ms", "send.buffer.bytes",
                      "receive.buffer.bytes", "client.dns.lookup", "enable.metrics.push"});
}

}  // namespace

struct Remote::Parts {
  explicit Parts(std::unique_ptr<client::SystemCluster> connected)
      : system(std::move(connected)),
        admin(system->cluster()),
        groups(admin),
        partitions(admin),
        logs(admin),
        quorum(admin) {}

  std::unique_ptr<client::SystemCluster> system;
  client::Admin admin;
  client::GroupAdmin groups;
  client::PartitionAdmin partitions;
  client::LogAdmin logs;
  client::QuorumAdmin quorum;
};

absl::StatusOr<std::unique_ptr<Remote>> Remote::Connect(ClientProperties* properties) {
  client::ClusterConfig config;
  TakeClusterProperties(properties, &config);
  const std::string servers = config.bootstrap_servers;
  WEIR_ASSIGN_OR_RETURN(std::unique_ptr<client::SystemCluster> system,
                        client::SystemCluster::Create(std::move(config)));
  auto remote = absl::WrapUnique(new Remote(std::make_unique<Parts>(std::move(system))));
  client::Cluster& cluster = remote->cluster();
  const absl::Status status = cluster.Refresh({}, cluster.After(kConnectMs));
  if (status.ok()) return remote;
  return absl::UnavailableError(absl::StrCat("no answer from ", servers, ": ", status.message()));
}

Remote::Remote(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Remote::~Remote() = default;

int64_t Remote::WallMs() { return cluster().WallMs(); }
client::Cluster& Remote::cluster() { return parts_->system->cluster(); }

absl::Status Remote::CreateTopic(const client::NewTopic& topic) {
  WEIR_ASSIGN_OR_RETURN(const std::vector<client::TopicOutcome> outcomes,
                        parts_->admin.CreateTopics({topic}));
  if (outcomes.size() == 1) return outcomes[0].status;
  return absl::InternalError("CreateTopics: the broker left the topic out");
}

absl::StatusOr<std::vector<client::TopicOutcome>> Remote::DeleteTopics(
    absl::Span<const std::string> names) {
  return parts_->admin.DeleteTopics(names);
}

absl::StatusOr<std::vector<client::TopicOutcome>> Remote::CreatePartitions(
    const std::map<std::string, int32_t>& counts) {
  return parts_->admin.CreatePartitions(counts);
}

absl::StatusOr<std::vector<Remote::Topic>> Remote::ListTopics() {
  return parts_->admin.ListTopics();
}

absl::StatusOr<client::ConfigOutcome> Remote::DescribeConfigs(int8_t type,
                                                              const std::string& name) {
  return parts_->admin.DescribeConfigs(type, name);
}

absl::Status Remote::IncrementalAlterConfigs(int8_t type, const std::string& name,
                                             absl::Span<const client::ConfigEdit> edits) {
  return parts_->admin.IncrementalAlterConfigs(type, name, edits);
}

absl::StatusOr<std::vector<client::OffsetAnswer>> Remote::ListOffsets(
    absl::Span<const client::OffsetQuery> queries) {
  return parts_->admin.ListOffsets(queries);
}

absl::StatusOr<std::vector<Remote::Broker>> Remote::ListBrokers() {
  WEIR_RETURN_IF_ERROR(cluster().Refresh({}, cluster().Deadline()));
  std::vector<Broker> brokers;
  for (const auto& [id, broker] : cluster().metadata().brokers()) {
    brokers.push_back({id, broker.host, broker.port, broker.rack.value_or("")});
  }
  return brokers;
}

absl::StatusOr<protocol::ApiVersionsResponse> Remote::ApiVersions(int32_t broker) {
  return parts_->admin.ApiVersions(broker);
}

absl::StatusOr<std::vector<client::GroupListing>> Remote::ListGroups(
    std::vector<std::string> states, std::vector<std::string> types) {
  return parts_->groups.ListGroups(std::move(states), std::move(types));
}

absl::StatusOr<std::vector<client::GroupDescription>> Remote::DescribeGroups(
    absl::Span<const std::string> groups) {
  return parts_->groups.DescribeGroups(groups);
}

absl::StatusOr<std::vector<client::GroupOutcome>> Remote::DeleteGroups(
    absl::Span<const std::string> groups) {
  return parts_->groups.DeleteGroups(groups);
}

absl::StatusOr<std::vector<client::GroupOffset>> Remote::ListGroupOffsets(
    const std::string& group) {
  return parts_->groups.ListGroupOffsets(group);
}

absl::StatusOr<std::vector<client::PartitionOutcome>> Remote::AlterGroupOffsets(
    const std::string& group, absl::Span<const client::GroupOffset> offsets) {
  return parts_->groups.AlterGroupOffsets(group, offsets);
}

absl::StatusOr<std::vector<client::PartitionOutcome>> Remote::DeleteGroupOffsets(
    const std::string& group, absl::Span<const client::TopicAndPartition> partitions) {
  return parts_->groups.DeleteGroupOffsets(group, partitions);
}

absl::StatusOr<std::vector<client::PartitionOutcome>> Remote::AlterReassignments(
    absl::Span<const client::PartitionMove> moves, bool may_change_factor) {
  return parts_->partitions.AlterReassignments(moves, may_change_factor);
}

absl::StatusOr<std::vector<client::OngoingMove>> Remote::ListReassignments() {
  return parts_->partitions.ListReassignments();
}

absl::StatusOr<std::map<client::TopicAndPartition, client::EligibleReplicas>> Remote::ListEligible(
    absl::Span<const std::string> topics) {
  return parts_->partitions.ListEligible(topics);
}

absl::StatusOr<std::vector<client::ElectionOutcome>> Remote::ElectLeaders(
    int8_t type, const std::optional<std::vector<client::TopicAndPartition>>& partitions) {
  return parts_->partitions.ElectLeaders(type, partitions);
}

absl::StatusOr<std::vector<protocol::DescribeLogDirsResponse::DescribeLogDirsResult>>
Remote::DescribeLogDirs(int32_t broker) {
  return parts_->logs.DescribeLogDirs(broker);
}

absl::StatusOr<std::vector<protocol::ErrorCode>> Remote::MoveReplicas(
    int32_t broker, absl::Span<const client::ReplicaPlace> places) {
  return parts_->logs.MoveReplicas(broker, places);
}

absl::StatusOr<std::string> Remote::ClusterId() {
  WEIR_ASSIGN_OR_RETURN(const auto description, parts_->admin.DescribeCluster());
  return description.cluster_id;
}

absl::StatusOr<client::QuorumDescription> Remote::DescribeQuorum() {
  return parts_->quorum.DescribeQuorum();
}

absl::Status Remote::AddVoter(int32_t node, const Uuid& directory,
                              std::vector<protocol::AddRaftVoterRequest::Listener> listeners) {
  return parts_->quorum.AddVoter(node, directory, std::move(listeners));
}

absl::Status Remote::RemoveVoter(int32_t node, const Uuid& directory) {
  return parts_->quorum.RemoveVoter(node, directory);
}

}  // namespace weir::cli

// -----------------------------------------------------------------------------
// File: server/cli/remote.h
// -----------------------------------------------------------------------------
// A cluster and its administrators behind functions that are compiled once: the client's headers
// would cost every command several seconds of compiling. What the calls do is said in
// client/admin.h, client/group_admin.h, client/log_admin.h, client/partition_admin.h and
// client/quorum_admin.h.
// Threading: one thread.
// Errors: Connect() gives kUnavailable when no bootstrap server could be reached within five
// seconds, with the reason.
#ifndef WEIR_SERVER_CLI_REMOTE_H_
#define WEIR_SERVER_CLI_REMOTE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/uuid.h"
#include "client/admin_types.h"
#include "client/topic_and_partition.h"
#include "protocol/api/add_raft_voter.h"
#include "protocol/api/api_versions.h"
#include "protocol/api/describe_log_dirs.h"
#include "protocol/api/metadata.h"
#include "protocol/error_code.h"
#include "server/cli/client_properties.h"

namespace weir::client {
class Cluster;
}  // namespace weir::client

namespace weir::cli {

class Remote {
 public:
  // bootstrap.servers and the settings of connections are taken from `properties`.
  static absl::StatusOr<std::unique_ptr<Remote>> Connect(ClientProperties* properties);
  ~Remote();

  using Topic = protocol::MetadataResponse::Topic;

  absl::Status CreateTopic(const client::NewTopic& topic);
  absl::StatusOr<std::vector<client::TopicOutcome>> DeleteTopics(
      absl::Span<const std::string> names);
  absl::StatusOr<std::vector<client::TopicOutcome>> CreatePartitions(
      const std::map<std::string, int32_t>& counts);
  absl::StatusOr<std::vector<Topic>> ListTopics();
  absl::StatusOr<client::ConfigOutcome> DescribeConfigs(int8_t type, const std::string& name);
  absl::Status IncrementalAlterConfigs(int8_t type, const std::string& name,
                                       absl::Span<const client::ConfigEdit> edits);
  absl::StatusOr<std::vector<client::OffsetAnswer>> ListOffsets(
      absl::Span<const client::OffsetQuery> queries);

  struct Broker {
    int32_t id = -1;
    std::string host;
    int32_t port = 0;
    std::string rack;  // empty where it has none
  };
  absl::StatusOr<std::vector<Broker>> ListBrokers();
  absl::StatusOr<protocol::ApiVersionsResponse> ApiVersions(int32_t broker);

  absl::StatusOr<std::vector<client::GroupListing>> ListGroups(std::vector<std::string> states,
                                                               std::vector<std::string> types);
  absl::StatusOr<std::vector<client::GroupDescription>> DescribeGroups(
      absl::Span<const std::string> groups);
  absl::StatusOr<std::vector<client::GroupOutcome>> DeleteGroups(
      absl::Span<const std::string> groups);
  absl::StatusOr<std::vector<client::GroupOffset>> ListGroupOffsets(const std::string& group);
  absl::StatusOr<std::vector<client::PartitionOutcome>> AlterGroupOffsets(
      const std::string& group, absl::Span<const client::GroupOffset> offsets);
  absl::StatusOr<std::vector<client::PartitionOutcome>> DeleteGroupOffsets(
      const std::string& group, absl::Span<const client::TopicAndPartition> partitions);

  absl::StatusOr<std::vector<client::PartitionOutcome>> AlterReassignments(
      absl::Span<const client::PartitionMove> moves, bool may_change_factor);
  absl::StatusOr<std::vector<client::OngoingMove>> ListReassignments();
  absl::StatusOr<std::map<client::TopicAndPartition, client::EligibleReplicas>> ListEligible(
      absl::Span<const std::string> topics);
  absl::StatusOr<std::vector<client::ElectionOutcome>> ElectLeaders(
      int8_t type, const std::optional<std::vector<client::TopicAndPartition>>& partitions);
  absl::StatusOr<std::vector<protocol::DescribeLogDirsResponse::DescribeLogDirsResult>>
  DescribeLogDirs(int32_t broker);
  absl::StatusOr<std::vector<protocol::ErrorCode>> MoveReplicas(
      int32_t broker, absl::Span<const client::ReplicaPlace> places);

  absl::StatusOr<std::string> ClusterId();
  absl::StatusOr<client::QuorumDescription> DescribeQuorum();
  absl::Status AddVoter(int32_t node, const Uuid& directory,
                        std::vector<protocol::AddRaftVoterRequest::Listener> listeners);
  absl::Status RemoveVoter(int32_t node, const Uuid& directory);

  int64_t WallMs();
  client::Cluster& cluster();

 private:
  struct Parts;
  explicit Remote(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_REMOTE_H_

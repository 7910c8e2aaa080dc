// The APIs that are served, and the way of their requests: from a frame to the handler
// (server/connection_table.h) and back (server/request.h).

#include "server/router.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/sort.h"
#include "protocol/api/add_raft_voter.h"
#include "protocol/api/alter_client_quotas.h"
#include "protocol/api/alter_configs.h"
#include "protocol/api/alter_partition_reassignments.h"
#include "protocol/api/alter_replica_log_dirs.h"
#include "protocol/api/alter_user_scram_credentials.h"
#include "protocol/api/api_versions.h"
#include "protocol/api/create_acls.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_acls.h"
#include "protocol/api/delete_groups.h"
#include "protocol/api/delete_records.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/describe_acls.h"
#include "protocol/api/describe_client_quotas.h"
#include "protocol/api/describe_cluster.h"
#include "protocol/api/describe_configs.h"
#include "protocol/api/describe_groups.h"
#include "protocol/api/describe_log_dirs.h"
#include "protocol/api/describe_producers.h"
#include "protocol/api/describe_quorum.h"
#include "protocol/api/describe_topic_partitions.h"
#include "protocol/api/describe_user_scram_credentials.h"
#include "protocol/api/elect_leaders.h"
#include "protocol/api/fetch.h"
#include "protocol/api/find_coordinator.h"
#include "protocol/api/get_telemetry_subscriptions.h"
#include "protocol/api/heartbeat.h"
#include "protocol/api/incremental_alter_configs.h"
#include "protocol/api/init_producer_id.h"
#include "protocol/api/join_group.h"
#include "protocol/api/leave_group.h"
#include "protocol/api/list_config_resources.h"
#include "protocol/api/list_groups.h"
#include "protocol/api/list_offsets.h"
#include "protocol/api/list_partition_reassignments.h"
#include "protocol/api/metadata.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_delete.h"
#include "protocol/api/offset_fetch.h"
#include "protocol/api/offset_for_leader_epoch.h"
#include "protocol/api/produce.h"
#include "protocol/api/remove_raft_voter.h"
#include "protocol/api/sync_group.h"
#include "protocol/api/unregister_broker.h"
#include "protocol/api/update_features.h"
#include "protocol/api_key.h"
#include "protocol/describe.h"
#include "protocol/framing.h"
#include "protocol/headers.h"
#include "server/connection_table.h"
#include "server/handlers/handlers.h"
#include "server/logger.h"
#include "server/request.h"

namespace weir::server {

// --- Routes --------------------------------------------------------------------------------------

namespace {

template <class Message>
constexpr Route RouteOf(void (*handle)(const RequestRef&), bool advertised = true) {
  return {static_cast<protocol::ApiKey>(Message::kApi.key), Message::kApi.versions,
          Message::kApi.flexible_since, handle, advertised};
}

constexpr Route kRoutes[] = {
    // From version 0 on: librdkafka before 2.11 takes a missing 0 for a broker that cannot take
    // compressed batches (KIP-896). The handler refuses 0 to 2.
    RouteOf<protocol::ProduceRequest>(HandleProduce),
    RouteOf<protocol::FetchRequest>(HandleFetch),
    RouteOf<protocol::ListOffsetsRequest>(HandleListOffsets),
    RouteOf<protocol::MetadataRequest>(HandleMetadata),
    RouteOf<protocol::OffsetCommitRequest>(HandleOffsetCommit),
    RouteOf<protocol::OffsetFetchRequest>(HandleOffsetFetch),
    RouteOf<protocol::FindCoordinatorRequest>(HandleFindCoordinator),
    RouteOf<protocol::JoinGroupRequest>(HandleJoinGroup),
    RouteOf<protocol::HeartbeatRequest>(HandleHeartbeat),
    RouteOf<protocol::LeaveGroupRequest>(HandleLeaveGroup),
    RouteOf<protocol::SyncGroupRequest>(HandleSyncGroup),
    RouteOf<protocol::DescribeGroupsRequest>(HandleDescribeGroups),
    RouteOf<protocol::ListGroupsRequest>(HandleListGroups),
    RouteOf<protocol::ApiVersionsRequest>(HandleApiVersions),
    RouteOf<protocol::CreateTopicsRequest>(HandleCreateTopics),
    RouteOf<protocol::DeleteTopicsRequest>(HandleDeleteTopics),
    RouteOf<protocol::DeleteRecordsRequest>(HandleDeleteRecords),
    RouteOf<protocol::InitProducerIdRequest>(HandleInitProducerId),
    RouteOf<protocol::OffsetForLeaderEpochRequest>(HandleOffsetForLeaderEpoch),
    RouteOf<protocol::DescribeAclsRequest>(HandleDescribeAcls),
    RouteOf<protocol::CreateAclsRequest>(HandleCreateAcls),
    RouteOf<protocol::DeleteAclsRequest>(HandleDeleteAcls),
    RouteOf<protocol::DescribeConfigsRequest>(HandleDescribeConfigs),
    RouteOf<protocol::DeleteGroupsRequest>(HandleDeleteGroups),
    RouteOf<protocol::OffsetDeleteRequest>(HandleOffsetDelete),
    RouteOf<protocol::AlterConfigsRequest>(HandleAlterConfigs),
    RouteOf<protocol::AlterReplicaLogDirsRequest>(HandleAlterReplicaLogDirs),
    RouteOf<protocol::DescribeLogDirsRequest>(HandleDescribeLogDirs),
    RouteOf<protocol::CreatePartitionsRequest>(HandleCreatePartitions),
    RouteOf<protocol::ElectLeadersRequest>(HandleElectLeaders),
    RouteOf<protocol::IncrementalAlterConfigsRequest>(HandleIncrementalAlterConfigs),
    RouteOf<protocol::AlterPartitionReassignmentsRequest>(HandleAlterPartitionReassignments),
    RouteOf<protocol::ListPartitionReassignmentsRequest>(HandleListPartitionReassignments),
    RouteOf<protocol::DescribeClientQuotasRequest>(HandleDescribeClientQuotas),
    RouteOf<protocol::AlterClientQuotasRequest>(HandleAlterClientQuotas),
    RouteOf<protocol::DescribeUserScramCredentialsRequest>(HandleDescribeUserScramCredentials),
    RouteOf<protocol::AlterUserScramCredentialsRequest>(HandleAlterUserScramCredentials),
    RouteOf<protocol::DescribeQuorumRequest>(HandleDescribeQuorum),
    RouteOf<protocol::UpdateFeaturesRequest>(HandleUpdateFeatures),
    RouteOf<protocol::DescribeClusterRequest>(HandleDescribeCluster),
    RouteOf<protocol::DescribeProducersRequest>(HandleDescribeProducers),
    RouteOf<protocol::UnregisterBrokerRequest>(HandleUnregisterBroker),
    // Answered and not advertised, as by a Kafka that has nothing to report metrics to: clients
    // that see it ask for ever what they are to push.
    RouteOf<protocol::GetTelemetrySubscriptionsRequest>(HandleGetTelemetrySubscriptions, false),
    RouteOf<protocol::ListConfigResourcesRequest>(HandleListConfigResources),
    RouteOf<protocol::DescribeTopicPartitionsRequest>(HandleDescribeTopicPartitions),
    RouteOf<protocol::AddRaftVoterRequest>(HandleAddRaftVoter),
    RouteOf<protocol::RemoveRaftVoterRequest>(HandleRemoveRaftVoter),
};

}  // namespace

absl::Span<const Route> Routes() { return kRoutes; }

const Route* FindRoute(int16_t api_key) {
  for (const Route& route : kRoutes) {
    if (static_cast<int16_t>(route.key) == api_key) return &route;
  }
  return nullptr;
}

// --- ConnectionTable -----------------------------------------------------------------------------

namespace {

// "192.0.2.1:40000" and "[2001:db8::1]:40000" as "/192.0.2.1" and "/2001:db8::1".
std::string HostOf(absl::string_view peer) {
  absl::string_view host = peer.substr(0, peer.rfind(':'));
  if (host.size() >= 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  return absl::StrCat("/", host);
}

}  // namespace

ConnectionTable::ConnectionTable(Shard& shard, Node& node, EventLoop& loop)
    : shard_(shard),
      node_(node),
      loop_(loop),
      closed_lines_(loop, *node.logger, "connections closed for what they sent") {
  limits_.frame_bytes_max = node.config.request_bytes_max;
  limits_.idle_ms_max = node.config.connections_idle_ms_max;
}

ConnectionTable::~ConnectionTable() = default;

void ConnectionTable::Add(SocketId socket, size_t listener, std::string peer) {
  const ConnectionId id(next_id_++);
  Entry& entry = connections_[id];
  entry.listener = listener;
  entry.peer = std::move(peer);
  entry.connection = std::make_unique<Connection>(loop_, socket, id, node_.frames, limits_, *this);
}

void ConnectionTable::Send(ConnectionId connection, ResponseSlot slot, Response response) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return;
  found->second.when_closed.erase(slot);
  found->second.connection->Complete(slot, std::move(response));
}

void ConnectionTable::WhenClosed(ConnectionId connection, ResponseSlot slot,
                                 absl::AnyInvocable<void()> closed) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return closed();
  found->second.when_closed[slot] = std::move(closed);
}

void ConnectionTable::CloseConnection(ConnectionId connection, absl::string_view reason) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return;
  closed_lines_.Warning("closing the connection of ", found->second.peer, ": ", reason);
  found->second.said_why = true;
  found->second.connection->CloseSoon(std::string(reason));
}

void ConnectionTable::OnFrame(ConnectionId connection, ResponseSlot slot, FrameRef frame) {
  const Entry& entry = connections_.at(connection);
  const std::string fault = Route(entry, connection, slot, std::move(frame));
  if (!fault.empty()) CloseConnection(connection, fault);
}

std::string ConnectionTable::Route(const Entry& entry, ConnectionId id, ResponseSlot slot,
                                   FrameRef frame) {
  absl::string_view bytes = frame.bytes();
  const absl::StatusOr<protocol::RequestPrefix> prefix = protocol::PeekRequest(bytes);
  if (!prefix.ok()) return absl::StrCat("not a request: ", prefix.status().message());
  const server::Route* route = FindRoute(prefix->api_key);
  if (route == nullptr) {
    return absl::StrCat("expected an API that ApiVersions lists, came key ", prefix->api_key);
  }
  protocol::RequestHeader header{prefix->api_key, prefix->api_version, prefix->correlation_id, {}};
  if (route->versions.Contains(prefix->api_version)) {
    const int16_t header_version =
        protocol::RequestHeaderVersion(prefix->api_version >= route->flexible_since);
    absl::StatusOr<protocol::RequestHeader> decoded =
        protocol::DecodeRequestHeader(&bytes, header_version);
    if (!decoded.ok()) return absl::StrCat("request header: ", decoded.status().message());
    header = *std::move(decoded);
  } else if (route->key != protocol::ApiKey::kApiVersions ||
             prefix->api_version <= route->versions.max) {
    // ApiVersions of a version to come is answered all the same (KIP-511), its body unread.
    return absl::StrCat(protocol::ApiName(route->key), ": expected version ", route->versions.min,
                        " to ", route->versions.max, ", came ", prefix->api_version);
  }
  const auto request =
      std::make_shared<Request>(shard_, *this, id, slot, entry.listener, HostOf(entry.peer),
                                std::move(frame), std::move(header), bytes);
  route->handle(request);
  // All handlers decode at once, and no other message has Records.
  if (route->key != protocol::ApiKey::kProduce) request->DropFrame();
  return "";
}

void ConnectionTable::OnClosed(ConnectionId connection, absl::string_view reason) {
  // Peers come and go; only what we refuse is worth a line, unless CloseConnection wrote it.
  const auto found = connections_.find(connection);
  if (!found->second.said_why && absl::StrContains(reason, "expected")) {
    closed_lines_.Warning("closed the connection of ", found->second.peer, ": ", reason);
  }
  auto when_closed = std::move(found->second.when_closed);
  connections_.erase(found);
  for (auto& [slot, closed] : when_closed) closed();
  node_.connection_count.fetch_sub(1, std::memory_order_relaxed);
}

void ConnectionTable::CloseAll() {
  std::vector<ConnectionId> ids;
  for (const auto& [id, entry] : connections_) ids.push_back(id);
  Sort(ids);
  for (const ConnectionId id : ids) connections_.erase(id);
}

// --- Request -------------------------------------------------------------------------------------
// How a request is answered.

namespace {

// Without what comes from files: more than the metadata of a million partitions take.
constexpr int64_t kResponseBytesMax = int64_t{256} << 20;

// Fills in the frame's length and puts the slices into the gaps. Nothing where the response has
// more bytes than one may have.
std::optional<Response> FrameOf(std::string bytes, const std::vector<protocol::Gap>& gaps,
                                std::vector<FileSlice>* slices) {
  WEIR_CHECK(gaps.size() == (slices == nullptr ? 0 : slices->size()));
  int64_t total = static_cast<int64_t>(bytes.size() - protocol::kFrameLengthBytes);
  for (const protocol::Gap& gap : gaps) total += gap.bytes;
  if (static_cast<int64_t>(bytes.size()) > kResponseBytesMax ||
      total > std::numeric_limits<int32_t>::max()) {
    return std::nullopt;
  }
  protocol::StoreFrameLength(static_cast<size_t>(total), bytes.data());
  Response response;
  if (gaps.empty()) {
    response.pieces.push_back(std::move(bytes));
    return response;
  }
  size_t from = 0;
  for (size_t i = 0; i < gaps.size(); ++i) {
    FileSlice& slice = (*slices)[i];
    WEIR_CHECK(gaps[i].bytes == slice.size_bytes);
    response.pieces.push_back(bytes.substr(from, gaps[i].position - from));
    response.pieces.push_back(std::move(slice));
    from = gaps[i].position;
  }
  response.pieces.push_back(bytes.substr(from));
  return response;
}

}  // namespace

void Request::Send(Encoder encode, const void* message, int16_t version, int16_t header_version,
                   std::vector<FileSlice>* slices) {
  std::string bytes(protocol::kFrameLengthBytes, '\0');
  std::vector<protocol::Gap> gaps;
  protocol::EncodeResponseHeader({header_.correlation_id}, header_version, &bytes);
  encode(message, version, &bytes, &gaps);
  std::optional<Response> response = FrameOf(std::move(bytes), gaps, slices);
  if (!response.has_value()) {
    return CloseConnection(absl::StrCat("expected a response of at most ", kResponseBytesMax,
                                        " bytes to ", ApiName(), ", it has more"));
  }
  Finish(*std::move(response));
}

void Request::RespondNothing() { Finish(Response{}); }

void Request::Finish(Response response) {
  WEIR_CHECK(!answered_);
  answered_ = true;
  sink_.Send(connection_, slot_, std::move(response));
}

absl::string_view Request::ApiName() const {
  return protocol::ApiName(static_cast<protocol::ApiKey>(header_.api_key));
}

absl::Status Request::WithApi(const absl::Status& status) const {
  return absl::Status(status.code(),
                      absl::StrCat(ApiName(), " version ", version(), ": ", status.message()));
}

}  // namespace weir::server

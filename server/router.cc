#include "server/router.h"

#include <cstdint>

#include "absl/types/span.h"
#include "protocol/api/alter_configs.h"
#include "protocol/api/api_versions.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_groups.h"
#include "protocol/api/delete_records.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/describe_cluster.h"
#include "protocol/api/describe_configs.h"
#include "protocol/api/describe_groups.h"
#include "protocol/api/describe_log_dirs.h"
#include "protocol/api/describe_producers.h"
#include "protocol/api/describe_topic_partitions.h"
#include "protocol/api/fetch.h"
#include "protocol/api/find_coordinator.h"
#include "protocol/api/heartbeat.h"
#include "protocol/api/incremental_alter_configs.h"
#include "protocol/api/init_producer_id.h"
#include "protocol/api/join_group.h"
#include "protocol/api/leave_group.h"
#include "protocol/api/list_config_resources.h"
#include "protocol/api/list_groups.h"
#include "protocol/api/list_offsets.h"
#include "protocol/api/metadata.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_delete.h"
#include "protocol/api/offset_fetch.h"
#include "protocol/api/offset_for_leader_epoch.h"
#include "protocol/api/produce.h"
#include "protocol/api/sync_group.h"
#include "protocol/api/update_features.h"
#include "protocol/api_key.h"
#include "server/handlers/handlers.h"

namespace weir::server {
namespace {

template <class Message>
constexpr Route RouteOf(void (*handle)(const RequestRef&)) {
  return {static_cast<protocol::ApiKey>(Message::kApi.key), Message::kApi.versions,
          Message::kApi.flexible_since, handle};
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
    RouteOf<protocol::DescribeConfigsRequest>(HandleDescribeConfigs),
    RouteOf<protocol::DeleteGroupsRequest>(HandleDeleteGroups),
    RouteOf<protocol::OffsetDeleteRequest>(HandleOffsetDelete),
    RouteOf<protocol::AlterConfigsRequest>(HandleAlterConfigs),
    RouteOf<protocol::DescribeLogDirsRequest>(HandleDescribeLogDirs),
    RouteOf<protocol::CreatePartitionsRequest>(HandleCreatePartitions),
    RouteOf<protocol::IncrementalAlterConfigsRequest>(HandleIncrementalAlterConfigs),
    RouteOf<protocol::UpdateFeaturesRequest>(HandleUpdateFeatures),
    RouteOf<protocol::DescribeClusterRequest>(HandleDescribeCluster),
    RouteOf<protocol::DescribeProducersRequest>(HandleDescribeProducers),
    RouteOf<protocol::ListConfigResourcesRequest>(HandleListConfigResources),
    RouteOf<protocol::DescribeTopicPartitionsRequest>(HandleDescribeTopicPartitions),
};

}  // namespace

absl::Span<const Route> Routes() { return kRoutes; }

const Route* FindRoute(int16_t api_key) {
  for (const Route& route : kRoutes) {
    if (static_cast<int16_t>(route.key) == api_key) return &route;
  }
  return nullptr;
}

}  // namespace weir::server

#include "gtest/gtest.h"
#include "protocol/api/alter_configs.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/delete_records.h"
#include "protocol/api/get_telemetry_subscriptions.h"
#include "protocol/api/incremental_alter_configs.h"
#include "protocol/api/list_config_resources.h"
#include "protocol/api/update_features.h"
#include "tests/golden/golden.h"

namespace weir::golden {
namespace {

TEST(Golden, IncrementalAlterConfigs) {
  ExpectAsKafka<protocol::IncrementalAlterConfigsRequest,
                protocol::IncrementalAlterConfigsResponse>("IncrementalAlterConfigs");
}
TEST(Golden, AlterConfigs) {
  ExpectAsKafka<protocol::AlterConfigsRequest, protocol::AlterConfigsResponse>("AlterConfigs");
}
TEST(Golden, CreatePartitions) {
  ExpectAsKafka<protocol::CreatePartitionsRequest, protocol::CreatePartitionsResponse>(
      "CreatePartitions");
}
TEST(Golden, DeleteRecords) {
  ExpectAsKafka<protocol::DeleteRecordsRequest, protocol::DeleteRecordsResponse>("DeleteRecords");
}
TEST(Golden, ListConfigResources) {
  ExpectAsKafka<protocol::ListConfigResourcesRequest, protocol::ListConfigResourcesResponse>(
      "ListConfigResources");
}
TEST(Golden, GetTelemetrySubscriptions) {
  ExpectAsKafka<protocol::GetTelemetrySubscriptionsRequest,
                protocol::GetTelemetrySubscriptionsResponse>("GetTelemetrySubscriptions");
}
TEST(Golden, UpdateFeatures) {
  ExpectAsKafka<protocol::UpdateFeaturesRequest, protocol::UpdateFeaturesResponse>(
      "UpdateFeatures");
}

}  // namespace
}  // namespace weir::golden

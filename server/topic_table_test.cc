#include "server/topic_table.h"

#include <utility>
#include <vector>

#include "base/check.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/apply.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/image_delta.h"
#include "coordination/metadata/records.h"
#include "gtest/gtest.h"
#include "server/broker_config.h"
#include "server/broker_config_reader.h"
#include "server/properties.h"

namespace weir::server {
namespace {

constexpr Uuid kOrders{1, 1};

BrokerConfig DefaultConfig() {
  Properties properties;
  properties.Set({"log.dirs", "/data", "test"});
  auto config = ReadBrokerConfig(properties, nullptr);
  WEIR_CHECK(config.ok());
  return *std::move(config);
}

// Each time another object, as a node has it that reads a snapshot.
metadata::MetadataImagePtr OrdersImage() {
  std::vector<metadata::MetadataRecord> records;
  records.push_back(metadata::TopicRecord{"orders", kOrders, {}});
  metadata::PartitionRecord partition;
  partition.topic_id = kOrders;
  partition.partition_id = 0;
  partition.replicas = partition.isr = {1};
  partition.leader = 1;
  partition.leader_epoch = partition.partition_epoch = 0;
  partition.directories = {Uuid{2, 2}};
  records.push_back(partition);
  auto image = metadata::Apply(*metadata::EmptyImage(), records, Offset(0), LeaderEpoch(1));
  WEIR_CHECK(image.ok());
  return *std::move(image);
}

TEST(TopicTable, HoldsTopicsOfItsOwnImage) {
  const BrokerConfig config = DefaultConfig();
  TopicTable table(config);
  table.Apply(metadata::Compare(table.image(), OrdersImage()));
  table.Apply(metadata::Compare(table.image(), OrdersImage()));  // nothing changed
  ASSERT_NE(table.Find(kOrders), nullptr);
  EXPECT_EQ(table.Find(kOrders)->image, table.image()->FindTopic(kOrders));
  EXPECT_EQ(table.SortedByName().at(0), table.image()->FindTopic(kOrders));
}

TEST(TopicTable, ForgetsWhatWasDeleted) {
  const BrokerConfig config = DefaultConfig();
  TopicTable table(config);
  table.Apply(metadata::Compare(table.image(), OrdersImage()));
  table.Apply(metadata::Compare(table.image(), metadata::EmptyImage()));
  EXPECT_EQ(table.Find(kOrders), nullptr);
  EXPECT_TRUE(table.SortedByName().empty());
}

}  // namespace
}  // namespace weir::server

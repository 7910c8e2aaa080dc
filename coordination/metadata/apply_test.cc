#include "coordination/metadata/apply.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/features.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/image_delta.h"
#include "coordination/metadata/records.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace weir::metadata {
namespace {

using ::testing::HasSubstr;

constexpr Uuid kOrders{1, 1};
constexpr Uuid kTrades{2, 2};
constexpr Uuid kDirectory{9, 9};

TopicRecord Topic(std::string name, Uuid id) {
  TopicRecord r;
  r.name = std::move(name);
  r.topic_id = id;
  return r;
}

PartitionRecord Partition(Uuid topic, int32_t index) {
  PartitionRecord r;
  r.topic_id = topic;
  r.partition_id = index;
  r.replicas = r.isr = {1};
  r.leader = 1;
  r.leader_epoch = r.partition_epoch = 0;
  r.directories = {kDirectory};
  return r;
}

ConfigRecord Config(std::string topic, std::string name, std::optional<std::string> value) {
  ConfigRecord r;
  r.resource_type = 2;
  r.resource_name = std::move(topic);
  r.name = std::move(name);
  r.value = std::move(value);
  return r;
}

RemoveTopicRecord RemoveTopic(Uuid id) {
  RemoveTopicRecord r;
  r.topic_id = id;
  return r;
}

// Applies at the next offset; the records must be right.
MetadataImagePtr Next(const MetadataImagePtr& image, std::vector<MetadataRecord> records) {
  absl::StatusOr<MetadataImagePtr> next =
      Apply(*image, records, image->highest_offset + 1, LeaderEpoch(3));
  EXPECT_TRUE(next.ok()) << next.status();
  return next.ok() ? *next : image;
}

std::string Refusal(const MetadataImagePtr& image, std::vector<MetadataRecord> records) {
  absl::StatusOr<MetadataImagePtr> next =
      Apply(*image, records, image->highest_offset + 1, LeaderEpoch(3));
  EXPECT_EQ(next.status().code(), absl::StatusCode::kDataLoss);
  return std::string(next.status().message());
}

TEST(ApplyTest, TopicsAreFoundByNameAndById) {
  const MetadataImagePtr image =
      Next(EmptyImage(), {Topic("orders", kOrders), Config("orders", "retention.ms", "5"),
                          Partition(kOrders, 0), Partition(kOrders, 1)});
  EXPECT_EQ(image->highest_offset, Offset(3));
  EXPECT_EQ(image->highest_epoch, LeaderEpoch(3));
  const TopicImage* topic = image->FindTopic("orders");
  ASSERT_NE(topic, nullptr);
  EXPECT_EQ(topic, image->FindTopic(kOrders));
  EXPECT_EQ(topic->partition_count(), 2);
  EXPECT_EQ(image->FindTopic("order"), nullptr);
  EXPECT_EQ(topic->Find(PartitionIndex(2)), nullptr);
  const PartitionImage* partition = image->FindPartition({kOrders, PartitionIndex(1)});
  ASSERT_NE(partition, nullptr);
  EXPECT_EQ(partition->leader, BrokerId(1));
  EXPECT_EQ(image->FindConfigs(ConfigResourceType::kTopic, "orders")->at("retention.ms"), "5");
}

TEST(ApplyTest, AnOlderImageStaysAsItWas) {
  const MetadataImagePtr before =
      Next(EmptyImage(), {Topic("orders", kOrders), Partition(kOrders, 0)});
  PartitionChangeRecord change;
  change.topic_id = kOrders;
  change.partition_id = 0;
  change.leader = -1;
  const MetadataImagePtr after = Next(before, {change});
  const TopicPartition tp{kOrders, PartitionIndex(0)};
  EXPECT_EQ(before->FindPartition(tp)->leader, BrokerId(1));
  EXPECT_EQ(before->FindPartition(tp)->leader_epoch, LeaderEpoch(0));
  EXPECT_EQ(after->FindPartition(tp)->leader, kNoBroker);
  EXPECT_EQ(after->FindPartition(tp)->leader_epoch, LeaderEpoch(1));
  EXPECT_EQ(after->FindPartition(tp)->partition_epoch, 1);
  EXPECT_EQ(after->FindPartition(tp)->isr, std::vector<BrokerId>{BrokerId(1)});
}

TEST(ApplyTest, RemovingATopicRemovesAllOfIt) {
  const MetadataImagePtr created =
      Next(EmptyImage(), {Topic("a.b", kOrders), Config("a.b", "x", "1"), Partition(kOrders, 0)});
  const MetadataImagePtr image = Next(created, {RemoveTopic(kOrders)});
  EXPECT_EQ(image->FindTopic("a.b"), nullptr);
  EXPECT_EQ(image->FindTopic(kOrders), nullptr);
  EXPECT_EQ(image->FindConfigs(ConfigResourceType::kTopic, "a.b"), nullptr);
  EXPECT_TRUE(static_cast<const MetadataState&>(*image) == MetadataState());
}

TEST(ApplyTest, ContradictionsAreRefusedWithTheirOffset) {
  const MetadataImagePtr image =
      Next(EmptyImage(), {Topic("orders", kOrders), Partition(kOrders, 0)});
  EXPECT_THAT(Refusal(image, {Partition(kTrades, 0)}), HasSubstr("no topic with id"));
  EXPECT_THAT(Refusal(image, {NoOpRecord(), RemoveTopic(kTrades)}), HasSubstr("offset 3"));
  EXPECT_THAT(Refusal(image, {Topic("orders", kTrades)}), HasSubstr("exists already"));
  EXPECT_THAT(Refusal(image, {Topic("trades", kOrders)}), HasSubstr("taken"));
  EXPECT_THAT(Refusal(image, {Topic("../etc", kTrades)}), HasSubstr("character"));
  PartitionChangeRecord change;
  change.topic_id = kOrders;
  change.partition_id = 7;
  EXPECT_THAT(Refusal(image, {change}), HasSubstr("no partition 7"));
  change.partition_id = 0;
  change.leader = 5;
  EXPECT_THAT(Refusal(image, {change}), HasSubstr("leader 5 is no replica"));
  PartitionRecord partition = Partition(kOrders, 1);
  partition.isr = {1, 2};
  EXPECT_THAT(Refusal(image, {partition}), HasSubstr("broker 2 in the ISR"));
  partition = Partition(kOrders, -1);
  EXPECT_THAT(Refusal(image, {partition}), HasSubstr("expected a partition from 0"));
  FenceBrokerRecord fence;
  fence.id = 4;
  EXPECT_THAT(Refusal(image, {fence}), HasSubstr("not registered"));
  EXPECT_THAT(Refusal(image, {EndTransactionRecord()}), HasSubstr("no transaction"));
  EXPECT_THAT(Refusal(image, {BeginTransactionRecord(), BeginTransactionRecord()}),
              HasSubstr("inside"));
}

TEST(ApplyTest, AnOlderRegistrationOrEpochIsRefused) {
  RegisterBrokerRecord broker;
  broker.broker_id = 1;
  broker.broker_epoch = 10;
  const MetadataImagePtr image = Next(EmptyImage(), {broker});
  EXPECT_TRUE(image->FindBroker(BrokerId(1))->fenced);
  BrokerRegistrationChangeRecord change;
  change.broker_id = 1;
  change.broker_epoch = 9;
  change.fenced = -1;
  EXPECT_THAT(Refusal(image, {change}), HasSubstr("expected epoch 10 of broker 1, came 9"));
  change.broker_epoch = 10;
  EXPECT_FALSE(Next(image, {change})->FindBroker(BrokerId(1))->fenced);
  broker.broker_epoch = 9;
  EXPECT_THAT(Refusal(image, {broker}), HasSubstr("registers with epoch 9"));
}

TEST(ApplyTest, ANewerMetadataVersionIsUnimplemented) {
  FeatureLevelRecord feature;
  feature.name = "metadata.version";
  feature.feature_level = kMetadataVersionNewest + 1;
  const std::vector<MetadataRecord> records = {feature};
  EXPECT_EQ(Apply(*EmptyImage(), records, Offset(0), LeaderEpoch(1)).status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST(ApplyTest, ATransactionCountsOnlyFromItsEnd) {
  const MetadataImagePtr begun =
      Next(EmptyImage(), {BeginTransactionRecord(), Topic("orders", kOrders)});
  EXPECT_EQ(begun->FindTopic("orders"), nullptr);
  const MetadataImagePtr ended = Next(begun, {Partition(kOrders, 0), EndTransactionRecord()});
  ASSERT_NE(ended->FindTopic("orders"), nullptr);
  EXPECT_EQ(ended->FindTopic("orders")->partition_count(), 1);
  EXPECT_FALSE(ended->transaction.has_value());
  const MetadataImagePtr aborted = Next(begun, {AbortTransactionRecord()});
  EXPECT_TRUE(static_cast<const MetadataState&>(*aborted) == MetadataState());
}

TEST(ImageDeltaTest, NamesWhatWasCreatedDeletedAndChanged) {
  const MetadataImagePtr from =
      Next(EmptyImage(), {Topic("orders", kOrders), Partition(kOrders, 0), Partition(kOrders, 1),
                          Topic("trades", kTrades), Partition(kTrades, 0)});
  PartitionChangeRecord change;
  change.topic_id = kOrders;
  change.partition_id = 1;
  change.leader = -1;
  const Uuid again{3, 3};
  const MetadataImagePtr to =
      Next(Next(from, {change, Partition(kOrders, 2), Config("orders", "retention.ms", "1")}),
           {RemoveTopic(kTrades), Topic("trades", again), Partition(again, 0)});
  const ImageDelta delta = Compare(from, to);
  ASSERT_EQ(delta.deleted_topics.size(), 1);
  EXPECT_EQ(delta.deleted_topics[0]->id, kTrades);
  ASSERT_EQ(delta.created_topics.size(), 1);
  EXPECT_EQ(delta.created_topics[0]->id, again);
  ASSERT_EQ(delta.changed_topics.size(), 1);
  const std::vector<PartitionDelta>& partitions = delta.changed_topics[0].partitions;
  ASSERT_EQ(partitions.size(), 2);
  EXPECT_EQ(partitions[0].partition, PartitionIndex(1));
  EXPECT_EQ(partitions[0].before->leader, BrokerId(1));
  EXPECT_EQ(partitions[0].after->leader, kNoBroker);
  EXPECT_EQ(partitions[1].before, nullptr);
  ASSERT_EQ(delta.changed_configs.size(), 1);
  EXPECT_EQ(delta.changed_configs[0].name, "orders");
  EXPECT_TRUE(Compare(to, to).empty());
  EXPECT_TRUE(Compare(to, Next(to, {NoOpRecord()})).empty());
}

}  // namespace
}  // namespace weir::metadata

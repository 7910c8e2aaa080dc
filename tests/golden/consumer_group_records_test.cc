#include "coordination/group/consumer_group_records.h"

#include "gtest/gtest.h"
#include "tests/golden/golden.h"

namespace weir::golden {
namespace {

TEST(GoldenRecords, ConsumerGroupMetadataKey) {
  ExpectRecordAsKafka<group::ConsumerGroupMetadataKey>("ConsumerGroupMetadataKey");
}
TEST(GoldenRecords, ConsumerGroupMetadataValue) {
  ExpectRecordAsKafka<group::ConsumerGroupMetadataValue>("ConsumerGroupMetadataValue");
}
TEST(GoldenRecords, ConsumerGroupPartitionMetadataKey) {
  ExpectRecordAsKafka<group::ConsumerGroupPartitionMetadataKey>(
      "ConsumerGroupPartitionMetadataKey");
}
TEST(GoldenRecords, ConsumerGroupPartitionMetadataValue) {
  ExpectRecordAsKafka<group::ConsumerGroupPartitionMetadataValue>(
      "ConsumerGroupPartitionMetadataValue");
}
TEST(GoldenRecords, ConsumerGroupMemberMetadataKey) {
  ExpectRecordAsKafka<group::ConsumerGroupMemberMetadataKey>("ConsumerGroupMemberMetadataKey");
}
TEST(GoldenRecords, ConsumerGroupMemberMetadataValue) {
  ExpectRecordAsKafka<group::ConsumerGroupMemberMetadataValue>("ConsumerGroupMemberMetadataValue");
}
TEST(GoldenRecords, ConsumerGroupTargetAssignmentMetadataKey) {
  ExpectRecordAsKafka<group::ConsumerGroupTargetAssignmentMetadataKey>(
      "ConsumerGroupTargetAssignmentMetadataKey");
}
TEST(GoldenRecords, ConsumerGroupTargetAssignmentMetadataValue) {
  ExpectRecordAsKafka<group::ConsumerGroupTargetAssignmentMetadataValue>(
      "ConsumerGroupTargetAssignmentMetadataValue");
}
TEST(GoldenRecords, ConsumerGroupTargetAssignmentMemberKey) {
  ExpectRecordAsKafka<group::ConsumerGroupTargetAssignmentMemberKey>(
      "ConsumerGroupTargetAssignmentMemberKey");
}
TEST(GoldenRecords, ConsumerGroupTargetAssignmentMemberValue) {
  ExpectRecordAsKafka<group::ConsumerGroupTargetAssignmentMemberValue>(
      "ConsumerGroupTargetAssignmentMemberValue");
}
TEST(GoldenRecords, ConsumerGroupCurrentMemberAssignmentKey) {
  ExpectRecordAsKafka<group::ConsumerGroupCurrentMemberAssignmentKey>(
      "ConsumerGroupCurrentMemberAssignmentKey");
}
TEST(GoldenRecords, ConsumerGroupCurrentMemberAssignmentValue) {
  ExpectRecordAsKafka<group::ConsumerGroupCurrentMemberAssignmentValue>(
      "ConsumerGroupCurrentMemberAssignmentValue");
}
TEST(GoldenRecords, ConsumerGroupRegularExpressionKey) {
  ExpectRecordAsKafka<group::ConsumerGroupRegularExpressionKey>(
      "ConsumerGroupRegularExpressionKey");
}
TEST(GoldenRecords, ConsumerGroupRegularExpressionValue) {
  ExpectRecordAsKafka<group::ConsumerGroupRegularExpressionValue>(
      "ConsumerGroupRegularExpressionValue");
}

}  // namespace
}  // namespace weir::golden

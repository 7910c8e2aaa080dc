#include <string>

#include "absl/strings/string_view.h"
#include "coordination/group/records.h"
#include "gtest/gtest.h"
#include "protocol/consumer_protocol.h"
#include "protocol/describe.h"
#include "protocol/schema.h"
#include "tests/golden/golden.h"

namespace weir::golden {
namespace {

TEST(GoldenRecords, OffsetCommitKey) {
  ExpectRecordAsKafka<group::OffsetCommitKey>("OffsetCommitKey");
}
TEST(GoldenRecords, OffsetCommitValue) {
  ExpectRecordAsKafka<group::OffsetCommitValue>("OffsetCommitValue");
}
TEST(GoldenRecords, GroupMetadataKey) {
  ExpectRecordAsKafka<group::GroupMetadataKey>("GroupMetadataKey");
}
TEST(GoldenRecords, GroupMetadataValue) {
  ExpectRecordAsKafka<group::GroupMetadataValue>("GroupMetadataValue");
}
TEST(GoldenRecords, ConsumerProtocolSubscription) {
  ExpectRecordAsKafka<protocol::ConsumerProtocolSubscription>("ConsumerProtocolSubscription");
}
TEST(GoldenRecords, ConsumerProtocolAssignment) {
  ExpectRecordAsKafka<protocol::ConsumerProtocolAssignment>("ConsumerProtocolAssignment");
}

std::string Fields(const std::string& schema) { return schema.substr(schema.find('\n')); }

// Kafka declares the records of the oldest type by themselves: they are those of the next type at
// version 0, but that a value knows nothing of the fields that came later.
template <class M>
void ExpectLegacyAsKafka(absl::string_view legacy) {
  constexpr protocol::VersionRange kVersions{0, 0};
  EXPECT_EQ(Fields(protocol::SchemaText<M>(legacy, kVersions)), Fields(Schema(legacy)));
  ExpectVectors<M>(legacy, "record", kVersions);
}

TEST(GoldenRecords, LegacyOffsetCommit) {
  ExpectLegacyAsKafka<group::OffsetCommitKey>("LegacyOffsetCommitKey");
  ExpectLegacyAsKafka<group::OffsetCommitValue>("LegacyOffsetCommitValue");
}

}  // namespace
}  // namespace weir::golden

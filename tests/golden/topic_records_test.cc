#include "coordination/metadata/records/security.h"
#include "coordination/metadata/records/topic.h"
#include "gtest/gtest.h"
#include "tests/golden/golden.h"

namespace weir::golden {
namespace {

TEST(GoldenRecords, TopicRecord) { ExpectRecordAsKafka<metadata::TopicRecord>("TopicRecord"); }
TEST(GoldenRecords, PartitionRecord) {
  ExpectRecordAsKafka<metadata::PartitionRecord>("PartitionRecord");
}
TEST(GoldenRecords, PartitionChangeRecord) {
  ExpectRecordAsKafka<metadata::PartitionChangeRecord>("PartitionChangeRecord");
}
TEST(GoldenRecords, RemoveTopicRecord) {
  ExpectRecordAsKafka<metadata::RemoveTopicRecord>("RemoveTopicRecord");
}
TEST(GoldenRecords, ClearElrRecord) {
  ExpectRecordAsKafka<metadata::ClearElrRecord>("ClearElrRecord");
}
TEST(GoldenRecords, ConfigRecord) { ExpectRecordAsKafka<metadata::ConfigRecord>("ConfigRecord"); }
TEST(GoldenRecords, UserScramCredentialRecord) {
  ExpectRecordAsKafka<metadata::UserScramCredentialRecord>("UserScramCredentialRecord");
}
TEST(GoldenRecords, RemoveUserScramCredentialRecord) {
  ExpectRecordAsKafka<metadata::RemoveUserScramCredentialRecord>("RemoveUserScramCredentialRecord");
}
TEST(GoldenRecords, DelegationTokenRecord) {
  ExpectRecordAsKafka<metadata::DelegationTokenRecord>("DelegationTokenRecord");
}
TEST(GoldenRecords, RemoveDelegationTokenRecord) {
  ExpectRecordAsKafka<metadata::RemoveDelegationTokenRecord>("RemoveDelegationTokenRecord");
}
TEST(GoldenRecords, AccessControlEntryRecord) {
  ExpectRecordAsKafka<metadata::AccessControlEntryRecord>("AccessControlEntryRecord");
}
TEST(GoldenRecords, RemoveAccessControlEntryRecord) {
  ExpectRecordAsKafka<metadata::RemoveAccessControlEntryRecord>("RemoveAccessControlEntryRecord");
}
TEST(GoldenRecords, ClientQuotaRecord) {
  ExpectRecordAsKafka<metadata::ClientQuotaRecord>("ClientQuotaRecord");
}

}  // namespace
}  // namespace weir::golden

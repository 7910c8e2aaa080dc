#include "coordination/metadata/records/cluster.h"
#include "gtest/gtest.h"
#include "tests/golden/golden.h"

namespace weir::golden {
namespace {

TEST(GoldenRecords, RegisterBrokerRecord) {
  ExpectRecordAsKafka<metadata::RegisterBrokerRecord>("RegisterBrokerRecord");
}
TEST(GoldenRecords, UnregisterBrokerRecord) {
  ExpectRecordAsKafka<metadata::UnregisterBrokerRecord>("UnregisterBrokerRecord");
}
TEST(GoldenRecords, FenceBrokerRecord) {
  ExpectRecordAsKafka<metadata::FenceBrokerRecord>("FenceBrokerRecord");
}
TEST(GoldenRecords, UnfenceBrokerRecord) {
  ExpectRecordAsKafka<metadata::UnfenceBrokerRecord>("UnfenceBrokerRecord");
}
TEST(GoldenRecords, BrokerRegistrationChangeRecord) {
  ExpectRecordAsKafka<metadata::BrokerRegistrationChangeRecord>("BrokerRegistrationChangeRecord");
}
TEST(GoldenRecords, RegisterControllerRecord) {
  ExpectRecordAsKafka<metadata::RegisterControllerRecord>("RegisterControllerRecord");
}
TEST(GoldenRecords, FeatureLevelRecord) {
  ExpectRecordAsKafka<metadata::FeatureLevelRecord>("FeatureLevelRecord");
}
TEST(GoldenRecords, ProducerIdsRecord) {
  ExpectRecordAsKafka<metadata::ProducerIdsRecord>("ProducerIdsRecord");
}
TEST(GoldenRecords, BeginTransactionRecord) {
  ExpectRecordAsKafka<metadata::BeginTransactionRecord>("BeginTransactionRecord");
}
TEST(GoldenRecords, EndTransactionRecord) {
  ExpectRecordAsKafka<metadata::EndTransactionRecord>("EndTransactionRecord");
}
TEST(GoldenRecords, AbortTransactionRecord) {
  ExpectRecordAsKafka<metadata::AbortTransactionRecord>("AbortTransactionRecord");
}
TEST(GoldenRecords, NoOpRecord) { ExpectRecordAsKafka<metadata::NoOpRecord>("NoOpRecord"); }
TEST(GoldenRecords, ZkMigrationStateRecord) {
  ExpectRecordAsKafka<metadata::ZkMigrationStateRecord>("ZkMigrationStateRecord");
}

}  // namespace
}  // namespace weir::golden

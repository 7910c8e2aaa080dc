#include "coordination/metadata/control_records.h"

#include "coordination/transaction/records.h"
#include "gtest/gtest.h"
#include "tests/golden/golden.h"

namespace weir::golden {
namespace {

TEST(GoldenRecords, TransactionLogKey) {
  ExpectRecordAsKafka<transaction::TransactionLogKey>("TransactionLogKey");
}
TEST(GoldenRecords, TransactionLogValue) {
  ExpectRecordAsKafka<transaction::TransactionLogValue>("TransactionLogValue");
}
TEST(GoldenRecords, EndTxnMarker) {
  ExpectRecordAsKafka<transaction::EndTxnMarker>("EndTxnMarker");
}
TEST(GoldenRecords, LeaderChangeMessage) {
  ExpectRecordAsKafka<metadata::LeaderChangeMessage>("LeaderChangeMessage");
}
TEST(GoldenRecords, SnapshotHeaderRecord) {
  ExpectRecordAsKafka<metadata::SnapshotHeaderRecord>("SnapshotHeaderRecord");
}
TEST(GoldenRecords, SnapshotFooterRecord) {
  ExpectRecordAsKafka<metadata::SnapshotFooterRecord>("SnapshotFooterRecord");
}
TEST(GoldenRecords, KRaftVersionRecord) {
  ExpectRecordAsKafka<metadata::KRaftVersionRecord>("KRaftVersionRecord");
}
TEST(GoldenRecords, VotersRecord) { ExpectRecordAsKafka<metadata::VotersRecord>("VotersRecord"); }

}  // namespace
}  // namespace weir::golden

#include "protocol/control_records.h"

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
  ExpectRecordAsKafka<protocol::LeaderChangeMessage>("LeaderChangeMessage");
}
TEST(GoldenRecords, SnapshotHeaderRecord) {
  ExpectRecordAsKafka<protocol::SnapshotHeaderRecord>("SnapshotHeaderRecord");
}
TEST(GoldenRecords, SnapshotFooterRecord) {
  ExpectRecordAsKafka<protocol::SnapshotFooterRecord>("SnapshotFooterRecord");
}
TEST(GoldenRecords, KRaftVersionRecord) {
  ExpectRecordAsKafka<protocol::KRaftVersionRecord>("KRaftVersionRecord");
}
TEST(GoldenRecords, VotersRecord) { ExpectRecordAsKafka<protocol::VotersRecord>("VotersRecord"); }

}  // namespace
}  // namespace weir::golden

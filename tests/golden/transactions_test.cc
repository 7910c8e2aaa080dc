#include "gtest/gtest.h"
#include "protocol/api/add_offsets_to_txn.h"
#include "protocol/api/add_partitions_to_txn.h"
#include "protocol/api/describe_transactions.h"
#include "protocol/api/end_txn.h"
#include "protocol/api/list_transactions.h"
#include "protocol/api/txn_offset_commit.h"
#include "protocol/api/write_txn_markers.h"
#include "tests/golden/golden.h"

namespace weir::golden {
namespace {

TEST(Golden, AddPartitionsToTxn) {
  ExpectAsKafka<protocol::AddPartitionsToTxnRequest, protocol::AddPartitionsToTxnResponse>(
      "AddPartitionsToTxn");
}
TEST(Golden, AddOffsetsToTxn) {
  ExpectAsKafka<protocol::AddOffsetsToTxnRequest, protocol::AddOffsetsToTxnResponse>(
      "AddOffsetsToTxn");
}
TEST(Golden, EndTxn) { ExpectAsKafka<protocol::EndTxnRequest, protocol::EndTxnResponse>("EndTxn"); }
TEST(Golden, WriteTxnMarkers) {
  ExpectAsKafka<protocol::WriteTxnMarkersRequest, protocol::WriteTxnMarkersResponse>(
      "WriteTxnMarkers");
}
TEST(Golden, TxnOffsetCommit) {
  ExpectAsKafka<protocol::TxnOffsetCommitRequest, protocol::TxnOffsetCommitResponse>(
      "TxnOffsetCommit");
}
TEST(Golden, DescribeTransactions) {
  ExpectAsKafka<protocol::DescribeTransactionsRequest, protocol::DescribeTransactionsResponse>(
      "DescribeTransactions");
}
TEST(Golden, ListTransactions) {
  ExpectAsKafka<protocol::ListTransactionsRequest, protocol::ListTransactionsResponse>(
      "ListTransactions");
}

}  // namespace
}  // namespace weir::golden

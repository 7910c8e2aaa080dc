#include "gtest/gtest.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_delete.h"
#include "protocol/api/offset_fetch.h"
#include "tests/golden/golden.h"

namespace weir::golden {
namespace {

TEST(Golden, OffsetCommit) {
  ExpectAsKafka<protocol::OffsetCommitRequest, protocol::OffsetCommitResponse>("OffsetCommit");
}
TEST(Golden, OffsetDelete) {
  ExpectAsKafka<protocol::OffsetDeleteRequest, protocol::OffsetDeleteResponse>("OffsetDelete");
}
TEST(Golden, OffsetFetch) {
  ExpectAsKafka<protocol::OffsetFetchRequest, protocol::OffsetFetchResponse>("OffsetFetch");
}

}  // namespace
}  // namespace weir::golden

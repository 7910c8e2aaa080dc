#include "gtest/gtest.h"
#include "protocol/api/fetch.h"
#include "protocol/api/list_offsets.h"
#include "protocol/api/produce.h"
#include "tests/golden/golden.h"

namespace weir::golden {
namespace {

TEST(Golden, Produce) {
  ExpectAsKafka<protocol::ProduceRequest, protocol::ProduceResponse>("Produce");
}
TEST(Golden, Fetch) { ExpectAsKafka<protocol::FetchRequest, protocol::FetchResponse>("Fetch"); }
TEST(Golden, ListOffsets) {
  ExpectAsKafka<protocol::ListOffsetsRequest, protocol::ListOffsetsResponse>("ListOffsets");
}

}  // namespace
}  // namespace weir::golden

#include "gtest/gtest.h"
#include "protocol/api/fetch.h"
#include "protocol/api/list_offsets.h"
#include "protocol/api/produce.h"
#include "tests/golden/golden.h"

namespace weir::golden {
namespace {

// The one difference to Kafka's definitions: versions 0 to 2 are decoded, only to be refused.
TEST(Golden, Produce) {
  EXPECT_EQ(protocol::ProduceRequest::kApi.versions.min, 0);
  ExpectAsKafka<protocol::ProduceRequest, protocol::ProduceResponse>("Produce", {3, 13});
}
TEST(Golden, Fetch) { ExpectAsKafka<protocol::FetchRequest, protocol::FetchResponse>("Fetch"); }
TEST(Golden, ListOffsets) {
  ExpectAsKafka<protocol::ListOffsetsRequest, protocol::ListOffsetsResponse>("ListOffsets");
}

}  // namespace
}  // namespace weir::golden

// protocol/headers.h against Kafka's request and response headers, which are coded by hand: a broker
// reads them before it knows what comes, and client_id is never compact.
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "protocol/headers.h"
#include "tests/golden/golden.h"

namespace weir::golden {
namespace {

TEST(GoldenHeaders, DeclaredAsWeCodeThem) {
  EXPECT_EQ(Schema("RequestHeader"),
            "RequestHeader - 1-2 flexible 2\n"
            "  requestApiKey int16 1-2 default 0\n"
            "  requestApiVersion int16 1-2 default 0\n"
            "  correlationId int32 1-2 default 0\n"
            "  clientId string 1-2 nullable 1 default \"\" never compact\n");
  EXPECT_EQ(Schema("ResponseHeader"),
            "ResponseHeader - 0-1 flexible 1\n"
            "  correlationId int32 0-1 default 0\n");
}

TEST(GoldenHeaders, Requests) {
  const std::vector<Vector> vectors = Vectors("RequestHeader", "record");
  ASSERT_EQ(vectors.size(), 4u);
  for (const Vector& vector : vectors) {
    SCOPED_TRACE(vector.version);
    absl::string_view rest = vector.bytes;
    const absl::StatusOr<protocol::RequestHeader> header =
        protocol::DecodeRequestHeader(&rest, vector.version);
    ASSERT_TRUE(header.ok()) << header.status();
    EXPECT_TRUE(rest.empty());
    EXPECT_EQ(header->client_id.has_value(), vector.variant == "full");
    std::string ours;
    protocol::EncodeRequestHeader(*header, vector.version, &ours);
    if (vector.variant == "full" && vector.version == 2) {
      // The tagged field that nobody knows is dropped.
      EXPECT_EQ(ours + "\xe8\x07\x03\x01\x02\x03",
                vector.bytes.substr(0, ours.size() - 1) + '\0' + vector.bytes.substr(ours.size()));
    } else {
      EXPECT_EQ(ours, vector.bytes);
    }
    for (size_t size = 0; size < vector.bytes.size(); ++size) {
      absl::string_view cut = absl::string_view(vector.bytes).substr(0, size);
      EXPECT_FALSE(protocol::DecodeRequestHeader(&cut, vector.version).ok()) << size << " bytes";
    }
  }
}

TEST(GoldenHeaders, Responses) {
  const std::vector<Vector> vectors = Vectors("ResponseHeader", "record");
  ASSERT_EQ(vectors.size(), 4u);
  for (const Vector& vector : vectors) {
    SCOPED_TRACE(vector.version);
    absl::string_view rest = vector.bytes;
    const absl::StatusOr<protocol::ResponseHeader> header =
        protocol::DecodeResponseHeader(&rest, vector.version);
    ASSERT_TRUE(header.ok()) << header.status();
    EXPECT_TRUE(rest.empty());
    std::string ours;
    protocol::EncodeResponseHeader(*header, vector.version, &ours);
    EXPECT_EQ(ours.substr(0, 4), vector.bytes.substr(0, 4));
    EXPECT_EQ(ours.size(), vector.version == 0 ? 4u : 5u);
    for (size_t size = 0; size < vector.bytes.size(); ++size) {
      absl::string_view cut = absl::string_view(vector.bytes).substr(0, size);
      EXPECT_FALSE(protocol::DecodeResponseHeader(&cut, vector.version).ok()) << size << " bytes";
    }
  }
}

}  // namespace
}  // namespace weir::golden

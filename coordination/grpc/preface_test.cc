#include "coordination/grpc/preface.h"

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace weir::coordination {
namespace {

TEST(Preface, KnowsHttp2ByItsFirstLine) {
  const absl::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  for (size_t n = 0; n < kPrefaceBytesMax; ++n) {
    EXPECT_EQ(PrefaceOf(preface.substr(0, n)), Preface::kUndecided) << n;
  }
  EXPECT_EQ(PrefaceOf(preface.substr(0, kPrefaceBytesMax)), Preface::kHttp2);
  EXPECT_EQ(PrefaceOf(preface), Preface::kHttp2);
}

TEST(Preface, KnowsTlsByAHandshakeRecord) {
  EXPECT_EQ(PrefaceOf("\x16"), Preface::kUndecided);
  EXPECT_EQ(PrefaceOf("\x16\x03"), Preface::kTls);
  EXPECT_EQ(PrefaceOf(std::string("\x16\x03\x01\x02\x00\x01", 6)), Preface::kTls);
  EXPECT_EQ(PrefaceOf("\x15\x03"), Preface::kOther);  // an alert
  EXPECT_EQ(PrefaceOf("\x16\x02"), Preface::kOther);
}

TEST(Preface, TellsAnythingElseAtTheFirstByteThatDiffers) {
  // ApiVersions of Kafka: a length, then API key 18.
  EXPECT_EQ(PrefaceOf(absl::string_view("\0", 1)), Preface::kOther);
  EXPECT_EQ(PrefaceOf(absl::string_view("\0\0\0\x1a\0\x12\0\x03", 8)), Preface::kOther);
  EXPECT_EQ(PrefaceOf("GET / HTTP/1.1\r\n"), Preface::kOther);
  EXPECT_EQ(PrefaceOf("PRI * HTTP/1.1"), Preface::kOther);
  EXPECT_EQ(PrefaceOf("PO"), Preface::kOther);
  EXPECT_EQ(PrefaceOf("\xff"), Preface::kOther);
}

}  // namespace
}  // namespace weir::coordination

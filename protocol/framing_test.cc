#include "protocol/framing.h"

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/endian.h"
#include "gtest/gtest.h"
#include "protocol/api/api_versions.h"
#include "protocol/api/fetch.h"
#include "protocol/api_key.h"
#include "protocol/error_code.h"
#include "protocol/headers.h"

namespace weir::protocol {
namespace {

using Frame = absl::StatusOr<std::optional<absl::Span<char>>>;

std::string Framed(absl::string_view body) {
  std::string frame(4, '\0');
  StoreBig32(frame.data(), static_cast<uint32_t>(body.size()));
  frame.append(body.data(), body.size());
  return frame;
}

std::string Text(const Frame& frame) {
  if (!frame.ok()) return std::string(frame.status().message());
  if (!frame->has_value()) return "(none)";
  return std::string((*frame)->data(), (*frame)->size());
}

TEST(FrameSplitter, FindsFramesHoweverTheBytesCome) {
  std::string stream;
  std::string bodies;
  for (int i = 0; i < 40; ++i) {
    const std::string body(8 + (i * 7919) % 30000, static_cast<char>('a' + i % 26));
    stream += Framed(body);
    bodies += body + "|";
  }
  for (const size_t step : {size_t{1}, size_t{3}, size_t{4096}, size_t{100000}, stream.size()}) {
    FrameSplitter splitter(1 << 20);
    std::string found;
    for (size_t at = 0; at < stream.size(); at += step) {
      splitter.Feed(absl::string_view(stream).substr(at, step));
      for (Frame f = splitter.Next(); f.ok() && f->has_value(); f = splitter.Next()) {
        found += Text(f) + "|";
      }
    }
    EXPECT_EQ(found, bodies) << "step " << step;
    EXPECT_EQ(splitter.bytes_held(), 0u);
  }
}

TEST(FrameSplitter, RefusesLengthsOutOfBounds) {
  for (const int64_t length : {int64_t{-1}, int64_t{INT32_MIN}, int64_t{0}, int64_t{7},
                               int64_t{101}, int64_t{INT32_MAX}}) {
    FrameSplitter splitter(100);
    std::string bytes(4, '\0');
    StoreBig32(bytes.data(), static_cast<uint32_t>(length));
    splitter.Feed(absl::string_view(bytes).substr(0, 3));
    EXPECT_EQ(Text(splitter.Next()), "(none)");
    splitter.Feed(absl::string_view(bytes).substr(3));
    EXPECT_EQ(Text(splitter.Next()),
              "frame length: expected 8 to 100 bytes, came " + std::to_string(length));
    EXPECT_FALSE(splitter.Next().ok());
  }
}

TEST(FrameSplitter, TheLimitCanRiseBetweenFrames) {
  FrameSplitter splitter(10);
  splitter.Feed(Framed("12345678") + Framed("12345678901"));
  EXPECT_EQ(Text(splitter.Next()), "12345678");
  splitter.set_frame_bytes_max(11);
  EXPECT_EQ(Text(splitter.Next()), "12345678901");
}

TEST(FrameSplitter, AllocatesForWhatCameAndNotForWhatWasPromised) {
  FrameSplitter splitter(100 << 20);
  std::string head(4, '\0');
  StoreBig32(head.data(), 100 << 20);
  splitter.Feed(head + "xyz");
  EXPECT_LE(splitter.Room().size(), size_t{128} << 10);
  EXPECT_LE(splitter.capacity(), size_t{128} << 10);
}

TEST(FrameSplitter, GivesBackALargeBuffer) {
  FrameSplitter splitter(100 << 20);
  splitter.Feed(Framed(std::string(8 << 20, 'x')));
  EXPECT_EQ(Text(splitter.Next()).size(), size_t{8} << 20);
  splitter.Room();
  EXPECT_LE(splitter.capacity(), size_t{64} << 10);
}

TEST(Headers, RequestVersionTwoKeepsTheClientIdFixedAndEndsInTags) {
  const RequestHeader header{18, 4, 7, "ab"};
  std::string v1;
  EncodeRequestHeader(header, 1, &v1);
  EXPECT_EQ(v1, absl::string_view("\0\x12\0\x04\0\0\0\x07\0\x02"
                                  "ab",
                                  12));
  std::string v2;
  EncodeRequestHeader(header, 2, &v2);
  EXPECT_EQ(v2, v1 + std::string(1, '\0'));
  absl::string_view rest = v2;
  EXPECT_EQ(DecodeRequestHeader(&rest, 2)->client_id, "ab");
  EXPECT_TRUE(rest.empty());
  rest = v2;
  EXPECT_EQ(DecodeRequestHeader(&rest, 1)->correlation_id, 7);
  EXPECT_EQ(rest.size(), 1u);
  EXPECT_EQ(PeekRequest(v2)->api_version, 4);
  for (size_t n = 0; n < v2.size(); ++n) {
    rest = absl::string_view(v2).substr(0, n);
    EXPECT_FALSE(DecodeRequestHeader(&rest, 2).ok()) << n;
    EXPECT_EQ(PeekRequest(rest).ok(), n >= 8);
  }
}

TEST(Headers, NullClientIdAndUnknownTags) {
  std::string bytes;
  EncodeRequestHeader(RequestHeader{1, 2, 3, std::nullopt}, 1, &bytes);
  absl::string_view rest = bytes;
  EXPECT_FALSE(DecodeRequestHeader(&rest, 1)->client_id.has_value());
  const std::string tagged = bytes + std::string("\x01\x05\x02zz!", 6);
  rest = tagged;
  ASSERT_TRUE(DecodeRequestHeader(&rest, 2).ok());
  EXPECT_EQ(rest, "!");
  const std::string flood = bytes + "\xff\xff\x7f";
  rest = flood;
  EXPECT_FALSE(DecodeRequestHeader(&rest, 2).ok());
}

TEST(Headers, ApiVersionsAnswersWithTheOldestHeader) {
  EXPECT_EQ(RequestHeaderVersionOf<ApiVersionsRequest>(2), 1);
  EXPECT_EQ(RequestHeaderVersionOf<ApiVersionsRequest>(3), 2);
  EXPECT_EQ(ResponseHeaderVersionOf<ApiVersionsResponse>(4), 0);
  EXPECT_EQ(ResponseHeaderVersionOf<FetchResponse>(11), 0);
  EXPECT_EQ(ResponseHeaderVersionOf<FetchResponse>(12), 1);
  std::string bytes;
  EncodeResponseHeader({9}, 1, &bytes);
  absl::string_view rest = bytes;
  EXPECT_EQ(DecodeResponseHeader(&rest, 1)->correlation_id, 9);
  EXPECT_EQ(bytes.size(), 5u);
}

TEST(Names, OfErrorsAndApis) {
  EXPECT_EQ(ErrorName(ErrorCode::kNotLeaderOrFollower), "NOT_LEADER_OR_FOLLOWER");
  EXPECT_EQ(static_cast<int>(ErrorCode::kShareSessionLimitReached), 133);
  EXPECT_EQ(ErrorName(ErrorCode::kShareSessionLimitReached), "SHARE_SESSION_LIMIT_REACHED");
  EXPECT_EQ(ErrorName(static_cast<ErrorCode>(999)), "UNKNOWN_SERVER_ERROR");
  EXPECT_EQ(ErrorName(static_cast<ErrorCode>(-2)), "UNKNOWN_SERVER_ERROR");
  EXPECT_TRUE(IsRetriable(ErrorCode::kUnknownTopicId));
  EXPECT_FALSE(IsRetriable(ErrorCode::kMessageTooLarge));
  EXPECT_EQ(ErrorMessage(ErrorCode::kNone), "");
  EXPECT_EQ(ApiName(ApiKey::kDescribeCluster), "DescribeCluster");
  EXPECT_EQ(ApiName(static_cast<ApiKey>(4)), "");
}

}  // namespace
}  // namespace weir::protocol

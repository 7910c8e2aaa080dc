#include "protocol/compression.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/random.h"
#include "gtest/gtest.h"

namespace weir::protocol {
namespace {

std::string Orders(size_t bytes) {
  SeededRandom random(7);
  std::string text;
  while (text.size() < bytes) {
    absl::StrAppend(&text, R"({"order_id":)", random.Below(1'000'000), R"(,"side":")",
                    random.OneIn(2) ? "BUY" : "SELL", R"(","price":)", random.Below(10'000), "}\n");
  }
  text.resize(bytes);
  return text;
}

class EveryCodec : public testing::TestWithParam<Codec> {
 protected:
  std::string Compressed(absl::string_view in, std::optional<int> level = std::nullopt) {
    std::string out;
    EXPECT_TRUE(compressor_.Compress(GetParam(), in, level, &out).ok());
    return out;
  }
  absl::Status Decompress(absl::string_view in, std::string* out,
                          const DecompressionLimits& limits = {}) {
    // In a buffer of its own, so that a sanitizer sees a read past the end.
    const std::string copy(in);
    return decompressor_.Decompress(GetParam(), copy, limits, out);
  }

  Compressor compressor_;
  Decompressor decompressor_;
};

INSTANTIATE_TEST_SUITE_P(Codecs, EveryCodec,
                         testing::Values(Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd),
                         [](const auto& info) { return std::string(CodecName(info.param)); });

TEST_P(EveryCodec, RoundTripsWithOneContext) {
  for (const size_t size : {0, 1, 100, 32767, 32768, 32769, 65536, 65537, 1'000'000, 5}) {
    const std::string text = Orders(size);
    std::string back;
    ASSERT_TRUE(Decompress(Compressed(text), &back).ok()) << size;
    EXPECT_TRUE(back == text) << size;
  }
}

TEST_P(EveryCodec, RefusesEveryTruncation) {
  const std::string whole = Compressed(Orders(3000));
  std::string out;
  for (size_t size = 0; size < whole.size(); ++size) {
    // What is left of a xerial stream cut between blocks is a whole stream: its framing has no end.
    if (GetParam() == Codec::kSnappy && size == 16) continue;
    EXPECT_FALSE(Decompress(whole.substr(0, size), &out).ok()) << size << " of " << whole.size();
    EXPECT_TRUE(out.empty());
  }
  ASSERT_TRUE(Decompress(whole, &out).ok()) << "the context recovers from errors";
}

TEST_P(EveryCodec, RefusesWhatFollowsTheEnd) {
  const std::string whole = Compressed(Orders(3000));
  std::string out;
  for (const absl::string_view garbage :
       {absl::string_view("x"), absl::string_view("garbage behind the end"),
        absl::string_view("\0\0\0\0", 4)}) {
    EXPECT_EQ(Decompress(absl::StrCat(whole, garbage), &out).code(), absl::StatusCode::kDataLoss);
  }
}

TEST_P(EveryCodec, ReadsFramesBehindEachOther) {
  const std::string first = Orders(100'000), second = Orders(777);
  std::string out;
  ASSERT_TRUE(Decompress(Compressed(first) + Compressed(second), &out).ok());
  EXPECT_TRUE(out == first + second);
}

TEST_P(EveryCodec, StopsAtTheCap) {
  const std::string text = Orders(50'000);
  const std::string packed = Compressed(text);
  DecompressionLimits limits;
  std::string out;
  limits.output_bytes_max = text.size();
  EXPECT_TRUE(Decompress(packed, &out, limits).ok());
  EXPECT_TRUE(out == text);
  limits.output_bytes_max = text.size() - 1;
  EXPECT_EQ(Decompress(packed, &out, limits).code(), absl::StatusCode::kResourceExhausted);
  limits.output_bytes_max = 0;
  EXPECT_EQ(Decompress(packed, &out, limits).code(), absl::StatusCode::kResourceExhausted);
}

TEST_P(EveryCodec, StopsBombsByRatio) {
  // 32 MiB of zeros.
  const std::string bomb = Compressed(std::string(32 << 20, '\0'));
  DecompressionLimits limits;
  limits.ratio_free_bytes = 1 << 20;
  limits.ratio_max = 10;
  std::string out;
  const absl::Status status = Decompress(bomb, &out, limits);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_LE(out.capacity(), (bomb.size() * 10 + (2 << 20)) * 2) << "memory follows the cap";
}

TEST_P(EveryCodec, SurvivesFlippedBits) {
  const std::string whole = Compressed(Orders(600));
  DecompressionLimits limits;
  limits.output_bytes_max = 1 << 20;
  std::string out;
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    Decompress(flipped, &out, limits).IgnoreError();
    ASSERT_LE(out.size(), limits.output_bytes_max);
  }
}

TEST(Compression, LevelsAreChecked) {
  Compressor compressor;
  std::string out;
  const std::string text = Orders(10'000);
  const auto code = [&](Codec codec, int level) {
    return compressor.Compress(codec, text, level, &out).code();
  };
  for (const auto& [codec, low, high] :
       {std::tuple(Codec::kGzip, -1, 9), std::tuple(Codec::kLz4, 1, 17),
        std::tuple(Codec::kZstd, -131072, 22)}) {
    EXPECT_EQ(code(codec, low), absl::StatusCode::kOk);
    EXPECT_EQ(code(codec, high), absl::StatusCode::kOk);
    EXPECT_EQ(code(codec, low - 1), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(code(codec, high + 1), absl::StatusCode::kInvalidArgument);
  }
}

TEST(Compression, UnknownCodecsAreRefused) {
  std::string out;
  const Codec codec = static_cast<Codec>(5);
  EXPECT_EQ(Compressor().Compress(codec, "x", std::nullopt, &out).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Decompressor().Decompress(codec, "x", {}, &out).code(),
            absl::StatusCode::kInvalidArgument);
}

// Snappy's format description: a length varint, then a literal of 3 bytes (tag 2 << 2).
TEST(Snappy, ReadsRawBlocks) {
  std::string out;
  ASSERT_TRUE(Decompressor()
                  .Decompress(Codec::kSnappy,
                              "\x03\x08"
                              "abc",
                              {}, &out)
                  .ok());
  EXPECT_EQ(out, "abc");
}

TEST(Snappy, RefusesAnnouncedLengthsThatCannotBe) {
  // A raw block of 6 bytes that announces 2^32 - 1: memory must not follow.
  std::string out;
  EXPECT_EQ(Decompressor()
                .Decompress(Codec::kSnappy,
                            "\xff\xff\xff\xff\x0f"
                            "a",
                            {}, &out)
                .code(),
            absl::StatusCode::kDataLoss);
  EXPECT_LT(out.capacity(), 1024u);
}

// RFC 8878: a frame whose header asks for a window of 2^41 bytes (exponent 31), then a raw block.
TEST(Zstd, RefusesHugeWindows) {
  const std::string frame(
      "\x28\xb5\x2f\xfd\x00\xf8\x09\x00\x00"
      "x",
      10);
  std::string out;
  EXPECT_FALSE(Decompressor().Decompress(Codec::kZstd, frame, {}, &out).ok());
}

}  // namespace
}  // namespace weir::protocol

#include <cstdint>
#include <limits>
#include <string>

#include "absl/hash/hash_testing.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/endian.h"
#include "base/hex.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "base/varint.h"
#include "gtest/gtest.h"

namespace weir {
namespace {

TEST(Endian, StoresNetworkOrder) {
  char bytes[8];
  StoreBig64(bytes, 0x0102030405060708);
  EXPECT_EQ(std::string(bytes, 8), std::string("\1\2\3\4\5\6\7\10", 8));
  EXPECT_EQ(LoadBig16(bytes), 0x0102);
  EXPECT_EQ(LoadBig32(bytes), 0x01020304u);
  EXPECT_EQ(LoadBig64(bytes), 0x0102030405060708u);
}

// Vectors: Protocol Buffers encoding guide (300 is ac 02) and the zig-zag table of the same page.
TEST(Varint, KnownVectors) {
  char bytes[kVarint64BytesMax];
  EXPECT_EQ(PutUvarint(bytes, 300) - bytes, 2);
  EXPECT_EQ(std::string(bytes, 2), "\xac\x02");
  EXPECT_EQ(ZigZag(int32_t{-1}), 1u);
  EXPECT_EQ(ZigZag(int32_t{1}), 2u);
  EXPECT_EQ(ZigZag(std::numeric_limits<int64_t>::min()), std::numeric_limits<uint64_t>::max());
}

TEST(Varint, RoundTripsAndKnowsItsSize) {
  for (int bit = 0; bit < 64; ++bit) {
    for (int64_t nudge : {-1, 0, 1}) {
      for (int64_t sign : {-1, 1}) {
        const auto value = static_cast<int64_t>(
            static_cast<uint64_t>(sign) * ((uint64_t{1} << bit) + static_cast<uint64_t>(nudge)));
        char bytes[kVarint64BytesMax];
        const char* end = PutVarlong(bytes, value);
        EXPECT_EQ(static_cast<size_t>(end - bytes), VarlongSize(value));
        int64_t back = 0;
        EXPECT_EQ(GetVarlong(bytes, end, &back), end);
        EXPECT_EQ(back, value);
        EXPECT_EQ(GetVarlong(bytes, end - 1, &back), nullptr)
            << "a truncated varint must not decode";
      }
    }
  }
}

TEST(Varint, RefusesOverflow) {
  const std::string five_groups = "\xff\xff\xff\xff\x0f";
  uint32_t value = 0;
  EXPECT_NE(GetUvarint32(five_groups.data(), five_groups.data() + 5, &value), nullptr);
  EXPECT_EQ(value, std::numeric_limits<uint32_t>::max());
  for (const std::string bad : {"\xff\xff\xff\xff\x1f", "\xff\xff\xff\xff\xff\x01"}) {
    EXPECT_EQ(GetUvarint32(bad.data(), bad.data() + bad.size(), &value), nullptr);
  }
}

TEST(Uuid, TextIsKafkas) {
  // Kafka's Uuid.METADATA_TOPIC_ID is (0, 1); its text is in KIP-516.
  EXPECT_EQ((Uuid{0, 1}.ToString()), "AAAAAAAAAAAAAAAAAAAAAQ");
  EXPECT_EQ(Uuid::Parse("AAAAAAAAAAAAAAAAAAAAAQ"), (Uuid{0, 1}));
  EXPECT_EQ(Uuid::Parse("AAAA"), std::nullopt);
  EXPECT_EQ(Uuid::Parse("not base64 at all!!!!!"), std::nullopt);
  SeededRandom random(7);
  for (int i = 0; i < 1000; ++i) {
    const Uuid id = Uuid::Random(random);
    EXPECT_EQ(Uuid::Parse(id.ToString()), id);
    EXPECT_NE(id.ToString().front(), '-');
  }
}

TEST(Ids, CountAndHash) {
  EXPECT_EQ(Offset(5) + 3, Offset(8));
  EXPECT_EQ(Offset(5) - Offset(3), 2);
  EXPECT_LT(LeaderEpoch(1), LeaderEpoch(2));
  EXPECT_TRUE(absl::VerifyTypeImplementsAbslHashCorrectly(
      {TopicPartition{}, TopicPartition{Uuid{1, 2}, PartitionIndex(3)},
       TopicPartition{Uuid{1, 2}, PartitionIndex(4)}}));
}

TEST(Random, RepeatsFromItsSeedAndStaysBelow) {
  SeededRandom a(42), b(42);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.NextU64(), b.NextU64());
  for (int i = 0; i < 1000; ++i) EXPECT_LT(a.Below(7), 7u);
}

absl::StatusOr<int> Half(int n) {
  if (n % 2 != 0) return absl::InvalidArgumentError("odd");
  return n / 2;
}

absl::StatusOr<int> Quarter(int n) {
  WEIR_ASSIGN_OR_RETURN(const int half, Half(n));
  return Half(half);
}

TEST(Hex, ReadsDigitsOfBothCases) {
  EXPECT_EQ(BytesOfHex("00fF7a"), std::string("\0\xff\x7a", 3));
  EXPECT_EQ(BytesOfHex(""), "");
  EXPECT_DEATH(BytesOfHex("0"), "size");
  EXPECT_DEATH(BytesOfHex("0g"), "xdigit");
}

TEST(StatusMacros, ReturnTheError) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(6).status().message(), "odd");
  EXPECT_EQ(Quarter(3).status().message(), "odd");
}

}  // namespace
}  // namespace weir

#include <string>

#include "absl/status/status.h"
#include "base/ids.h"
#include "gtest/gtest.h"
#include "log/offset_index.h"
#include "log/time_index.h"

namespace weir::log {
namespace {

const Offset kBase(100);

OffsetIndex SomeOffsets() {
  OffsetIndex index(kBase);
  index.Append(Offset(109), 1000);
  index.Append(Offset(119), 2000);
  index.Append(Offset(129), 3000);
  return index;
}

TEST(OffsetIndex, FindsTheEntryAtOrBefore) {
  const OffsetIndex index = SomeOffsets();
  EXPECT_EQ(index.Lookup(Offset(100)), (OffsetPosition{kBase, 0}));
  EXPECT_EQ(index.Lookup(Offset(108)), (OffsetPosition{kBase, 0}));
  EXPECT_EQ(index.Lookup(Offset(109)), (OffsetPosition{Offset(109), 1000}));
  EXPECT_EQ(index.Lookup(Offset(128)), (OffsetPosition{Offset(119), 2000}));
  EXPECT_EQ(index.Lookup(Offset(9999)), (OffsetPosition{Offset(129), 3000}));
  EXPECT_EQ(index.LookupPosition(999), (OffsetPosition{kBase, 0}));
  EXPECT_EQ(index.LookupPosition(2000), (OffsetPosition{Offset(119), 2000}));
}

TEST(OffsetIndex, BytesAsKafkaWritesThem) {
  // Relative offset, position; both i32 big-endian.
  const std::string bytes = SomeOffsets().Encode();
  EXPECT_EQ(bytes.substr(0, 16), std::string("\0\0\0\x09\0\0\x03\xe8\0\0\0\x13\0\0\x07\xd0", 16));
  const auto decoded = OffsetIndex::Decode(kBase, bytes, 4000);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->entries(), 3u);
  EXPECT_EQ(decoded->Last(), (OffsetPosition{Offset(129), 3000}));
}

TEST(OffsetIndex, IgnoresPreallocatedZeros) {
  const auto decoded =
      OffsetIndex::Decode(kBase, SomeOffsets().Encode() + std::string(800, '\0'), 4000);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->entries(), 3u);
  EXPECT_EQ(OffsetIndex::Decode(kBase, std::string(80, '\0'), 4000)->entries(), 0u);
}

TEST(OffsetIndex, RefusesWhatCannotBe) {
  const std::string good = SomeOffsets().Encode();
  EXPECT_TRUE(absl::IsDataLoss(OffsetIndex::Decode(kBase, good + "x", 4000).status()));
  EXPECT_TRUE(absl::IsDataLoss(OffsetIndex::Decode(kBase, good, 3000).status()))
      << "a position behind the log's end";
  EXPECT_TRUE(absl::IsDataLoss(OffsetIndex::Decode(kBase, good + good, 4000).status()));
  std::string negative = good;
  negative[0] = '\x80';
  EXPECT_TRUE(absl::IsDataLoss(OffsetIndex::Decode(kBase, negative, 4000).status()));
}

TEST(OffsetIndex, Truncates) {
  OffsetIndex index = SomeOffsets();
  index.TruncateTo(Offset(120));
  EXPECT_EQ(index.entries(), 2u);
  index.TruncateTo(Offset(119));
  EXPECT_EQ(index.entries(), 1u);
  index.TruncateTo(Offset(0));
  EXPECT_EQ(index.entries(), 0u);
}

TimeIndex SomeTimes() {
  TimeIndex index(kBase);
  index.MaybeAppend(5000, Offset(109));
  index.MaybeAppend(6000, Offset(119));
  return index;
}

TEST(TimeIndex, TimestampsOnlyAscend) {
  TimeIndex index = SomeTimes();
  index.MaybeAppend(6000, Offset(120));
  index.MaybeAppend(5500, Offset(121));
  EXPECT_EQ(index.entries(), 2u);
}

TEST(TimeIndex, FindsTheEntryAtOrBefore) {
  const TimeIndex index = SomeTimes();
  EXPECT_EQ(index.Lookup(4999), (TimestampOffset{kNoTimestamp, kBase}));
  EXPECT_EQ(index.Lookup(5000), (TimestampOffset{5000, Offset(109)}));
  EXPECT_EQ(index.Lookup(5999), (TimestampOffset{5000, Offset(109)}));
  EXPECT_EQ(index.Lookup(9999), (TimestampOffset{6000, Offset(119)}));
}

TEST(TimeIndex, BytesAsKafkaWritesThem) {
  // Timestamp i64, relative offset i32; big-endian.
  const std::string bytes = SomeTimes().Encode();
  EXPECT_EQ(bytes.substr(0, 12), std::string("\0\0\0\0\0\0\x13\x88\0\0\0\x09", 12));
  const auto decoded = TimeIndex::Decode(kBase, bytes + std::string(120, '\0'));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->entries(), 2u);
  EXPECT_EQ(decoded->Last(), (TimestampOffset{6000, Offset(119)}));
}

TEST(TimeIndex, RefusesWhatCannotBe) {
  const std::string good = SomeTimes().Encode();
  EXPECT_TRUE(absl::IsDataLoss(TimeIndex::Decode(kBase, good + "x").status()));
  EXPECT_TRUE(absl::IsDataLoss(TimeIndex::Decode(kBase, good + good).status()));
  std::string negative = good;
  negative[8] = '\x80';
  EXPECT_TRUE(absl::IsDataLoss(TimeIndex::Decode(kBase, negative).status()));
}

TEST(TimeIndex, Truncates) {
  TimeIndex index = SomeTimes();
  index.TruncateTo(Offset(119));
  EXPECT_EQ(index.Last(), (TimestampOffset{5000, Offset(109)}));
}

}  // namespace
}  // namespace weir::log

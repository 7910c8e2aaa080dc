#include "log/transaction_index.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/endian.h"
#include "base/ids.h"
#include "gtest/gtest.h"

namespace weir::log {
namespace {

AbortedTransaction Aborted(int64_t producer, int64_t first, int64_t last, int64_t stable) {
  return {ProducerId(producer), Offset(first), Offset(last), Offset(stable)};
}

// Three producers: 1 aborts [10, 20], 2 aborts [12, 30] while 3 is open since 15, 3 aborts to 40.
TransactionIndex Example() {
  TransactionIndex index;
  index.Append(Aborted(1, 10, 20, 12));
  index.Append(Aborted(2, 12, 30, 15));
  index.Append(Aborted(3, 15, 40, 41));
  return index;
}

std::vector<int64_t> Producers(int64_t from, int64_t to, bool complete) {
  std::vector<AbortedTransaction> found;
  EXPECT_EQ(Example().Collect(Offset(from), Offset(to), &found), complete) << from << " " << to;
  std::vector<int64_t> producers;
  for (const AbortedTransaction& aborted : found) producers.push_back(aborted.producer_id.value());
  return producers;
}

TEST(TransactionIndexTest, CollectsWhatOverlaps) {
  using Ids = std::vector<int64_t>;
  EXPECT_EQ(Producers(0, 10, true), Ids());
  EXPECT_EQ(Producers(0, 11, true), Ids({1}));
  EXPECT_EQ(Producers(0, 13, true), Ids({1, 2}));
  EXPECT_EQ(Producers(20, 16, true), Ids({1, 2, 3}));
  EXPECT_EQ(Producers(21, 41, true), Ids({2, 3}));
  EXPECT_EQ(Producers(31, 42, false), Ids({3})) << "a later segment may have more";
  EXPECT_EQ(Producers(41, 50, false), Ids());
}

TEST(TransactionIndexTest, TruncatesByMarkers) {
  TransactionIndex index = Example();
  index.TruncateTo(Offset(41));
  EXPECT_EQ(index.entries().size(), 3u);
  index.TruncateTo(Offset(30));
  EXPECT_EQ(index.entries().size(), 1u);
  index.TruncateTo(Offset(0));
  EXPECT_TRUE(index.empty());
}

TEST(TransactionIndexTest, EncodesAsKafkaDoes) {
  TransactionIndex index;
  index.Append(Aborted(0x0102030405060708, 9, 0x0b0c, 10));
  EXPECT_EQ(index.Encode(), std::string("\0\0"
                                        "\1\2\3\4\5\6\7\x08"
                                        "\0\0\0\0\0\0\0\x09"
                                        "\0\0\0\0\0\0\x0b\x0c"
                                        "\0\0\0\0\0\0\0\x0a",
                                        34));
  const auto decoded = TransactionIndex::Decode(Offset(5), Example().Encode());
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->entries(), Example().entries());
  EXPECT_TRUE(TransactionIndex::Decode(Offset(5), "")->empty());
}

TEST(TransactionIndexTest, RefusesWhatNoLogWrites) {
  const std::string good = Example().Encode();
  const auto fails = [&](size_t at, uint64_t value) {
    std::string bad = good;
    StoreBig64(&bad[at], value);
    return absl::IsDataLoss(TransactionIndex::Decode(Offset(5), bad).status());
  };
  for (size_t size = 1; size < good.size(); ++size) {
    if (size % TransactionIndex::kEntryBytes == 0) continue;
    EXPECT_FALSE(TransactionIndex::Decode(Offset(5), good.substr(0, size)).ok()) << size;
  }
  EXPECT_TRUE(fails(0, ~uint64_t{0})) << "a version that is not known";
  EXPECT_TRUE(fails(2, uint64_t{1} << 63)) << "a producer below 0";
  EXPECT_TRUE(fails(10, 21)) << "begins behind its marker";
  EXPECT_TRUE(fails(10, uint64_t{1} << 63));
  EXPECT_TRUE(fails(34 + 18, 20)) << "two markers at one offset";
  EXPECT_TRUE(fails(26, 22)) << "stable beyond its marker";
  EXPECT_TRUE(fails(26, uint64_t{1} << 63));
  EXPECT_FALSE(TransactionIndex::Decode(Offset(21), good).ok()) << "a marker before the segment";
  EXPECT_TRUE(TransactionIndex::Decode(Offset(20), good).ok());
  std::string version = good;
  version[1] = 1;
  EXPECT_FALSE(TransactionIndex::Decode(Offset(5), version).ok());
}

}  // namespace
}  // namespace weir::log

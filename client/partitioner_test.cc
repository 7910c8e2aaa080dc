// Keys against Kafka 4.2.0's Java client (tests/golden/murmur2.txt), and the sticky choice.
#include "client/partitioner.h"

#include <cstdint>
#include <fstream>
#include <map>
#include <string>

#include "base/hex.h"
#include "base/random.h"
#include "gtest/gtest.h"

namespace weir::client {
namespace {

TEST(Murmur2, AgreesWithTheJavaClient) {
  std::ifstream file("tests/golden/murmur2.txt");
  std::string hex;
  int32_t hash = 0, of_7 = 0, of_50 = 0;
  int keys = 0;
  while (file >> hex >> hash >> of_7 >> of_50) {
    const std::string key = hex == "-" ? "" : BytesOfHex(hex);
    ASSERT_EQ(Murmur2(key), hash) << hex;
    ASSERT_EQ(PartitionForKey(key, 7), of_7) << hex;
    ASSERT_EQ(PartitionForKey(key, 50), of_50) << hex;
    ++keys;
  }
  EXPECT_EQ(keys, 1200);
}

TEST(StickyPartitioner, StaysForABatchAndReachesEveryAvailablePartition) {
  SeededRandom random(7);
  StickyPartitioner sticky;
  const int32_t available[] = {0, 2, 5};
  std::map<int32_t, int> records;
  int changes = 0;
  int32_t last = -1;
  for (int i = 0; i < 3000; ++i) {
    const int32_t partition = sticky.Next(available, 6, 100, 1000, random);
    if (i % 10 != 0) {
      ASSERT_EQ(partition, last) << i;
    }
    changes += partition != last ? 1 : 0;
    last = partition;
    ++records[partition];
  }
  EXPECT_EQ(records.size(), 3u);
  for (const int32_t partition : available) EXPECT_GT(records[partition], 700) << partition;
  EXPECT_GT(changes, 150);
}

TEST(StickyPartitioner, FollowsATopicThatShrankAndTakesAnyWithoutLeaders) {
  SeededRandom random(7);
  StickyPartitioner sticky;
  const int32_t last[] = {9};
  EXPECT_EQ(sticky.Next(last, 10, 1, 1000, random), 9);
  EXPECT_EQ(sticky.Next({}, 1, 1, 1000, random), 0);
}

}  // namespace
}  // namespace weir::client

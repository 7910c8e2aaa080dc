#include "log/offset_map.h"

#include <cstdint>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/siphash.h"
#include "gtest/gtest.h"

namespace weir::log {
namespace {

constexpr SipKey kKey{1, 2};
constexpr int64_t kPlenty = 1 << 20;

TEST(OffsetMap, KeepsTheLastOffset) {
  OffsetMap map(kKey, 100, kPlenty, 0.9);
  EXPECT_EQ(map.Get("a"), kNoOffset);
  EXPECT_TRUE(map.Put("a", Offset(0)));
  EXPECT_TRUE(map.Put("b", Offset(1)));
  EXPECT_TRUE(map.Put("a", Offset(7)));
  EXPECT_TRUE(map.Put("", Offset(8)));
  EXPECT_EQ(map.Get("a"), Offset(7));
  EXPECT_EQ(map.Get("b"), Offset(1));
  EXPECT_EQ(map.Get(""), Offset(8));
  EXPECT_EQ(map.Get("c"), kNoOffset);
  EXPECT_EQ(map.size(), 3);
}

TEST(OffsetMap, TakesNoMoreMemoryThanItMayOrNeeds) {
  EXPECT_LE(OffsetMap(kKey, int64_t{1} << 60, 24'000, 0.9).memory_bytes(), 24'000);
  EXPECT_EQ(OffsetMap(kKey, int64_t{1} << 60, 24'000, 0.9).capacity(), 900);
  const OffsetMap small(kKey, 10, kPlenty, 0.9);
  EXPECT_GE(small.capacity(), 10);
  EXPECT_LE(small.memory_bytes(), 20 * OffsetMap::kEntryBytes);
  EXPECT_GE(OffsetMap(kKey, 0, 0, 0.9).capacity(), 1);
}

TEST(OffsetMap, AFullMapStillTakesWhatItKnows) {
  OffsetMap map(kKey, 1 << 30, 24 * 100, 0.9);
  int64_t taken = 0;
  while (map.Put(absl::StrCat("key ", taken), Offset(taken))) ++taken;
  EXPECT_EQ(taken, map.capacity());
  EXPECT_EQ(taken, 90);
  EXPECT_EQ(map.Get(absl::StrCat("key ", taken)), kNoOffset);
  for (int64_t i = 0; i < taken; ++i) {
    EXPECT_EQ(map.Get(absl::StrCat("key ", i)), Offset(i));
    EXPECT_TRUE(map.Put(absl::StrCat("key ", i), Offset(1000 + i)));
  }
  for (int64_t i = 0; i < taken; ++i) {
    EXPECT_EQ(map.Get(absl::StrCat("key ", i)), Offset(1000 + i));
  }
  EXPECT_EQ(map.size(), taken);
}

// Against std::map, with every load up to one slot that is free.
TEST(OffsetMap, AgreesWithAMap) {
  for (const double load : {0.5, 0.9, 1.0}) {
    SeededRandom random(42);
    OffsetMap map(SipKey::Draw(random), int64_t{1} << 40, 24 * 3000, load);
    std::map<std::string, Offset> model;
    for (int64_t offset = 0; offset < 20'000; ++offset) {
      const std::string key = absl::StrCat(random.Below(5000));
      const bool fits =
          model.count(key) != 0 || static_cast<int64_t>(model.size()) < map.capacity();
      ASSERT_EQ(map.Put(key, Offset(offset)), fits);
      if (fits) model[key] = Offset(offset);
    }
    EXPECT_EQ(map.size(), static_cast<int64_t>(model.size()));
    EXPECT_EQ(map.size(), map.capacity());
    for (int i = 0; i < 5000; ++i) {
      const auto known = model.find(absl::StrCat(i));
      ASSERT_EQ(map.Get(absl::StrCat(i)), known == model.end() ? kNoOffset : known->second) << i;
    }
  }
}

}  // namespace
}  // namespace weir::log

#include "coordination/metadata/persistent_map.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/random.h"
#include "gtest/gtest.h"

namespace weir::metadata {
namespace {

// Maps keys to few hashes, so that subtrees, splits and full collisions all happen.
struct PoorHash {
  uint64_t operator()(int key) const {
    return key % 3 == 0 ? uint64_t{0} - key % 2 : static_cast<uint64_t>(key % 50) << (key % 60);
  }
};

using Poor = PersistentMap<int, std::string, PoorHash>;
using Model = std::map<int, std::string>;

Model Contents(const Poor& map) {
  Model out;
  map.ForEach(
      [&](int key, const std::string& value) { EXPECT_TRUE(out.emplace(key, value).second); });
  EXPECT_EQ(out.size(), map.size());
  return out;
}

TEST(PersistentMapTest, CopiesKeepTheirContentsThroughRandomChanges) {
  SeededRandom random(1);
  Poor map;
  Model model;
  std::vector<std::pair<Poor, Model>> copies;
  for (int step = 0; step < 4000; ++step) {
    const int key = static_cast<int>(random.Below(200));
    switch (random.Below(4)) {
      case 0:
        EXPECT_EQ(map.Erase(key), model.erase(key) == 1);
        break;
      case 1:
        if (std::string* value = map.Mutable(key); value != nullptr) {
          *value += "+";
          model.at(key) += "+";
        } else {
          EXPECT_EQ(model.count(key), 0);
        }
        break;
      default: {
        std::string value = std::to_string(step);
        map.Set(key, value);
        model[key] = value;
      }
    }
    const std::string* found = map.Find(key);
    const auto expected = model.find(key);
    ASSERT_EQ(found != nullptr, expected != model.end());
    if (found != nullptr) {
      EXPECT_EQ(*found, expected->second);
    }
    if (step % 100 == 0) copies.emplace_back(map, model);
  }
  EXPECT_EQ(Contents(map), model);
  for (const auto& [copy, expected] : copies) EXPECT_EQ(Contents(copy), expected);
}

TEST(PersistentMapTest, DifferenceIsExactlyWhatChanged) {
  SeededRandom random(2);
  Poor from;
  for (int i = 0; i < 300; ++i) from.Set(static_cast<int>(random.Below(500)), "old");
  for (int round = 0; round < 200; ++round) {
    Poor to = from;
    for (uint64_t changes = random.Below(20); changes > 0; --changes) {
      const int key = static_cast<int>(random.Below(500));
      if (random.OneIn(2)) {
        to.Erase(key);
      } else {
        to.Set(key, std::to_string(round));
      }
    }
    Model patched = Contents(from);
    Difference(from, to, [&](int key, const std::string* before, const std::string* after) {
      const auto it = patched.find(key);
      ASSERT_EQ(before != nullptr, it != patched.end()) << key;
      if (before != nullptr) {
        EXPECT_EQ(*before, it->second);
      }
      ASSERT_TRUE(before != nullptr || after != nullptr);
      if (after == nullptr) {
        patched.erase(key);
      } else {
        patched[key] = *after;
      }
    });
    EXPECT_EQ(patched, Contents(to));
    from = std::move(to);
  }
}

TEST(PersistentMapTest, DifferenceVisitsOnlyWhatIsNotShared) {
  PersistentMap<PartitionIndex, int> from;
  for (int i = 0; i < 100'000; ++i) from.Set(PartitionIndex(i), i);
  PersistentMap<PartitionIndex, int> to = from;
  *to.Mutable(PartitionIndex(77'777)) = -1;
  int visits = 0;
  Difference(from, to, [&](PartitionIndex key, const int* before, const int* after) {
    ++visits;
    EXPECT_EQ(key.value(), 77'777);
    EXPECT_EQ(*before, 77'777);
    EXPECT_EQ(*after, -1);
  });
  EXPECT_EQ(visits, 1);
  // The entries that did not change are the very same objects.
  EXPECT_EQ(from.Find(PartitionIndex(77'778)), to.Find(PartitionIndex(77'778)));
  EXPECT_NE(from.Find(PartitionIndex(77'777)), to.Find(PartitionIndex(77'777)));
}

TEST(PersistentMapTest, EqualContentsCompareEqualWhateverTheirHistory) {
  PersistentMap<std::string, int> a, b;
  for (int i = 0; i < 100; ++i) a.Set(std::to_string(i), i);
  for (int i = 199; i >= 0; --i) b.Set(std::to_string(i), i);
  EXPECT_FALSE(a == b);
  for (int i = 100; i < 200; ++i) b.Erase(std::to_string(i));
  EXPECT_TRUE(a == b);
  *b.Mutable("7") = 8;
  EXPECT_FALSE(a == b);
  EXPECT_EQ(b.Find(absl::string_view("nothing")), nullptr);
}

TEST(PersistentMapTest, AnEmptiedMapEqualsANewOne) {
  PersistentMap<std::string, int> map;
  EXPECT_FALSE(map.Erase("a"));
  EXPECT_EQ(map.Mutable("a"), nullptr);
  map.Set("a", 1);
  EXPECT_TRUE(map.Erase("a"));
  EXPECT_TRUE(map.empty());
  EXPECT_TRUE(map == (PersistentMap<std::string, int>()));
}

}  // namespace
}  // namespace weir::metadata

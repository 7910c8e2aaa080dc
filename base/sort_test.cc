#include "base/sort.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace weir {
namespace {

TEST(SortTest, SortsAsTheStandardDoes) {
  SeededRandom random(1);
  for (size_t size = 0; size < 300; ++size) {
    std::vector<uint64_t> values(size);
    for (uint64_t& value : values) value = random.NextU64() % (size + 1);
    std::vector<uint64_t> expected = values;
    std::sort(expected.begin(), expected.end());
    Sort(values);
    ASSERT_EQ(values, expected) << size << " values";
    std::reverse(expected.begin(), expected.end());
    Sort(values, std::greater<uint64_t>());
    ASSERT_EQ(values, expected) << size << " values, the largest first";
  }
}

TEST(SortTest, MovesWhatCannotBeCopied) {
  std::vector<std::unique_ptr<std::string>> values;
  for (const char* text : {"c", "a", "d", "b", "a"}) {
    values.push_back(std::make_unique<std::string>(text));
  }
  Sort(values, [](const auto& a, const auto& b) { return *a < *b; });
  std::string joined;
  for (const auto& value : values) joined += *value;
  EXPECT_EQ(joined, "aabcd");
}

// Orders that are quadratic for some algorithms.
TEST(SortTest, ComparesFewTimes) {
  constexpr size_t kSize = 100'000;
  for (const size_t teeth : {size_t{1}, size_t{2}, size_t{1000}, kSize}) {
    std::vector<size_t> values(kSize);
    for (size_t i = 0; i < kSize; ++i) values[i] = (kSize - i) % teeth * kSize + i / teeth;
    size_t comparisons = 0;
    Sort(values, [&comparisons](size_t a, size_t b) {
      ++comparisons;
      return a < b;
    });
    EXPECT_TRUE(std::is_sorted(values.begin(), values.end()));
    EXPECT_LT(comparisons, 60 * kSize) << teeth << " teeth";
  }
}

}  // namespace
}  // namespace weir

#include "coordination/metadata/throttle_rates.h"

#include <map>
#include <optional>
#include <string>

#include "gtest/gtest.h"

namespace weir::metadata {
namespace {

using Configs = std::map<std::string, std::string>;

TEST(ThrottleRatesTest, ABrokersOwnGoesBeforeThatOfAll) {
  const std::string name(kLeaderThrottledRate);
  EXPECT_EQ(ThrottledRateOf({}, {}, name), std::nullopt);
  EXPECT_EQ(ThrottledRateOf({}, {{name, "7"}}, name), 7);
  EXPECT_EQ(ThrottledRateOf({{name, " 5 "}}, {{name, "7"}}, name), 5);
  EXPECT_EQ(ThrottledRateOf({{name, "0"}}, {{name, "7"}}, name), 0);
  EXPECT_EQ(ThrottledRateOf({{name, "5"}}, {}, kFollowerThrottledRate), std::nullopt);
}

TEST(ThrottleRatesTest, WhatIsNoRateCountsAsNotSet) {
  const std::string name(kLogDirsThrottledRate);
  for (const char* wrong : {"", "x", "-1", "1.5", "9999999999999999999"}) {
    EXPECT_EQ(ThrottledRateOf({{name, wrong}}, {{name, "7"}}, name), 7) << wrong;
    EXPECT_EQ(ThrottledRateOf({}, {{name, wrong}}, name), std::nullopt) << wrong;
  }
}

TEST(ThrottleRatesTest, KnowsTheNames) {
  for (const ThrottledRate& rate : kThrottledRates) EXPECT_EQ(FindThrottledRate(rate.name), &rate);
  EXPECT_EQ(FindThrottledRate("num.partitions"), nullptr);
}

}  // namespace
}  // namespace weir::metadata

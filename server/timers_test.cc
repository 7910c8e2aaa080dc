#include "server/timers.h"

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace weir::server {
namespace {

TEST(TimerQueueTest, RunsByTimeThenByOrderOfScheduling) {
  TimerQueue timers;
  std::vector<int> ran;
  for (const auto& [when, name] : {std::pair(30, 1), {10, 2}, {30, 3}, {20, 4}, {10, 5}}) {
    timers.Schedule(MonotonicNs(when), [&ran, name = name] { ran.push_back(name); });
  }
  EXPECT_EQ(timers.Next(), MonotonicNs(10));
  EXPECT_EQ(timers.RunDue(MonotonicNs(9)), 0u);
  EXPECT_EQ(timers.RunDue(MonotonicNs(20)), 3u);
  EXPECT_EQ(ran, (std::vector<int>{2, 5, 4}));
  EXPECT_EQ(timers.RunDue(MonotonicNs(1000)), 2u);
  EXPECT_EQ(ran, (std::vector<int>{2, 5, 4, 1, 3}));
  EXPECT_EQ(timers.Next(), std::nullopt);
}

TEST(TimerQueueTest, CancelsOnceAndNeverAnother) {
  TimerQueue timers;
  int ran = 0;
  const TimerId first = timers.Schedule(MonotonicNs(1), [&] { ran += 1; });
  EXPECT_TRUE(timers.Cancel(first));
  EXPECT_FALSE(timers.Cancel(first));
  EXPECT_FALSE(timers.Cancel(TimerId()));               // not the free slot either
  timers.Schedule(MonotonicNs(1), [&] { ran += 10; });  // takes the slot
  EXPECT_FALSE(timers.Cancel(first));
  EXPECT_FALSE(timers.Cancel(TimerId()));
  timers.RunDue(MonotonicNs(1));
  EXPECT_EQ(ran, 10);
}

TEST(TimerQueueTest, ACallbackCancelsOneThatIsDueWithIt) {
  TimerQueue timers;
  bool second_ran = false;
  TimerId self, second;
  self = timers.Schedule(MonotonicNs(1), [&] {
    EXPECT_TRUE(timers.Cancel(second));
    EXPECT_FALSE(timers.Cancel(self));
  });
  second = timers.Schedule(MonotonicNs(2), [&] { second_ran = true; });
  EXPECT_EQ(timers.RunDue(MonotonicNs(5)), 1u);
  EXPECT_FALSE(second_ran);
}

TEST(TimerQueueTest, WhatACallbackSchedulesWaitsForTheNextCall) {
  TimerQueue timers;
  int ran = 0;
  timers.Schedule(MonotonicNs(1), [&] {
    ++ran;
    timers.Schedule(MonotonicNs(0), [&] { ++ran; });
  });
  EXPECT_EQ(timers.RunDue(MonotonicNs(5)), 1u);
  EXPECT_EQ(timers.Next(), MonotonicNs(0));
  EXPECT_EQ(timers.RunDue(MonotonicNs(5)), 1u);
  EXPECT_EQ(ran, 2);
}

// Against a model: an ordered map.
TEST(TimerQueueTest, AgreesWithAnOrderedMap) {
  SeededRandom random(7);
  TimerQueue timers;
  std::map<std::pair<int64_t, uint64_t>, TimerId> model;
  std::vector<uint64_t> ran;
  uint64_t order = 0;
  int64_t now = 0;
  for (int step = 0; step < 20'000; ++step) {
    switch (random.Below(4)) {
      case 0:
      case 1: {
        const int64_t when = now + static_cast<int64_t>(random.Below(50));
        const uint64_t name = ++order;
        model[{when, name}] =
            timers.Schedule(MonotonicNs(when), [&ran, name] { ran.push_back(name); });
        break;
      }
      case 2:
        if (!model.empty()) {
          auto at = std::next(model.begin(), static_cast<int64_t>(random.Below(model.size())));
          EXPECT_TRUE(timers.Cancel(at->second));
          model.erase(at);
        }
        break;
      case 3: {
        now += static_cast<int64_t>(random.Below(10));
        ran.clear();
        timers.RunDue(MonotonicNs(now));
        std::vector<uint64_t> expected;
        while (!model.empty() && model.begin()->first.first <= now) {
          expected.push_back(model.begin()->first.second);
          model.erase(model.begin());
        }
        ASSERT_EQ(ran, expected);
        break;
      }
    }
    ASSERT_EQ(timers.size(), model.size());
    if (!model.empty()) {
      ASSERT_EQ(timers.Next(), MonotonicNs(model.begin()->first.first));
    }
  }
}

}  // namespace
}  // namespace weir::server

#include "server/leader_doubts.h"

#include <cstdint>

#include "base/clock.h"
#include "base/ids.h"
#include "coordination/metadata/image.h"
#include "gtest/gtest.h"

namespace weir::server {
namespace {

constexpr BrokerId kBroker{1};

MonotonicNs At(int64_t ms) { return MonotonicNs(ms * kNsPerMs); }

class LeaderDoubtsTest : public testing::Test {
 protected:
  LeaderDoubtsTest() { Register(10); }

  void Register(int64_t epoch, bool fenced = false) {
    metadata::BrokerImage broker;
    broker.epoch = epoch;
    broker.fenced = fenced;
    image_.brokers.Set(kBroker, broker);
  }
  bool IsDoubted(int64_t ms) const { return doubts_.IsDoubted(At(ms), kBroker, image_); }

  metadata::MetadataImage image_;
  LeaderDoubts doubts_;
};

TEST_F(LeaderDoubtsTest, LastsForAWhile) {
  EXPECT_FALSE(IsDoubted(0));
  doubts_.OnStreamBroken(At(1), kBroker, image_);
  EXPECT_TRUE(IsDoubted(1));
  EXPECT_TRUE(IsDoubted(400));
  EXPECT_FALSE(IsDoubted(401));
}

TEST_F(LeaderDoubtsTest, EndsWhenTheBrokerIsFencedOrRegistersAnewOrSpeaks) {
  doubts_.OnStreamBroken(At(1), kBroker, image_);
  Register(10, /*fenced=*/true);
  EXPECT_FALSE(IsDoubted(2));
  Register(10);
  EXPECT_TRUE(IsDoubted(2));
  Register(11);
  EXPECT_FALSE(IsDoubted(2));
  Register(10);
  doubts_.OnSpoke(kBroker);
  EXPECT_FALSE(IsDoubted(2));
}

// The streams of all shards break when a process ends; and one that flaps is still of use.
TEST_F(LeaderDoubtsTest, IsNotRenewedForTheSameProcessBeforeLong) {
  doubts_.OnStreamBroken(At(0), kBroker, image_);
  doubts_.OnStreamBroken(At(300), kBroker, image_);
  EXPECT_FALSE(IsDoubted(400));
  doubts_.OnStreamBroken(At(4'999), kBroker, image_);
  EXPECT_FALSE(IsDoubted(4'999));
  doubts_.OnStreamBroken(At(5'000), kBroker, image_);
  EXPECT_TRUE(IsDoubted(5'000));
}

TEST_F(LeaderDoubtsTest, BeginsForAnotherProcessAtOnce) {
  doubts_.OnStreamBroken(At(0), kBroker, image_);
  Register(11);
  doubts_.OnStreamBroken(At(500), kBroker, image_);
  EXPECT_TRUE(IsDoubted(500));
}

TEST_F(LeaderDoubtsTest, IsOfBrokersThatAreThere) {
  doubts_.OnStreamBroken(At(0), BrokerId(2), image_);
  EXPECT_FALSE(doubts_.IsDoubted(At(0), BrokerId(2), image_));
  Register(10, /*fenced=*/true);
  doubts_.OnStreamBroken(At(0), kBroker, image_);
  EXPECT_FALSE(IsDoubted(0));
  Register(10);
  EXPECT_FALSE(IsDoubted(0));
}

}  // namespace
}  // namespace weir::server

// Brokers register, keep their sessions, are fenced, shut down and return.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/controller_harness.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/records.h"
#include "gtest/gtest.h"
#include "protocol/error_code.h"

namespace weir::metadata {
namespace {

using protocol::ErrorCode;

TEST(BrokerRegistrationTest, ABrokerIsUnfencedOnceItHasSeenItsRegistration) {
  ControllerHarness h;
  const int64_t epoch = h.Register(TestRegistration(1, 1)).broker_epoch;
  BrokerHeartbeatReply reply = h.Heartbeat(1, Offset(epoch - 1));
  EXPECT_FALSE(reply.is_caught_up);
  EXPECT_TRUE(reply.is_fenced);
  reply = h.Heartbeat(1, Offset(epoch), /*want_fence=*/true);
  EXPECT_TRUE(reply.is_caught_up);
  EXPECT_TRUE(reply.is_fenced);
  reply = h.Heartbeat(1, Offset(epoch));
  EXPECT_FALSE(reply.is_fenced);
  EXPECT_FALSE(h.image().FindBroker(BrokerId(1))->fenced);
  reply = h.Heartbeat(1, Offset(epoch), /*want_fence=*/true);
  EXPECT_TRUE(reply.is_fenced);
  EXPECT_FALSE(reply.should_shut_down);
}

TEST(BrokerRegistrationTest, HeartbeatsOfOthersAreRefused) {
  ControllerHarness h;
  h.Join(1);
  BrokerHeartbeat event;
  event.broker = BrokerId(1);
  event.broker_epoch = h.Epoch(1) - 1;
  EXPECT_EQ(h.Ask<BrokerHeartbeatReply>(event).error, ErrorCode::kStaleBrokerEpoch);
  event.broker = BrokerId(2);
  EXPECT_EQ(h.Ask<BrokerHeartbeatReply>(event).error, ErrorCode::kBrokerIdNotRegistered);
}

TEST(BrokerRegistrationTest, ALostBrokerIsFencedAtOnceAndItsLeadersMove) {
  ControllerHarness h;
  h.JoinAll(2);
  h.CreateOn("t", {{1, 2}, {2, 1}});
  const int64_t epoch = h.Epoch(1);
  h.Give(BrokerLost{BrokerId(1), epoch});
  EXPECT_TRUE(h.image().FindBroker(BrokerId(1))->fenced);
  EXPECT_EQ(h.Partition("t", 0).leader, BrokerId(2));
  EXPECT_EQ(h.Partition("t", 0).isr, Ids({2}));
  const size_t records = h.log().size();
  h.Give(BrokerLost{BrokerId(1), epoch});  // once more
  EXPECT_EQ(h.log().size(), records);
  EXPECT_FALSE(h.Heartbeat(1).is_fenced) << "it was there after all";
}

TEST(BrokerRegistrationTest, TheEndOfAnEarlierProcessFencesNobody) {
  ControllerHarness h;
  h.JoinAll(2);
  const int64_t before = h.Epoch(1);
  h.Fence(1);
  h.Join(1);
  const size_t records = h.log().size();
  h.Give(BrokerLost{BrokerId(1), before});
  h.Give(BrokerLost{BrokerId(3), before});
  EXPECT_FALSE(h.image().FindBroker(BrokerId(1))->fenced);
  EXPECT_EQ(h.log().size(), records);
  h.Give(LeadershipLost());
  h.Give(BrokerLost{BrokerId(1), h.Epoch(1)});
  EXPECT_EQ(h.log().size(), records);
}

TEST(BrokerRegistrationTest, ALostBrokerThatShutsDownIsFenced) {
  ControllerHarness h;
  h.JoinAll(2);
  h.CreateOn("t", {{1, 2}});
  EXPECT_FALSE(h.Heartbeat(1, std::nullopt, false, /*want_shut_down=*/true).should_shut_down);
  h.Give(BrokerLost{BrokerId(1), h.Epoch(1)});
  EXPECT_TRUE(h.image().FindBroker(BrokerId(1))->fenced);
  EXPECT_EQ(h.Partition("t", 0).leader, BrokerId(2));
}

TEST(BrokerRegistrationTest, ASilentBrokerIsFencedWhenItsSessionEnds) {
  ControllerHarness h;
  h.JoinAll(2);
  h.CreateOn("t", {{1, 2}, {2, 1}});
  h.Advance(5000);
  h.Heartbeat(2);
  const std::optional<MonotonicNs> deadline = h.controller().NextDeadline();
  ASSERT_TRUE(deadline.has_value());
  EXPECT_EQ(*deadline - h.now(), 4000 * kNsPerMs + 1);  // of broker 1
  h.AdvanceAndTick(4000);
  EXPECT_FALSE(h.image().FindBroker(BrokerId(1))->fenced);
  h.AdvanceAndTick(1);
  EXPECT_TRUE(h.image().FindBroker(BrokerId(1))->fenced);
  EXPECT_FALSE(h.image().FindBroker(BrokerId(2))->fenced);
  EXPECT_EQ(h.Partition("t", 0).leader, BrokerId(2));
  EXPECT_EQ(h.Partition("t", 0).isr, Ids({2}));
  EXPECT_EQ(h.Partition("t", 0).leader_epoch, LeaderEpoch(1));
  EXPECT_EQ(h.Partition("t", 1).leader, BrokerId(2));
  EXPECT_EQ(h.Partition("t", 1).leader_epoch, LeaderEpoch(0));
  EXPECT_FALSE(h.Heartbeat(1).is_fenced);  // it was only slow
  h.AdvanceAndTick(100'000);
  EXPECT_TRUE(h.image().FindBroker(BrokerId(1))->fenced);
  EXPECT_TRUE(h.image().FindBroker(BrokerId(2))->fenced);
}

TEST(BrokerRegistrationTest, AnotherProcessTakesTheIdOnlyWhenTheSessionIsOver) {
  ControllerHarness h;
  h.Join(1);
  EXPECT_EQ(h.Register(TestRegistration(1, 99)).error, ErrorCode::kDuplicateBrokerRegistration);
  h.Advance(9001);  // nobody looked yet
  EXPECT_EQ(h.Register(TestRegistration(1, 99)).error, ErrorCode::kNone);
  EXPECT_TRUE(h.image().FindBroker(BrokerId(1))->fenced);
  // One that is fenced has no session.
  EXPECT_EQ(h.Register(TestRegistration(1, 100)).error, ErrorCode::kNone);
}

TEST(BrokerRegistrationTest, SessionsBeginAnewWithEveryController) {
  ControllerHarness h;
  h.JoinAll(2);
  h.Advance(8000);
  h.Failover();
  h.AdvanceAndTick(8999);
  EXPECT_FALSE(h.image().FindBroker(BrokerId(1))->fenced);
  EXPECT_EQ(h.Register(TestRegistration(1, 99)).error, ErrorCode::kDuplicateBrokerRegistration);
  h.AdvanceAndTick(2);
  EXPECT_TRUE(h.image().FindBroker(BrokerId(1))->fenced);
  h.Give(LeadershipLost());
  EXPECT_EQ(h.controller().NextDeadline(), std::nullopt);
}

TEST(BrokerRegistrationTest, RegistrationsAreChecked) {
  ControllerConfig config;
  config.cluster_id = "here";
  ControllerHarness h(config);
  h.Join(1);
  RegisterBroker foreign;
  foreign.registration = TestRegistration(2, 1);
  foreign.cluster_id = "there";
  EXPECT_EQ(h.Ask<BrokerRegistered>(foreign).error, ErrorCode::kInconsistentClusterId);
  EXPECT_EQ(h.Register(TestRegistration(2, 1, {Uuid{100, 1}})).error,
            ErrorCode::kInvalidRegistration);
  EXPECT_EQ(h.Register(TestRegistration(2, 1, {kDirectoryLost})).error,
            ErrorCode::kInvalidRegistration);
  EXPECT_EQ(h.Register(TestRegistration(2, 1, {Uuid{5, 5}, Uuid{5, 5}})).error,
            ErrorCode::kInvalidRegistration);
  RegisterBrokerRecord old = TestRegistration(2, 1);
  old.features.emplace_back();
  old.features[0].name = "metadata.version";
  old.features[0].min_supported_version = 7;
  old.features[0].max_supported_version = 28;
  EXPECT_EQ(h.Register(old).error, ErrorCode::kUnsupportedVersion);
  old.features[0].max_supported_version = 29;
  EXPECT_EQ(h.Register(old).error, ErrorCode::kNone);
  old.broker_id = 3;
  old.log_dirs = {Uuid{100, 3}};
  old.features[0].name = "group.version";
  EXPECT_EQ(h.Register(old).error, ErrorCode::kUnsupportedVersion);
}

TEST(BrokerRegistrationTest, AFeatureGoesOnlyWhereAllBrokersFollow) {
  ControllerConfig config;
  FeatureLevelRecord level;
  level.name = "metadata.version";
  level.feature_level = 25;
  config.bootstrap_records = {level};
  ControllerHarness h(config);
  RegisterBrokerRecord old = TestRegistration(1, 1);
  old.features.emplace_back();
  old.features[0].name = "metadata.version";
  old.features[0].min_supported_version = 7;
  old.features[0].max_supported_version = 26;
  ASSERT_EQ(h.Register(old).error, ErrorCode::kNone);
  UpdateFeatures update;
  update.updates = {{"metadata.version", 27, FeatureUpdate::Kind::kUpgrade}};
  EXPECT_EQ(h.Ask<FeaturesUpdated>(update).error, ErrorCode::kInvalidUpdateVersion);
  update.updates[0].level = 26;
  EXPECT_EQ(h.Ask<FeaturesUpdated>(update).error, ErrorCode::kNone);
  EXPECT_EQ(h.image().FeatureLevel("metadata.version"), 26);
}

TEST(BrokerRegistrationTest, ControlledShutdownMovesLeadersAndWaitsForThePeers) {
  ControllerHarness h;
  h.JoinAll(3);
  h.CreateOn("t", {{1, 2, 3}, {2, 1, 3}});
  const Offset before = h.controller().next_offset() - 1;
  BrokerHeartbeatReply reply = h.Heartbeat(1, std::nullopt, false, /*want_shut_down=*/true);
  EXPECT_FALSE(reply.should_shut_down);
  EXPECT_FALSE(reply.is_fenced);
  EXPECT_TRUE(h.image().FindBroker(BrokerId(1))->in_controlled_shutdown);
  EXPECT_EQ(h.Partition("t", 0).leader, BrokerId(2));
  EXPECT_EQ(h.Partition("t", 0).isr, Ids({2, 3}));
  EXPECT_EQ(h.Partition("t", 1).isr, Ids({2, 3}));
  // It may not come back into an ISR.
  EXPECT_EQ(h.SetIsr("t", 0, {1, 2, 3}), ErrorCode::kIneligibleReplica);
  h.Heartbeat(2);
  h.Heartbeat(3, before);
  EXPECT_FALSE(h.Heartbeat(1, std::nullopt, false, true).should_shut_down);
  h.Heartbeat(3);
  reply = h.Heartbeat(1, std::nullopt, false, true);
  EXPECT_TRUE(reply.should_shut_down);
  EXPECT_TRUE(reply.is_fenced);
  EXPECT_TRUE(h.Heartbeat(1).is_fenced);  // a stray heartbeat does not bring it back
}

TEST(BrokerRegistrationTest, WhoLeadsNothingMayGoAtOnce) {
  ControllerHarness h;
  h.JoinAll(2);
  h.CreateOn("t", {{1, 2}});
  EXPECT_TRUE(h.Heartbeat(2, std::nullopt, false, true).should_shut_down);
  EXPECT_EQ(h.Partition("t").isr, Ids({1}));
  // A fenced one too, and so does one that wants both.
  EXPECT_TRUE(h.Heartbeat(2, std::nullopt, false, true).should_shut_down);
  EXPECT_TRUE(h.Heartbeat(1, std::nullopt, true, true).should_shut_down);
  EXPECT_EQ(h.Partition("t").leader, kNoBroker);
  EXPECT_EQ(h.Partition("t").isr, Ids({1}));  // the last one keeps its place
}

TEST(BrokerRegistrationTest, AShutdownGoesOnWithTheNextController) {
  ControllerHarness h;
  h.JoinAll(2);
  h.CreateOn("t", {{1, 2}});
  EXPECT_FALSE(h.Heartbeat(1, std::nullopt, false, true).should_shut_down);
  h.Failover();
  EXPECT_FALSE(h.Heartbeat(1, std::nullopt, false, true).should_shut_down);
  h.Heartbeat(2);
  EXPECT_TRUE(h.Heartbeat(1, std::nullopt, false, true).should_shut_down);
}

TEST(BrokerRegistrationTest, AnUnregisteredBrokerLeadsNothing) {
  ControllerHarness h;
  h.JoinAll(2);
  h.CreateOn("t", {{1, 2}});
  EXPECT_EQ(h.Ask<BrokerUnregistered>(UnregisterBroker{0, BrokerId(1)}).error, ErrorCode::kNone);
  EXPECT_EQ(h.image().FindBroker(BrokerId(1)), nullptr);
  EXPECT_EQ(h.Partition("t").leader, BrokerId(2));
  EXPECT_EQ(h.Partition("t").isr, Ids({2}));
  EXPECT_EQ(h.Ask<BrokerUnregistered>(UnregisterBroker{0, BrokerId(1)}).error,
            ErrorCode::kBrokerIdNotRegistered);
  h.Join(1);
  EXPECT_EQ(h.SetIsr("t", 0, {2, 1}), ErrorCode::kNone);
}

TEST(BrokerRegistrationTest, ALostDirectoryTakesItsReplicasOutOfTheIsr) {
  ControllerHarness h;
  const std::vector<Uuid> two = {Uuid{100, 1}, Uuid{100, 11}};
  h.Register(TestRegistration(1, 1, {two[0]}));
  h.Heartbeat(1);
  h.Join(2);
  h.CreateOn("first", {{1, 2}});  // in the only directory there was
  h.Fence(1);
  h.Register(TestRegistration(1, 2, two), h.Epoch(1));
  h.Heartbeat(1);
  h.SetIsr("first", 0, {2, 1});
  h.CreateOn("any", {{1, 2}});  // not known in which
  BrokerHeartbeat event;
  event.broker = BrokerId(1);
  event.broker_epoch = h.Epoch(1);
  event.metadata_offset = h.controller().next_offset();
  event.offline_log_dirs = {two[0], Uuid{100, 77}};
  EXPECT_FALSE(h.Ask<BrokerHeartbeatReply>(event).is_fenced);
  EXPECT_EQ(h.Partition("first").isr, Ids({2}));
  EXPECT_EQ(h.Partition("any").isr, Ids({1, 2}));
  EXPECT_EQ(h.image().FindBroker(BrokerId(1))->directories, std::vector<Uuid>{two[1]});
  const size_t length = h.log().size();
  h.Ask<BrokerHeartbeatReply>(event);
  EXPECT_EQ(h.log().size(), length);
}

}  // namespace
}  // namespace weir::metadata

#include "coordination/metadata/broker_lifecycle.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/metadata/controller_harness.h"
#include "coordination/metadata/controller_types.h"
#include "gtest/gtest.h"
#include "protocol/error_code.h"

namespace weir::metadata {
namespace {

using protocol::ErrorCode;
using State = BrokerLifecycle::State;

constexpr BrokerId kFirst{1}, kSecond{2};

// The broker 5 and what it wants done.
class Broker {
 public:
  explicit Broker(int64_t previous_epoch = -1)
      : lifecycle_(Config(), TestRegistration(5, 50), previous_epoch, now_) {}

  static BrokerLifecycleConfig Config() {
    BrokerLifecycleConfig config;
    config.cluster_id = "c";
    return config;
  }

  // The effects of this step.
  LifecycleEffects Give(LifecycleEvent event) {
    LifecycleEffects effects;
    lifecycle_.Step(now_, std::move(event), &effects);
    for (const LifecycleEffect& effect : effects) {
      if (const auto* e = std::get_if<SendRegistration>(&effect)) token_ = e->request.token;
      if (const auto* e = std::get_if<SendHeartbeat>(&effect)) token_ = e->request.token;
    }
    if (const auto next = lifecycle_.NextDeadline(); next.has_value()) {
      EXPECT_GT(*next, now_);  // or it is a busy loop
    }
    return effects;
  }
  LifecycleEffects Advance(int64_t ms) {
    now_ += ms * kNsPerMs;
    return Give(Tick());
  }

  LifecycleEffects Know(BrokerId controller) { return Give(ControllerKnown{controller}); }
  LifecycleEffects Registered(int64_t epoch) {
    return Give(RegistrationAnswered{token_, BrokerRegistered{ErrorCode::kNone, "", epoch}});
  }
  LifecycleEffects Refused(ErrorCode error, std::string message = "") {
    return Give(RegistrationAnswered{token_, BrokerRegistered{error, std::move(message), -1}});
  }
  LifecycleEffects RegistrationFailed() {
    return Give(RegistrationAnswered{token_, absl::UnavailableError("no route")});
  }
  LifecycleEffects Beat(bool fenced, bool shut_down = false) {
    return Give(HeartbeatAnswered{
        token_, BrokerHeartbeatReply{ErrorCode::kNone, !fenced, fenced, shut_down}});
  }
  LifecycleEffects BeatRefused(ErrorCode error) {
    return Give(HeartbeatAnswered{token_, BrokerHeartbeatReply{.error = error}});
  }
  LifecycleEffects BeatFailed() {
    return Give(HeartbeatAnswered{token_, absl::UnavailableError("no route")});
  }
  // Registered at epoch 10, unfenced, with no request under way.
  void Run() {
    Know(kFirst);
    Registered(10);
    Give(MetadataFollowed{Offset(10)});
    Beat(/*fenced=*/false);
    Beat(/*fenced=*/false);  // of the news that came meanwhile
    ASSERT_EQ(state(), State::kRunning);
  }

  // In milliseconds.
  std::optional<int64_t> DueIn() const {
    const auto next = lifecycle_.NextDeadline();
    if (!next.has_value()) return std::nullopt;
    return (*next - now_) / kNsPerMs;
  }
  State state() const { return lifecycle_.state(); }
  int64_t epoch() const { return lifecycle_.broker_epoch(); }
  // Of the session; in milliseconds.
  int64_t left() const { return (lifecycle_.session_ends() - now_) / kNsPerMs; }
  RequestToken token() const { return token_; }

 private:
  MonotonicNs now_{7 * kNsPerMs};
  RequestToken token_ = 0;
  BrokerLifecycle lifecycle_;
};

template <class T>
const T* Only(const LifecycleEffects& effects) {
  return effects.size() == 1 ? std::get_if<T>(&effects[0]) : nullptr;
}

TEST(BrokerLifecycleTest, ABrokerRegistersCatchesUpAndRuns) {
  Broker b(/*previous_epoch=*/3);
  EXPECT_EQ(b.state(), State::kRegistering);
  EXPECT_EQ(b.epoch(), -1);
  LifecycleEffects effects = b.Know(kFirst);
  const auto* registration = Only<SendRegistration>(effects);
  ASSERT_NE(registration, nullptr);
  EXPECT_EQ(registration->controller, kFirst);
  EXPECT_EQ(registration->request.registration.incarnation_id, (Uuid{7, 50}));
  EXPECT_EQ(registration->request.previous_broker_epoch, 3);
  EXPECT_EQ(registration->request.cluster_id, "c");
  EXPECT_FALSE(registration->request.predecessor_is_gone);

  effects = b.Registered(10);
  const auto* heartbeat = Only<SendHeartbeat>(effects);
  ASSERT_NE(heartbeat, nullptr);
  EXPECT_EQ(heartbeat->request.broker, BrokerId(5));
  EXPECT_EQ(heartbeat->request.broker_epoch, 10);
  EXPECT_EQ(heartbeat->request.metadata_offset, kNoOffset);
  EXPECT_FALSE(heartbeat->request.want_fence);
  EXPECT_FALSE(heartbeat->request.want_shut_down);
  EXPECT_EQ(b.state(), State::kCatchingUp);
  EXPECT_EQ(b.epoch(), 10);

  EXPECT_TRUE(b.Beat(/*fenced=*/true).empty());
  EXPECT_TRUE(b.Give(MetadataFollowed{Offset(9)}).empty());
  effects = b.Give(MetadataFollowed{Offset(10)});  // at once
  heartbeat = Only<SendHeartbeat>(effects);
  ASSERT_NE(heartbeat, nullptr);
  EXPECT_EQ(heartbeat->request.metadata_offset, Offset(10));
  EXPECT_NE(Only<BrokerUnfenced>(b.Beat(/*fenced=*/false)), nullptr);
  EXPECT_EQ(b.state(), State::kRunning);

  EXPECT_EQ(b.DueIn(), 2000);
  EXPECT_TRUE(b.Give(MetadataFollowed{Offset(12)}).empty());
  EXPECT_TRUE(b.Advance(1999).empty());
  effects = b.Advance(1);
  heartbeat = Only<SendHeartbeat>(effects);
  ASSERT_NE(heartbeat, nullptr);
  EXPECT_EQ(heartbeat->request.metadata_offset, Offset(12));
  EXPECT_TRUE(b.Beat(/*fenced=*/false).empty());
}

// The controller counts from when it hears of the broker, at the earliest as the request leaves.
TEST(BrokerLifecycleTest, TheSessionCountsFromWhatWasAnsweredLast) {
  Broker b;
  b.Know(kFirst);
  EXPECT_LE(b.left(), 0);
  b.Registered(10);
  EXPECT_LE(b.left(), 0);  // fenced
  b.Give(MetadataFollowed{Offset(10)});
  b.Beat(/*fenced=*/true);
  EXPECT_LE(b.left(), 0);
  b.Advance(300);
  b.Beat(/*fenced=*/false);
  EXPECT_EQ(b.left(), 8700);

  b.Advance(2000);
  b.Advance(1000);
  b.BeatFailed();
  EXPECT_EQ(b.left(), 5700);
  b.Advance(100);
  b.Beat(/*fenced=*/false);
  EXPECT_EQ(b.left(), 9000);
  b.Advance(2000);
  b.Beat(/*fenced=*/true);
  EXPECT_LE(b.left(), 0);
}

TEST(BrokerLifecycleTest, ASessionOfALostRegistrationHasEnded) {
  Broker b;
  b.Run();
  EXPECT_EQ(b.left(), 9000);
  b.Advance(2000);
  b.BeatRefused(ErrorCode::kStaleBrokerEpoch);
  EXPECT_LE(b.left(), 0);
}

TEST(BrokerLifecycleTest, NewsDuringARequestAreSentBehindIt) {
  Broker b;
  b.Know(kFirst);
  b.Registered(10);
  EXPECT_TRUE(b.Give(MetadataFollowed{Offset(11)}).empty());  // one at a time
  const LifecycleEffects effects = b.Beat(/*fenced=*/true);
  ASSERT_NE(Only<SendHeartbeat>(effects), nullptr);
  EXPECT_EQ(Only<SendHeartbeat>(effects)->request.metadata_offset, Offset(11));
  b.Beat(/*fenced=*/false);
  EXPECT_EQ(b.DueIn(), 2000);
}

TEST(BrokerLifecycleTest, NothingIsSentWhileNoControllerIsKnown) {
  Broker b;
  EXPECT_TRUE(b.Give(Tick()).empty());
  EXPECT_EQ(b.DueIn(), 60'000);
  EXPECT_TRUE(b.Advance(59'999).empty());
  const LifecycleEffects effects = b.Advance(1);
  ASSERT_NE(Only<GiveUp>(effects), nullptr);
  EXPECT_EQ(Only<GiveUp>(effects)->why.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(b.state(), State::kStopped);
  EXPECT_EQ(b.DueIn(), std::nullopt);
  EXPECT_TRUE(b.Know(kFirst).empty());
}

TEST(BrokerLifecycleTest, RegistrationsAreRetriedWithADelayThatDoublesUpToTheInterval) {
  Broker b;
  b.Know(kFirst);
  for (const int64_t delay : {100, 200, 400, 800, 1600, 2000, 2000}) {
    EXPECT_TRUE(b.RegistrationFailed().empty());
    EXPECT_EQ(b.DueIn(), delay);
    EXPECT_TRUE(b.Advance(delay - 1).empty());
    EXPECT_NE(Only<SendRegistration>(b.Advance(1)), nullptr);
  }
  b.Registered(10);
  b.Beat(/*fenced=*/true);
  EXPECT_EQ(b.DueIn(), 2000);
  b.Advance(2000);
  b.BeatFailed();
  EXPECT_EQ(b.DueIn(), 100);  // from the beginning
}

TEST(BrokerLifecycleTest, APredecessorIsWaitedForUntilTheTimeout) {
  Broker b;
  b.Know(kFirst);
  LifecycleEffects effects;
  int64_t attempts = 0;
  while (b.state() != State::kStopped) {
    ASSERT_LT(++attempts, 100);
    b.Refused(ErrorCode::kDuplicateBrokerRegistration, "broker 5 is alive");
    effects = b.Advance(*b.DueIn());
  }
  ASSERT_NE(Only<GiveUp>(effects), nullptr);
  const std::string why(Only<GiveUp>(effects)->why.message());
  for (const char* part : {"broker 5", "60000 ms", "DUPLICATE_BROKER_REGISTRATION", "is alive"}) {
    EXPECT_NE(why.find(part), std::string::npos) << part << " in " << why;
  }
  EXPECT_GT(attempts, 20);  // the predecessor's end is noticed soon
}

TEST(BrokerLifecycleTest, SomeRefusalsAreForGood) {
  for (const ErrorCode error : {ErrorCode::kInconsistentClusterId, ErrorCode::kUnsupportedVersion,
                                ErrorCode::kInvalidRegistration}) {
    Broker b;
    b.Know(kFirst);
    const LifecycleEffects effects = b.Refused(error, "this is cluster 'd'");
    ASSERT_NE(Only<GiveUp>(effects), nullptr);
    const std::string why(Only<GiveUp>(effects)->why.message());
    for (const std::string& part : {std::string(protocol::ErrorName(error)),
                                    std::string("cluster 'c'"), std::string("cluster 'd'")}) {
      EXPECT_NE(why.find(part), std::string::npos) << part << " in " << why;
    }
    EXPECT_EQ(b.state(), State::kStopped);
  }
}

TEST(BrokerLifecycleTest, AnEpochThatCannotBeIsAFailure) {
  Broker b;
  b.Know(kFirst);
  EXPECT_TRUE(b.Registered(-1).empty());
  EXPECT_EQ(b.state(), State::kRegistering);
  EXPECT_EQ(b.DueIn(), 100);
}

TEST(BrokerLifecycleTest, ALostAnswerIsNotWaitedForForever) {
  Broker b;
  b.Know(kFirst);
  const RequestToken lost = b.token();
  EXPECT_EQ(b.DueIn(), 4500);
  EXPECT_TRUE(b.Advance(4500).empty());
  EXPECT_EQ(b.DueIn(), 100);
  // It comes after all, to a question that is not open any more.
  EXPECT_TRUE(
      b.Give(RegistrationAnswered{lost, BrokerRegistered{ErrorCode::kNone, "", 9}}).empty());
  EXPECT_EQ(b.state(), State::kRegistering);
  EXPECT_NE(Only<SendRegistration>(b.Advance(100)), nullptr);
  EXPECT_NE(b.token(), lost);
  b.Registered(10);
  EXPECT_TRUE(b.Advance(4500).empty());
  EXPECT_NE(Only<SendHeartbeat>(b.Advance(200)), nullptr);
  EXPECT_EQ(b.state(), State::kCatchingUp);
}

TEST(BrokerLifecycleTest, AnAnswerNobodyAskedForChangesNothing) {
  Broker b;
  const BrokerRegistered registered{ErrorCode::kNone, "", 8};
  EXPECT_TRUE(b.Give(RegistrationAnswered{0, registered}).empty());
  EXPECT_TRUE(b.Give(RegistrationAnswered{1, registered}).empty());
  b.Know(kFirst);
  const BrokerHeartbeatReply reply{ErrorCode::kNone, true, false, true};
  EXPECT_TRUE(b.Give(HeartbeatAnswered{b.token(), reply}).empty());  // not of a heartbeat
  EXPECT_EQ(b.state(), State::kRegistering);
  b.Registered(10);
  EXPECT_TRUE(b.Registered(11).empty());
  EXPECT_TRUE(b.Give(HeartbeatAnswered{b.token() + 1, reply}).empty());
  EXPECT_EQ(b.epoch(), 10);
  EXPECT_EQ(b.state(), State::kCatchingUp);
  EXPECT_NE(Only<BrokerUnfenced>(b.Beat(/*fenced=*/false)), nullptr);
  EXPECT_TRUE(b.Give(HeartbeatAnswered{b.token(), BrokerHeartbeatReply{}}).empty());  // twice
  EXPECT_EQ(b.state(), State::kRunning);
}

TEST(BrokerLifecycleTest, AnotherControllerIsAskedAtOnceForWhatTheOneBeforeOwes) {
  Broker b;
  b.Know(kFirst);
  const RequestToken owed = b.token();
  b.Advance(100);
  const LifecycleEffects effects = b.Know(kSecond);
  ASSERT_NE(Only<SendRegistration>(effects), nullptr);
  EXPECT_EQ(Only<SendRegistration>(effects)->controller, kSecond);
  EXPECT_TRUE(
      b.Give(RegistrationAnswered{owed, BrokerRegistered{ErrorCode::kNone, "", 9}}).empty());
  b.Refused(ErrorCode::kNotController);
  EXPECT_EQ(b.DueIn(), 100);
  EXPECT_TRUE(b.Know(kSecond).empty());  // nothing new
  EXPECT_TRUE(b.Know(kNoBroker).empty());
  EXPECT_TRUE(b.Advance(300).empty());
  EXPECT_NE(Only<SendRegistration>(b.Know(kFirst)), nullptr);
}

TEST(BrokerLifecycleTest, NodesThatNameEachOtherAreNotAskedWithoutAPause) {
  Broker b;
  int requests = 0;
  for (int i = 0; i < 1000; ++i) {
    requests += static_cast<int>(b.Know(i % 2 == 0 ? kFirst : kSecond).size());
    b.Refused(ErrorCode::kNotController);
    requests += static_cast<int>(b.Advance(1).size());
  }
  EXPECT_LE(requests, 11);  // of a second
  EXPECT_GE(requests, 5);
}

TEST(BrokerLifecycleTest, ARunningBrokerWithASessionLeavesANewControllerAlone) {
  Broker b;
  b.Run();
  b.Advance(500);
  EXPECT_TRUE(b.Know(kSecond).empty());
  EXPECT_EQ(b.DueIn(), 1500);
  const LifecycleEffects effects = b.Advance(1500);
  ASSERT_NE(Only<SendHeartbeat>(effects), nullptr);
  EXPECT_EQ(Only<SendHeartbeat>(effects)->controller, kSecond);
  EXPECT_TRUE(b.BeatRefused(ErrorCode::kNotController).empty());
  EXPECT_EQ(b.state(), State::kRunning);
}

TEST(BrokerLifecycleTest, AFencedBrokerStopsServingUntilItIsUnfenced) {
  Broker b;
  b.Run();
  b.Advance(2000);
  EXPECT_NE(Only<BrokerFenced>(b.Beat(/*fenced=*/true)), nullptr);
  EXPECT_EQ(b.state(), State::kCatchingUp);
  b.Advance(2000);
  EXPECT_NE(Only<BrokerUnfenced>(b.Beat(/*fenced=*/false)), nullptr);
  EXPECT_EQ(b.state(), State::kRunning);
}

TEST(BrokerLifecycleTest, WhomTheControllerDoesNotKnowRegistersAgainAsTheSameProcess) {
  for (const ErrorCode error : {ErrorCode::kStaleBrokerEpoch, ErrorCode::kBrokerIdNotRegistered}) {
    Broker b;
    b.Run();
    b.Advance(2000);
    const LifecycleEffects effects = b.BeatRefused(error);
    ASSERT_EQ(effects.size(), 2u);
    EXPECT_TRUE(std::holds_alternative<BrokerFenced>(effects[0]));
    const auto* registration = std::get_if<SendRegistration>(&effects[1]);
    ASSERT_NE(registration, nullptr);
    EXPECT_EQ(registration->request.registration.incarnation_id, (Uuid{7, 50}));
    EXPECT_EQ(registration->request.previous_broker_epoch, 10);
    EXPECT_EQ(b.state(), State::kRegistering);
    EXPECT_EQ(b.epoch(), 10);
    // The timeout is that of a start: who has been of the cluster waits for as long as it takes.
    b.Refused(ErrorCode::kDuplicateBrokerRegistration);
    for (int i = 0; i < 100; ++i) {
      b.Advance(2000);
      b.Refused(ErrorCode::kDuplicateBrokerRegistration);
    }
    EXPECT_EQ(b.state(), State::kRegistering);
    b.Advance(2000);
    b.Registered(30);
    EXPECT_EQ(b.epoch(), 30);
    EXPECT_TRUE(b.Beat(/*fenced=*/true).empty());
    EXPECT_NE(Only<SendHeartbeat>(b.Give(MetadataFollowed{Offset(30)})), nullptr);
    EXPECT_NE(Only<BrokerUnfenced>(b.Beat(/*fenced=*/false)), nullptr);
  }
}

TEST(BrokerLifecycleTest, ARegistrationThatNeverHoldsIsNotRepeatedInALoop) {
  Broker b;
  b.Run();
  b.Advance(2000);
  b.BeatRefused(ErrorCode::kStaleBrokerEpoch);
  for (const int64_t delay : {200, 400, 800, 1600, 2000, 2000}) {
    b.Registered(20);
    b.BeatRefused(ErrorCode::kStaleBrokerEpoch);
    EXPECT_EQ(b.DueIn(), delay);
    EXPECT_NE(Only<SendRegistration>(b.Advance(delay)), nullptr);
  }
}

TEST(BrokerLifecycleTest, AShutdownWaitsUntilTheLeadersHaveMoved) {
  Broker b;
  b.Run();
  b.Advance(300);
  LifecycleEffects effects = b.Give(WantShutdown());
  ASSERT_NE(Only<SendHeartbeat>(effects), nullptr);
  EXPECT_TRUE(Only<SendHeartbeat>(effects)->request.want_shut_down);
  EXPECT_EQ(b.state(), State::kShuttingDown);
  for (const int64_t delay : {50, 100, 200, 400, 800, 1600, 2000, 2000}) {
    EXPECT_TRUE(b.Beat(/*fenced=*/false).empty());
    EXPECT_EQ(b.DueIn(), delay);
    EXPECT_TRUE(b.Give(WantShutdown()).empty());  // it does already
    effects = b.Advance(delay);
    ASSERT_NE(Only<SendHeartbeat>(effects), nullptr);
    EXPECT_TRUE(Only<SendHeartbeat>(effects)->request.want_shut_down);
  }
  effects = b.Beat(/*fenced=*/true, /*shut_down=*/true);
  ASSERT_NE(Only<ShutdownGranted>(effects), nullptr);
  EXPECT_TRUE(Only<ShutdownGranted>(effects)->how.ok());
  EXPECT_EQ(b.state(), State::kStopped);
  EXPECT_EQ(b.DueIn(), std::nullopt);
}

TEST(BrokerLifecycleTest, AShutdownDuringAHeartbeatIsSaidByTheNext) {
  Broker b;
  b.Run();
  b.Advance(2000);
  EXPECT_TRUE(b.Give(WantShutdown()).empty());
  const LifecycleEffects effects = b.Beat(/*fenced=*/false, /*shut_down=*/false);
  ASSERT_NE(Only<SendHeartbeat>(effects), nullptr);
  EXPECT_TRUE(Only<SendHeartbeat>(effects)->request.want_shut_down);
}

TEST(BrokerLifecycleTest, WhoIsNotRegisteredStopsAtOnce) {
  for (const bool asked : {false, true}) {
    Broker b;
    if (asked) b.Know(kFirst);
    const LifecycleEffects effects = b.Give(WantShutdown());
    ASSERT_NE(Only<ShutdownGranted>(effects), nullptr);
    EXPECT_TRUE(Only<ShutdownGranted>(effects)->how.ok());
    EXPECT_EQ(b.state(), State::kStopped);
    EXPECT_TRUE(b.Registered(10).empty());
    EXPECT_TRUE(b.Give(WantShutdown()).empty());
  }
}

TEST(BrokerLifecycleTest, AFencedBrokerAsksBeforeItStops) {
  Broker b;
  b.Know(kFirst);
  b.Registered(10);
  EXPECT_TRUE(b.Give(WantShutdown()).empty());
  // The heartbeat before has unfenced it meanwhile.
  EXPECT_NE(Only<SendHeartbeat>(b.Beat(/*fenced=*/false)), nullptr);
  EXPECT_NE(Only<ShutdownGranted>(b.Beat(/*fenced=*/true, /*shut_down=*/true)), nullptr);
}

TEST(BrokerLifecycleTest, AShutdownOutlastsAControllerButNotASession) {
  Broker b;
  b.Run();
  b.Give(WantShutdown());
  b.Advance(1000);
  EXPECT_NE(Only<SendHeartbeat>(b.Know(kSecond)), nullptr);
  EXPECT_TRUE(b.Beat(/*fenced=*/false).empty());  // the session is kept
  b.Know(kNoBroker);
  EXPECT_EQ(b.DueIn(), 9000);
  EXPECT_TRUE(b.Advance(8999).empty());
  const LifecycleEffects effects = b.Advance(1);
  ASSERT_NE(Only<ShutdownGranted>(effects), nullptr);
  EXPECT_EQ(Only<ShutdownGranted>(effects)->how.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(BrokerLifecycleTest, AShutdownEndsWhereTheRegistrationIsGone) {
  Broker b;
  b.Run();
  b.Give(WantShutdown());
  const LifecycleEffects effects = b.BeatRefused(ErrorCode::kBrokerIdNotRegistered);
  ASSERT_NE(Only<ShutdownGranted>(effects), nullptr);
  EXPECT_TRUE(Only<ShutdownGranted>(effects)->how.ok());
}

TEST(BrokerLifecycleTest, ALostDirectoryIsSaidAtOnceAndFromThenOn) {
  Broker b;
  b.Run();
  const Uuid directory{100, 5};
  for (int i = 0; i < 2; ++i) {
    const LifecycleEffects effects = i == 0 ? b.Give(DirectoryLost{directory}) : b.Advance(2000);
    ASSERT_NE(Only<SendHeartbeat>(effects), nullptr);
    EXPECT_EQ(Only<SendHeartbeat>(effects)->request.offline_log_dirs, std::vector<Uuid>{directory});
    b.Beat(/*fenced=*/false);
    EXPECT_TRUE(b.Give(DirectoryLost{directory}).empty());  // known
  }
}

// Against the real controller, with answers that get lost, come twice and come late: the broker
// ends up running, and stops when it is asked to.
TEST(BrokerLifecycleTest, TheRealControllerTakesItInWhateverIsLost) {
  int survived = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SeededRandom random(seed);
    ControllerConfig controller_config;
    controller_config.cluster_id = "c";
    ControllerHarness h(controller_config);
    BrokerLifecycle lifecycle(Broker::Config(), TestRegistration(5, 50), -1, h.now());
    std::vector<LifecycleEvent> waiting;
    bool faulty = true;
    const auto step = [&](LifecycleEvent event) {
      LifecycleEffects effects;
      lifecycle.Step(h.now(), std::move(event), &effects);
      for (LifecycleEffect& effect : effects) {
        if (faulty && random.Below(4) == 0) continue;  // the request is lost
        if (auto* e = std::get_if<SendRegistration>(&effect)) {
          waiting.push_back(
              RegistrationAnswered{e->request.token, h.Ask<BrokerRegistered>(e->request)});
        } else if (auto* e = std::get_if<SendHeartbeat>(&effect)) {
          waiting.push_back(
              HeartbeatAnswered{e->request.token, h.Ask<BrokerHeartbeatReply>(e->request)});
        }
      }
    };
    const auto play = [&](int rounds) {
      for (int i = 0; i < rounds && lifecycle.state() != State::kStopped; ++i) {
        const std::vector<LifecycleEvent> answers = std::exchange(waiting, {});
        for (const LifecycleEvent& answer : answers) {
          const uint64_t fate = faulty ? random.Below(8) : 7;
          if (fate == 0) continue;  // the answer is lost
          if (fate == 1) waiting.push_back(answer);
          step(answer);
        }
        if (faulty && random.Below(8) == 0) step(ControllerKnown{kNoBroker});
        step(ControllerKnown{kFirst});
        step(MetadataFollowed{h.controller().next_offset() - 1});
        if (!waiting.empty()) continue;
        const std::optional<MonotonicNs> next = lifecycle.NextDeadline();
        if (!next.has_value()) continue;
        ASSERT_GT(*next, h.now());
        h.AdvanceAndTick((*next - h.now()) / kNsPerMs + 1);
        step(Tick());
      }
    };
    play(60);
    if (lifecycle.state() == State::kStopped) continue;  // 60 s of bad luck
    ++survived;
    faulty = false;
    play(20);
    ASSERT_EQ(lifecycle.state(), State::kRunning) << "seed " << seed;
    EXPECT_FALSE(h.image().FindBroker(BrokerId(5))->fenced);
    EXPECT_EQ(h.image().FindBroker(BrokerId(5))->epoch, lifecycle.broker_epoch());
    step(WantShutdown());
    play(20);
    ASSERT_EQ(lifecycle.state(), State::kStopped) << "seed " << seed;
    EXPECT_TRUE(h.image().FindBroker(BrokerId(5))->fenced);
  }
  EXPECT_GT(survived, 150);
}

}  // namespace
}  // namespace weir::metadata

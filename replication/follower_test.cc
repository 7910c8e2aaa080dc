// A partition that follows, without a stream: what its leader sends is handed in.

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "gtest/gtest.h"
#include "log/checkpoint_file.h"
#include "log/log.h"
#include "log/log_move.h"
#include "log/memory_file.h"
#include "log/test_batches.h"
#include "protocol/record_batch.h"
#include "replication/partition.h"
#include "replication/partition_events.h"
#include "replication/stream_messages.h"

namespace weir::replication {
namespace {

constexpr BrokerId kSelf{1};
constexpr BrokerId kLeader{2};

class FollowerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs_.set_manual_syncs(true);
    Open({});
    Follow();
  }

  void Open(const PartitionConfig& config) {
    partition_.reset();
    auto log = log::Log::Open(fs_, "/data/t-0", {}, {}, 1000);
    ASSERT_TRUE(log.ok()) << log.status();
    partition_ = std::make_unique<Partition>(kSelf, *std::move(log), config);
  }
  void Do(Event event, int64_t now_ms = 0) {
    partition_->Step({MonotonicNs(now_ms * kNsPerMs), 1000}, std::move(event), &effects_);
  }
  // One batch at `offset` of the leader's log, of what it has from `from` to `to`.
  void Send(int64_t from, int64_t to, int64_t offset, int records, int32_t epoch = 6,
            int64_t high_watermark = 0) {
    buffers_.push_back(log::MakeBatch({.records = records, .base_offset = Offset(offset)}));
    protocol::SetLeaderEpoch(buffers_.back().data(), LeaderEpoch(epoch));
    Do(Replicate{LeaderEpoch(6), Offset(from), Offset(to), buffers_.back(), Offset(high_watermark),
                 Offset(0)});
    Do(EndOfTick{});
  }
  Offset End() const { return partition_->log().log_end_offset(); }
  void ShowTo(int64_t high_watermark) {
    Do(Replicate{LeaderEpoch(6), kNoOffset, kNoOffset, {}, Offset(high_watermark), Offset(0)});
    Do(EndOfTick{});
  }
  void Follow() { Do(BecomeFollower{kLeader, LeaderEpoch(6), 0, {kSelf, kLeader}, {kLeader}}); }
  // The leader's log goes on otherwise from there on.
  void Part(int64_t offset) {
    FollowEnded told;
    told.diverging = {LeaderEpoch(6), Offset(offset)};
    Do(FollowRefused{LeaderEpoch(6), told});
  }
  template <class E>
  bool Has() const {
    return std::any_of(effects_.begin(), effects_.end(),
                       [](const Effect& effect) { return std::holds_alternative<E>(effect); });
  }
  bool Woken(WaitToken token) const {
    return std::any_of(effects_.begin(), effects_.end(), [token](const Effect& effect) {
      const auto* ready = std::get_if<FetchReady>(&effect);
      return ready != nullptr && ready->token == token;
    });
  }
  // Why it was held up, since the last call.
  std::string Held() {
    std::string why;
    for (const Effect& effect : effects_) {
      if (const auto* held = std::get_if<ReplicationHeld>(&effect)) why = held->message;
    }
    effects_.clear();
    return why;
  }

  log::MemoryFileSystem fs_;
  std::deque<std::string> buffers_;
  std::unique_ptr<Partition> partition_;
  Effects effects_;
};

TEST_F(FollowerTest, FollowsOnInAnotherFolder) {
  Send(0, 2, 0, 2);
  Do(RegisterFetchWaiter{9, Offset(0), 1});
  EXPECT_EQ(partition_->following()->flushed, Offset(0));
  // What came for this tick is not written yet.
  buffers_.push_back(log::MakeBatch({.records = 1, .base_offset = Offset(2)}));
  protocol::SetLeaderEpoch(buffers_.back().data(), LeaderEpoch(6));
  Do(Replicate{LeaderEpoch(6), Offset(2), Offset(5), buffers_.back(), Offset(3), Offset(0)});
  effects_.clear();
  SeededRandom random(7);
  ASSERT_TRUE(log::CreateDirectoriesDurably(fs_, "/b").ok());
  auto move = log::LogMove::Begin(fs_, {"t-0", "/data", "/b", {}}, random, 1000);
  ASSERT_TRUE(move.ok()) << move.status();
  log::LogMove::End end = (*move)->Finish(partition_->log(), 1000);
  ASSERT_TRUE(end.status.ok()) << end.status;
  partition_->ReplaceLog({MonotonicNs(0), 1000}, std::move(end.log), &effects_);
  EXPECT_TRUE(Has<ReplicaNews>()) << "it has flushed";
  EXPECT_EQ(partition_->following()->flushed, Offset(2));
  Do(EndOfTick{});
  EXPECT_EQ(End(), Offset(3));
  EXPECT_TRUE(Woken(9));
  Send(5, 6, 5, 1);  // what follows what the leader had sent
  EXPECT_EQ(End(), Offset(6));
  EXPECT_EQ(Held(), "");
  Part(3);
  Do(TruncationPrepared{Offset(3)});
  EXPECT_EQ(End(), Offset(3));
  EXPECT_EQ(partition_->log().directory(), "/b/t-0");
}

TEST_F(FollowerTest, APartThatIsMissingIsNoGap) {
  Send(0, 2, 0, 2);
  EXPECT_EQ(End(), Offset(2));
  Send(4, 6, 4, 2);
  EXPECT_EQ(End(), Offset(2));
  EXPECT_EQ(Held(), "expected what follows offset 2, came what follows 4");
  EXPECT_FALSE(partition_->following().has_value());
  Send(2, 4, 2, 2);
  EXPECT_EQ(End(), Offset(2)) << "it has to be followed anew";
  Do(Tick{}, 200);
  ASSERT_TRUE(partition_->following().has_value());
  Send(2, 4, 2, 2);
  EXPECT_EQ(End(), Offset(4));
  Send(2, 4, 2, 2);
  EXPECT_EQ(Held(), "expected what follows offset 4, came what follows 2") << "came twice";
}

TEST_F(FollowerTest, GapsOfTheLeadersLogAreTaken) {
  Send(0, 10, 0, 2);  // it has nothing from 2 to 10
  Send(10, 14, 12, 2);
  EXPECT_EQ(End(), Offset(14));
  Send(14, 20, 14, 1);
  EXPECT_EQ(End(), Offset(15));
  Send(15, 21, 20, 1);  // as a new stream begins: at the log's end
  EXPECT_EQ(End(), Offset(21));
  EXPECT_EQ(Held(), "");
}

// A deposed leader may read what the next one has written in the place of its own records.
TEST_F(FollowerTest, RecordsOfALaterLeaderAreNotItsLeaders) {
  Send(0, 2, 0, 2, 5);
  Send(2, 4, 2, 2, 7);
  EXPECT_EQ(End(), Offset(2));
  EXPECT_TRUE(absl::StrContains(Held(), "expected records of leader epoch 6 at most"));
}

TEST_F(FollowerTest, ReadersAreWokenForWhatTheLogHadWhenItOpened) {
  Send(0, 2, 0, 2);
  Open({});
  Follow();
  const int64_t bytes = static_cast<int64_t>(buffers_.back().size());
  Do(RegisterFetchWaiter{1, Offset(0), 1});
  Do(RegisterFetchWaiter{2, Offset(0), 2 * bytes});
  Do(RegisterFetchWaiter{3, Offset(0), 2 * bytes + 1});
  EXPECT_FALSE(Woken(1));
  ShowTo(2);
  EXPECT_TRUE(Woken(1));
  EXPECT_FALSE(Woken(2));
  Send(2, 4, 2, 2);
  ShowTo(4);
  EXPECT_TRUE(Woken(2)) << "what was there counts with what came";
  EXPECT_FALSE(Woken(3));
}

TEST_F(FollowerTest, ReadersAreWokenForWhatATruncationLeft) {
  Send(0, 2, 0, 2);
  Send(2, 4, 2, 2);
  Part(2);
  Do(TruncationPrepared{Offset(2)});
  EXPECT_EQ(End(), Offset(2));
  Do(RegisterFetchWaiter{1, Offset(0), 1});
  ShowTo(2);
  EXPECT_TRUE(Woken(1));
}

// Its entry in the stream would keep that open for ever.
TEST_F(FollowerTest, WhoIsToCutOffItsLogAndGetsAnotherRoleStopsFollowing) {
  Send(0, 2, 0, 2);
  Part(1);
  ASSERT_TRUE(Has<PrepareTruncation>());
  ASSERT_FALSE(Has<StopFollowing>());
  Do(BecomeLeader{LeaderEpoch(7), 0, {kSelf, kLeader}, {kSelf}});
  EXPECT_TRUE(Has<StopFollowing>());
  Do(TruncationPrepared{Offset(1)});
  EXPECT_EQ(End(), Offset(2));
}

}  // namespace
}  // namespace weir::replication

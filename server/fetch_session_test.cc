#include "server/fetch_session.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace weir::server {
namespace {

constexpr MonotonicNs kStart{1'000'000};
constexpr MonotonicNs kLater = kStart + (kFetchSessionEvictionNs + 1);

FetchPartition Wanted(int32_t partition, int64_t offset = 0, const std::string& topic = "t") {
  FetchPartition wanted;
  wanted.key = {Uuid{}, topic, PartitionIndex(partition)};
  wanted.fetch_offset = Offset(offset);
  wanted.bytes_max = 1000;
  return wanted;
}

std::vector<FetchPartition> Partitions(int32_t count) {
  std::vector<FetchPartition> wanted;
  for (int32_t i = 0; i < count; ++i) wanted.push_back(Wanted(i));
  return wanted;
}

FetchOutcome At(int64_t high_watermark, bool has_records = false) {
  return {.has_records = has_records,
          .high_watermark = Offset(high_watermark),
          .last_stable_offset = Offset(high_watermark),
          .log_start_offset = Offset(0)};
}

class FetchSessionTest : public ::testing::Test {
 protected:
  // A full request for `count` partitions, answered; the id of the session.
  int32_t Open(int32_t count, MonotonicNs now = kStart) {
    const FetchContext context =
        cache_.Begin(now, {.epoch = kInitialFetchEpoch, .partitions = Partitions(count)});
    EXPECT_EQ(context.kind, FetchContext::Kind::kFull);
    const FetchReply reply =
        cache_.Finish(now, context, std::vector<FetchOutcome>(context.partitions.size(), At(10)));
    EXPECT_EQ(reply.error, FetchSessionError::kNone);
    EXPECT_EQ(reply.included.size(), static_cast<size_t>(count));
    return reply.session_id;
  }

  FetchContext Next(int32_t id, int32_t epoch, std::vector<FetchPartition> partitions = {},
                    std::vector<FetchPartitionKey> forgotten = {}, MonotonicNs now = kStart) {
    return cache_.Begin(now, {.session_id = id,
                              .epoch = epoch,
                              .partitions = std::move(partitions),
                              .forgotten = std::move(forgotten)});
  }

  static std::vector<int32_t> Order(const FetchContext& context) {
    std::vector<int32_t> order;
    for (const FetchPartition& p : context.partitions) order.push_back(p.key.partition.value());
    return order;
  }

  SeededRandom random_{1};
  FetchSessionCache cache_{2, &random_};
};

TEST(FetchEpoch, WrapsToOne) {
  EXPECT_EQ(NextFetchEpoch(0), 1);
  EXPECT_EQ(NextFetchEpoch(1), 2);
  EXPECT_EQ(NextFetchEpoch(2147483647), 1);
  EXPECT_EQ(NextFetchEpoch(-1), -1);
}

TEST_F(FetchSessionTest, ASessionlessRequestLeavesNothingBehind) {
  const FetchContext context = cache_.Begin(kStart, {.partitions = Partitions(2)});
  EXPECT_EQ(context.kind, FetchContext::Kind::kSessionless);
  const FetchReply reply = cache_.Finish(kStart, context, {At(1), At(1)});
  EXPECT_EQ(reply.session_id, kNoFetchSession);
  EXPECT_EQ(reply.included, (std::vector<size_t>{0, 1}));
  EXPECT_EQ(cache_.sessions(), 0u);
}

TEST_F(FetchSessionTest, OnlyWhatChangedIsAnswered) {
  const int32_t id = Open(5);
  ASSERT_GT(id, 0);
  const FetchContext context = Next(id, 1);
  EXPECT_EQ(context.kind, FetchContext::Kind::kIncremental);
  ASSERT_EQ(context.partitions.size(), 5u);
  EXPECT_EQ(context.partitions[3].bytes_max, 1000);
  std::vector<FetchOutcome> outcomes(5, At(10));
  outcomes[1] = At(11);                        // high watermark
  outcomes[2].log_start_offset = Offset(3);    // retention
  outcomes[3].last_stable_offset = Offset(9);  // a transaction
  outcomes[4] = At(10, /*has_records=*/true);
  const FetchReply reply = cache_.Finish(kStart, context, outcomes);
  EXPECT_EQ(reply.session_id, id);
  EXPECT_EQ(reply.included, (std::vector<size_t>{1, 2, 3, 4}));

  const FetchContext again = Next(id, 2);
  std::vector<FetchOutcome> same;
  for (const int32_t p : Order(again)) {
    same.push_back(outcomes[p]);
    same.back().has_records = false;
  }
  EXPECT_TRUE(cache_.Finish(kStart, again, same).included.empty());
}

TEST_F(FetchSessionTest, AnErrorIsToldEachTimeAndItsEndToo) {
  const int32_t id = Open(1);
  FetchOutcome error = At(10);
  error.error = true;
  EXPECT_EQ(cache_.Finish(kStart, Next(id, 1), {error}).included.size(), 1u);
  EXPECT_EQ(cache_.Finish(kStart, Next(id, 2), {error}).included.size(), 1u);
  EXPECT_EQ(cache_.Finish(kStart, Next(id, 3), {At(10)}).included.size(), 1u);
  EXPECT_EQ(cache_.Finish(kStart, Next(id, 4), {At(10)}).included.size(), 0u);
  FetchOutcome diverging = At(10);
  diverging.must_tell = true;
  EXPECT_EQ(cache_.Finish(kStart, Next(id, 5), {diverging}).included.size(), 1u);
}

TEST_F(FetchSessionTest, APartitionThatGaveRecordsGoesToTheEnd) {
  const int32_t id = Open(3);
  cache_.Finish(kStart, Next(id, 1), {At(10, true), At(10), At(10)});
  const FetchContext second = Next(id, 2);
  EXPECT_EQ(Order(second), (std::vector<int32_t>{1, 2, 0}));
  cache_.Finish(kStart, second, {At(10, true), At(10, true), At(10)});
  EXPECT_EQ(Order(Next(id, 3)), (std::vector<int32_t>{0, 1, 2}));
}

TEST_F(FetchSessionTest, RequestsAddUpdateAndForgetPartitions) {
  const int32_t id = Open(2);
  const FetchContext context =
      Next(id, 1, {Wanted(0, 77), Wanted(5)}, {Wanted(1).key, Wanted(9).key});
  EXPECT_EQ(Order(context), (std::vector<int32_t>{0, 5}));
  EXPECT_EQ(context.partitions[0].fetch_offset, Offset(77));
  EXPECT_EQ(cache_.partitions(), 2u);
  // The new one is told though its high watermark is that of the others.
  EXPECT_EQ(cache_.Finish(kStart, context, {At(10), At(10)}).included, (std::vector<size_t>{1}));
}

TEST_F(FetchSessionTest, ForgettingEverythingClosesTheSession) {
  const int32_t id = Open(1);
  const FetchContext context = Next(id, 1, {}, {Wanted(0).key});
  EXPECT_EQ(context.kind, FetchContext::Kind::kSessionless);
  EXPECT_TRUE(context.partitions.empty());
  EXPECT_EQ(cache_.Finish(kStart, context, {}).session_id, kNoFetchSession);
  EXPECT_EQ(cache_.sessions(), 0u);
  EXPECT_EQ(cache_.partitions(), 0u);
}

TEST_F(FetchSessionTest, UnknownSessionsAndWrongEpochsAreRefused) {
  const int32_t id = Open(1);
  EXPECT_EQ(Next(id + 1, 1).error, FetchSessionError::kSessionIdNotFound);
  EXPECT_EQ(Next(kNoFetchSession, 1).error, FetchSessionError::kSessionIdNotFound);
  EXPECT_EQ(Next(id, 2).error, FetchSessionError::kInvalidEpoch);
  EXPECT_EQ(Next(id, -2).error, FetchSessionError::kInvalidEpoch);
  const FetchContext refused = Next(id, 2);
  EXPECT_EQ(refused.kind, FetchContext::Kind::kError);
  const FetchReply reply = cache_.Finish(kStart, refused, {});
  EXPECT_EQ(reply.error, FetchSessionError::kInvalidEpoch);
  EXPECT_EQ(reply.session_id, kNoFetchSession);
  EXPECT_EQ(Next(id, 1).kind, FetchContext::Kind::kIncremental);   // still there
  EXPECT_EQ(Next(id, 1).error, FetchSessionError::kInvalidEpoch);  // the same request twice
}

TEST_F(FetchSessionTest, FullRequestsCloseTheSessionTheyName) {
  const int32_t first = Open(1);
  Next(first, kFinalFetchEpoch);
  EXPECT_EQ(cache_.sessions(), 0u);
  const int32_t second = Open(1);
  Next(second, kInitialFetchEpoch, Partitions(1));
  EXPECT_EQ(cache_.sessions(), 0u);
}

TEST_F(FetchSessionTest, TopicIdsAndNamesDoNotMix) {
  const int32_t id = Open(1);
  const FetchContext context =
      cache_.Begin(kStart, {.session_id = id, .epoch = 1, .by_topic_id = true});
  EXPECT_EQ(context.error, FetchSessionError::kTopicIdError);

  FetchPartition by_id = Wanted(0, 0, "");
  by_id.key.topic_id = Uuid{1, 2};
  FetchPartition other = by_id;
  other.key.topic_id = Uuid{1, 3};
  const FetchContext full = cache_.Begin(
      kStart, {.epoch = kInitialFetchEpoch, .by_topic_id = true, .partitions = {by_id, other}});
  const int32_t second = cache_.Finish(kStart, full, {At(1), At(1)}).session_id;
  EXPECT_EQ(Next(second, 1).error, FetchSessionError::kTopicIdError);
  const FetchContext next =
      cache_.Begin(kStart, {.session_id = second, .epoch = 1, .by_topic_id = true});
  EXPECT_EQ(next.partitions.size(), 2u);
}

TEST_F(FetchSessionTest, AnOvertakenLongPollIsRefused) {
  const int32_t id = Open(1);
  const FetchContext waiting = Next(id, 1);
  const FetchContext newer = Next(id, 2);
  const FetchReply late = cache_.Finish(kStart, waiting, {At(10)});
  EXPECT_EQ(late.error, FetchSessionError::kInvalidEpoch);
  EXPECT_EQ(late.session_id, id);
  EXPECT_EQ(cache_.Finish(kStart, newer, {At(10)}).error, FetchSessionError::kNone);
}

TEST_F(FetchSessionTest, ASessionClosedDuringALongPollIsAnsweredInFull) {
  const int32_t id = Open(2);
  const FetchContext waiting = Next(id, 1);
  Next(id, kFinalFetchEpoch);
  const FetchReply reply = cache_.Finish(kStart, waiting, {At(10), At(10)});
  EXPECT_EQ(reply.error, FetchSessionError::kNone);
  EXPECT_EQ(reply.included.size(), 2u);
}

TEST_F(FetchSessionTest, WithoutASlotThereIsNoSession) {
  EXPECT_GT(Open(5), 0);
  EXPECT_GT(Open(5), 0);
  EXPECT_EQ(Open(100), kNoFetchSession);  // the others are young
  EXPECT_EQ(cache_.sessions(), 2u);
  EXPECT_EQ(cache_.partitions(), 10u);
}

TEST_F(FetchSessionTest, ABiggerSessionEvictsAnOldSmallerOne) {
  const int32_t five = Open(5);
  const int32_t three = Open(3);
  Next(five, 1, {}, {}, kLater);  // both in use
  Next(three, 1, {}, {}, kLater);
  EXPECT_EQ(Open(3, kLater), kNoFetchSession);  // not bigger
  EXPECT_GT(Open(4, kLater), 0);
  EXPECT_EQ(Next(three, 2, {}, {}, kLater).error, FetchSessionError::kSessionIdNotFound);
  EXPECT_EQ(Next(five, 2, {}, {}, kLater).error, FetchSessionError::kNone);
}

TEST_F(FetchSessionTest, AnUnusedSessionGivesWayToAny) {
  const int32_t idle = Open(50);
  const int32_t used = Open(1);
  Next(used, 1, {}, {}, kLater);
  EXPECT_GT(Open(1, kLater), 0);
  EXPECT_EQ(Next(idle, 1, {}, {}, kLater).error, FetchSessionError::kSessionIdNotFound);
  EXPECT_EQ(Next(used, 2, {}, {}, kLater).error, FetchSessionError::kNone);
}

TEST(FetchSessionLimits, NoSlotsNoSessions) {
  SeededRandom random(1);
  FetchSessionCache cache(0, &random);
  const FetchContext full =
      cache.Begin(kStart, {.epoch = kInitialFetchEpoch, .partitions = Partitions(1)});
  EXPECT_EQ(cache.Finish(kStart, full, {At(1)}).session_id, kNoFetchSession);
}

TEST(FetchSessionLimits, PartitionsOfAllSessionsAreBounded) {
  SeededRandom random(1);
  FetchSessionCache cache(10, &random, 0, 1, /*partitions_max=*/4);
  const auto open = [&](int32_t count) {
    const FetchContext full =
        cache.Begin(kStart, {.epoch = kInitialFetchEpoch, .partitions = Partitions(count)});
    return cache.Finish(kStart, full, std::vector<FetchOutcome>(count, At(1))).session_id;
  };
  const int32_t id = open(3);
  EXPECT_GT(id, 0);
  EXPECT_EQ(open(2), kNoFetchSession);
  EXPECT_EQ(cache.partitions(), 3u);
  const FetchContext grown =
      cache.Begin(kStart, {.session_id = id, .epoch = 1, .partitions = Partitions(5)});
  EXPECT_EQ(grown.error, FetchSessionError::kSessionIdNotFound);
  EXPECT_EQ(cache.partitions(), 0u);
}

TEST(FetchSessionLimits, OverlongNamesAreNotRemembered) {
  SeededRandom random(1);
  FetchSessionCache cache(10, &random);
  const FetchContext full = cache.Begin(
      kStart, {.epoch = kInitialFetchEpoch, .partitions = {Wanted(0, 0, std::string(250, 'x'))}});
  EXPECT_EQ(cache.Finish(kStart, full, {At(1)}).session_id, kNoFetchSession);
  EXPECT_EQ(cache.partitions(), 0u);
}

TEST(FetchSessionLimits, APartitionNamedTwiceCountsOnce) {
  SeededRandom random(1);
  FetchSessionCache cache(10, &random);
  const FetchContext full =
      cache.Begin(kStart, {.epoch = kInitialFetchEpoch, .partitions = {Wanted(0), Wanted(0, 5)}});
  const int32_t id = cache.Finish(kStart, full, {At(1), At(1)}).session_id;
  const FetchContext next = cache.Begin(kStart, {.session_id = id, .epoch = 1});
  ASSERT_EQ(next.partitions.size(), 1u);
  EXPECT_EQ(next.partitions[0].fetch_offset, Offset(5));
}

class OneNumber final : public Random {
 public:
  uint64_t NextU64() override { return uint64_t{1} << 60; }
};

TEST(FetchSessionIds, AFetchOfAClosedSessionIsNotTakenForOneOfTheNextWithItsId) {
  OneNumber random;
  FetchSessionCache cache(10, &random);
  const auto open = [&](int32_t partition) {
    const FetchContext full =
        cache.Begin(kStart, {.epoch = kInitialFetchEpoch, .partitions = {Wanted(partition)}});
    return cache.Finish(kStart, full, {At(1)}).session_id;
  };
  const int32_t id = open(0);
  const FetchContext waiting = cache.Begin(kStart, {.session_id = id, .epoch = 1});
  cache.Begin(kStart, {.session_id = id, .epoch = kFinalFetchEpoch});
  ASSERT_EQ(open(1), id);
  const FetchContext next = cache.Begin(kStart, {.session_id = id, .epoch = 1});
  ASSERT_EQ(next.next_epoch, waiting.next_epoch);
  EXPECT_EQ(cache.Finish(kStart, waiting, {At(2)}).included.size(), 1u);
  EXPECT_EQ(cache.Finish(kStart, next, {At(1)}).included.size(), 0u);
}

TEST(FetchSessionIds, BelongToTheirShard) {
  SeededRandom random(1);
  FetchSessionCache cache(100, &random, 2, 3);
  for (int i = 0; i < 50; ++i) {
    const FetchContext full =
        cache.Begin(kStart, {.epoch = kInitialFetchEpoch, .partitions = Partitions(1)});
    EXPECT_EQ(cache.Finish(kStart, full, {At(1)}).session_id % 3, 2);
  }
  EXPECT_EQ(cache.sessions(), 50u);
}

}  // namespace
}  // namespace weir::server

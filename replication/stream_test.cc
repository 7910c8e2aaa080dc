// The two ends of a replication stream, each against a host that only notes what it is asked.

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "gtest/gtest.h"
#include "log/file.h"
#include "log/memory_file.h"
#include "protocol/error_code.h"
#include "replication/follower_stream.h"
#include "replication/leader_batch.h"
#include "replication/leader_stream.h"
#include "replication/partition_events.h"
#include "replication/replica_host.h"
#include "replication/stream_messages.h"

namespace weir::replication {
namespace {

using protocol::ErrorCode;

TopicPartition Tp(int index) { return {Uuid{1, 1}, PartitionIndex(index)}; }

// Partitions whose records have a size each and no content: offset n is `bytes` large.
class FakeLeader final : public LeaderHost {
 public:
  struct Part {
    int64_t end = 0;
    int64_t bytes = 100;
    int64_t high_watermark = 0;
    ErrorCode error = ErrorCode::kNone;
  };

  FakeLeader() { file_ = *fs_.Open("/x", log::OpenMode::kCreate); }
  // Until then nothing can be read.
  void Fill(size_t bytes) {
    const std::string zeros(bytes, '\0');
    const absl::string_view piece = zeros;
    EXPECT_TRUE(file_->Append(absl::MakeSpan(&piece, 1)).ok());
  }

  FollowAnswer Follow(const TopicPartition& tp, const FollowRequest& request) override {
    FollowAnswer answer;
    answer.ended.error = parts[tp].error;
    answer.ok = answer.ended.error == ErrorCode::kNone;
    answer.follow = ++follows;
    last_request = request;
    return answer;
  }
  void Progress(const TopicPartition&, const ReplicaProgress& progress) override {
    progresses.push_back(progress);
  }
  void Gone(const TopicPartition& tp, const ReplicaGone&) override { gone.push_back(tp); }
  bool IsThrottled(const TopicPartition& tp, BrokerId) override { return throttled.count(tp) > 0; }
  void Sent(const TopicPartition& tp, BrokerId, int64_t bytes) override { sent[tp] += bytes; }
  ReplicaRead ReadForReplica(const TopicPartition& tp, LeaderEpoch, Offset from, int64_t bytes_max,
                             bool at_least_one) override {
    const Part& part = parts[tp];
    ReplicaRead read;
    read.error = part.error;
    read.log_end = Offset(part.end);
    read.high_watermark = Offset(part.high_watermark);
    int64_t count = std::min(part.end - from.value(), bytes_max / part.bytes);
    if (count == 0 && at_least_one && part.end > from.value()) count = 1;
    read.slice.first_offset = from;
    read.slice.next_offset = from + count;
    read.slice.size_bytes = count * part.bytes;
    read.slice.file = file_;
    return read;
  }

  std::map<TopicPartition, Part> parts;
  std::set<TopicPartition> throttled;
  std::map<TopicPartition, int64_t> sent;
  FollowId follows = 0;
  FollowRequest last_request;
  std::vector<ReplicaProgress> progresses;
  std::vector<TopicPartition> gone;

 private:
  log::MemoryFileSystem fs_;
  std::shared_ptr<log::File> file_;
};

class LeaderStreamTest : public ::testing::Test {
 protected:
  LeaderStreamTest() {
    StreamHello hello;
    hello.follower = BrokerId(2);
    hello.follower_epoch = 9;
    stream_ = std::make_unique<LeaderStream>(hello, &host_);
  }
  void Follow(FollowHandle handle, int partition, int64_t log_end = 0, int64_t credit = 0) {
    FollowerMessage message;
    message.follow.push_back({handle, Tp(partition), LeaderEpoch(3), Offset(log_end)});
    message.credit_bytes = credit;
    ASSERT_TRUE(stream_->Take(message).ok());
  }
  void Credit(int64_t bytes) {
    FollowerMessage message;
    message.credit_bytes = bytes;
    ASSERT_TRUE(stream_->Take(message).ok());
  }
  void Grow(int partition, int64_t records) {
    host_.parts[Tp(partition)].end += records;
    stream_->News(Tp(partition));
  }
  // What the next message has: "handle+records" of each, "!" if it is cold.
  std::string Next() {
    const std::optional<LeaderBatch> batch = stream_->Build();
    if (!batch.has_value()) return "none";
    std::string text = batch->cold ? "!" : "";
    for (const LeaderBatch::Part& part : batch->parts) {
      absl::StrAppend(&text, text.size() > 1 ? " " : "", part.handle, "+",
                      part.slice.next_offset - part.slice.first_offset);
    }
    for (const FollowEnded& ended : batch->ended) {
      absl::StrAppend(&text, " end ", ended.handle, ":", static_cast<int>(ended.error));
    }
    return text;
  }

  FakeLeader host_;
  std::unique_ptr<LeaderStream> stream_;
};

TEST_F(LeaderStreamTest, SendsWhatIsNewOfAllThatAreFollowed) {
  host_.parts[Tp(1)].end = 5;
  Follow(1, 1, 2, 1000);
  EXPECT_EQ(host_.last_request.broker, BrokerId(2));
  EXPECT_EQ(host_.last_request.broker_epoch, 9);
  Follow(2, 2);
  EXPECT_EQ(Next(), "1+3 2+0");  // of the second, its high watermark
  EXPECT_EQ(Next(), "none");
  Grow(1, 1);
  Grow(2, 2);
  Grow(3, 7);  // not followed
  EXPECT_EQ(Next(), "1+1 2+2");
  host_.parts[Tp(1)].high_watermark = 6;
  stream_->News(Tp(1));
  EXPECT_EQ(Next(), "1+0");
  stream_->News(Tp(1));
  EXPECT_EQ(Next(), "none") << "it was told";
}

TEST_F(LeaderStreamTest, SendsNoMoreThanTheCreditExceptABatchAlone) {
  Follow(1, 1, 0, 1000);
  (void)Next();
  Grow(1, 25);
  EXPECT_EQ(Next(), "1+10");
  EXPECT_EQ(Next(), "none");
  EXPECT_EQ(stream_->credit(), 0);
  Credit(300);
  EXPECT_EQ(Next(), "1+3");
  Credit(1000);
  host_.parts[Tp(1)].bytes = 1500;
  EXPECT_EQ(Next(), "1+1") << "nothing else is under way";
  EXPECT_EQ(stream_->credit(), -500);
  Credit(700);
  EXPECT_EQ(Next(), "none") << "something is";
  Credit(800);
  EXPECT_EQ(Next(), "1+1");
}

TEST_F(LeaderStreamTest, ThoseFarBehindGetMessagesOfTheirOwnOneAtATime) {
  for (const int tp : {1, 2}) host_.parts[Tp(tp)] = {.end = 40'000, .bytes = 1000};
  Follow(1, 1, 0, (4 << 20) - 4000);
  Follow(2, 2);
  Follow(3, 3);
  EXPECT_EQ(stream_->far_behind(), 2u);
  EXPECT_EQ(Next(), "3+0");
  EXPECT_EQ(Next(), "!1+1048");
  EXPECT_EQ(Next(), "none") << "one is being read";
  Grow(3, 5);
  EXPECT_EQ(Next(), "3+5");
  Grow(1, 1);  // nothing of it may pass what is being read
  EXPECT_EQ(Next(), "none");
  stream_->ColdSent();
  EXPECT_EQ(Next(), "!2+1048") << "each in its turn";
  stream_->ColdSent();
  EXPECT_EQ(Next(), "!1+1046");
  stream_->ColdSent();
  EXPECT_EQ(Next(), "none") << "the last quarter of the credit is not theirs";
  Grow(3, 5);
  EXPECT_EQ(Next(), "3+5");
  // Until they have all.
  for (int i = 0; i < 100; ++i) {
    Credit((4 << 20) - 4000 - stream_->credit());
    while (Next() != "none") stream_->ColdSent();
  }
  EXPECT_EQ(stream_->far_behind(), 0u);
  Grow(1, 1);
  EXPECT_EQ(Next(), "1+1");
}

TEST_F(LeaderStreamTest, EndsWhatIsRefusedOrNotLedAnyMore) {
  host_.parts[Tp(1)].error = ErrorCode::kFencedLeaderEpoch;
  Follow(1, 1, 0, 1000);
  EXPECT_EQ(Next(), absl::StrCat(" end 1:", static_cast<int>(ErrorCode::kFencedLeaderEpoch)));
  Follow(2, 2);
  (void)Next();
  host_.parts[Tp(2)].error = ErrorCode::kNotLeaderOrFollower;
  stream_->News(Tp(2));
  EXPECT_EQ(Next(), absl::StrCat(" end 2:", static_cast<int>(ErrorCode::kNotLeaderOrFollower)));
  EXPECT_EQ(stream_->follows(), 0u);
  EXPECT_EQ(host_.gone, std::vector<TopicPartition>{Tp(2)});
  stream_->News(Tp(2));
  EXPECT_EQ(Next(), "none");
}

TEST_F(LeaderStreamTest, WhatIsOfAnOldHandleIsNothing) {
  Follow(1, 1, 0, 1000);
  Follow(2, 1);
  EXPECT_EQ(host_.gone.size(), 1u);
  FollowerMessage message;
  message.progress.push_back({1, Offset(7), Offset(7), Offset(0)});
  message.progress.push_back({2, Offset(5), Offset(4), Offset(1)});
  ASSERT_TRUE(stream_->Take(message).ok());
  ASSERT_EQ(host_.progresses.size(), 1u);
  EXPECT_EQ(host_.progresses[0].end_offset, Offset(5));
  EXPECT_EQ(host_.progresses[0].follow, 2u);
  EXPECT_EQ(Next(), "2+0");
  message = {};
  message.drop = {2};
  ASSERT_TRUE(stream_->Take(message).ok());
  EXPECT_EQ(stream_->follows(), 0u);
}

TEST_F(LeaderStreamTest, AFollowerThatDoesNotKeepToTheProtocolIsRefused) {
  Follow(5, 1, 0, 1000);
  FollowerMessage again;
  again.follow.push_back({5, Tp(2), LeaderEpoch(3)});
  EXPECT_TRUE(absl::IsInvalidArgument(stream_->Take(again)));
  FollowerMessage negative;
  negative.credit_bytes = -1;
  EXPECT_TRUE(absl::IsInvalidArgument(stream_->Take(negative)));
  FollowerMessage large;
  large.credit_bytes = int64_t{1} << 31;
  EXPECT_TRUE(absl::IsInvalidArgument(stream_->Take(large)));
}

TEST_F(LeaderStreamTest, ASliceThatCannotBeReadEndsItsPartition) {
  Follow(1, 1, 0, 1000);
  Grow(1, 2);
  const std::optional<LeaderBatch> batch = stream_->Build();
  ASSERT_TRUE(batch.has_value());
  EXPECT_EQ(stream_->credit(), 800);
  std::vector<UnreadSlice> unread;
  const LeaderMessage message = ReadSlices(*batch, &unread);  // the file is empty
  EXPECT_TRUE(message.records.empty());
  ASSERT_EQ(message.ended.size(), 1u);
  EXPECT_EQ(message.ended[0].error, ErrorCode::kKafkaStorageError);
  const auto led = stream_->Unread(unread);
  ASSERT_EQ(led.size(), 1u);
  EXPECT_EQ(led[0].first, Tp(1));
  EXPECT_TRUE(absl::IsDataLoss(led[0].second));
  EXPECT_EQ(stream_->credit(), 1000) << "the follower cannot give back what it never got";
  EXPECT_EQ(stream_->follows(), 0u);
}

// A log that was cut off since, as another leads, is short but not damaged.
TEST_F(LeaderStreamTest, WhatIsNotLedAnyMoreIsNotDamaged) {
  Follow(1, 1, 0, 1000);
  Grow(1, 2);
  const std::optional<LeaderBatch> batch = stream_->Build();
  std::vector<UnreadSlice> unread;
  (void)ReadSlices(*batch, &unread);
  host_.parts[Tp(1)].error = ErrorCode::kNotLeaderOrFollower;
  EXPECT_TRUE(stream_->Unread(unread).empty());
  EXPECT_EQ(stream_->credit(), 1000);
}

TEST_F(LeaderStreamTest, WhatWasReadLateIsNotSentOnceAnotherLeads) {
  host_.Fill(5'000'000);
  for (const int tp : {1, 2, 3}) host_.parts[Tp(tp)] = {.end = 3'000, .bytes = 1000};
  for (const int tp : {1, 2, 3}) Follow(static_cast<FollowHandle>(tp), tp);
  Credit(4 << 20);
  std::optional<LeaderBatch> batch = stream_->Build();
  ASSERT_TRUE(batch.has_value() && batch->cold);
  for (const FollowHandle other : {2u, 3u}) {  // as if the message had been shared
    batch->parts.push_back(batch->parts[0]);
    batch->parts.back().handle = other;
  }
  batch->record_bytes *= 3;
  const int64_t credit = stream_->credit();
  std::vector<UnreadSlice> unread;
  LeaderMessage message = ReadSlices(*batch, &unread);
  ASSERT_EQ(message.records.size(), 3u);
  const int64_t bytes = static_cast<int64_t>(message.records[0].records.size());
  host_.parts[Tp(1)].error = ErrorCode::kFencedLeaderEpoch;
  FollowerMessage drop;
  drop.drop = {2};
  ASSERT_TRUE(stream_->Take(drop).ok());
  stream_->TakeOutStale(&message);
  ASSERT_EQ(message.records.size(), 1u);
  EXPECT_EQ(message.records[0].handle, 3u);
  ASSERT_EQ(message.ended.size(), 1u);
  EXPECT_EQ(message.ended[0].handle, 1u);
  EXPECT_EQ(message.ended[0].error, ErrorCode::kFencedLeaderEpoch);
  EXPECT_EQ(stream_->credit(), credit + 2 * bytes);
  EXPECT_EQ(stream_->follows(), 1u);
}

// There is always something under way where others are busy: they have to wait.
TEST_F(LeaderStreamTest, ABatchAboveTheCreditGetsItsTurnBesideSteadyTraffic) {
  Follow(1, 1, 0, 1000);
  Follow(2, 2);
  (void)Next();
  Grow(2, 4);
  EXPECT_EQ(Next(), "2+4");
  host_.parts[Tp(1)].bytes = 1500;
  Grow(1, 1);
  Grow(2, 3);
  EXPECT_EQ(Next(), "none");
  Credit(300);
  Grow(2, 1);
  EXPECT_EQ(Next(), "none");
  Credit(100);
  EXPECT_EQ(Next(), "1+1");
  Grow(2, 1);
  EXPECT_EQ(Next(), "none");
  Credit(1500);
  EXPECT_EQ(Next(), "2+5");
}

TEST_F(LeaderStreamTest, ALargeBatchOfOneFarBehindGetsItsTurnToo) {
  host_.parts[Tp(1)] = {.end = 3, .bytes = 3'500'000};
  Follow(1, 1, 0, 4 << 20);
  Follow(2, 2);
  Grow(2, 3);
  EXPECT_EQ(Next(), "1+1");
  EXPECT_EQ(stream_->far_behind(), 1u);
  EXPECT_EQ(Next(), "2+3");
  Credit(3'500'000);
  Grow(2, 1);
  EXPECT_EQ(Next(), "2+1");
  EXPECT_EQ(Next(), "none");
  Grow(2, 1);
  EXPECT_EQ(Next(), "none");
  Credit(400);
  EXPECT_EQ(Next(), "!1+1");
}

TEST_F(LeaderStreamTest, WhoWaitsForABatchAboveTheCreditGoesOnWhenItIsGivenUp) {
  Follow(1, 1, 0, 1000);
  Follow(2, 2);
  Grow(2, 4);
  (void)Next();
  host_.parts[Tp(1)].bytes = 1500;
  Grow(1, 1);
  Grow(2, 3);
  EXPECT_EQ(Next(), "none");
  FollowerMessage drop;
  drop.drop = {1};
  ASSERT_TRUE(stream_->Take(drop).ok());
  EXPECT_EQ(Next(), "2+3");
}

// Others that go first in each message must not keep it out of all of them.
TEST_F(LeaderStreamTest, ABatchThatDoesNotFitIntoTheRestOfAMessageBeginsTheNext) {
  Follow(1, 1, 0, 1000);
  Follow(2, 2);
  (void)Next();
  host_.parts[Tp(1)].bytes = 300;
  host_.parts[Tp(2)].bytes = 900;
  Grow(1, 6);
  Grow(2, 1);
  EXPECT_EQ(Next(), "1+3");
  Credit(900);
  EXPECT_EQ(Next(), "2+1");
}

TEST_F(LeaderStreamTest, WhatIsThrottledWaitsAndTheOthersDoNot) {
  Follow(1, 1, 0, 1'000'000);
  Follow(2, 2);
  host_.throttled.insert(Tp(1));
  Grow(1, 5);
  Grow(2, 3);
  EXPECT_EQ(Next(), "2+3");
  EXPECT_TRUE(stream_->is_throttled());
  Grow(1, 1);
  EXPECT_EQ(Next(), "none");
  stream_->CheckThrottled();
  EXPECT_EQ(Next(), "none");
  EXPECT_TRUE(stream_->is_throttled()) << "the quota is used up still";
  host_.throttled.clear();
  EXPECT_EQ(Next(), "none") << "until somebody looks";
  stream_->CheckThrottled();
  EXPECT_EQ(Next(), "1+6");
  EXPECT_FALSE(stream_->is_throttled());
  EXPECT_EQ(host_.sent[Tp(1)], 600);
  EXPECT_EQ(host_.sent[Tp(2)], 300);
}

TEST_F(LeaderStreamTest, WhatItsFollowerHoldsWaitsUntilItResumes) {
  Follow(1, 1, 0, 1'000'000);
  Follow(2, 2);
  Grow(1, 5);
  FollowerMessage hold;
  hold.hold = {1, 77};
  ASSERT_TRUE(stream_->Take(hold).ok());
  Grow(2, 3);
  EXPECT_EQ(Next(), "2+3");
  Grow(1, 1);
  EXPECT_EQ(Next(), "none");
  FollowerMessage resume;
  resume.resume = {1, 77};
  ASSERT_TRUE(stream_->Take(resume).ok());
  EXPECT_EQ(Next(), "1+6");
  // What is followed anew is not held.
  ASSERT_TRUE(stream_->Take(hold).ok());
  Follow(3, 1);
  Grow(1, 1);
  EXPECT_EQ(Next(), "3+7");
}

// Nobody may wait for the credit that somebody needs who gets none.
TEST_F(LeaderStreamTest, WhoIsHeldBackGivesUpItsTurn) {
  host_.parts[Tp(1)].bytes = 900;
  Follow(1, 1, 0, 1000);
  Follow(2, 2);
  Grow(2, 5);
  EXPECT_EQ(Next(), "1+0 2+5");
  Grow(1, 1);
  EXPECT_EQ(Next(), "none") << "500 are left: the others wait for its 900";
  Grow(2, 1);
  EXPECT_EQ(Next(), "none");
  FollowerMessage hold;
  hold.hold = {1};
  ASSERT_TRUE(stream_->Take(hold).ok());
  stream_->News(Tp(2));
  EXPECT_EQ(Next(), "2+1");
}

TEST_F(LeaderStreamTest, SaysFromWhereToWhereItHasRead) {
  Follow(1, 1, 2, 1000);
  Grow(1, 5);
  const std::optional<LeaderBatch> batch = stream_->Build();
  host_.Fill(300);
  std::vector<UnreadSlice> unread;
  const LeaderMessage message = ReadSlices(*batch, &unread);
  ASSERT_EQ(message.records.size(), 1u);
  EXPECT_EQ(message.records[0].from, Offset(2));
  EXPECT_EQ(message.records[0].to, Offset(5));
}

class FakeFollower final : public FollowerHost {
 public:
  std::optional<StartFollowing> State(const TopicPartition& tp) override {
    const auto found = states.find(tp);
    if (found == states.end()) return std::nullopt;
    return found->second;
  }
  void Replicate(const TopicPartition& tp, LeaderEpoch epoch, const LeaderRecords& records,
                 const std::shared_ptr<const void>&) override {
    taken.push_back(absl::StrCat(tp.partition.value(), "@", epoch.value(), ":", records.records));
  }
  void Ended(const TopicPartition& tp, LeaderEpoch, const FollowEnded& told) override {
    ended.emplace_back(tp, told.error);
  }
  void Moved(const TopicPartition& tp, uint32_t shard) override { moved.emplace_back(tp, shard); }
  bool IsThrottled(const TopicPartition& tp) override { return throttled.count(tp) > 0; }

  std::set<TopicPartition> throttled;
  std::map<TopicPartition, StartFollowing> states;
  std::vector<std::string> taken;
  std::vector<std::pair<TopicPartition, ErrorCode>> ended;
  std::vector<std::pair<TopicPartition, uint32_t>> moved;
};

class FollowerStreamTest : public ::testing::Test {
 protected:
  FollowerStreamTest() : stream_(&host_, &random_, {.credit_bytes = 1000}) {}

  void Has(int partition, int64_t end, int64_t flushed, int32_t epoch = 3) {
    host_.states[Tp(partition)] = {BrokerId(1), LeaderEpoch(epoch), Offset(end), Offset(flushed)};
  }
  std::optional<FollowerMessage> Tick(int64_t ms = 0) {
    return stream_.TickEnd(MonotonicNs(ms * kNsPerMs));
  }
  void Give(FollowHandle handle, absl::string_view records) {
    LeaderMessage message;
    message.records.push_back({handle, Offset(0), Offset(1), Offset(0), Offset(0), records});
    EXPECT_TRUE(stream_.Take(message).ok());
  }
  void End(FollowHandle handle, ErrorCode error, uint32_t shard = 0) {
    LeaderMessage message;
    message.ended.emplace_back();
    message.ended.back().handle = handle;
    message.ended.back().error = error;
    message.ended.back().shard = shard;
    EXPECT_TRUE(stream_.Take(message).ok());
  }

  FakeFollower host_;
  SeededRandom random_{1};
  FollowerStream stream_;
};

TEST_F(FollowerStreamTest, NamesPartitionsOnceAndThenTellsWhatIsNew) {
  Has(1, 10, 8);
  stream_.Follow(Tp(1));
  EXPECT_FALSE(Tick().has_value()) << "no stream is open";
  stream_.Opened();
  auto message = Tick();
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->credit_bytes, 1000);
  ASSERT_EQ(message->follow.size(), 1u);
  EXPECT_EQ(message->follow[0].handle, 1u);
  EXPECT_EQ(message->follow[0].flushed, Offset(8));
  EXPECT_FALSE(Tick().has_value());
  stream_.News(Tp(1));
  EXPECT_FALSE(Tick().has_value()) << "it is as it was told";
  Give(1, "abc");
  EXPECT_EQ(host_.taken, std::vector<std::string>{"1@3:abc"});
  Has(1, 11, 10);
  stream_.News(Tp(1));
  stream_.News(Tp(1));
  message = Tick();
  ASSERT_EQ(message->progress.size(), 1u);
  EXPECT_EQ(message->progress[0].log_end, Offset(11));
  EXPECT_EQ(message->credit_bytes, 3);
  EXPECT_TRUE(message->follow.empty());
}

TEST_F(FollowerStreamTest, ANewStreamBeginsAnew) {
  Has(1, 10, 10);
  stream_.Follow(Tp(1));
  stream_.Opened();
  (void)Tick();
  Give(1, "abcd");
  stream_.Closed();
  Has(1, 12, 12);
  stream_.Opened();
  const auto message = Tick();
  ASSERT_EQ(message->follow.size(), 1u);
  EXPECT_EQ(message->follow[0].log_end, Offset(12));
  EXPECT_EQ(message->credit_bytes, 1000);
  EXPECT_TRUE(message->progress.empty());
}

TEST_F(FollowerStreamTest, WhatIsOfAnOldHandleGivesBackItsCreditAndNoMore) {
  Has(1, 10, 10);
  stream_.Follow(Tp(1));
  stream_.Opened();
  (void)Tick();
  stream_.Follow(Tp(1));
  const auto message = Tick();
  EXPECT_EQ(message->drop, std::vector<FollowHandle>{1});
  EXPECT_EQ(message->follow[0].handle, 2u);
  Give(1, "late");
  EXPECT_TRUE(host_.taken.empty());
  EXPECT_EQ(Tick()->credit_bytes, 4);
  LeaderMessage unknown;
  unknown.records.push_back({3, Offset(0), Offset(1), Offset(0), Offset(0), "x"});
  EXPECT_TRUE(absl::IsInvalidArgument(stream_.Take(unknown)));
}

TEST_F(FollowerStreamTest, TriesAgainLaterUnlessTheMetadataChange) {
  Has(1, 10, 10);
  stream_.Follow(Tp(1));
  stream_.Opened();
  (void)Tick();
  End(1, ErrorCode::kUnknownLeaderEpoch);
  EXPECT_FALSE(Tick(10).has_value());
  ASSERT_TRUE(stream_.NextDeadline().has_value());
  EXPECT_GE(*stream_.NextDeadline(), MonotonicNs(60 * kNsPerMs));
  EXPECT_LE(*stream_.NextDeadline(), MonotonicNs(110 * kNsPerMs));
  EXPECT_EQ(Tick(110)->follow[0].handle, 2u);
  End(2, ErrorCode::kNotLeaderOrFollower);
  EXPECT_FALSE(Tick(111).has_value());
  stream_.MetadataChanged();
  EXPECT_EQ(Tick(112)->follow[0].handle, 3u);
  EXPECT_TRUE(host_.ended.empty());
}

TEST_F(FollowerStreamTest, HoldsWhatIsThrottledUntilItIsNot) {
  Has(1, 10, 10);
  Has(2, 20, 20);
  stream_.Follow(Tp(1));
  stream_.Follow(Tp(2));
  stream_.Opened();
  Tick();
  host_.throttled.insert(Tp(1));
  Give(1, "abc");
  Give(1, "def");
  Give(2, "ghi");
  auto message = Tick();
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->hold, std::vector<FollowHandle>{1});
  EXPECT_EQ(message->credit_bytes, 9);
  EXPECT_TRUE(stream_.is_throttled());
  stream_.CheckThrottled();
  EXPECT_FALSE(Tick().has_value());
  host_.throttled.clear();
  stream_.CheckThrottled();
  message = Tick();
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->resume, std::vector<FollowHandle>{1});
  EXPECT_FALSE(stream_.is_throttled());

  // What the leader was not told of is not taken back.
  host_.throttled.insert(Tp(1));
  Give(1, "abc");
  host_.throttled.clear();
  stream_.CheckThrottled();
  message = Tick();
  EXPECT_TRUE(message->hold.empty() && message->resume.empty());

  // A new stream holds nothing.
  host_.throttled.insert(Tp(1));
  Give(1, "abc");
  stream_.Opened();
  message = Tick();
  EXPECT_TRUE(message->hold.empty() && message->resume.empty());
  EXPECT_EQ(message->follow.size(), 2u);
  EXPECT_FALSE(stream_.is_throttled());
}

TEST_F(FollowerStreamTest, WhereTheLogsPartTheOwnerActs) {
  Has(1, 10, 10);
  stream_.Follow(Tp(1));
  stream_.Opened();
  (void)Tick();
  End(1, ErrorCode::kNone);
  ASSERT_EQ(host_.ended.size(), 1u);
  EXPECT_FALSE(Tick(10'000).has_value());
  stream_.Follow(Tp(1));
  EXPECT_EQ(Tick(10'001)->follow.size(), 1u);
  End(2, ErrorCode::kReplicaNotAvailable, 3);
  ASSERT_EQ(host_.moved.size(), 1u);
  EXPECT_EQ(host_.moved[0].second, 3u);
  EXPECT_FALSE(stream_.follows(Tp(1)));
}

}  // namespace
}  // namespace weir::replication

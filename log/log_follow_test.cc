// A follower's log: the same bytes as the leader's, whatever was in them.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "base/random.h"
#include "gtest/gtest.h"
#include "log/log.h"
#include "log/memory_file.h"
#include "log/producer_state.h"
#include "log/test_batches.h"
#include "protocol/record_batch.h"

namespace weir::log {
namespace {

constexpr int16_t kTransactional = protocol::record_batch_attribute::kTransactional;
constexpr Offset kEnd{1 << 30};
constexpr LeaderEpoch kLatest{1000};

class LogFollowTest : public ::testing::Test {
 protected:
  struct Side {
    MemoryFileSystem fs{3};
    std::unique_ptr<Log> log;
  };

  LogFollowTest() {
    Open(&leader_);
    Open(&follower_);
  }
  void Open(Side* side, RecoveryHint hint = {}) {
    side->log.reset();
    auto opened = Log::Open(side->fs, "/data/t-0", config_, hint, 1000);
    ASSERT_TRUE(opened.ok()) << opened.status();
    side->log = *std::move(opened);
  }
  void Reopen() {
    leader_.fs.KillProcess();
    follower_.fs.KillProcess();
    Open(&leader_);
    Open(&follower_);
  }
  BatchToAppend Lead(std::string bytes, int32_t epoch = 1, AppendTerms terms = {}) {
    BatchToAppend batch;
    batch.bytes = absl::MakeSpan(bytes.data(), bytes.size());
    batch.terms = terms;
    leader_.log->Append(absl::MakeSpan(&batch, 1), LeaderEpoch(epoch), 1000);
    EXPECT_TRUE(batch.status.ok()) << batch.status;
    batch.bytes = {};
    return batch;
  }
  // What the leader has from `from` on, at most `max_bytes` of it.
  std::string From(Offset from, int64_t max_bytes = 1 << 20) {
    auto slice = leader_.log->Read(from, max_bytes, kEnd, true);
    EXPECT_TRUE(slice.ok()) << slice.status();
    return SliceBytes(*slice);
  }
  void CatchUp(int64_t max_bytes = 1 << 20) {
    while (follower_.log->log_end_offset() < leader_.log->log_end_offset()) {
      const absl::Status status = follower_.log->AppendAsFollower(
          From(follower_.log->log_end_offset(), max_bytes), kLatest, 1000);
      ASSERT_TRUE(status.ok()) << status;
    }
  }
  void ExpectEqual() {
    const Log& a = *leader_.log;
    const Log& b = *follower_.log;
    EXPECT_EQ(a.log_end_offset(), b.log_end_offset());
    EXPECT_EQ(a.epochs().entries(), b.epochs().entries());
    EXPECT_EQ(a.producers().Sorted(), b.producers().Sorted());
    EXPECT_EQ(a.FirstUnstableOffset(), b.FirstUnstableOffset());
    EXPECT_EQ(leader_.log->AbortedTransactions(Offset(0), kEnd)->size(),
              follower_.log->AbortedTransactions(Offset(0), kEnd)->size());
    EXPECT_EQ(AllBytes(&leader_), AllBytes(&follower_));
    for (const TimestampMs at : {1000, 1500, 2500}) {
      const auto none = [](const protocol::RecordBatchView&) -> absl::StatusOr<std::string> {
        return absl::UnimplementedError("");
      };
      EXPECT_EQ(leader_.log->FindByTimestamp(at, kEnd, none)->value_or(FoundRecord()).offset,
                follower_.log->FindByTimestamp(at, kEnd, none)->value_or(FoundRecord()).offset);
    }
  }
  static std::string AllBytes(Side* side) {
    std::string all;
    for (Offset at = side->log->log_start_offset(); at < side->log->log_end_offset();) {
      const auto slice = side->log->Read(at, 1 << 20, kEnd, true);
      if (!slice.ok() || slice->empty()) return "unreadable";
      all += SliceBytes(*slice);
      at = slice->next_offset;
    }
    return all;
  }

  LogConfig config_;
  Side leader_;
  Side follower_;
};

TEST_F(LogFollowTest, HasTheSameBytesEpochsProducersAndTransactions) {
  config_.segment_bytes = 600;
  config_.log_append_time = true;  // the follower leaves the leader's times alone
  Open(&leader_);
  Open(&follower_);
  SeededRandom random(11);
  std::vector<int32_t> sequences(5);
  std::vector<bool> open(5);
  for (int i = 0; i < 200; ++i) {
    const int32_t epoch = 1 + i / 40;
    const auto id = static_cast<size_t>(random.Below(5));
    const ProducerId producer(static_cast<int64_t>(id));
    if (open[id] && random.OneIn(3)) {
      Lead(MakeMarker({.producer = producer, .aborts = random.OneIn(2)}), epoch,
           {AppendOrigin::kCoordinator});
      open[id] = false;
    } else {
      const int records = 1 + static_cast<int>(random.Below(3));
      Lead(MakeBatch({.records = records,
                      .timestamp = 1000 + 10 * i,
                      .producer = producer,
                      .sequence = sequences[id],
                      .attributes = kTransactional}),
           epoch, {.transaction_verified = true});
      sequences[id] += records;
      open[id] = true;
    }
    if (random.OneIn(4)) CatchUp(static_cast<int64_t>(random.Below(800)));
  }
  CatchUp();
  ExpectEqual();
  EXPECT_EQ(leader_.log->epochs().entries().size(), 5u);
  EXPECT_GT(follower_.log->segments(), 10u);
  Reopen();
  ExpectEqual();
  ASSERT_TRUE(leader_.log->Close().ok());
  ASSERT_TRUE(follower_.log->Close().ok());
  Open(&leader_, {.clean = true});
  Open(&follower_, {.clean = true});
  ExpectEqual();
}

TEST_F(LogFollowTest, ADamagedBatchIsRefusedWithAllBehindIt) {
  for (int i = 0; i < 3; ++i) Lead(MakeBatch({.records = 2}));
  std::string bytes = From(Offset(0));
  const size_t one = bytes.size() / 3;
  bytes[one + 70] ^= 1;
  const absl::Status status = follower_.log->AppendAsFollower(bytes, kLatest, 1000);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_NE(status.message().find("offset 2"), absl::string_view::npos) << status;
  EXPECT_EQ(follower_.log->log_end_offset(), Offset(2));
  EXPECT_TRUE(follower_.log->failed().ok());
  CatchUp();
  ExpectEqual();
  // Cut short, of another format, and of nothing but noise.
  Lead(MakeBatch({}));
  bytes = From(Offset(6));
  for (const size_t size : {size_t{1}, size_t{60}, bytes.size() - 1}) {
    EXPECT_TRUE(absl::IsDataLoss(
        follower_.log->AppendAsFollower(absl::string_view(bytes).substr(0, size), kLatest, 1000)));
  }
  std::string old = bytes;
  old[protocol::record_batch_at::kMagic] = 1;
  EXPECT_TRUE(absl::IsDataLoss(follower_.log->AppendAsFollower(old, kLatest, 1000)));
  EXPECT_TRUE(
      absl::IsDataLoss(follower_.log->AppendAsFollower(std::string(200, '\xff'), kLatest, 1000)));
  EXPECT_EQ(follower_.log->log_end_offset(), Offset(6));
  CatchUp();
  ExpectEqual();
}

TEST_F(LogFollowTest, OffsetsAndEpochsDoNotGoBack) {
  Lead(MakeBatch({.records = 2}), 3);
  Lead(MakeBatch({.records = 2}), 3);
  CatchUp();
  EXPECT_TRUE(
      absl::IsFailedPrecondition(follower_.log->AppendAsFollower(From(Offset(0)), kLatest, 1000)));
  std::string older = MakeBatch({.base_offset = Offset(4)});
  protocol::SetLeaderEpoch(older.data(), LeaderEpoch(2));
  EXPECT_TRUE(absl::IsFailedPrecondition(follower_.log->AppendAsFollower(older, kLatest, 1000)));
  EXPECT_EQ(follower_.log->log_end_offset(), Offset(4));
  // Compaction leaves gaps.
  std::string behind = MakeBatch({.base_offset = Offset(9)});
  protocol::SetLeaderEpoch(behind.data(), LeaderEpoch(4));
  EXPECT_TRUE(follower_.log->AppendAsFollower(behind, kLatest, 1000).ok());
  EXPECT_EQ(follower_.log->log_end_offset(), Offset(10));
  EXPECT_EQ(follower_.log->epochs().EpochForOffset(Offset(9)), LeaderEpoch(4));
  EXPECT_EQ(follower_.log->epochs().EpochForOffset(Offset(8)), LeaderEpoch(3));
}

// What a deposed leader still sends may have been written by the next one in its place.
TEST_F(LogFollowTest, TakesNothingOfALaterLeader) {
  Lead(MakeBatch({.records = 2}), 3);
  Lead(MakeBatch({.records = 2}), 4);
  const absl::Status status =
      follower_.log->AppendAsFollower(From(Offset(0)), LeaderEpoch(3), 1000);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(follower_.log->log_end_offset(), Offset(2)) << "the first is of its own epoch";
  EXPECT_EQ(follower_.log->latest_epoch(), LeaderEpoch(3));
  CatchUp();
  ExpectEqual();
}

// A leader whose first write failed has noted an epoch that has no record.
TEST_F(LogFollowTest, AnEpochWithoutRecordsIsNoBar) {
  Lead(MakeBatch({}), 3);
  CatchUp();
  std::string bytes = MakeBatch({});
  BatchToAppend batch;
  batch.bytes = absl::MakeSpan(bytes.data(), bytes.size() - 1);  // no batch: refused
  follower_.log->Append(absl::MakeSpan(&batch, 1), LeaderEpoch(7), 1000);
  ASSERT_EQ(follower_.log->latest_epoch(), LeaderEpoch(7));
  Lead(MakeBatch({}), 5);
  CatchUp();
  ExpectEqual();
}

TEST_F(LogFollowTest, AFullDiskRefusesWithoutFailing) {
  Lead(MakeBatch({.producer = ProducerId(4), .sequence = 0}));
  CatchUp();
  Lead(MakeBatch({.producer = ProducerId(4), .sequence = 1}));
  follower_.fs.set_capacity_bytes(0);
  const absl::Status status = follower_.log->AppendAsFollower(From(Offset(1)), kLatest, 1000);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_TRUE(follower_.log->failed().ok());
  EXPECT_EQ(follower_.log->log_end_offset(), Offset(1));
  EXPECT_EQ(follower_.log->producers().Find(ProducerId(4))->last_batch()->last_sequence, 0);
  follower_.fs.set_capacity_bytes(int64_t{1} << 40);
  CatchUp();
  ExpectEqual();
}

TEST_F(LogFollowTest, APowerLossKeepsAPrefixOfTheLeader) {
  config_.segment_bytes = 500;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    leader_.fs.KillProcess();
    leader_.log.reset();
    ASSERT_TRUE(leader_.fs.RemoveRecursively("/data").ok());
    follower_.log.reset();
    ASSERT_TRUE(follower_.fs.RemoveRecursively("/data").ok());
    Open(&leader_);
    Open(&follower_);
    SeededRandom random(seed);
    for (int i = 0; i < 30; ++i) {
      Lead(MakeBatch({.records = 1 + static_cast<int>(random.Below(3))}), 1 + i / 10);
      if (random.OneIn(2)) CatchUp();
      if (random.OneIn(5)) {
        ASSERT_TRUE(follower_.log->Flush().ok());
      }
    }
    const Offset flushed = follower_.log->flushed_offset();
    follower_.fs.PowerLoss(random);
    Open(&follower_, {.recovery_point = flushed});
    EXPECT_GE(follower_.log->log_end_offset(), flushed);
    const std::string kept = AllBytes(&follower_);
    EXPECT_EQ(kept, AllBytes(&leader_).substr(0, kept.size())) << "seed " << seed;
    CatchUp();
    ExpectEqual();
  }
}

}  // namespace
}  // namespace weir::log

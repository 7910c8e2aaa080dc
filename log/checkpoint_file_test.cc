#include "log/checkpoint_file.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "gtest/gtest.h"
#include "log/leader_epoch_cache.h"
#include "log/memory_file.h"
#include "log/partition_metadata.h"

namespace weir::log {
namespace {

void Put(MemoryFileSystem& fs, const std::string& path, const std::string& content) {
  auto file = fs.Open(path, OpenMode::kCreate);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->Truncate(0).ok());
  ASSERT_TRUE((*file)->Append({content}).ok());
}

TEST(OffsetCheckpoint, WritesAndReadsKafkasText) {
  MemoryFileSystem fs;
  const OffsetCheckpoint checkpoint(&fs, "/", "recovery-point-offset-checkpoint");
  EXPECT_TRUE(checkpoint.Read()->empty());
  ASSERT_TRUE(checkpoint.Write({{{"a", 1}, Offset(7)}, {{"a.b-c", 0}, Offset(0)}}).ok());
  EXPECT_EQ(fs.Content("/recovery-point-offset-checkpoint"), "0\n2\na 1 7\na.b-c 0 0\n");
  EXPECT_EQ((*checkpoint.Read()).at({"a", 1}), Offset(7));
}

TEST(OffsetCheckpoint, RefusesWhatIsMalformed) {
  MemoryFileSystem fs;
  const OffsetCheckpoint checkpoint(&fs, "/", "c");
  for (const char* bad : {"", "0", "1\n0\n", "0\n2\na 1 7\n", "0\n1\na 1\n", "0\n1\na x 7\n",
                          "0\n1\na 1 -7\n", "0\n-1\n", "0\nx\n", "0\n1\na 1 7 8\n"}) {
    Put(fs, "/c", bad);
    EXPECT_TRUE(absl::IsDataLoss(checkpoint.Read().status())) << bad;
  }
}

TEST(CreateDirectoriesDurably, HoldsAfterAKillAtAnyPointOfTheFirstTry) {
  for (int64_t boundary = 0;; ++boundary) {
    MemoryFileSystem fs;
    fs.CrashAtBoundary(boundary);
    const bool whole = CreateDirectoriesDurably(fs, "/a/b/c").ok();
    fs.KillProcess();
    ASSERT_TRUE(CreateDirectoriesDurably(fs, "/a/b/c").ok());
    SeededRandom random(1);
    fs.PowerLoss(random);
    EXPECT_TRUE(fs.Exists("/a/b/c")) << "killed at boundary " << boundary;
    if (whole) return;
  }
}

TEST(OffsetCheckpoint, ACrashLeavesTheOldOrTheNewContent) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    MemoryFileSystem fs(seed);
    SeededRandom random(seed);
    const OffsetCheckpoint checkpoint(&fs, "/", "c");
    ASSERT_TRUE(checkpoint.Write({{{"t", 0}, Offset(1)}}).ok());
    fs.CrashAtBoundary(static_cast<int64_t>(random.Below(8)));
    const bool written = checkpoint.Write({{{"t", 0}, Offset(2)}}).ok();
    fs.PowerLoss(random);
    const auto read = checkpoint.Read();
    ASSERT_TRUE(read.ok()) << read.status();
    const Offset value = read->at({"t", 0});
    EXPECT_TRUE(value == Offset(2) || (!written && value == Offset(1)));
  }
}

TEST(PartitionMetadata, RoundTrip) {
  MemoryFileSystem fs;
  const Uuid id{0x1234, 0x5678};
  EXPECT_TRUE(absl::IsNotFound(ReadPartitionMetadata(fs, "/").status()));
  ASSERT_TRUE(WritePartitionMetadata(fs, "/", id).ok());
  EXPECT_EQ(fs.Content("/partition.metadata"), "version: 0\ntopic_id: " + id.ToString());
  EXPECT_EQ(*ReadPartitionMetadata(fs, "/"), id);
  Put(fs, "/partition.metadata", "version: 0\ntopic_id: short");
  EXPECT_TRUE(absl::IsDataLoss(ReadPartitionMetadata(fs, "/").status()));
  Put(fs, "/partition.metadata", "version: 1\ntopic_id: " + id.ToString());
  EXPECT_TRUE(absl::IsDataLoss(ReadPartitionMetadata(fs, "/").status()));
}

class LeaderEpochCacheTest : public ::testing::Test {
 protected:
  void Assign(int32_t epoch, int64_t start) {
    ASSERT_TRUE(cache_.Assign(LeaderEpoch(epoch), Offset(start)).ok());
  }
  EpochEnd End(int32_t epoch, int64_t log_end = 100) {
    return cache_.EndOffsetFor(LeaderEpoch(epoch), Offset(log_end));
  }

  MemoryFileSystem fs_;
  LeaderEpochCache cache_{&fs_, "/"};
};

TEST_F(LeaderEpochCacheTest, EndOffsets) {
  EXPECT_EQ(End(0), EpochEnd());
  Assign(2, 10);
  Assign(4, 20);
  Assign(4, 25);  // known
  Assign(3, 30);  // older
  EXPECT_EQ(End(4), (EpochEnd{LeaderEpoch(4), Offset(100)}));
  EXPECT_EQ(End(3), (EpochEnd{LeaderEpoch(2), Offset(20)}));
  EXPECT_EQ(End(2), (EpochEnd{LeaderEpoch(2), Offset(20)}));
  EXPECT_EQ(End(1), (EpochEnd{LeaderEpoch(1), Offset(10)}));
  EXPECT_EQ(End(5), EpochEnd()) << "from the future";
  EXPECT_EQ(End(-1), EpochEnd());
  EXPECT_EQ(cache_.EpochForOffset(Offset(9)), kNoLeaderEpoch);
  EXPECT_EQ(cache_.EpochForOffset(Offset(19)), LeaderEpoch(2));
}

TEST_F(LeaderEpochCacheTest, AnEpochWithoutRecordsGivesWay) {
  Assign(1, 0);
  Assign(2, 10);
  Assign(3, 10);
  EXPECT_EQ(fs_.Content("/leader-epoch-checkpoint"), "0\n2\n1 0\n3 10\n");
}

TEST_F(LeaderEpochCacheTest, TruncatesAndLoads) {
  Assign(1, 0);
  Assign(2, 10);
  Assign(3, 20);
  ASSERT_TRUE(cache_.TruncateFromEnd(Offset(20)).ok());
  EXPECT_EQ(cache_.latest(), LeaderEpoch(2));
  ASSERT_TRUE(cache_.TruncateFromStart(Offset(5)).ok());
  EXPECT_EQ(fs_.Content("/leader-epoch-checkpoint"), "0\n2\n1 5\n2 10\n");
  ASSERT_TRUE(cache_.TruncateFromStart(Offset(15)).ok());
  LeaderEpochCache other(&fs_, "/");
  ASSERT_TRUE(other.Load().ok());
  EXPECT_EQ(other.entries(), (std::vector<EpochEntry>{{LeaderEpoch(2), Offset(15)}}));
  Put(fs_, "/leader-epoch-checkpoint", "0\n2\n3 5\n2 10\n");
  EXPECT_TRUE(absl::IsDataLoss(other.Load()));
}

}  // namespace
}  // namespace weir::log

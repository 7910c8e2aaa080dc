#include "server/data_directory.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "gtest/gtest.h"
#include "log/checkpoint_file.h"
#include "log/file.h"
#include "log/memory_file.h"

namespace weir::server {
namespace {

const PartitionName kA{"a", 0};
const PartitionName kB{"b", 7};

class DataDirectoryTest : public testing::Test {
 protected:
  std::unique_ptr<DataDirectory> Open() {
    auto directory = DataDirectory::Open(files_, "/data", 0);
    EXPECT_TRUE(directory.ok()) << directory.status();
    EXPECT_TRUE((*directory)->BeginRun(files_).ok());
    if (!(*directory)->has_cluster()) {
      EXPECT_TRUE((*directory)->TakeIdentity(files_, {"c", BrokerId(1), Uuid{1, 1}}).ok());
    }
    return *std::move(directory);
  }

  static PartitionCheckpoints At(int64_t offset) {
    PartitionCheckpoints checkpoints;
    for (const PartitionName& name : {kA, kB}) {
      checkpoints.recovery_points[name] = Offset(offset);
      checkpoints.high_watermarks[name] = Offset(offset - 1);
      checkpoints.cleaned[name] = Offset(offset - 2);
    }
    return checkpoints;
  }

  log::MemoryFileSystem files_;
};

TEST_F(DataDirectoryTest, KnowsHighWatermarksOfTheLastRun) {
  {
    const auto directory = Open();
    EXPECT_EQ(directory->HighWatermarkOf(kA), kNoOffset);
    ASSERT_TRUE(directory->WriteCheckpoints(files_, At(100)).ok());
  }
  const auto directory = Open();
  EXPECT_EQ(directory->HighWatermarkOf(kA), Offset(99));
  EXPECT_EQ(directory->HighWatermarkOf({"c", 0}), kNoOffset);
}

// Whoever founds a cluster writes a snapshot first, under another name until it is whole.
TEST_F(DataDirectoryTest, BeginsAnewWhereAFoundingEndedHalfWay) {
  const std::string folder = "/data/__cluster_metadata-0";
  ASSERT_TRUE(log::CreateDirectoriesDurably(files_, folder).ok());
  for (const char* name : {"/00000000000000000000-0000000000-taken.checkpoint.part",
                           "/00000000000000000000-0000000000.checkpoint"}) {
    ASSERT_TRUE(files_.Open(folder + name, log::OpenMode::kCreate).ok());
    EXPECT_FALSE(DataDirectory::Open(files_, "/data", 0).value()->has_cluster());
  }
  ASSERT_TRUE(files_.Open(folder + "/00000000000000000000.log", log::OpenMode::kCreate).ok());
  EXPECT_FALSE(DataDirectory::Open(files_, "/data", 0).ok());
}

TEST_F(DataDirectoryTest, PromisesNothingOfALogThatIsToBeCutOff) {
  {
    const auto directory = Open();
    ASSERT_TRUE(directory->WriteCheckpoints(files_, At(100)).ok());
    ASSERT_TRUE(directory->PrepareTruncation(files_, {{kA, Offset(40)}}).ok());
    EXPECT_EQ(directory->HighWatermarkOf(kA), Offset(40));
  }
  const auto directory = Open();
  EXPECT_EQ(directory->HintFor(kA).recovery_point, Offset(0));
  EXPECT_EQ(directory->HintFor(kA).cleaned_to, Offset(40));
  EXPECT_EQ(directory->HighWatermarkOf(kA), Offset(40));
  EXPECT_EQ(directory->HintFor(kB).recovery_point, Offset(100));
  EXPECT_EQ(directory->HighWatermarkOf(kB), Offset(99));
}

TEST_F(DataDirectoryTest, KeepsWhatIsTakenInWhenCheckpointsWereGatheredBefore) {
  {
    const auto directory = Open();
    PartitionCheckpoints gathered = At(110);
    gathered.recovery_points.erase(kB);
    gathered.high_watermarks.erase(kB);
    gathered.cleaned.erase(kB);
    directory->BeginCheckpoint();
    // One is new, and the other one goes and comes back.
    ASSERT_TRUE(directory->TakeIn(files_, kB, Offset(5), Offset(8)).ok());
    ASSERT_TRUE(directory->Forget(files_, {kA}).ok());
    ASSERT_TRUE(directory->TakeIn(files_, kA, Offset(6), Offset(9)).ok());
    ASSERT_TRUE(directory->WriteCheckpoints(files_, std::move(gathered)).ok());
  }
  const auto directory = Open();
  EXPECT_EQ(directory->Remembered(), (std::vector<PartitionName>{kA, kB}));
  EXPECT_EQ(directory->HintFor(kA).recovery_point, Offset(0));
  EXPECT_EQ(directory->HintFor(kA).log_start_offset, Offset(6));
  EXPECT_EQ(directory->HintFor(kA).cleaned_to, Offset(0));
  EXPECT_EQ(directory->HighWatermarkOf(kA), Offset(9));
  EXPECT_EQ(directory->HintFor(kB).log_start_offset, Offset(5));
  EXPECT_EQ(directory->HighWatermarkOf(kB), Offset(8));
  ASSERT_TRUE(directory->TakeIn(files_, kA, Offset(7), Offset(9)).ok());
  ASSERT_TRUE(directory->Forget(files_, {kA}).ok());
  ASSERT_TRUE(directory->WriteCheckpoints(files_, At(110)).ok());
  EXPECT_EQ(directory->Remembered(), std::vector<PartitionName>{kB});
}

TEST_F(DataDirectoryTest, KeepsThatWhenCheckpointsWereGatheredBefore) {
  const auto directory = Open();
  ASSERT_TRUE(directory->WriteCheckpoints(files_, At(100)).ok());
  directory->BeginCheckpoint();
  PartitionCheckpoints gathered = At(110);
  ASSERT_TRUE(directory->PrepareTruncation(files_, {{kA, Offset(40)}}).ok());
  ASSERT_TRUE(directory->PrepareTruncation(files_, {{kA, Offset(60)}}).ok());
  ASSERT_TRUE(directory->WriteCheckpoints(files_, std::move(gathered)).ok());
  EXPECT_EQ(directory->HintFor(kA).recovery_point, Offset(0));
  EXPECT_EQ(directory->HighWatermarkOf(kA), Offset(40));
  EXPECT_EQ(directory->HintFor(kB).recovery_point, Offset(110));
  // What is gathered from now on is of the log as it is.
  directory->BeginCheckpoint();
  ASSERT_TRUE(directory->WriteCheckpoints(files_, At(50)).ok());
  EXPECT_EQ(directory->HintFor(kA).recovery_point, Offset(50));
}

}  // namespace
}  // namespace weir::server

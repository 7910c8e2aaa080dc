#include "server/flushed_run.h"

#include <string>

#include "base/random.h"
#include "gtest/gtest.h"
#include "log/checkpoint_file.h"
#include "log/file.h"
#include "log/memory_file.h"

namespace weir::server {
namespace {

TEST(FlushedRun, IsTheLastThatWasNotedThroughAPowerLoss) {
  log::MemoryFileSystem files;
  ASSERT_TRUE(log::CreateDirectoriesDurably(files, "/data").ok());
  EXPECT_EQ(FlushedRun(files, "/data"), -1);
  ASSERT_TRUE(NoteFlushedRun(files, "/data", 17).ok());
  ASSERT_TRUE(NoteFlushedRun(files, "/data", 9'000'000'000).ok());
  SeededRandom random(3);
  files.PowerLoss(random);
  EXPECT_EQ(FlushedRun(files, "/data"), 9'000'000'000);
}

TEST(FlushedRun, AnyOtherFileIsOfNone) {
  log::MemoryFileSystem files;
  ASSERT_TRUE(log::CreateDirectoriesDurably(files, "/data").ok());
  for (const char* text : {"", "0\n", "0\n\n", "1\n17\n", "0\n17", "0\n-17\n", "0\n 17\n",
                           "0\n17x\n", "0\n99999999999999999999\n", "17\n"}) {
    ASSERT_TRUE(log::WriteFileAtomically(files, "/data", kFlushedRunName, text).ok());
    EXPECT_EQ(FlushedRun(files, "/data"), -1) << text;
  }
  ASSERT_TRUE(
      log::WriteFileAtomically(files, "/data", kFlushedRunName, std::string(100, '0')).ok());
  EXPECT_EQ(FlushedRun(files, "/data"), -1);
}

}  // namespace
}  // namespace weir::server

#include "log/posix_file.h"

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace weir::log {
namespace {

std::string TestDirectory(const std::string& name) {
  const char* base = std::getenv("TEST_TMPDIR");
  std::string path = std::string(base == nullptr ? "/tmp" : base) + "/posix_file_test." + name;
  PosixFileSystem fs;
  EXPECT_TRUE(fs.RemoveRecursively(path).ok());
  EXPECT_TRUE(fs.CreateDirectories(path + "/deep/er").ok());
  return path;
}

// Answers what the test tells it to.
class FailingSyncer : public Syncer {
 public:
  void Start(int, SyncToken token) override { tokens.push_back(token); }
  void Drain(std::vector<SyncDone>* done) override {
    for (SyncToken token : tokens) done->push_back({token, absl::DataLossError("fdatasync: EIO,")});
    tokens.clear();
  }
  std::vector<SyncToken> tokens;
};

TEST(PosixFile, AFailedSyncIsNeverRetried) {
  const std::string dir = TestDirectory("poison");
  FailingSyncer syncer;
  PosixFileSystem fs(&syncer);
  auto file = fs.Open(dir + "/a", OpenMode::kCreate);
  ASSERT_TRUE(file.ok());
  (*file)->StartSync(7);
  std::vector<SyncDone> done;
  fs.DrainSyncs(&done);
  ASSERT_EQ(done.size(), 1u);
  EXPECT_TRUE(absl::IsDataLoss(done[0].status));
  EXPECT_TRUE(absl::IsDataLoss((*file)->Append({"x"})));
  EXPECT_TRUE(absl::IsDataLoss((*file)->Sync()));
  (*file)->StartSync(8);
  EXPECT_TRUE(syncer.tokens.empty());
  done.clear();
  fs.DrainSyncs(&done);
  ASSERT_EQ(done.size(), 1u);
  EXPECT_EQ(done[0].token, 8u);
  EXPECT_TRUE(absl::IsDataLoss(done[0].status));
}

TEST(PosixFile, WithoutASyncerStartSyncBlocks) {
  const std::string dir = TestDirectory("inline");
  PosixFileSystem fs;
  auto file = fs.Open(dir + "/a", OpenMode::kCreate);
  ASSERT_TRUE(file.ok());
  (*file)->StartSync(3);
  std::vector<SyncDone> done;
  fs.DrainSyncs(&done);
  ASSERT_EQ(done.size(), 1u);
  EXPECT_TRUE(done[0].status.ok());
}

}  // namespace
}  // namespace weir::log

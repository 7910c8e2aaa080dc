#include "log/posix_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "log/thread_syncer.h"

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

std::string ReadAll(const File& file) {
  std::string content(static_cast<size_t>(file.size_bytes()) + 10, '?');
  const auto got = file.ReadAt(0, absl::MakeSpan(&content[0], content.size()));
  EXPECT_TRUE(got.ok()) << got.status();
  content.resize(got.value_or(0));
  return content;
}

TEST(PosixFile, AppendsReadsAndTruncates) {
  const std::string dir = TestDirectory("basic");
  PosixFileSystem fs;
  EXPECT_TRUE(absl::IsNotFound(fs.Open(dir + "/a", OpenMode::kReadWrite).status()));
  auto file = fs.Open(dir + "/a", OpenMode::kCreate);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->Append({"one", "", "two"}).ok());
  ASSERT_TRUE((*file)->Append({"three"}).ok());
  EXPECT_EQ(ReadAll(**file), "onetwothree");
  ASSERT_TRUE((*file)->Truncate(4).ok());
  ASSERT_TRUE((*file)->Append({"X"}).ok());
  ASSERT_TRUE((*file)->Sync().ok());
  EXPECT_EQ((*fs.Open(dir + "/a", OpenMode::kRead))->size_bytes(), 5);
  EXPECT_EQ(ReadAll(**fs.Open(dir + "/a", OpenMode::kRead)), "onetX");
}

TEST(PosixFile, AppendsMorePiecesThanOneSystemCallTakes) {
  const std::string dir = TestDirectory("pieces");
  PosixFileSystem fs;
  auto file = fs.Open(dir + "/a", OpenMode::kCreate);
  ASSERT_TRUE(file.ok());
  std::vector<std::string> pieces;
  std::string expected;
  for (int i = 0; i < 3000; ++i) {
    pieces.push_back(std::string(static_cast<size_t>(i % 7), static_cast<char>('a' + i % 26)));
    expected += pieces.back();
  }
  const std::vector<absl::string_view> views(pieces.begin(), pieces.end());
  ASSERT_TRUE((*file)->Append(views).ok());
  EXPECT_EQ(ReadAll(**file), expected);
}

TEST(PosixFile, AFullDiskLeavesTheFileAsItWas) {
  // /dev/full refuses every write with ENOSPC.
  PosixFileSystem fs;
  auto file = fs.Open("/dev/full", OpenMode::kReadWrite);
  if (!file.ok()) GTEST_SKIP() << "no /dev/full here";
  EXPECT_TRUE(absl::IsResourceExhausted((*file)->Append({"x"})));
  EXPECT_EQ((*file)->size_bytes(), 0);
}

TEST(PosixFile, NamesAndDirectories) {
  const std::string dir = TestDirectory("names");
  PosixFileSystem fs;
  ASSERT_TRUE(fs.Open(dir + "/b", OpenMode::kCreate).ok());
  ASSERT_TRUE(fs.Open(dir + "/a", OpenMode::kCreate).ok());
  EXPECT_EQ(*fs.List(dir), (std::vector<std::string>{"a", "b", "deep"}));
  ASSERT_TRUE(fs.Rename(dir + "/b", dir + "/a").ok());
  ASSERT_TRUE(fs.Rename(dir + "/deep", dir + "/shallow").ok());
  EXPECT_TRUE(fs.Exists(dir + "/shallow/er"));
  ASSERT_TRUE(fs.SyncDirectory(dir).ok());
  ASSERT_TRUE(fs.Remove(dir + "/a").ok());
  EXPECT_TRUE(absl::IsNotFound(fs.Remove(dir + "/a")));
  EXPECT_TRUE(absl::IsNotFound(fs.List(dir + "/missing").status()));
  EXPECT_GT(*fs.FreeBytes(dir), 0);
}

TEST(PosixFile, OneHolderOfALock) {
  const std::string dir = TestDirectory("lock");
  PosixFileSystem fs;
  auto lock = fs.Lock(dir + "/.lock");
  ASSERT_TRUE(lock.ok());
  EXPECT_TRUE(absl::IsUnavailable(fs.Lock(dir + "/.lock").status()));
  lock->reset();
  EXPECT_TRUE(fs.Lock(dir + "/.lock").ok());
}

class Waiter {
 public:
  void Notify() {
    std::lock_guard<std::mutex> lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  void WaitFor(int count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return count_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

TEST(ThreadSyncer, CompletesEverySyncEvenOfFilesThatWereClosed) {
  const std::string dir = TestDirectory("syncs");
  Waiter waiter;
  ThreadSyncer syncer(3, [&] { waiter.Notify(); });
  PosixFileSystem fs(&syncer);
  constexpr int kFiles = 20;
  for (int i = 0; i < kFiles; ++i) {
    auto file = fs.Open(dir + "/" + std::to_string(i), OpenMode::kCreate);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Append({"data"}).ok());
    (*file)->StartSync(static_cast<SyncToken>(i));
  }
  waiter.WaitFor(kFiles);
  std::vector<SyncDone> done;
  fs.DrainSyncs(&done);
  ASSERT_EQ(done.size(), kFiles);
  std::vector<bool> seen(kFiles);
  for (const SyncDone& d : done) {
    EXPECT_TRUE(d.status.ok()) << d.status;
    seen[d.token] = true;
  }
  EXPECT_EQ(seen, std::vector<bool>(kFiles, true));
  EXPECT_EQ(fs.syncs_in_flight(), 0u);
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

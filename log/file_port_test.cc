// What log/file.h promises, of each implementation that writes to a real disk.
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "log/file.h"
#include "log/posix_file.h"
#include "log/thread_syncer.h"
#include "log/uring_file.h"

namespace weir::log {
namespace {

// A file system, and how to wait for what it does meanwhile.
class Port {
 public:
  virtual ~Port() = default;
  virtual FileSystem& files() = 0;
  // Until DrainSyncs has something to say, if it ever will.
  virtual void Await() = 0;
};

// Without a syncer: StartSync blocks.
class BlockingPort final : public Port {
 public:
  FileSystem& files() override { return files_; }
  void Await() override {}

 private:
  PosixFileSystem files_;
};

class ThreadPort final : public Port {
 public:
  ThreadPort() : syncer_(3, [this] { Notify(); }), files_(&syncer_) {}
  FileSystem& files() override { return files_; }
  void Await() override {
    if (files_.has_completed_sync()) return;
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return completed_ > seen_; });
    seen_ = completed_;
  }

 private:
  void Notify() {
    std::lock_guard<std::mutex> lock(mutex_);
    ++completed_;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int completed_ = 0;
  int seen_ = 0;
  ThreadSyncer syncer_;
  PosixFileSystem files_;
};

class UringPort final : public Port {
 public:
  explicit UringPort(std::unique_ptr<UringFileSystem> files) : files_(std::move(files)) {}
  FileSystem& files() override { return *files_; }
  void Await() override { EXPECT_TRUE(files_->Wait(std::nullopt)); }

 private:
  const std::unique_ptr<UringFileSystem> files_;
};

class FilePort : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "posix") {
      port_ = std::make_unique<BlockingPort>();
    } else if (GetParam() == "threads") {
      port_ = std::make_unique<ThreadPort>();
    } else {
      auto files = UringFileSystem::Create();
      if (!files.ok()) GTEST_SKIP() << "io_uring does not serve here: " << files.status();
      port_ = std::make_unique<UringPort>(*std::move(files));
    }
  }

  Port& port() { return *port_; }

  static std::string TestDirectory(const std::string& name) {
    const char* base = std::getenv("TEST_TMPDIR");
    std::string path =
        std::string(base == nullptr ? "/tmp" : base) + "/file_port_test." + GetParam() + "." + name;
    PosixFileSystem fs;
    EXPECT_TRUE(fs.RemoveRecursively(path).ok());
    EXPECT_TRUE(fs.CreateDirectories(path + "/deep/er").ok());
    return path;
  }

  // Until `count` syncs have completed.
  std::vector<SyncDone> Drain(size_t count) {
    std::vector<SyncDone> done;
    port().files().DrainSyncs(&done);
    while (done.size() < count) {
      port().Await();
      port().files().DrainSyncs(&done);
    }
    return done;
  }

 private:
  std::unique_ptr<Port> port_;
};

std::string ReadAll(const File& file) {
  std::string content(static_cast<size_t>(file.size_bytes()) + 10, '?');
  const auto got = file.ReadAt(0, absl::MakeSpan(&content[0], content.size()));
  EXPECT_TRUE(got.ok()) << got.status();
  content.resize(got.value_or(0));
  return content;
}

TEST_P(FilePort, AppendsReadsAndTruncates) {
  const std::string dir = TestDirectory("basic");
  FileSystem& fs = port().files();
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

TEST_P(FilePort, AppendsMorePiecesThanOneSystemCallTakes) {
  const std::string dir = TestDirectory("pieces");
  FileSystem& fs = port().files();
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

TEST_P(FilePort, AFullDiskLeavesTheFileAsItWas) {
  // /dev/full refuses every write with ENOSPC.
  FileSystem& fs = port().files();
  auto file = fs.Open("/dev/full", OpenMode::kReadWrite);
  if (!file.ok()) GTEST_SKIP() << "no /dev/full here";
  EXPECT_TRUE(absl::IsResourceExhausted((*file)->Append({"x"})));
  EXPECT_EQ((*file)->size_bytes(), 0);
}

TEST_P(FilePort, NamesAndDirectories) {
  const std::string dir = TestDirectory("names");
  FileSystem& fs = port().files();
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

TEST_P(FilePort, OneHolderOfALock) {
  const std::string dir = TestDirectory("lock");
  FileSystem& fs = port().files();
  auto lock = fs.Lock(dir + "/.lock");
  ASSERT_TRUE(lock.ok());
  EXPECT_TRUE(absl::IsUnavailable(fs.Lock(dir + "/.lock").status()));
  lock->reset();
  EXPECT_TRUE(fs.Lock(dir + "/.lock").ok());
}

TEST_P(FilePort, CompletesEverySyncEvenOfFilesThatWereClosed) {
  const std::string dir = TestDirectory("syncs");
  constexpr int kFiles = 300;  // more than a ring takes at once
  for (int i = 0; i < kFiles; ++i) {
    auto file = port().files().Open(dir + "/" + std::to_string(i), OpenMode::kCreate);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Append({"data"}).ok());
    (*file)->StartSync(static_cast<SyncToken>(i));
  }
  const std::vector<SyncDone> done = Drain(kFiles);
  ASSERT_EQ(done.size(), kFiles);
  std::vector<bool> seen(kFiles);
  for (const SyncDone& d : done) {
    EXPECT_TRUE(d.status.ok()) << d.status;
    seen[d.token] = true;
  }
  EXPECT_EQ(seen, std::vector<bool>(kFiles, true));
}

// The kernel refuses to sync a pipe.
TEST_P(FilePort, AFailedSyncIsNeverRetried) {
  const std::string pipe = TestDirectory("poison") + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  auto file = port().files().Open(pipe, OpenMode::kReadWrite);
  ASSERT_TRUE(file.ok()) << file.status();
  (*file)->StartSync(7);
  (*file)->StartSync(8);  // may be under way already when the first one fails
  for (const SyncDone& done : Drain(2)) {
    EXPECT_TRUE(absl::IsDataLoss(done.status)) << done.status;
    EXPECT_NE(done.status.message().find(pipe), std::string::npos) << done.status;
  }
  EXPECT_TRUE(absl::IsDataLoss((*file)->Append({"x"})));
  EXPECT_TRUE(absl::IsDataLoss((*file)->Truncate(0)));
  EXPECT_TRUE(absl::IsDataLoss((*file)->Sync()));
  (*file)->StartSync(9);
  const std::vector<SyncDone> done = Drain(1);
  ASSERT_EQ(done.size(), 1u);
  EXPECT_EQ(done[0].token, 9u);
  EXPECT_TRUE(absl::IsDataLoss(done[0].status)) << done[0].status;
}

INSTANTIATE_TEST_SUITE_P(All, FilePort, testing::Values("posix", "threads", "io_uring"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace weir::log

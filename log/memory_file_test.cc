#include "log/memory_file.h"

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/random.h"
#include "gtest/gtest.h"

namespace weir::log {
namespace {

std::unique_ptr<File> Create(MemoryFileSystem& fs, const std::string& path) {
  auto file = fs.Open(path, OpenMode::kCreate);
  EXPECT_TRUE(file.ok()) << file.status();
  return std::move(file).value();
}

TEST(MemoryFile, AppendsReadsTruncatesRenames) {
  MemoryFileSystem fs;
  ASSERT_TRUE(fs.CreateDirectories("/d/e").ok());
  EXPECT_TRUE(absl::IsNotFound(fs.Open("/d/a", OpenMode::kRead).status()));
  EXPECT_TRUE(absl::IsNotFound(fs.Open("/x/a", OpenMode::kCreate).status()));
  auto file = Create(fs, "/d/a");
  ASSERT_TRUE(file->Append({"hello ", "world"}).ok());
  ASSERT_TRUE(file->Truncate(7).ok());
  char buffer[100];
  EXPECT_EQ(*file->ReadAt(4, absl::MakeSpan(buffer, sizeof(buffer))), 3u);
  EXPECT_EQ(std::string(buffer, 3), "o w");
  ASSERT_TRUE(fs.Rename("/d/a", "/d/b").ok());
  EXPECT_EQ(*fs.List("/d"), (std::vector<std::string>{"b", "e"}));
  ASSERT_TRUE(fs.Rename("/d", "/moved").ok());
  EXPECT_EQ(fs.Content("/moved/b"), "hello w");
  ASSERT_TRUE(fs.RemoveRecursively("/moved").ok());
  EXPECT_FALSE(fs.Exists("/moved"));
}

TEST(MemoryFile, PowerLossKeepsWhatWasSyncedAndAnySubsetOfTheRest) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    MemoryFileSystem fs;
    ASSERT_TRUE(fs.CreateDirectories("/d").ok());
    ASSERT_TRUE(fs.SyncDirectory("/").ok());
    auto file = Create(fs, "/d/a");
    ASSERT_TRUE(fs.SyncDirectory("/d").ok());
    const std::string synced(700, 's');
    ASSERT_TRUE(file->Append({synced}).ok());
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(file->Append({std::string(1000, 'u')}).ok());
    SeededRandom random(seed);
    fs.PowerLoss(random);
    const std::string left = fs.Content("/d/a");
    ASSERT_GE(left.size(), synced.size());
    ASSERT_LE(left.size(), 1700u);
    ASSERT_EQ(left.substr(0, synced.size()), synced);
    outcomes.insert(left);
    EXPECT_TRUE(absl::IsUnavailable(file->Append({"x"})));
  }
  EXPECT_GT(outcomes.size(), 20u);
  bool torn = false;  // a later sector survived, an earlier one did not
  for (const std::string& left : outcomes) {
    torn |= left.find('\0') != std::string::npos && left.back() == 'u';
  }
  EXPECT_TRUE(torn);
}

TEST(MemoryFile, ATruncationIsNotDurableBeforeASync) {
  bool came_back = false;
  bool stayed = false;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    MemoryFileSystem fs;
    auto file = Create(fs, "/a");
    ASSERT_TRUE(fs.SyncDirectory("/").ok());
    ASSERT_TRUE(file->Append({"0123456789"}).ok());
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(file->Truncate(4).ok());
    SeededRandom random(seed);
    fs.PowerLoss(random);
    came_back |= fs.Content("/a") == "0123456789";
    stayed |= fs.Content("/a") == "0123";
    ASSERT_EQ(fs.Content("/a").substr(0, 4), "0123");
  }
  EXPECT_TRUE(came_back);
  EXPECT_TRUE(stayed);
}

TEST(MemoryFile, NamesAreDurableWhenTheirDirectoryIsSynced) {
  std::set<std::vector<std::string>> outcomes;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    MemoryFileSystem fs;
    Create(fs, "/kept");
    ASSERT_TRUE(fs.SyncDirectory("/").ok());
    Create(fs, "/new");
    ASSERT_TRUE(fs.Rename("/kept", "/renamed").ok());
    SeededRandom random(seed);
    fs.PowerLoss(random);
    outcomes.insert(*fs.List("/"));
  }
  EXPECT_EQ(outcomes, (std::set<std::vector<std::string>>{
                          {"kept"}, {"kept", "new"}, {"renamed"}, {"new", "renamed"}}));
}

TEST(MemoryFile, AKilledProcessLosesNothingThatItWrote) {
  MemoryFileSystem fs;
  auto file = Create(fs, "/a");
  ASSERT_TRUE(file->Append({"abc"}).ok());
  fs.KillProcess();
  EXPECT_EQ(fs.Content("/a"), "abc");
}

TEST(MemoryFile, SyncsCompleteInAnyOrderAndCoverOnlyWhatWasWrittenBefore) {
  MemoryFileSystem fs;
  fs.set_manual_syncs(true);
  auto file = Create(fs, "/a");
  ASSERT_TRUE(fs.SyncDirectory("/").ok());
  ASSERT_TRUE(file->Append({std::string(600, 'a')}).ok());
  file->StartSync(1);
  ASSERT_TRUE(file->Append({std::string(600, 'b')}).ok());
  file->StartSync(2);
  std::vector<SyncDone> done;
  fs.DrainSyncs(&done);
  EXPECT_TRUE(done.empty());
  SeededRandom random(5);
  ASSERT_TRUE(fs.CompleteOneSync(random));
  ASSERT_TRUE(fs.CompleteOneSync(random));
  EXPECT_FALSE(fs.CompleteOneSync(random));
  fs.DrainSyncs(&done);
  ASSERT_EQ(done.size(), 2u);
  ASSERT_TRUE(file->Append({"tail"}).ok());
  fs.PowerLoss(random);
  EXPECT_EQ(fs.Content("/a").substr(0, 1200), std::string(600, 'a') + std::string(600, 'b'));
}

TEST(MemoryFile, FullDisk) {
  MemoryFileSystem fs;
  auto file = Create(fs, "/a");
  fs.set_capacity_bytes(10);
  ASSERT_TRUE(file->Append({"12345678"}).ok());
  EXPECT_EQ(*fs.FreeBytes("/"), 2);
  EXPECT_TRUE(absl::IsResourceExhausted(file->Append({"abc"})));
  EXPECT_EQ(file->size_bytes(), 8);
  EXPECT_TRUE(file->Append({"ab"}).ok());
}

TEST(MemoryFile, InjectedErrors) {
  MemoryFileSystem fs;
  auto file = Create(fs, "/bad.log");
  auto other = Create(fs, "/good.log");
  ASSERT_TRUE(file->Append({"abc"}).ok());
  char byte;
  fs.InjectFault({FileOp::kRead, "bad", 1, 2});
  EXPECT_TRUE(absl::IsDataLoss(file->ReadAt(0, absl::MakeSpan(&byte, 1)).status()));
  EXPECT_TRUE(other->ReadAt(0, absl::MakeSpan(&byte, 1)).ok());
  EXPECT_TRUE(absl::IsDataLoss(file->ReadAt(0, absl::MakeSpan(&byte, 1)).status()));
  EXPECT_TRUE(file->ReadAt(0, absl::MakeSpan(&byte, 1)).ok());
  fs.InjectFault({FileOp::kSync, "bad"});
  file->StartSync(1);
  std::vector<SyncDone> done;
  fs.DrainSyncs(&done);
  ASSERT_EQ(done.size(), 1u);
  EXPECT_TRUE(absl::IsDataLoss(done[0].status));
  fs.ClearFaults();
  EXPECT_TRUE(absl::IsDataLoss(file->Sync())) << "a failed sync poisons the file";
  EXPECT_TRUE(absl::IsDataLoss(file->Append({"x"})));
  fs.Corrupt("/bad.log", 1, 0x01);
  EXPECT_EQ(fs.Content("/bad.log"), "acc");
}

TEST(MemoryFile, CrashAtABoundary) {
  MemoryFileSystem fs;
  auto file = Create(fs, "/a");
  fs.CrashAtBoundary(1);
  ASSERT_TRUE(file->Append({"first"}).ok());
  EXPECT_TRUE(absl::IsUnavailable(file->Append({"second"})));
  EXPECT_TRUE(fs.crashed());
  EXPECT_TRUE(absl::IsUnavailable(file->Sync()));
  EXPECT_TRUE(absl::IsUnavailable(fs.Open("/a", OpenMode::kRead).status()));
  fs.KillProcess();
  EXPECT_EQ(fs.Content("/a").substr(0, 5), "first");
  EXPECT_LE(fs.Content("/a").size(), 11u);
}

TEST(MemoryFile, Locks) {
  MemoryFileSystem fs;
  auto lock = fs.Lock("/.lock");
  ASSERT_TRUE(lock.ok());
  EXPECT_TRUE(absl::IsUnavailable(fs.Lock("/.lock").status()));
  fs.KillProcess();
  EXPECT_TRUE(fs.Lock("/.lock").ok());
}

}  // namespace
}  // namespace weir::log

// What the settings of a LogConfig do that log_test.cc does not show.

#include <sys/stat.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "gtest/gtest.h"
#include "log/log.h"
#include "log/memory_file.h"
#include "log/posix_file.h"
#include "log/test_batches.h"

namespace weir::log {
namespace {

std::unique_ptr<Log> OpenLog(FileSystem& fs, const std::string& directory, const LogConfig& config,
                             const RecoveryHint& hint = {}) {
  auto log = Log::Open(fs, directory, config, hint, 1000);
  EXPECT_TRUE(log.ok()) << log.status();
  return log.ok() ? *std::move(log) : nullptr;
}

absl::Status Append(Log& log, const TestBatch& spec) {
  std::string bytes = MakeBatch(spec);
  BatchToAppend batch;
  batch.bytes = absl::MakeSpan(bytes.data(), bytes.size());
  log.Append(absl::MakeSpan(&batch, 1), LeaderEpoch(1), spec.timestamp);
  return batch.status;
}

TEST(LogConfigTest, JitterEndsSegmentsEarlierEachAtAnotherTime) {
  MemoryFileSystem fs;
  LogConfig config;
  config.segment_ms = 1000;
  config.segment_jitter_ms = 400;
  std::set<int64_t> ages;
  for (int i = 0; i < 30; ++i) {
    const std::unique_ptr<Log> log = OpenLog(fs, absl::StrCat("/t-", i), config);
    ASSERT_TRUE(Append(*log, {.timestamp = 5000}).ok());
    int64_t age = 0;
    while (log->segments() == 1) ASSERT_TRUE(Append(*log, {.timestamp = 5000 + ++age}).ok());
    EXPECT_GT(age, 600);
    EXPECT_LE(age, 1001);
    ages.insert(age);
  }
  EXPECT_GT(ages.size(), 20u);
}

TEST(LogConfigTest, JitterIsBoundedByTheAge) {
  MemoryFileSystem fs;
  LogConfig config;
  config.segment_ms = 10;
  config.segment_jitter_ms = 1'000'000;
  const std::unique_ptr<Log> log = OpenLog(fs, "/t-0", config);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Append(*log, {.timestamp = 5000}).ok());
  EXPECT_EQ(log->segments(), 1u) << "of no age";
}

TEST(LogConfigTest, ASegmentEndsWhenAnIndexIsFull) {
  MemoryFileSystem fs;
  LogConfig config;
  config.index_interval_bytes = 0;
  config.segment_index_bytes = 10 * 12;  // entries of 8 and of 12 bytes
  const std::unique_ptr<Log> log = OpenLog(fs, "/t-0", config);
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Append(*log, {.timestamp = 1000 + i}).ok());
  EXPECT_GE(log->segments(), 4u);
  EXPECT_LE(log->segments(), 5u);
  ASSERT_TRUE(log->Close().ok());
  for (const char* const suffix : {".index", ".timeindex"}) {
    const std::string path = absl::StrCat("/t-0/", SegmentFileName(Offset(0), suffix));
    EXPECT_LE(fs.Content(path).size(), 120u) << path;
    EXPECT_GE(fs.Content(path).size(), 72u) << path;
  }
}

TEST(LogConfigTest, TheIndexIntervalSpacesEntries) {
  const auto entries = [](int64_t interval) {
    MemoryFileSystem fs;
    LogConfig config;
    config.index_interval_bytes = interval;
    const std::unique_ptr<Log> log = OpenLog(fs, "/t-0", config);
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(Append(*log, {.value_bytes = 100}).ok());
    EXPECT_TRUE(log->Close().ok());
    return fs.Content("/t-0/00000000000000000000.index").size() / 8;
  };
  EXPECT_EQ(entries(0), 99u);
  EXPECT_EQ(entries(1'000'000), 0u);
  const auto batch = static_cast<int64_t>(MakeBatch({.value_bytes = 100}).size());
  EXPECT_EQ(entries(10 * batch - 1), 9u);
}

TEST(LogConfigTest, SettingsOfSegmentsHoldFromTheNextOneOn) {
  MemoryFileSystem fs;
  LogConfig config;
  const std::unique_ptr<Log> log = OpenLog(fs, "/t-0", config);
  config.segment_bytes = 300;
  log->set_config(config);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Append(*log, {.value_bytes = 100}).ok());
  EXPECT_EQ(log->segments(), 1u);
}

// A disk of its own would be needed to see that nothing else can take the room.
TEST(LogConfigTest, PreallocationTakesRoomUntilTheSegmentEnds) {
  const char* const temp = std::getenv("TEST_TMPDIR");
  const std::string directory = absl::StrCat(temp == nullptr ? "/tmp" : temp, "/preallocated-0");
  std::filesystem::remove_all(directory);
  PosixFileSystem fs;
  LogConfig config;
  config.segment_bytes = 1 << 20;
  config.preallocate = true;
  std::unique_ptr<Log> log = OpenLog(fs, directory, config);
  const auto taken = [&](int64_t base) {
    struct stat info {};
    const std::string path = absl::StrCat(directory, "/", SegmentFileName(Offset(base), ".log"));
    EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
    return std::pair<int64_t, int64_t>(info.st_size, int64_t{info.st_blocks} * 512);
  };
  if (taken(0).second == 0) GTEST_SKIP() << "this file system has no fallocate";
  EXPECT_EQ(taken(0).first, 0) << "readers see what is there";
  EXPECT_GE(taken(0).second, 1 << 20);
  ASSERT_TRUE(Append(*log, {.value_bytes = 600'000}).ok());
  EXPECT_GE(taken(0).second, 1 << 20);
  ASSERT_TRUE(Append(*log, {.value_bytes = 600'000}).ok());
  ASSERT_EQ(log->segments(), 2u);
  EXPECT_LT(taken(0).second, 800'000) << "given back";
  EXPECT_GE(taken(1).second, 1 << 20);
  ASSERT_TRUE(log->Close().ok());
  EXPECT_LT(taken(1).second, 800'000);
  log = OpenLog(fs, directory, config, {.clean = true});
  EXPECT_EQ(log->log_end_offset(), Offset(2));
}

// Apache Kafka with preallocate=true that was killed: its segment is as long as segment.bytes.
TEST(LogConfigTest, ZerosBehindTheRecordsAreNoRecords) {
  MemoryFileSystem fs;
  LogConfig config;
  for (const int zeros : {1, 12, 60, 61, 100'000}) {
    const std::string directory = absl::StrCat("/t-", zeros);
    std::unique_ptr<Log> log = OpenLog(fs, directory, config);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(Append(*log, {}).ok());
    ASSERT_TRUE(log->Flush().ok());
    log.reset();
    const std::string path = absl::StrCat(directory, "/00000000000000000000.log");
    ASSERT_TRUE((*fs.Open(path, OpenMode::kReadWrite))->Append({std::string(zeros, '\0')}).ok());
    log = OpenLog(fs, directory, config, {.recovery_point = Offset(3)});
    EXPECT_EQ(log->log_end_offset(), Offset(3));
    EXPECT_EQ(log->recovery_report().truncated_bytes, zeros);
    ASSERT_TRUE(Append(*log, {}).ok());
    EXPECT_EQ(log->log_end_offset(), Offset(4));
  }
}

}  // namespace
}  // namespace weir::log

// How much of a log is read when it is opened: next to nothing after a clean shutdown, and what
// lies behind the recovery point after any other end.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "gtest/gtest.h"
#include "log/file.h"
#include "log/forwarding_files.h"
#include "log/log.h"
#include "log/memory_file.h"
#include "log/test_batches.h"

namespace weir::log {
namespace {

constexpr char kDirectory[] = "/data/t-0";
constexpr TimestampMs kNow = 1'700'000'000'000;
constexpr int kSegments = 5;
constexpr int kBatchesPerSegment = 100;

struct Reads {
  int64_t calls = 0;
  int64_t bytes = 0;
};

// Counts what is read of each file.
class CountingFiles final : public ForwardingFiles {
 public:
  explicit CountingFiles(
      std::unique_ptr<MemoryFileSystem> files = std::make_unique<MemoryFileSystem>())
      : ForwardingFiles(*files), files_(std::move(files)) {}

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    absl::StatusOr<std::unique_ptr<File>> file = files_->Open(path, mode);
    if (!file.ok()) return file.status();
    return std::make_unique<CountingFile>(*std::move(file), &reads[path], &syncs);
  }
  // Of the segment that starts at `base`.
  Reads OfSegment(Offset base) {
    return reads[std::string(kDirectory) + "/" + SegmentFileName(base, Segment::kLogSuffix)];
  }

  std::map<std::string, Reads> reads;
  int syncs = 0;  // of files

 private:
  class CountingFile final : public File {
   public:
    CountingFile(std::unique_ptr<File> file, Reads* reads, int* syncs)
        : file_(std::move(file)), reads_(reads), syncs_(syncs) {}
    absl::StatusOr<size_t> ReadAt(int64_t position, absl::Span<char> into) const override {
      absl::StatusOr<size_t> got = file_->ReadAt(position, into);
      ++reads_->calls;
      reads_->bytes += static_cast<int64_t>(got.value_or(0));
      return got;
    }
    absl::Status Append(absl::Span<const absl::string_view> pieces) override {
      return file_->Append(pieces);
    }
    absl::Status Truncate(int64_t size_bytes) override { return file_->Truncate(size_bytes); }
    int64_t size_bytes() const override { return file_->size_bytes(); }
    absl::Status Sync() override {
      ++*syncs_;
      return file_->Sync();
    }
    void StartSync(SyncToken token) override { file_->StartSync(token); }
    int NativeHandle() const override { return file_->NativeHandle(); }

   private:
    const std::unique_ptr<File> file_;
    Reads* const reads_;
    int* const syncs_;
  };

  const std::unique_ptr<MemoryFileSystem> files_;
};

class RecoveryReads : public testing::Test {
 protected:
  static LogConfig Config() {
    LogConfig config;
    config.segment_bytes = static_cast<int64_t>(Batch().size()) * kBatchesPerSegment;
    return config;
  }
  // All at one time: what Kafka's time index says least about.
  static std::string Batch() { return MakeBatch({.value_bytes = 2000, .timestamp = kNow}); }

  std::unique_ptr<Log> Open(bool clean, Offset recovery_point = Offset(0)) {
    RecoveryHint hint;
    hint.clean = clean;
    hint.recovery_point = recovery_point;
    auto log = Log::Open(files_, kDirectory, Config(), hint, kNow);
    EXPECT_TRUE(log.ok()) << log.status();
    return *std::move(log);
  }

  static void Append(Log& log) {
    std::string bytes = Batch();
    BatchToAppend batch;
    batch.bytes = absl::MakeSpan(bytes.data(), bytes.size());
    log.Append(absl::MakeSpan(&batch, 1), LeaderEpoch(0), kNow);
    EXPECT_TRUE(batch.status.ok()) << batch.status;
  }

  // kSegments segments, of which the last is as full as the others.
  std::unique_ptr<Log> Filled() {
    std::unique_ptr<Log> log = Open(/*clean=*/false);
    for (int i = 0; i < kSegments * kBatchesPerSegment; ++i) Append(*log);
    EXPECT_EQ(log->segments(), static_cast<size_t>(kSegments));
    return log;
  }

  static Offset BaseOf(int segment) { return Offset(int64_t{segment} * kBatchesPerSegment); }

  CountingFiles files_;
};

TEST_F(RecoveryReads, ACleanStartReadsNoSealedSegmentAndTheEndsOfTheActiveOne) {
  ASSERT_TRUE(Filled()->Close().ok());
  files_.reads.clear();
  const std::unique_ptr<Log> log = Open(/*clean=*/true);
  EXPECT_EQ(log->log_end_offset(), BaseOf(kSegments));
  EXPECT_EQ(log->recovery_report().bytes_scanned, 0);
  for (int i = 0; i + 1 < kSegments; ++i) {
    EXPECT_EQ(files_.OfSegment(BaseOf(i)).calls, 0) << i;
  }
  // The headers of its first batch and of those behind the last index entry, one page each.
  const Reads active = files_.OfSegment(BaseOf(kSegments - 1));
  EXPECT_LE(active.calls, 5);
  EXPECT_LE(active.bytes, 5 * 4096);
}

TEST_F(RecoveryReads, AnEmptyLogIsNotReadAtAll) {
  ASSERT_TRUE(Open(/*clean=*/false)->Close().ok());
  files_.reads.clear();
  const std::unique_ptr<Log> log = Open(/*clean=*/true);
  EXPECT_EQ(files_.OfSegment(Offset(0)).calls, 0);
}

TEST_F(RecoveryReads, AnUncleanStartReadsFromTheSegmentOfTheRecoveryPointOn) {
  ASSERT_TRUE(Filled()->Flush().ok());
  const int64_t segment_bytes = Config().segment_bytes;
  for (int whole = 0; whole < kSegments; ++whole) {
    files_.reads.clear();
    const Offset point = BaseOf(whole) + kBatchesPerSegment / 2;
    const std::unique_ptr<Log> log = Open(/*clean=*/false, point);
    EXPECT_EQ(log->log_end_offset(), BaseOf(kSegments));
    EXPECT_EQ(log->recovery_report().segments_scanned, kSegments - whole);
    EXPECT_EQ(log->recovery_report().bytes_scanned, (kSegments - whole) * segment_bytes);
    for (int i = 0; i < kSegments; ++i) {
      const int64_t read = files_.OfSegment(BaseOf(i)).bytes;
      if (i < whole) {
        EXPECT_EQ(read, 0) << "segment " << i << ", recovery point " << point.value();
      } else {
        EXPECT_GE(read, segment_bytes);
      }
    }
  }
}

// Nor is the last segment taken to be durable because it ends at the recovery point: see
// LogTest.WhatAKilledProcessCutOffStaysAway.
TEST_F(RecoveryReads, OfWhatIsDurableAlreadyOnlyTheLastSegmentIsSyncedAgain) {
  ASSERT_TRUE(Filled()->Flush().ok());
  for (const Offset point : {BaseOf(kSegments), BaseOf(kSegments) - 1}) {
    files_.syncs = 0;
    Open(/*clean=*/false, point);
    EXPECT_EQ(files_.syncs, 1);
  }
}

TEST_F(RecoveryReads, ALogThatWasOnlyReadIsClosedWithoutAWrite) {
  ASSERT_TRUE(Filled()->Close().ok());
  for (const bool appends : {false, true}) {
    const std::unique_ptr<Log> log = Open(/*clean=*/true);
    files_.syncs = 0;
    ASSERT_TRUE(log->Read(Offset(0), 1, log->log_end_offset(), true).ok());
    if (appends) Append(*log);
    ASSERT_TRUE(log->Close().ok());
    EXPECT_EQ(files_.syncs > 0, appends);
    EXPECT_FALSE(log->Close().ok()) << "closed twice";
  }
}

}  // namespace
}  // namespace weir::log

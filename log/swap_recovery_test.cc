// Folders in which a crash ended a replacement of segments, and logs with gaps.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/random.h"
#include "gtest/gtest.h"
#include "log/file.h"
#include "log/log.h"
#include "log/memory_file.h"
#include "log/segment.h"
#include "log/test_records.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"

namespace weir::log {
namespace {

constexpr TimestampMs kNow = 1'000'000;
constexpr char kDirectory[] = "/data/t-0";

class SwapRecoveryTest : public ::testing::Test {
 protected:
  SwapRecoveryTest() { EXPECT_TRUE(fs_.CreateDirectories(kDirectory).ok()); }

  // A file of batches with one record each, at the offsets given.
  void Write(const std::string& name, const std::vector<int64_t>& offsets,
             const std::string& value = "old") {
    std::string bytes;
    for (const int64_t offset : offsets) {
      protocol::RecordBatchOptions options;
      options.base_offset = Offset(offset);
      options.leader_epoch = LeaderEpoch(0);
      bytes += MakeKeyedBatch({{absl::StrCat("k", offset), value}}, options);
    }
    WriteBytes(name, bytes);
  }
  void WriteBytes(const std::string& name, const std::string& bytes) {
    const auto file = fs_.Open(absl::StrCat(kDirectory, "/", name), OpenMode::kCreate);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Truncate(0).ok());
    ASSERT_TRUE((*file)->Append({bytes}).ok());
  }
  static std::string Name(int64_t base, const std::string& suffix) {
    return SegmentFileName(Offset(base), suffix);
  }

  absl::Status Open(RecoveryHint hint = {}) {
    log_.reset();
    auto log = Log::Open(fs_, kDirectory, config_, hint, kNow);
    if (!log.ok()) return log.status();
    log_ = *std::move(log);
    return absl::OkStatus();
  }
  std::string Records() { return Told(ReadRecords(*log_)); }
  void ExpectNoLeftovers() {
    for (const std::string& name : Names()) {
      EXPECT_FALSE(absl::EndsWith(name, ".cleaned") || absl::EndsWith(name, ".swap") ||
                   absl::EndsWith(name, ".deleted"))
          << name;
    }
  }

  std::vector<std::string> Names() { return *fs_.List(kDirectory); }

  MemoryFileSystem fs_;
  LogConfig config_;
  std::unique_ptr<Log> log_;
};

TEST_F(SwapRecoveryTest, ACleanedSegmentThatNobodyNeedsGoes) {
  Write(Name(0, ".log"), {0, 1});
  Write(Name(0, ".log.cleaned"), {1}, "new");
  WriteBytes(Name(0, ".index.cleaned"), "");
  WriteBytes(Name(0, ".timeindex.deleted"), "");
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Records(), "0:k0=old 1:k1=old ");
  EXPECT_EQ(log_->recovery_report().replacements_finished, 0);
  ExpectNoLeftovers();
}

// Not all files of the segment have been renamed.
TEST_F(SwapRecoveryTest, ASwapBesideACleanedFileOfItsOwnGoes) {
  Write(Name(0, ".log"), {0, 1});
  Write(Name(0, ".log.swap"), {1}, "new");
  WriteBytes(Name(0, ".index.cleaned"), "");
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Records(), "0:k0=old 1:k1=old ");
  ExpectNoLeftovers();
}

TEST_F(SwapRecoveryTest, ASwapTakesThePlaceOfAllThatItCovers) {
  Write(Name(0, ".log"), {0, 1});
  WriteBytes(Name(0, ".index"), "not an index");
  Write(Name(2, ".log"), {2, 3});
  WriteBytes(Name(2, ".timeindex"), "");
  Write(Name(4, ".log"), {4});
  Write(Name(0, ".log.swap"), {1, 3}, "new");
  WriteBytes(Name(0, ".index.swap"), "");
  WriteBytes(Name(0, ".timeindex.swap"), "");
  for (const bool clean : {false, true}) {
    RecoveryHint hint;
    hint.clean = clean;
    ASSERT_TRUE(Open(hint).ok());
    EXPECT_EQ(Records(), "1:k1=new 3:k3=new 4:k4=old ");
    EXPECT_EQ(log_->segments(), 2u);
    EXPECT_EQ(log_->recovery_report().replacements_finished, clean ? 0 : 1);
    ExpectNoLeftovers();
  }
}

// A crash while the old segments were set aside: the first has gone already.
TEST_F(SwapRecoveryTest, SomeOfTheOldSegmentsMayHaveGone) {
  Write(Name(0, ".log.deleted"), {0, 1});
  Write(Name(2, ".log"), {2, 3});
  Write(Name(4, ".log"), {4});
  Write(Name(0, ".log.swap"), {1, 3}, "new");
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Records(), "1:k1=new 3:k3=new 4:k4=old ");
  ExpectNoLeftovers();
}

// Apache Kafka keeps no empty batch at a segment's end: an old segment may begin behind the last
// one of the new. It stays, as in Kafka; its records are as they were.
TEST_F(SwapRecoveryTest, OldSegmentsBehindTheLastBatchStay) {
  Write(Name(0, ".log"), {0, 1});
  Write(Name(2, ".log"), {2, 3});
  Write(Name(4, ".log"), {4});
  Write(Name(0, ".log.swap"), {0}, "new");
  config_.compact = true;
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Records(), "0:k0=new 2:k2=old 3:k3=old 4:k4=old ");
}

TEST_F(SwapRecoveryTest, AnEmptySegmentTakesThePlaceOfItsNamesake) {
  Write(Name(0, ".log"), {0, 1});
  Write(Name(2, ".log"), {2});
  WriteBytes(Name(0, ".log.swap"), "");
  config_.compact = true;
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Records(), "2:k2=old ");
}

// The log has its name already, an index not yet.
TEST_F(SwapRecoveryTest, AnIndexAloneGetsItsName) {
  Write(Name(0, ".log"), {1, 3}, "new");
  Write(Name(4, ".log"), {4});
  WriteBytes(Name(0, ".timeindex.swap"), "");
  config_.compact = true;
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Records(), "1:k1=new 3:k3=new 4:k4=old ");
  ExpectNoLeftovers();
}

TEST_F(SwapRecoveryTest, ADamagedSwapIsNamedAndNothingIsTouched) {
  Write(Name(0, ".log"), {0, 1});
  Write(Name(0, ".log.swap"), {1}, "new");
  fs_.Corrupt(absl::StrCat(kDirectory, "/", Name(0, ".log.swap")), 65);
  const std::vector<std::string> names = Names();
  const absl::Status status = Open();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "00000000000000000000.log.swap")) << status;
  EXPECT_EQ(Names(), names);
}

// A crash at each boundary of the recovery itself, then another recovery.
TEST_F(SwapRecoveryTest, ACrashInRecoveryChangesNothing) {
  for (const bool incomplete : {false, true}) {
    for (const bool power : {false, true}) {
      bool crashed = true;
      for (int64_t at = 0; crashed; ++at) {
        SCOPED_TRACE(absl::StrCat("incomplete ", incomplete, " power ", power, " at ", at));
        SeededRandom random(static_cast<uint64_t>(at));
        log_.reset();
        ASSERT_TRUE(fs_.RemoveRecursively(kDirectory).ok());
        ASSERT_TRUE(fs_.CreateDirectories(kDirectory).ok());
        Write(Name(0, ".log"), {0, 1});
        Write(Name(2, ".log"), {2, 3});
        Write(Name(4, ".log"), {4});
        Write(Name(0, ".log.swap"), {1, 3}, "new");
        WriteBytes(Name(0, ".index.swap"), "");
        WriteBytes(Name(0, incomplete ? ".timeindex.cleaned" : ".timeindex.swap"), "");
        for (const std::string& name : Names()) {
          const auto file = fs_.Open(absl::StrCat(kDirectory, "/", name), OpenMode::kReadWrite);
          ASSERT_TRUE((*file)->Sync().ok());
        }
        for (const char* folder : {"/", "/data", kDirectory}) {
          ASSERT_TRUE(fs_.SyncDirectory(folder).ok());
        }
        fs_.CrashAtBoundary(at);
        (void)Open();
        crashed = fs_.crashed();
        log_.reset();
        if (power) {
          fs_.PowerLoss(random);
        } else {
          fs_.KillProcess();
        }
        ASSERT_TRUE(Open().ok());
        EXPECT_EQ(Records(), incomplete ? "0:k0=old 1:k1=old 2:k2=old 3:k3=old 4:k4=old "
                                        : "1:k1=new 3:k3=new 4:k4=old ");
        ExpectNoLeftovers();
      }
    }
  }
}

// --- gaps between segments ----------------------------------------------------------------------

// A topic that was compacted once, by Apache Kafka, and now has cleanup.policy=delete.
TEST_F(SwapRecoveryTest, GapsBelowTheCleanersCheckpointAreCompaction) {
  Write(Name(0, ".log"), {0, 1});
  Write(Name(10, ".log"), {12, 15});
  Write(Name(20, ".log"), {20});
  RecoveryHint hint;
  hint.cleaned_to = Offset(20);
  ASSERT_TRUE(Open(hint).ok());
  EXPECT_EQ(Records(), "0:k0=old 1:k1=old 12:k12=old 15:k15=old 20:k20=old ");
  EXPECT_EQ(log_->recovery_report().truncated_bytes, 0);
  EXPECT_EQ(log_->log_end_offset(), Offset(21));
}

TEST_F(SwapRecoveryTest, GapsBelowTheRecoveryPointAreCompaction) {
  Write(Name(0, ".log"), {0, 1});
  Write(Name(10, ".log"), {12});
  RecoveryHint hint;
  hint.recovery_point = Offset(10);
  ASSERT_TRUE(Open(hint).ok());
  EXPECT_EQ(Records(), "0:k0=old 1:k1=old 12:k12=old ");
}

TEST_F(SwapRecoveryTest, AGapElsewhereEndsALogThatIsNotCompacted) {
  Write(Name(0, ".log"), {0, 1});
  Write(Name(10, ".log"), {12});
  RecoveryHint hint;
  hint.recovery_point = Offset(2);
  hint.cleaned_to = Offset(2);
  ASSERT_TRUE(Open(hint).ok());
  EXPECT_EQ(Records(), "0:k0=old 1:k1=old ");
  EXPECT_GT(log_->recovery_report().truncated_bytes, 0);
  EXPECT_EQ(log_->cleaned_to(), Offset(2));
}

TEST_F(SwapRecoveryTest, WhatWasCleanedEndsWithTheLog) {
  Write(Name(0, ".log"), {0, 1});
  RecoveryHint hint;
  hint.cleaned_to = Offset(100);
  ASSERT_TRUE(Open(hint).ok());
  EXPECT_EQ(log_->cleaned_to(), Offset(2));
}

}  // namespace
}  // namespace weir::log

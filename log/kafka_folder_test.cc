// A partition with transactions that Apache Kafka wrote: log/testdata/README.md.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "gtest/gtest.h"
#include "log/log.h"
#include "log/memory_file.h"
#include "log/test_batches.h"

namespace weir::log {
namespace {

constexpr char kTestdata[] = "log/testdata/kafka-transactions";
constexpr char kDirectory[] = "/data/transactions-0";
constexpr TimestampMs kNow = 1'795'257'776'600;  // when it was closed

AbortedTransaction Aborted(int64_t producer, int64_t first, int64_t last, int64_t stable) {
  return {ProducerId(producer), Offset(first), Offset(last), Offset(stable)};
}

class KafkaFolderTest : public ::testing::Test {
 protected:
  KafkaFolderTest() {
    for (const auto& entry : std::filesystem::directory_iterator(kTestdata)) {
      std::ifstream in(entry.path(), std::ios::binary);
      std::ostringstream content;
      content << in.rdbuf();
      if (entry.path().extension() != ".txt") {
        kafkas_[entry.path().filename().string()] = content.str();
      }
    }
    EXPECT_GT(kafkas_.size(), 10u);
    EXPECT_TRUE(fs_.CreateDirectories(kDirectory).ok());
    for (const auto& [name, content] : kafkas_) {
      const auto file = fs_.Open(Path(name), OpenMode::kCreate);
      EXPECT_TRUE(file.ok() && (*file)->Append({content}).ok());
    }
  }

  static std::string Path(const std::string& name) { return std::string(kDirectory) + "/" + name; }

  void Open(RecoveryHint hint) {
    auto log = Log::Open(fs_, kDirectory, LogConfig(), hint, kNow);
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
    log_->OnHighWatermark(log_->log_end_offset());
  }

  void Check() {
    EXPECT_EQ(log_->log_end_offset(), Offset(33));
    EXPECT_EQ(log_->segments(), 4u);
    EXPECT_EQ(log_->FirstUnstableOffset(), Offset(28)) << "producer 3 has a transaction open";
    EXPECT_EQ(log_->LastStableOffset(Offset(33)), Offset(28));
    const auto all = log_->AbortedTransactions(Offset(0), Offset(33));
    ASSERT_TRUE(all.ok()) << all.status();
    EXPECT_EQ(*all,
              (std::vector<AbortedTransaction>{Aborted(1, 6, 12, 8), Aborted(2, 8, 19, 15),
                                               Aborted(1, 22, 23, 24), Aborted(1, 30, 31, 28)}));
    const auto some = log_->AbortedTransactions(Offset(10), Offset(11));
    EXPECT_EQ(*some,
              (std::vector<AbortedTransaction>{Aborted(1, 6, 12, 8), Aborted(2, 8, 19, 15)}));
    const ProducerEntry* const first = log_->producers().Find(ProducerId(1));
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(first->epoch, ProducerEpoch(4));
    EXPECT_EQ(first->coordinator_epoch, 0);
    EXPECT_EQ(log_->producers().Find(ProducerId(3))->transaction_first_offset, Offset(28));
  }

  // What Weir writes of the same log is what Kafka wrote, byte by byte.
  void CheckFiles() {
    ASSERT_TRUE(log_->Close().ok());
    int compared = 0;
    for (const auto& [name, content] : kafkas_) {
      if (!name.ends_with(".txnindex") && name != "00000000000000000033.snapshot" &&
          name != "leader-epoch-checkpoint") {
        continue;
      }
      EXPECT_EQ(fs_.Content(Path(name)), content) << name;
      ++compared;
    }
    EXPECT_EQ(compared, 6);
  }

  std::map<std::string, std::string> kafkas_;
  MemoryFileSystem fs_;
  std::unique_ptr<Log> log_;
};

TEST_F(KafkaFolderTest, OpensAfterACleanShutdown) {
  Open({.clean = true});
  Check();
  CheckFiles();
}

TEST_F(KafkaFolderTest, OpensAfterAKill) {
  Open({});
  Check();
  CheckFiles();
}

TEST_F(KafkaFolderTest, OpensWithNothingButItsRecords) {
  for (const auto& [name, content] : kafkas_) {
    if (name.ends_with(".log")) continue;
    ASSERT_TRUE(fs_.Remove(Path(name)).ok());
  }
  Open({});
  Check();
  CheckFiles();
}

TEST_F(KafkaFolderTest, ACoordinatorEndsWhatKafkaLeftOpen) {
  Open({.clean = true});
  std::string marker = MakeMarker({.producer = ProducerId(3), .epoch = 2, .aborts = true});
  BatchToAppend batch;
  batch.bytes = absl::MakeSpan(marker.data(), marker.size());
  batch.terms = {AppendOrigin::kCoordinator, false, 2};
  log_->Append(absl::MakeSpan(&batch, 1), LeaderEpoch(1), kNow);
  ASSERT_TRUE(batch.status.ok()) << batch.status;
  log_->OnHighWatermark(Offset(34));
  EXPECT_EQ(log_->LastStableOffset(Offset(34)), Offset(34));
  EXPECT_EQ(log_->AbortedTransactions(Offset(0), Offset(34))->back(), Aborted(3, 28, 33, 34));
}

}  // namespace
}  // namespace weir::log

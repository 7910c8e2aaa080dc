// Moves of a log between two folders: what is copied, what a crash leaves at any point of it.

#include "log/log_move.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "gtest/gtest.h"
#include "log/checkpoint_file.h"
#include "log/log.h"
#include "log/memory_file.h"
#include "log/move_names.h"
#include "log/move_recovery.h"
#include "log/partition_metadata.h"
#include "log/test_batches.h"

namespace weir::log {
namespace {

constexpr Offset kEnd{1 << 30};
constexpr TimestampMs kNow = 1000;
const Uuid kTopic{7, 7};

// A broker with the folders /a and /b and the log of t-0 in one of them.
class World {
 public:
  explicit World(uint64_t seed = 1) : fs_(seed), random_(seed) { config_.segment_bytes = 600; }

  // In an empty world.
  absl::Status Found() {
    WEIR_RETURN_IF_ERROR(CreateDirectoriesDurably(fs_, "/a"));
    WEIR_RETURN_IF_ERROR(CreateDirectoriesDurably(fs_, "/b"));
    WEIR_RETURN_IF_ERROR(CreateDirectoriesDurably(fs_, "/a/t-0"));
    WEIR_RETURN_IF_ERROR(WritePartitionMetadata(fs_, "/a/t-0", kTopic));
    return OpenIn("/a");
  }
  absl::Status OpenIn(const std::string& folder) {
    folder_ = folder;
    RecoveryHint hint;
    hint.log_start_offset = start_;
    WEIR_ASSIGN_OR_RETURN(log_, Log::Open(fs_, folder + "/t-0", config_, hint, kNow));
    return absl::OkStatus();
  }
  absl::Status Append(int batches, int32_t epoch = 1, ProducerId producer = kNoProducerId) {
    for (int i = 0; i < batches; ++i) {
      std::string bytes = MakeBatch({.records = 3,
                                     .value_bytes = 20 + random_.Below(60),
                                     .producer = producer,
                                     .sequence = producer == kNoProducerId ? -1 : 3 * i,
                                     .fill = static_cast<char>('a' + random_.Below(26))});
      BatchToAppend batch;
      batch.bytes = absl::MakeSpan(bytes.data(), bytes.size());
      log_->Append(absl::MakeSpan(&batch, 1), LeaderEpoch(epoch), kNow);
      WEIR_RETURN_IF_ERROR(batch.status);
    }
    return absl::OkStatus();
  }
  absl::Status Begin(const std::string& to) {
    LogMove::Plan plan{"t-0", folder_, to, config_, nullptr};
    WEIR_ASSIGN_OR_RETURN(move_, LogMove::Begin(fs_, std::move(plan), random_, kNow));
    return absl::OkStatus();
  }
  absl::Status Copy(int64_t bytes = 1 << 20) { return move_->Copy(*log_, bytes, kNow).status(); }
  absl::Status Finish() {
    LogMove::End end = move_->Finish(*log_, kNow);
    outcome_ = end.outcome;
    if (outcome_ == LogMove::Outcome::kMoved) {
      log_ = std::move(end.log);
      folder_ = move_->to();
    }
    move_.reset();
    return end.status;
  }

  // What readers see from the log's start on.
  std::string Records() { return RecordsOf(*log_); }
  static std::string RecordsOf(Log& log) {
    std::string all;
    for (Offset at = log.log_start_offset(); at < log.log_end_offset();) {
      auto slice = log.Read(at, 1 << 20, kEnd, true);
      if (!slice.ok() || slice->empty()) return "unreadable";
      all += SliceBytes(*slice);
      at = slice->next_offset;
    }
    return all;
  }
  // The directories of both folders, with `*` for a tag.
  std::vector<std::string> Directories() {
    std::vector<std::string> all;
    for (const char* folder : {"/a", "/b"}) {
      const auto names = fs_.List(folder);
      for (const std::string& name : *names) {
        std::string shown = name;
        for (const absl::string_view suffix : {kFutureSuffix, kStraySuffix, kDeleteSuffix}) {
          if (ParseMoveName(name, suffix)) shown = absl::StrCat("t-0.*", suffix);
        }
        all.push_back(absl::StrCat(folder, "/", shown));
      }
    }
    return all;
  }
  // As after a restart: both folders may be there, or one.
  absl::StatusOr<MovesFound> Recover(std::vector<std::string> folders = {"/a", "/b"},
                                     bool all_are_here = true) {
    move_.reset();
    log_.reset();
    return RecoverMoves(fs_, folders, all_are_here);
  }
  std::optional<std::string> FolderWithLog() {
    const bool a = fs_.Exists("/a/t-0"), b = fs_.Exists("/b/t-0");
    EXPECT_NE(a, b) << "in both, or in none";
    return a ? "/a" : "/b";
  }

  MemoryFileSystem fs_;
  SeededRandom random_;
  LogConfig config_;
  std::string folder_;
  Offset start_{0};
  std::unique_ptr<Log> log_;
  std::unique_ptr<LogMove> move_;
  LogMove::Outcome outcome_ = LogMove::Outcome::kStays;
};

class LogMoveTest : public ::testing::Test {
 protected:
  LogMoveTest() { Check(w_.Found()); }
  static void Check(const absl::Status& status) { ASSERT_TRUE(status.ok()) << status; }
  World w_;
};

TEST_F(LogMoveTest, TakesEverythingAlongWhileTheLogGoesOn) {
  Check(w_.Append(20, 1));
  Check(w_.Append(1, 2, ProducerId(9)));
  Check(w_.Begin("/b"));
  EXPECT_EQ(w_.move_->Lag(*w_.log_), 63);
  Check(w_.Copy(500));
  EXPECT_GT(w_.move_->Lag(*w_.log_), 40);
  EXPECT_LT(w_.move_->Lag(*w_.log_), 63);
  Check(w_.Append(5, 3));
  while (w_.move_->Lag(*w_.log_) > 0) Check(w_.Copy(500));
  Check(w_.Append(1, 3));  // comes along at the end
  const std::string records = w_.Records();
  const auto epochs = w_.log_->epochs().entries();
  const auto producers = w_.log_->producers().Sorted();
  Check(w_.Finish());
  EXPECT_EQ(w_.outcome_, LogMove::Outcome::kMoved);
  EXPECT_EQ(w_.Records(), records);
  EXPECT_EQ(w_.log_->epochs().entries(), epochs);
  EXPECT_EQ(w_.log_->producers().Sorted(), producers);
  EXPECT_EQ(w_.log_->flushed_offset(), w_.log_->log_end_offset());
  EXPECT_EQ(*ReadPartitionMetadata(w_.fs_, "/b/t-0"), kTopic);
  EXPECT_EQ(w_.Directories(), (std::vector<std::string>{"/a/t-0.*-delete", "/b/t-0"}));
  Check(w_.Append(3, 3));
  // And back.
  Check(w_.Begin("/a"));
  const std::string more = w_.Records();
  Check(w_.Finish());
  EXPECT_EQ(w_.Records(), more);
  EXPECT_EQ(w_.FolderWithLog(), "/a");
}

TEST_F(LogMoveTest, FollowsALogThatIsCutOff) {
  Check(w_.Append(10, 1));
  Check(w_.Append(10, 2));
  Check(w_.Begin("/b"));
  Check(w_.Copy());
  Check(w_.log_->TruncateTo(Offset(15)));
  Check(w_.Append(2, 4));
  Check(w_.Copy());
  EXPECT_EQ(World::RecordsOf(w_.move_->future()), w_.Records());
  // Shorter than the copy, with nothing behind it.
  Check(w_.log_->TruncateTo(Offset(6)));
  Check(w_.Copy());
  EXPECT_EQ(w_.move_->future().log_end_offset(), Offset(6));
  // The same epoch again, and everything gone.
  Check(w_.Append(1, 4));
  Check(w_.Copy());
  Check(w_.log_->TruncateFullyAndStartAt(Offset(100), kNow));
  Check(w_.Append(2, 5));
  const std::string records = w_.Records();
  Check(w_.Finish());
  EXPECT_EQ(w_.Records(), records);
  EXPECT_EQ(w_.log_->log_start_offset(), Offset(100));
}

TEST_F(LogMoveTest, BeginsWhereTheLogDoes) {
  Check(w_.Append(10, 1));
  Check(w_.log_->AdvanceLogStart(Offset(10)));  // inside of a batch
  Check(w_.Begin("/b"));
  Check(w_.Copy(1));
  EXPECT_EQ(w_.move_->future().log_start_offset(), Offset(10));
  Check(w_.log_->AdvanceLogStart(Offset(25)));  // beyond what was copied
  const std::string records = w_.Records();
  Check(w_.Finish());
  EXPECT_EQ(w_.log_->log_start_offset(), Offset(25));
  EXPECT_EQ(w_.Records(), records);
  Check(w_.log_->AdvanceLogStart(Offset(30)));  // nothing is left
  Check(w_.Begin("/a"));
  Check(w_.Finish());
  EXPECT_EQ(w_.log_->log_start_offset(), Offset(30));
  EXPECT_EQ(w_.log_->log_end_offset(), Offset(30));
}

TEST_F(LogMoveTest, GoesOnWithACopyOfTheSameTopicOnly) {
  Check(w_.Append(20, 1));
  Check(w_.Begin("/b"));
  Check(w_.Copy(900));
  const Offset copied = w_.move_->future().log_end_offset();
  EXPECT_GT(copied, Offset(0));
  auto found = w_.Recover();
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->copies.size(), 1);
  EXPECT_EQ(found->copies[0].partition, "t-0");
  EXPECT_EQ(found->copies[0].folder, "/b");
  Check(w_.OpenIn("/a"));
  Check(w_.Begin("/b"));
  EXPECT_EQ(w_.move_->future().log_end_offset(), copied);
  Check(w_.Copy(1));
  // Who may not wait for that begins anew.
  w_.move_.reset();
  LogMove::Plan plan{"t-0", "/a", "/b", w_.config_, nullptr, /*resumes=*/false};
  auto anew = LogMove::Begin(w_.fs_, std::move(plan), w_.random_, kNow);
  ASSERT_TRUE(anew.ok()) << anew.status();
  EXPECT_EQ((*anew)->future().log_end_offset(), Offset(0));
  anew->reset();
  EXPECT_EQ(w_.Directories(),
            (std::vector<std::string>{"/a/t-0", "/b/t-0.*-delete", "/b/t-0.*-future"}));
  const auto names = w_.fs_.List("/b");
  for (const std::string& name : *names) {
    if (ParseMoveName(name, kDeleteSuffix)) Check(w_.fs_.RemoveRecursively("/b/" + name));
  }
  Check(w_.Begin("/b"));
  // The topic was deleted meanwhile, and made again.
  w_.move_.reset();
  Check(WritePartitionMetadata(w_.fs_, "/a/t-0", Uuid{8, 8}));
  Check(w_.Begin("/b"));
  EXPECT_EQ(w_.move_->future().log_end_offset(), Offset(0));
  EXPECT_EQ(w_.Directories(),
            (std::vector<std::string>{"/a/t-0", "/b/t-0.*-delete", "/b/t-0.*-future"}));
  Check(w_.move_->Cancel());
  EXPECT_EQ(w_.Directories(),
            (std::vector<std::string>{"/a/t-0", "/b/t-0.*-delete", "/b/t-0.*-delete"}));
}

TEST_F(LogMoveTest, AStartThatWentBackIsFollowed) {
  Check(w_.Append(20, 1));
  Check(w_.log_->AdvanceLogStart(Offset(30)));  // in another segment
  Check(w_.Begin("/b"));
  Check(w_.Copy());
  EXPECT_EQ(w_.move_->future().log_start_offset(), Offset(30));
  ASSERT_TRUE(w_.Recover().ok());
  Check(w_.OpenIn("/a"));  // without it
  const std::string records = w_.Records();
  Check(w_.Begin("/b"));
  EXPECT_GT(w_.move_->future().log_start_offset(), Offset(0));
  Check(w_.Finish());
  EXPECT_EQ(w_.log_->log_start_offset(), Offset(0));
  EXPECT_EQ(w_.Records(), records);
}

TEST_F(LogMoveTest, WhatIsNotNextAnyMoreIsNotTaken) {
  Check(w_.Append(20, 1));
  Check(w_.Begin("/b"));
  const auto next = [&] {
    auto slice = w_.move_->Next(*w_.log_, 400, kNow);
    EXPECT_TRUE(slice.ok()) << slice.status();
    return *slice;
  };
  const auto take = [&](const LogSlice& slice) {
    Check(w_.move_->TakeNext(*w_.log_, slice, SliceBytes(slice), kNow));
    return w_.move_->future().log_end_offset();
  };
  const LogSlice first = next();
  EXPECT_EQ(take(first), first.next_offset);
  const LogSlice second = next();
  EXPECT_EQ(second.first_offset, first.next_offset);
  EXPECT_EQ(take(first), first.next_offset) << "it has that";
  EXPECT_EQ(take(second), second.next_offset);
  const LogSlice third = next();
  Check(w_.log_->TruncateTo(third.first_offset + 1));
  EXPECT_EQ(take(third), second.next_offset) << "the log was cut off";
  Check(w_.Append(1, 2));
  Check(w_.Copy());
  EXPECT_EQ(World::RecordsOf(w_.move_->future()), w_.Records());
  EXPECT_TRUE(next().empty());
  Check(w_.Begin("/b"));
  EXPECT_TRUE(next().empty()) << "all of it is there";
}

TEST_F(LogMoveTest, ACopyThatDecayedIsCopiedAgainFromThere) {
  Check(w_.Append(20, 1));
  Check(w_.Begin("/b"));
  Check(w_.Copy());
  const std::string directory = w_.move_->future().directory();
  const Offset end = w_.move_->future().log_end_offset();
  w_.move_.reset();
  w_.fs_.Corrupt(directory + "/00000000000000000000.log", 300);
  Check(w_.Begin("/b"));
  EXPECT_LT(w_.move_->future().log_end_offset(), end);
  const std::string records = w_.Records();
  Check(w_.Finish());
  EXPECT_EQ(w_.Records(), records);
}

TEST_F(LogMoveTest, RefusesWhatHasNoPlace) {
  Check(w_.Append(1));
  Check(w_.Begin("/b"));
  w_.move_.reset();
  Check(CreateDirectoriesDurably(w_.fs_, "/b/t-0"));
  EXPECT_TRUE(absl::IsAlreadyExists(w_.Begin("/b")));
  LogMove::Plan plan{std::string(230, 'n') + "-0", "/a", "/b", w_.config_, nullptr};
  EXPECT_TRUE(
      absl::IsInvalidArgument(LogMove::Begin(w_.fs_, std::move(plan), w_.random_, kNow).status()));
}

TEST_F(LogMoveTest, ADamagedBatchStaysWhereItIs) {
  Check(w_.Append(20, 1));
  Check(w_.Begin("/b"));
  w_.fs_.Corrupt("/a/t-0/00000000000000000000.log", 300);
  EXPECT_TRUE(absl::IsDataLoss(w_.Finish()));
  EXPECT_EQ(w_.outcome_, LogMove::Outcome::kStays);
  EXPECT_EQ(w_.FolderWithLog(), "/a");
}

TEST_F(LogMoveTest, NobodyMayUseWhatTheDiskDidNotConfirm) {
  Check(w_.Append(5, 1));
  Check(w_.Begin("/b"));
  Check(w_.Copy());
  w_.fs_.InjectFault({FileOp::kDirectory, "t-0.", 1, 1});
  EXPECT_FALSE(w_.Finish().ok());
  EXPECT_EQ(w_.outcome_, LogMove::Outcome::kStays);  // it had not begun to end
  EXPECT_FALSE(w_.fs_.Exists("/a/t-0/moved-to"));
  Check(w_.Append(1, 1));
  const std::string records = w_.Records();
  Check(w_.Begin("/b"));
  Check(w_.Finish());
  EXPECT_EQ(w_.Records(), records);
}

// The process ends at a point of Finish; `then` looks at each of them.
void KillInFinish(const std::function<void(World*, const std::string& records)>& then) {
  for (int64_t at = 0;; ++at) {
    SCOPED_TRACE(absl::StrCat("kill at ", at));
    World w(static_cast<uint64_t>(at) + 1);
    ASSERT_TRUE(w.Found().ok());
    ASSERT_TRUE(w.Append(6, 1).ok());
    ASSERT_TRUE(w.log_->Flush().ok());
    ASSERT_TRUE(w.Begin("/b").ok());
    const std::string records = w.Records();
    w.fs_.CrashAtBoundary(at);
    (void)w.Finish();
    if (!w.fs_.crashed()) {
      EXPECT_GT(at, 15);
      return;
    }
    w.move_.reset();
    w.log_.reset();
    w.fs_.KillProcess();
    then(&w, records);
    if (testing::Test::HasFatalFailure()) return;
  }
}

const std::vector<std::string> kInTheMiddle = {"/a/t-0.*-stray", "/b/t-0.*-future"};

TEST(LogMoveEndTest, AFolderThatIsNotThereIsWaitedFor) {
  int seen = 0;
  KillInFinish([&](World* w, const std::string& records) {
    if (w->Directories() != kInTheMiddle) return;
    ++seen;
    for (const char* folder : {"/a", "/b"}) {
      auto found = w->Recover({folder}, /*all_are_here=*/false);
      ASSERT_TRUE(found.ok()) << found.status();
      EXPECT_EQ(found->elsewhere, std::vector<std::string>{"t-0"}) << folder;
      EXPECT_EQ(w->Directories(), kInTheMiddle);
    }
    auto found = w->Recover();
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_TRUE(found->elsewhere.empty());
    EXPECT_EQ(w->Directories(), (std::vector<std::string>{"/a/t-0.*-delete", "/b/t-0"}));
    ASSERT_TRUE(w->OpenIn("/b").ok());
    EXPECT_EQ(w->Records(), records);
  });
  EXPECT_GT(seen, 0);
}

TEST(LogMoveEndTest, WhatIsLeftIsUsedWhenTheOtherFolderWasReplaced) {
  int seen = 0;
  KillInFinish([&](World* w, const std::string& records) {
    if (w->Directories() != kInTheMiddle) return;
    ++seen;
    ASSERT_TRUE(w->fs_.RemoveRecursively("/b").ok());
    ASSERT_TRUE(CreateDirectoriesDurably(w->fs_, "/b").ok());
    ASSERT_TRUE(w->Recover().ok());
    EXPECT_EQ(w->Directories(), std::vector<std::string>{"/a/t-0"});
    EXPECT_FALSE(w->fs_.Exists("/a/t-0/moved-to"));
    ASSERT_TRUE(w->OpenIn("/a").ok());
    EXPECT_EQ(w->Records(), records);
  });
  EXPECT_GT(seen, 0);
}

TEST_F(LogMoveTest, DirectoriesOfOthersAreLeftAlone) {
  const std::string tag(32, 'a');
  for (const std::string& name :
       {absl::StrCat("u-0.", tag, "-stray"), std::string("u-0.123-damaged-stray"),
        std::string("v-1-future"), absl::StrCat("w-1.", tag, "-delete")}) {
    Check(CreateDirectoriesDurably(w_.fs_, absl::StrCat("/b/", name)));
  }
  const std::vector<std::string> before = w_.Directories();
  ASSERT_TRUE(w_.Recover().ok());
  EXPECT_EQ(w_.Directories(), before);
  // A copy of what is nowhere is of no use.
  Check(CreateDirectoriesDurably(w_.fs_, absl::StrCat("/b/x-0.", tag, "-future")));
  ASSERT_TRUE(w_.Recover().ok());
  EXPECT_FALSE(w_.fs_.Exists(absl::StrCat("/b/x-0.", tag, "-future")));
}

// Everything that a broker does with two moves, until the disk stops. The log's records up to
// `*durable` are to be there whatever happens.
absl::Status Live(World* w, std::string* all, Offset* durable) {
  const auto note = [&] {
    if (w->fs_.crashed()) return;
    *durable = w->log_->flushed_offset();
    *all = w->Records();
  };
  int32_t epoch = 0;
  for (const char* to : {"/b", "/a"}) {
    WEIR_RETURN_IF_ERROR(w->Append(6, ++epoch));
    WEIR_RETURN_IF_ERROR(w->log_->Flush());
    note();
    WEIR_RETURN_IF_ERROR(w->Begin(to));
    WEIR_RETURN_IF_ERROR(w->Copy(400));
    WEIR_RETURN_IF_ERROR(w->Append(2, ++epoch));
    WEIR_RETURN_IF_ERROR(w->Copy(400));
    WEIR_RETURN_IF_ERROR(w->log_->Flush());
    note();
    WEIR_RETURN_IF_ERROR(w->Finish());
    note();
  }
  return absl::OkStatus();
}

// Starts again after a crash; the log is in one place and has what was durable. Then it moves.
void ExpectWhole(World* w, const std::string& all, Offset durable) {
  const auto found = w->Recover();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(found->elsewhere.empty());
  const std::string folder = *w->FolderWithLog();
  const absl::Status opened = w->OpenIn(folder);
  ASSERT_TRUE(opened.ok()) << opened;
  EXPECT_GE(w->log_->log_end_offset(), durable);
  const std::string now = w->Records();
  // The rest was written, or not.
  const size_t common = std::min(now.size(), all.size());
  EXPECT_EQ(now.substr(0, common), all.substr(0, common));
  const std::string to = folder == "/a" ? "/b" : "/a";
  ASSERT_TRUE(w->Begin(to).ok());
  const absl::Status finished = w->Finish();
  ASSERT_TRUE(finished.ok()) << finished;
  EXPECT_EQ(*w->FolderWithLog(), to);
  EXPECT_EQ(w->Records(), now);
}

TEST(LogMoveCrashTest, ACrashAtAnyPointLeavesOneLog) {
  for (const bool power : {false, true}) {
    for (int64_t at = 0;; ++at) {
      SCOPED_TRACE(absl::StrCat(power ? "power loss" : "kill", " at ", at));
      World w(static_cast<uint64_t>(at) + 1);
      ASSERT_TRUE(w.Found().ok());
      std::string all;
      Offset durable{0};
      w.fs_.CrashAtBoundary(at);
      const absl::Status lived = Live(&w, &all, &durable);
      if (!w.fs_.crashed()) {
        ASSERT_TRUE(lived.ok()) << lived;
        EXPECT_GT(at, 100);  // that there was something to interrupt
        break;
      }
      w.move_.reset();
      w.log_.reset();
      power ? w.fs_.PowerLoss(w.random_) : w.fs_.KillProcess();
      ExpectWhole(&w, all, durable);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

// The recovery itself may be cut off, by a power loss that takes what the process before it left
// undone, and is repeated.
TEST(LogMoveCrashTest, ACrashWhileRecoveringLeavesOneLogToo) {
  for (int64_t again = 0; again < 10; ++again) {
    SCOPED_TRACE(absl::StrCat("recovery ends at ", again));
    KillInFinish([&](World* w, const std::string& records) {
      const Offset end{18};
      w->fs_.CrashAtBoundary(again);
      (void)w->Recover();
      w->fs_.PowerLoss(w->random_);
      w->fs_.CrashAtBoundary(1 << 30);
      ExpectWhole(w, records, end);
    });
  }
}

}  // namespace
}  // namespace weir::log

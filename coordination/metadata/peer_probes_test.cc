#include "coordination/metadata/peer_probes.h"

#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "gtest/gtest.h"

namespace weir::metadata {
namespace {

class PeerProbesTest : public ::testing::Test {
 protected:
  std::vector<int32_t> Asked() {
    std::vector<int32_t> ids;
    for (const AskPeer& ask : effects_.asks) ids.push_back(ask.id.value());
    effects_.asks.clear();
    return ids;
  }
  std::vector<int32_t> Gone() {
    std::vector<int32_t> ids;
    for (const PeerGone& gone : effects_.gone) ids.push_back(gone.id.value());
    effects_.gone.clear();
    return ids;
  }
  void Suspect(int32_t id) { probes_.Suspect(now_, BrokerId(id), &effects_); }
  void Answer(int32_t id, ProbeAnswer answer) {
    probes_.Answered(now_, BrokerId(id), answer, &effects_);
  }
  // To the next deadline, and how far that was.
  int64_t AdvanceToDeadline() {
    const std::optional<MonotonicNs> due = probes_.NextDeadline();
    if (!due.has_value()) return -1;
    const int64_t ms = (*due - now_) / kNsPerMs;
    now_ = *due;
    probes_.Advance(now_, &effects_);
    return ms;
  }

  using Ids = std::vector<int32_t>;
  PeerProbes probes_{{.pause_ms = 500, .again_ms = 100, .asked_max = 2}};
  PeerProbesEffects effects_;
  MonotonicNs now_{1'000'000'000};
};

TEST_F(PeerProbesTest, AskedNobodyTwiceThePeerIsGone) {
  Suspect(4);
  EXPECT_EQ(Asked(), Ids({4}));
  Answer(4, ProbeAnswer::kNobody);
  EXPECT_EQ(Gone(), Ids());
  EXPECT_EQ(AdvanceToDeadline(), 100);
  EXPECT_EQ(Asked(), Ids({4}));
  Answer(4, ProbeAnswer::kNobody);
  EXPECT_EQ(Gone(), Ids({4}));
  EXPECT_EQ(AdvanceToDeadline(), 500);
  EXPECT_EQ(Asked(), Ids());
  EXPECT_EQ(AdvanceToDeadline(), -1) << "forgotten";
}

TEST_F(PeerProbesTest, AnotherProcessMeansThatItIsGone) {
  Suspect(4);
  Answer(4, ProbeAnswer::kOther);
  EXPECT_EQ(Gone(), Ids({4}));
}

TEST_F(PeerProbesTest, SilenceProvesNothing) {
  Suspect(4);
  Answer(4, ProbeAnswer::kSilence);
  EXPECT_EQ(AdvanceToDeadline(), 500);
  Suspect(4);
  Answer(4, ProbeAnswer::kNobody);
  AdvanceToDeadline();
  Answer(4, ProbeAnswer::kSilence);
  AdvanceToDeadline();
  Suspect(4);
  Answer(4, ProbeAnswer::kNobody);  // the first one again
  EXPECT_EQ(Gone(), Ids());
}

TEST_F(PeerProbesTest, WhoIsThereIsLeftAlone) {
  Suspect(4);
  Answer(4, ProbeAnswer::kNobody);  // it restarts its listener
  AdvanceToDeadline();
  EXPECT_EQ(Asked(), Ids({4, 4}));
  Answer(4, ProbeAnswer::kThere);
  EXPECT_EQ(Gone(), Ids());
  AdvanceToDeadline();
  EXPECT_EQ(Asked(), Ids());
}

TEST_F(PeerProbesTest, SuspicionsAreFollowedAfterAPauseAndOnce) {
  Suspect(4);
  Asked();
  for (int i = 0; i < 5; ++i) Suspect(4);  // while it is asked
  EXPECT_EQ(Asked(), Ids());
  Answer(4, ProbeAnswer::kThere);
  for (int i = 0; i < 5; ++i) Suspect(4);
  EXPECT_EQ(Asked(), Ids());
  EXPECT_EQ(AdvanceToDeadline(), 500);
  EXPECT_EQ(Asked(), Ids({4}));
}

TEST_F(PeerProbesTest, FewAreAskedAtATime) {
  for (int32_t id = 1; id <= 4; ++id) Suspect(id);
  EXPECT_EQ(Asked(), Ids({1, 2}));
  EXPECT_EQ(AdvanceToDeadline(), -1);
  Answer(2, ProbeAnswer::kThere);
  EXPECT_EQ(Asked(), Ids({3}));
  Answer(1, ProbeAnswer::kNobody);
  EXPECT_EQ(Asked(), Ids({4}));
  Answer(3, ProbeAnswer::kThere);
  Answer(4, ProbeAnswer::kThere);
  EXPECT_EQ(AdvanceToDeadline(), 100);
  EXPECT_EQ(Asked(), Ids({1}));
}

TEST_F(PeerProbesTest, AnswersThatNobodyAskedForCountForNothing) {
  Answer(4, ProbeAnswer::kOther);
  Suspect(4);
  Answer(4, ProbeAnswer::kThere);
  Answer(4, ProbeAnswer::kOther);
  EXPECT_EQ(Gone(), Ids());
}

}  // namespace
}  // namespace weir::metadata

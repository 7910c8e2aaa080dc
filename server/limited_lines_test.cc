#include "server/limited_lines.h"

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/manual_clock.h"
#include "gtest/gtest.h"
#include "server/epoll_poller.h"
#include "server/event_loop.h"
#include "server/logger.h"

namespace weir::server {
namespace {

class KeptLines final : public Logger {
 public:
  void Write(LogLevel, absl::string_view message) override { lines.emplace_back(message); }
  std::vector<std::string> lines;
};

class LimitedLinesTest : public testing::Test {
 protected:
  void Pass(int64_t ms) {
    clock_.now = clock_.now + ms * kNsPerMs;
    loop_.RunOnce(/*may_block=*/false);
  }

  EpollPoller poller_;
  ManualClock clock_;
  EventLoop loop_{poller_, clock_, nullptr};
  KeptLines logger_;
};

TEST_F(LimitedLinesTest, CountsWhatIsTooMuchAndSaysSoOnce) {
  LimitedLines lines(loop_, logger_, "things");
  for (int i = 0; i < 1000; ++i) lines.Warning("line ", i);
  ASSERT_EQ(logger_.lines.size(), 10u);
  EXPECT_EQ(logger_.lines.back(), "line 9");
  Pass(LimitedLines::kIntervalMs);
  ASSERT_EQ(logger_.lines.size(), 11u);
  EXPECT_EQ(logger_.lines.back(), "990 more things within 10 s");

  lines.Warning("again");
  EXPECT_EQ(logger_.lines.back(), "again");
  Pass(LimitedLines::kIntervalMs);
  EXPECT_EQ(logger_.lines.back(), "again");
}

TEST_F(LimitedLinesTest, TellsTheCountWhenItGoes) {
  {
    LimitedLines lines(loop_, logger_, "things");
    for (int i = 0; i < 12; ++i) lines.Warning("line");
  }
  EXPECT_EQ(logger_.lines.back(), "2 more things within 10 s");
  Pass(LimitedLines::kIntervalMs);
  EXPECT_EQ(logger_.lines.size(), 11u);
}

}  // namespace
}  // namespace weir::server

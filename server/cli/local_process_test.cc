#include "server/cli/local_process.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/tcp_listen.h"

namespace weir::cli {
namespace {

// A process that waits to be ended.
class Child {
 public:
  Child() : pid_(::fork()) {
    if (pid_ != 0) return;
    for (;;) ::pause();
  }
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  const pid_t pid_;
};

TEST(LocalProcessTest, AProcessIsFoundAgainByWhatIsWrittenOfIt) {
  const absl::StatusOr<LocalProcess> self = FindProcess(::getpid());
  ASSERT_TRUE(self.ok()) << self.status();
  EXPECT_TRUE(IsAlive(*self));
  EXPECT_GT(self->start_ticks, 0);
  const absl::StatusOr<LocalProcess> read = ParseLocalProcess(FormatLocalProcess(*self));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, *self);
}

TEST(LocalProcessTest, ANumberThatIsAnothersByNowIsLeftAlone) {
  Child child;
  absl::StatusOr<LocalProcess> process = FindProcess(child.pid());
  ASSERT_TRUE(process.ok()) << process.status();
  for (const bool other_boot : {false, true}) {
    LocalProcess before = *process;
    if (other_boot) {
      before.boot_id = "another";
    } else {
      --before.start_ticks;
    }
    EXPECT_FALSE(IsAlive(before));
    EXPECT_EQ(UptimeSeconds(before), 0);
    Signal(before, SIGKILL);
  }
  EXPECT_EQ(::waitpid(child.pid(), nullptr, WNOHANG), 0);
  EXPECT_TRUE(IsAlive(*process));
}

TEST(LocalProcessTest, ASignalReachesTheProcessAndWhatHasEndedIsNotAlive) {
  Child child;
  const absl::StatusOr<LocalProcess> process = FindProcess(child.pid());
  ASSERT_TRUE(process.ok()) << process.status();
  Signal(*process, SIGKILL);
  siginfo_t info;
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WEXITED | WNOWAIT), 0);
  EXPECT_FALSE(IsAlive(*process));  // ended, though its parent has not asked yet
  EXPECT_EQ(FindProcess(child.pid()).status().code(), absl::StatusCode::kNotFound);
}

TEST(LocalProcessTest, WhoListensAtAPortIsNamed) {
  const absl::StatusOr<int> fd = server::TcpListen("localhost", 0, 1);
  ASSERT_TRUE(fd.ok()) << fd.status();
  const int port = server::TcpLocalPort(*fd);
  const std::string us = absl::StrCat("(process ", ::getpid(), ")");
  EXPECT_TRUE(absl::EndsWith(ListenerAt(port), us)) << ListenerAt(port);
  ::close(*fd);
  EXPECT_FALSE(absl::EndsWith(ListenerAt(port), us));
}

TEST(LocalProcessTest, TextThatIsNoProcessIsRefused) {
  for (const char* bad : {"", "pid=1\n", "pid=0\nstart=5\nboot=b\n", "pid=x\nstart=5\nboot=b\n",
                          "pid=-1\nstart=5\nboot=b\n", "pid=1\nstart=5\n", "12\n"}) {
    EXPECT_EQ(ParseLocalProcess(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace weir::cli

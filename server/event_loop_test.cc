#include "server/event_loop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/clock.h"
#include "base/manual_clock.h"
#include "gtest/gtest.h"
#include "log/file.h"
#include "log/memory_file.h"
#include "server/epoll_poller.h"
#include "server/mailbox.h"
#include "server/poller.h"

namespace weir::server {
namespace {

TEST(MailboxTest, WakesOnlyWhenItWasEmptyAndKeepsOrder) {
  int wakes = 0;
  Mailbox mailbox([&wakes] { ++wakes; });
  std::string ran;
  mailbox.Post([&] { ran += 'a'; });
  mailbox.Post([&] {
    ran += 'b';
    mailbox.Post([&] { ran += 'd'; });  // for the next RunAll
  });
  mailbox.Post([&] { ran += 'c'; });
  EXPECT_EQ(wakes, 1);
  EXPECT_EQ(mailbox.RunAll(), 3u);
  EXPECT_EQ(ran, "abc");
  EXPECT_EQ(wakes, 2);
  EXPECT_EQ(mailbox.RunAll(), 1u);
  EXPECT_EQ(ran, "abcd");
  EXPECT_TRUE(mailbox.empty());
}

TEST(EventLoopTest, ATickRunsItsStagesInOrder) {
  EpollPoller poller;
  ManualClock clock;
  log::MemoryFileSystem files;
  EventLoop loop(poller, clock, &files);
  std::vector<std::string> ran;
  loop.SetSyncHandler([&](log::SyncDone done) {
    EXPECT_EQ(done.token, 5u);
    ran.push_back("sync");
  });
  loop.SetTickEndHook([&] { ran.push_back("end"); });
  auto file = files.Open("/f", log::OpenMode::kCreate);
  ASSERT_TRUE(file.ok()) << file.status();
  (*file)->StartSync(5);
  loop.timers().Schedule(MonotonicNs(10), [&] { ran.push_back("timer"); });
  loop.Post([&] { ran.push_back("posted"); });
  loop.Defer([&] { ran.push_back("deferred"); });
  loop.timers().Schedule(MonotonicNs(11), [&] { ran.push_back("late timer"); });
  EXPECT_EQ(loop.NextDue(), MonotonicNs(0));
  clock.now = MonotonicNs(10);
  loop.RunOnce(true);
  EXPECT_EQ(ran, (std::vector<std::string>{"deferred", "posted", "timer", "sync", "end"}));
  EXPECT_EQ(loop.now(), MonotonicNs(10));
  EXPECT_EQ(loop.NextDue(), MonotonicNs(11));
}

class Recorder : public SocketHandler {
 public:
  explicit Recorder(absl::AnyInvocable<void(const PollEvent&)> on_ready)
      : on_ready_(std::move(on_ready)) {}
  void OnReady(const PollEvent& event) override { on_ready_(event); }

 private:
  absl::AnyInvocable<void(const PollEvent&)> on_ready_;
};

TEST(EventLoopTest, EventsOfASocketThatWasUnregisteredInTheSameTickAreDropped) {
  EpollPoller poller;
  SystemClock clock;
  EventLoop loop(poller, clock, nullptr);
  const SocketId listener = *poller.Listen("127.0.0.1", 0, 8);
  // Two listeners with a waiting connection each; whoever is told first drops the other.
  const SocketId other = *poller.Listen("127.0.0.1", 0, 8);
  int told = 0;
  Recorder first([&](const PollEvent&) {
    ++told;
    loop.Unregister(other);
    poller.Close(other);
  });
  Recorder second([&](const PollEvent&) {
    ++told;
    loop.Unregister(listener);
    poller.Close(listener);
  });
  loop.Register(listener, &first);
  loop.Register(other, &second);
  std::vector<int> connections;
  for (const SocketId socket : {listener, other}) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(poller.LocalPort(socket)));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connections.push_back(::socket(AF_INET, SOCK_STREAM, 0));
    ASSERT_EQ(::connect(connections.back(), reinterpret_cast<sockaddr*>(&address), sizeof(address)),
              0);
    poller.Watch(socket, true, false);
  }
  loop.RunOnce(true);
  EXPECT_EQ(told, 1);
  for (const int fd : connections) ::close(fd);
}

TEST(EventLoopTest, RunsUntilStoppedWithTasksOfManyThreads) {
  EpollPoller poller;
  SystemClock clock;
  EventLoop loop(poller, clock, nullptr);
  int ran = 0;  // touched by the loop's thread only
  std::thread runner([&] { loop.Run(); });
  std::vector<std::thread> posters;
  for (int i = 0; i < 4; ++i) {
    posters.emplace_back([&] {
      for (int j = 0; j < 1000; ++j) loop.Post([&ran] { ++ran; });
    });
  }
  for (std::thread& poster : posters) poster.join();
  loop.Post([&loop] { loop.Stop(); });
  runner.join();
  EXPECT_EQ(ran, 4000);
}

TEST(EventLoopTest, ATimerEndsTheWait) {
  EpollPoller poller;
  SystemClock clock;
  EventLoop loop(poller, clock, nullptr);
  bool ran = false;
  loop.timers().Schedule(clock.Monotonic() + kNsPerMs, [&] { ran = true; });
  while (!ran) loop.RunOnce(true);
  EXPECT_EQ(loop.NextDue(), std::nullopt);
}

}  // namespace
}  // namespace weir::server

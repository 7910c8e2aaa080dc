#include "server/poller.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "log/file.h"
#include "server/broker_config.h"
#include "server/page_cache.h"
#include "server/poller_factory.h"

namespace weir::server {
namespace {

int OpenDescriptors() {
  int count = 0;
  DIR* directory = ::opendir("/proc/self/fd");
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

// A blocking client socket.
class Client {
 public:
  explicit Client(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() {
    if (fd_ >= 0) ::close(fd_);
  }

  bool connected() const { return connected_; }
  void Send(absl::string_view bytes) {
    ASSERT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // Exactly `size` bytes, or what came before the end.
  std::string ReceiveAll(size_t size) {
    std::string bytes(size, '\0');
    size_t have = 0;
    while (have < size) {
      const ssize_t n = ::recv(fd_, &bytes[have], size - have, 0);
      if (n <= 0) break;
      have += static_cast<size_t>(n);
    }
    bytes.resize(have);
    return bytes;
  }
  void FinishSending() { ::shutdown(fd_, SHUT_WR); }
  void Reset() {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
  bool connected_ = false;
};

// A file of the system's; `with_descriptor` false hides the descriptor, as a file in memory would.
class TempFile final : public log::File {
 public:
  TempFile(absl::string_view content, bool with_descriptor) : with_descriptor_(with_descriptor) {
    char path[] = "/tmp/weir_poller_testXXXXXX";
    fd_ = ::mkstemp(path);
    ::unlink(path);
    EXPECT_EQ(::write(fd_, content.data(), content.size()), static_cast<ssize_t>(content.size()));
  }
  ~TempFile() override { ::close(fd_); }
  absl::StatusOr<size_t> ReadAt(int64_t position, absl::Span<char> into) const override {
    return ::pread(fd_, into.data(), into.size(), position);
  }
  absl::Status Append(absl::Span<const absl::string_view>) override { return {}; }
  absl::Status Truncate(int64_t) override { return {}; }
  int64_t size_bytes() const override { return ::lseek(fd_, 0, SEEK_END); }
  absl::Status Sync() override { return {}; }
  void StartSync(log::SyncToken) override {}
  int NativeHandle() const override { return with_descriptor_ ? fd_ : -1; }
  int fd() const { return fd_; }

 private:
  int fd_;
  const bool with_descriptor_;
};

std::string Pattern(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 131) ^ (i >> 9));
  return bytes;
}

struct Kind {
  const char* name;
  std::function<std::unique_ptr<Poller>()> make;
};

class PollerTest : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    descriptors_before_ = OpenDescriptors();
    poller_ = GetParam().make();
    ASSERT_NE(poller_, nullptr);
    listener_ = *poller_->Listen("127.0.0.1", 0, 128);
    port_ = poller_->LocalPort(listener_);
  }
  void TearDown() override {
    poller_.reset();
    EXPECT_EQ(OpenDescriptors(), descriptors_before_);
  }

  // Waits until an event of `socket` comes, and returns it.
  PollEvent WaitFor(SocketId socket) {
    while (true) {
      std::vector<PollEvent> events;
      poller_->Wait(std::nullopt, &events);
      for (const PollEvent& event : events) {
        if (event.socket == socket) return event;
      }
    }
  }
  SocketId AcceptOne() {
    poller_->Watch(listener_, true, false);
    EXPECT_TRUE(WaitFor(listener_).readable);
    poller_->Watch(listener_, false, false);
    return poller_->Accept(listener_)->socket;
  }
  std::string ReceiveAll(SocketId socket, size_t size) {
    std::string bytes;
    poller_->Watch(socket, true, false);
    while (bytes.size() < size) {
      char buffer[4096];
      const IoResult got = poller_->Receive(socket, absl::MakeSpan(buffer));
      if (got.kind == IoKind::kWouldBlock) {
        WaitFor(socket);
      } else if (got.kind != IoKind::kDone) {
        break;
      } else {
        bytes.append(buffer, got.bytes);
      }
    }
    return bytes;
  }
  IoResult Send(SocketId socket, absl::string_view bytes) {
    return poller_->Send(socket, absl::MakeConstSpan(&bytes, 1), false);
  }

  int descriptors_before_ = 0;
  std::unique_ptr<Poller> poller_;
  SocketId listener_;
  int port_ = 0;
};

TEST_P(PollerTest, EchoesInPieces) {
  Client client(port_);
  const SocketId socket = AcceptOne();
  client.Send("hello, poller");
  EXPECT_EQ(ReceiveAll(socket, 13), "hello, poller");
  const absl::string_view pieces[] = {"one ", "", "two ", "three"};
  EXPECT_EQ(poller_->Send(socket, pieces, true).bytes, 13u);
  EXPECT_EQ(Send(socket, "!").bytes, 1u);
  EXPECT_EQ(client.ReceiveAll(14), "one two three!");
}

TEST_P(PollerTest, AcceptNamesThePeerAndSaysWhenNoneWaits) {
  EXPECT_TRUE(absl::IsUnavailable(poller_->Accept(listener_).status()));
  Client client(port_);
  poller_->Watch(listener_, true, false);
  WaitFor(listener_);
  const auto accepted = poller_->Accept(listener_);
  ASSERT_TRUE(accepted.ok());
  EXPECT_EQ(accepted->peer.rfind("127.0.0.1:", 0), 0u) << accepted->peer;
}

TEST_P(PollerTest, ReportsNothingThatIsNotWatched) {
  Client client(port_);
  const SocketId socket = AcceptOne();
  client.Send("x");
  std::vector<PollEvent> events;
  poller_->Watch(socket, true, false);
  EXPECT_TRUE(WaitFor(socket).readable);
  EXPECT_FALSE(WaitFor(socket).writable);  // again: readiness lasts until it is consumed
  poller_->Watch(socket, false, true);
  const PollEvent writable = WaitFor(socket);
  EXPECT_TRUE(writable.writable);
  EXPECT_FALSE(writable.readable);
  poller_->Watch(socket, false, false);
  for (int i = 0; i < 3; ++i) {
    poller_->Wait(0, &events);
    EXPECT_TRUE(events.empty());
  }
  poller_->Watch(socket, true, false);  // the byte is still there
  EXPECT_TRUE(WaitFor(socket).readable);
}

TEST_P(PollerTest, ManySocketsAreEachToldApart) {
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<SocketId> sockets;
  for (int i = 0; i < 600; ++i) {
    clients.push_back(std::make_unique<Client>(port_));
    sockets.push_back(AcceptOne());
    poller_->Watch(sockets.back(), true, false);
  }
  for (int i = 0; i < 600; i += 2) clients[i]->Send(absl::StrCat(i));
  std::vector<bool> seen(600, false);
  int left = 300;
  while (left > 0) {
    std::vector<PollEvent> events;
    poller_->Wait(std::nullopt, &events);
    for (const PollEvent& event : events) {
      const size_t i = std::find(sockets.begin(), sockets.end(), event.socket) - sockets.begin();
      ASSERT_LT(i, sockets.size());
      EXPECT_EQ(i % 2, 0u);
      char buffer[16];
      const IoResult got = poller_->Receive(event.socket, absl::MakeSpan(buffer));
      if (got.kind == IoKind::kWouldBlock) continue;
      EXPECT_EQ(std::string(buffer, got.bytes), absl::StrCat(i));
      EXPECT_FALSE(seen[i]);
      seen[i] = true;
      --left;
    }
  }
}

TEST_P(PollerTest, AnAcceptStormLosesNobody) {
  constexpr int kClients = 100;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < kClients; ++i) clients.push_back(std::make_unique<Client>(port_));
  poller_->Watch(listener_, true, false);
  int accepted = 0;
  while (accepted < kClients) {
    WaitFor(listener_);
    while (poller_->Accept(listener_).ok()) ++accepted;
  }
  EXPECT_EQ(accepted, kClients);
}

TEST_P(PollerTest, BackpressureStopsAndResumesTheSender) {
  Client client(port_);
  const SocketId socket = AcceptOne();
  const std::string bytes = Pattern(8 << 20);
  size_t sent = 0;
  bool blocked = false;
  std::string received;
  poller_->Watch(socket, false, true);
  std::thread reader;
  while (sent < bytes.size()) {
    const IoResult result = Send(socket, absl::string_view(bytes).substr(sent));
    if (result.kind == IoKind::kWouldBlock) {
      if (!blocked) reader = std::thread([&] { received = client.ReceiveAll(bytes.size()); });
      blocked = true;
      EXPECT_TRUE(WaitFor(socket).writable);
      continue;
    }
    ASSERT_EQ(result.kind, IoKind::kDone) << result.error;
    sent += result.bytes;
  }
  ASSERT_TRUE(blocked);
  reader.join();
  EXPECT_TRUE(received == bytes);
}

TEST_P(PollerTest, AHalfClosedPeerStillGetsItsAnswer) {
  Client client(port_);
  const SocketId socket = AcceptOne();
  client.Send("ask");
  client.FinishSending();
  EXPECT_EQ(ReceiveAll(socket, 3), "ask");
  EXPECT_TRUE(WaitFor(socket).readable);
  char buffer[16];
  EXPECT_EQ(poller_->Receive(socket, absl::MakeSpan(buffer)).kind, IoKind::kClosed);
  EXPECT_EQ(Send(socket, "answer").bytes, 6u);
  EXPECT_EQ(client.ReceiveAll(6), "answer");
}

TEST_P(PollerTest, AResetIsAHangupEvenWhenNothingIsWatched) {
  Client client(port_);
  const SocketId socket = AcceptOne();
  client.Reset();
  EXPECT_TRUE(WaitFor(socket).hangup);
  EXPECT_TRUE(WaitFor(socket).hangup);
  char buffer[16];
  const IoResult result = poller_->Receive(socket, absl::MakeSpan(buffer));
  EXPECT_EQ(result.kind, IoKind::kError);
  EXPECT_NE(result.error.find("recv: "), std::string::npos) << result.error;
  EXPECT_EQ(Send(socket, "x").kind, IoKind::kClosed);  // EPIPE, and no signal
  poller_->Close(socket);
}

TEST_P(PollerTest, SendFileToAResetPeerRaisesNoSignal) {
  Client client(port_);
  const SocketId socket = AcceptOne();
  const TempFile file("content", true);
  client.Reset();
  EXPECT_TRUE(WaitFor(socket).hangup);
  EXPECT_NE(poller_->SendFile(socket, file, 0, 7).kind, IoKind::kDone);
  EXPECT_NE(poller_->SendFile(socket, file, 0, 7).kind, IoKind::kDone);
}

TEST_P(PollerTest, SendsSlicesOfFilesWithAndWithoutDescriptors) {
  const std::string content = Pattern(3 << 20);
  for (const bool with_descriptor : {true, false}) {
    Client client(port_);
    const SocketId socket = AcceptOne();
    const TempFile file(content, with_descriptor);
    std::string received;
    std::thread reader([&] { received = client.ReceiveAll((2 << 20) + 5); });
    poller_->Watch(socket, false, true);
    size_t sent = 0;
    const size_t size = (2 << 20) + 5;
    while (sent < size) {
      const IoResult result = poller_->SendFile(socket, file, 1000 + sent, size - sent);
      if (result.kind == IoKind::kWouldBlock) {
        WaitFor(socket);
        continue;
      }
      ASSERT_EQ(result.kind, IoKind::kDone) << result.error;
      sent += result.bytes;
    }
    reader.join();
    EXPECT_EQ(sent, size);
    EXPECT_TRUE(received == content.substr(1000, size)) << with_descriptor;
    IoResult beyond = poller_->SendFile(socket, file, content.size(), 1);
    while (beyond.kind == IoKind::kWouldBlock) {  // looked for on the disk
      WaitFor(socket);
      beyond = poller_->SendFile(socket, file, content.size(), 1);
    }
    EXPECT_EQ(beyond.kind, IoKind::kError);
    EXPECT_NE(beyond.error.find("ends before"), std::string::npos);
    poller_->Close(socket);
  }
}

// Drops a file's pages. False where the file system keeps them.
bool MakeCold(const TempFile& file) {
  ::fsync(file.fd());
  ::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED);
  return !IsCached(file.fd(), 0, static_cast<size_t>(file.size_bytes()), /*strict=*/false);
}

TEST_P(PollerTest, WhatIsOnDiskOnlyIsReadBeforeItIsSent) {
  const std::string content = Pattern(3 << 20);
  Client client(port_);
  const SocketId socket = AcceptOne();
  const TempFile file(content, true);
  if (!MakeCold(file)) GTEST_SKIP() << "this file system keeps its pages";
  std::string received;
  std::thread reader([&] { received = client.ReceiveAll(content.size()); });
  size_t sent = 0;
  while (sent < content.size()) {
    IoResult result =
        poller_->SendFile(socket, file, static_cast<int64_t>(sent), content.size() - sent);
    if (result.kind == IoKind::kWouldBlock) {
      poller_->Watch(socket, false, true);
      EXPECT_TRUE(WaitFor(socket).writable);
      poller_->Watch(socket, false, false);
      continue;
    }
    ASSERT_EQ(result.kind, IoKind::kDone) << result.error;
    sent += result.bytes;
  }
  reader.join();
  EXPECT_TRUE(received == content);
  EXPECT_TRUE(IsCached(file.fd(), 0, content.size(), /*strict=*/true));
}

TEST_P(PollerTest, ASocketAndItsFileMayCloseWhileTheDiskIsRead) {
  Client client(port_);
  for (int round = 0; round < 20; ++round) {
    Client other(port_);
    const SocketId socket = AcceptOne();
    const TempFile file(Pattern(1 << 20), true);
    if (!MakeCold(file)) GTEST_SKIP() << "this file system keeps its pages";
    EXPECT_EQ(poller_->SendFile(socket, file, 0, 1 << 20).kind, IoKind::kWouldBlock);
    EXPECT_EQ(poller_->SendFile(socket, file, 0, 1 << 20).kind, IoKind::kWouldBlock);
    if (round % 2 == 0) {
      poller_->Close(socket);
    } else {
      const SocketId adopted = poller_->Adopt(poller_->Detach(socket));
      std::vector<PollEvent> events;
      poller_->Wait(0, &events);
      poller_->Close(adopted);
    }
  }
}

TEST_P(PollerTest, WakesFromAnotherThreadAndCoalesces) {
  std::vector<PollEvent> events;
  for (int round = 0; round < 50; ++round) {
    std::thread waker([&] {
      for (int i = 0; i < 3; ++i) poller_->Wake();
    });
    poller_->Wait(std::nullopt, &events);
    EXPECT_TRUE(events.empty());
    waker.join();
    poller_->Wait(0, &events);  // takes in what was written after the Wait returned
  }
  poller_->Wake();  // before the Wait
  poller_->Wait(std::nullopt, &events);
  EXPECT_TRUE(events.empty());
}

TEST_P(PollerTest, TimesOutWithoutEvents) {
  std::vector<PollEvent> events(1);
  poller_->Wait(1'000'000, &events);
  EXPECT_TRUE(events.empty());
  poller_->Wait(0, &events);
  EXPECT_TRUE(events.empty());
}

TEST_P(PollerTest, SyncsCompleteAndEndAWait) {
  const TempFile file("content", true);
  log::Syncer& syncer = poller_->syncer();
  for (log::SyncToken token = 1; token <= 20; ++token) syncer.Start(file.fd(), token);
  syncer.Start(-1, 99);
  std::vector<log::SyncDone> done;
  std::vector<PollEvent> events;
  while (done.size() < 21) {
    poller_->Wait(std::nullopt, &events);
    syncer.Drain(&done);
  }
  std::vector<bool> seen(100, false);
  for (const log::SyncDone& sync : done) {
    EXPECT_FALSE(seen[sync.token]);
    seen[sync.token] = true;
    EXPECT_EQ(sync.status.ok(), sync.token != 99) << sync.status;
  }
  EXPECT_TRUE(absl::IsDataLoss(
      done[std::find_if(done.begin(), done.end(), [](auto& d) { return d.token == 99; }) -
           done.begin()]
          .status));
}

TEST_P(PollerTest, DestructionWaitsForSyncsInFlight) {
  const TempFile file("content", true);
  for (log::SyncToken token = 1; token <= 20; ++token) {
    poller_->syncer().Start(file.fd(), token);
  }
  poller_.reset();
}

TEST_P(PollerTest, HandsASocketToAnotherThreadsPoller) {
  Client client(port_);
  DetachedSocket detached = poller_->Detach(AcceptOne());
  EXPECT_TRUE(detached.holds_socket());
  std::thread other([&] {
    std::unique_ptr<Poller> second = GetParam().make();
    const SocketId socket = second->Adopt(std::move(detached));
    second->Watch(socket, true, false);
    std::vector<PollEvent> events;
    while (events.empty()) second->Wait(std::nullopt, &events);
    EXPECT_EQ(events[0].socket, socket);
    char buffer[8];
    EXPECT_EQ(second->Receive(socket, absl::MakeSpan(buffer)).bytes, 4u);
    const absl::string_view piece(buffer, 4);
    EXPECT_EQ(second->Send(socket, absl::MakeConstSpan(&piece, 1), false).bytes, 4u);
  });
  client.Send("over");
  EXPECT_EQ(client.ReceiveAll(4), "over");
  other.join();
}

TEST_P(PollerTest, ADetachedSocketThatNobodyAdoptsIsClosed) {
  Client client(port_);
  { DetachedSocket detached = poller_->Detach(AcceptOne()); }
  EXPECT_EQ(client.ReceiveAll(1), "");
}

TEST_P(PollerTest, AClosedSocketsEventsAreGoneAndItsIdIsNotReused) {
  Client first(port_);
  const SocketId closed = AcceptOne();
  poller_->Watch(closed, true, true);
  first.Send("x");
  poller_->Close(closed);
  Client second(port_);
  const SocketId socket = AcceptOne();  // takes the same descriptor
  EXPECT_NE(socket, closed);
  second.Send("y");
  poller_->Watch(socket, true, false);
  std::vector<PollEvent> events;
  while (events.empty()) poller_->Wait(std::nullopt, &events);
  for (const PollEvent& event : events) EXPECT_EQ(event.socket, socket);
  EXPECT_EQ(ReceiveAll(socket, 1), "y");
  EXPECT_DEATH(poller_->Watch(closed, true, true), "check failed");
}

TEST_P(PollerTest, RefusesAPortThatIsTakenAndBadAddresses) {
  const absl::Status taken = poller_->Listen("127.0.0.1", port_, 1).status();
  EXPECT_TRUE(absl::IsAlreadyExists(taken)) << taken;
  EXPECT_NE(taken.message().find(absl::StrCat("127.0.0.1:", port_)), std::string::npos) << taken;
  EXPECT_TRUE(absl::IsInvalidArgument(poller_->Listen("127.0.0.1", 65536, 1).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(poller_->Listen("127.0.0.1", -1, 1).status()));
  EXPECT_TRUE(absl::IsNotFound(poller_->Listen("192.0.2.1", 0, 1).status()));
  const auto any = poller_->Listen("", 0, 1);
  ASSERT_TRUE(any.ok()) << any.status();
  EXPECT_TRUE(Client(poller_->LocalPort(*any)).connected());
}

TEST_P(PollerTest, KeepsTheLastDescriptorsForFiles) {
  std::vector<int> opened;
  while (opened.empty() || opened.back() < 32) opened.push_back(::dup(0));
  Client client(port_);
  poller_->Watch(listener_, true, false);
  WaitFor(listener_);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few = before;
  few.rlim_cur = 35;  // a file could be opened
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const absl::Status status = poller_->Accept(listener_).status();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  for (const int fd : opened) ::close(fd);
}

TEST_P(PollerTest, RunningOutOfDescriptorsIsAStatusAndPasses) {
  Client client(port_);
  poller_->Watch(listener_, true, false);
  WaitFor(listener_);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int lowest_free = ::dup(0);
  ::close(lowest_free);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(lowest_free);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const absl::Status status = poller_->Accept(listener_).status();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_TRUE(poller_->Accept(listener_).ok());
}

std::vector<Kind> Kinds() {
  std::vector<Kind> kinds;
  kinds.push_back({"epoll", [] { return std::move(MakePoller(PollerChoice::kEpoll)->poller); }});
  // Where io_uring is forbidden there is nothing to test: PollerFactoryTest says so.
  if (ProbeUring().ok()) {
    kinds.push_back(
        {"io_uring", [] { return std::move(MakePoller(PollerChoice::kIoUring)->poller); }});
  }
  return kinds;
}

INSTANTIATE_TEST_SUITE_P(All, PollerTest, testing::ValuesIn(Kinds()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(PollerTest, NamesItsKind) { EXPECT_EQ(poller_->name(), GetParam().name); }

TEST_P(PollerTest, AClosedListenersPortIsFreeAtOnce) {
  poller_->Watch(listener_, true, false);
  std::vector<PollEvent> events;
  poller_->Wait(0, &events);
  poller_->Close(listener_);
  const auto again = poller_->Listen("127.0.0.1", port_, 1);
  ASSERT_TRUE(again.ok()) << again.status();
  poller_->Wait(0, &events);
  poller_.reset();
  poller_ = GetParam().make();
  const auto restarted = poller_->Listen("127.0.0.1", port_, 1);
  EXPECT_TRUE(restarted.ok()) << restarted.status();
}

TEST_P(PollerTest, MovesToAnotherThreadBeforeItsFirstWait) {
  Client client(port_);
  poller_->Watch(listener_, true, false);
  std::thread other([&] {
    EXPECT_TRUE(WaitFor(listener_).readable);
    EXPECT_TRUE(poller_->Accept(listener_).ok());
  });
  other.join();
}

TEST(PollerFactoryTest, SaysWhatItChoseAndWhyNotTheOther) {
  const auto epoll = MakePoller(PollerChoice::kEpoll);
  ASSERT_TRUE(epoll.ok());
  EXPECT_EQ(epoll->poller->name(), "epoll");
  EXPECT_EQ(epoll->reason, "epoll, as configured");
  const absl::Status probe = ProbeUring();
  const auto automatic = MakePoller(PollerChoice::kAuto);
  ASSERT_TRUE(automatic.ok());
  const auto forced = MakePoller(PollerChoice::kIoUring);
  EXPECT_EQ(automatic->poller->name(), "epoll");
  if (probe.ok()) {
    EXPECT_NE(automatic->reason.find("would work here too"), std::string::npos);
    ASSERT_TRUE(forced.ok());
    EXPECT_EQ(forced->poller->name(), "io_uring");
  } else {
    EXPECT_NE(automatic->reason.find(std::string(probe.message())), std::string::npos);
    EXPECT_EQ(forced.status().code(), probe.code());
  }
}

TEST(PollerFactoryTest, WithoutDescriptorsItFallsBackAndSaysWhy) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int lowest_free = ::dup(0);
  ::close(lowest_free);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(lowest_free);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const absl::Status status = MakePoller(PollerChoice::kIoUring).status();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("io_uring is configured but does not work here: "),
            std::string::npos)
      << status;
}

}  // namespace
}  // namespace weir::server

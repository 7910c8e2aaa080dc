#include "server/connection.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/endian.h"
#include "base/manual_clock.h"
#include "base/random.h"
#include "gtest/gtest.h"
#include "log/file.h"
#include "log/memory_file.h"
#include "server/event_loop.h"
#include "server/frame_buffer.h"
#include "server/response_queue.h"
#include "tests/sim/sim_poller.h"

namespace weir::server {
namespace {

std::string Frame(absl::string_view body) {
  std::string frame(4, '\0');
  StoreBig32(&frame[0], static_cast<uint32_t>(body.size()));
  return absl::StrCat(frame, body);
}

std::string Pattern(size_t size, uint64_t seed) {
  SeededRandom random(seed);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.NextU64());
  return bytes;
}

Response TextResponse(std::string text) {
  Response response;
  response.pieces.emplace_back(std::move(text));
  return response;
}

class ConnectionTest : public testing::Test, public ConnectionHandler {
 protected:
  void OnFrame(ConnectionId, ResponseSlot slot, FrameRef frame) override {
    slots_.push_back(slot);
    frames_.push_back(std::string(frame.bytes()));
    if (echo_) {
      connection_->Complete(slot, TextResponse(Frame(frame.bytes())));
    } else if (hold_frames_) {
      held_.push_back(std::move(frame));
    }
  }
  void OnClosed(ConnectionId id, absl::string_view reason) override {
    EXPECT_EQ(id, ConnectionId(7));
    closed_ = std::string(reason);
    connection_.reset();  // is allowed
  }

  // Accepts one client under the limits and options set before.
  sim::SimClient Open() {
    const SocketId listener = *poller_.Listen("", 9092, 5);
    auto client = sim::SimClient::Connect(network_, 9092);
    const auto accepted = poller_.Accept(listener);
    poller_.Close(listener);
    pool_ = std::make_unique<FramePool>(pool_limits_);
    connection_ = std::make_unique<Connection>(loop_, accepted->socket, ConnectionId(7), *pool_,
                                               limits_, *this);
    return *client;
  }
  // Ticks until nothing happens any more without time passing.
  void Settle() {
    for (int idle = 0; idle < 3;) {
      const bool busy =
          poller_.HasReady() || (loop_.NextDue().has_value() && *loop_.NextDue() <= clock_.now);
      loop_.RunOnce(false);
      idle = busy ? 0 : idle + 1;
      ASSERT_LT(++ticks_, 1'000'000);
    }
  }
  void Pass(int64_t ms) {
    clock_.now += ms * kNsPerMs;
    Settle();
  }
  void TearDown() override {
    connection_.reset();
    held_.clear();
  }

  ManualClock clock_;
  SeededRandom random_{1};
  sim::SimNetwork network_{random_};
  sim::SimPoller poller_{network_};
  EventLoop loop_{poller_, clock_, nullptr};
  FramePool::Limits pool_limits_;
  std::unique_ptr<FramePool> pool_;
  Connection::Limits limits_;
  std::unique_ptr<Connection> connection_;
  bool echo_ = false;
  bool hold_frames_ = false;
  std::vector<ResponseSlot> slots_;
  std::vector<std::string> frames_;
  std::vector<FrameRef> held_;
  std::string closed_;
  int ticks_ = 0;
};

TEST_F(ConnectionTest, EchoesFramesOfAllSizesHoweverTheBytesArrive) {
  echo_ = true;
  for (const size_t chunk : {1, 3, 7, 1000, 100'000}) {
    SCOPED_TRACE(chunk);
    network_.options().chunk_bytes_max = chunk;
    network_.options().late_one_in = 3;
    frames_.clear();
    sim::SimClient client = Open();
    std::vector<std::string> bodies = {"", "a", "bc", Pattern(4096, 1), Pattern(33'000, 2), "d"};
    if (chunk > 100) {
      for (const size_t size : {300'000, 1 << 20, 3'000'001, 1}) {
        bodies.push_back(Pattern(size, size));
      }
    }
    std::string sent, received;
    for (const std::string& body : bodies) sent += Frame(body);
    client.Send(sent);
    for (int round = 0; round < 100 && received.size() < sent.size(); ++round) {
      Settle();
      received += client.Receive();
    }
    EXPECT_TRUE(frames_ == bodies);
    EXPECT_TRUE(received == sent);
    EXPECT_EQ(connection_->stats().frames_received, static_cast<int64_t>(bodies.size()));
    EXPECT_EQ(connection_->stats().bytes_sent, static_cast<int64_t>(sent.size()));
    EXPECT_EQ(connection_->in_flight(), 0u);
    EXPECT_EQ(pool_->bytes_in_use(), 0u);
    connection_.reset();
  }
}

TEST_F(ConnectionTest, ResponsesLeaveInTheOrderOfTheRequests) {
  sim::SimClient client = Open();
  for (int i = 0; i < 5; ++i) client.Send(Frame(absl::StrCat(i)));
  Settle();
  ASSERT_EQ(slots_.size(), 5u);
  connection_->Complete(slots_[3], TextResponse("three "));
  connection_->Complete(slots_[1], TextResponse("one "));
  Settle();
  EXPECT_EQ(client.Receive(), "");
  connection_->Complete(slots_[0], TextResponse("zero "));
  Settle();
  EXPECT_EQ(client.Receive(), "zero one ");
  connection_->Complete(slots_[2], Response{});  // has no response
  Settle();
  EXPECT_EQ(client.Receive(), "three ");
  EXPECT_EQ(connection_->in_flight(), 1u);
  EXPECT_EQ(connection_->responses_sent(), 3);
}

TEST_F(ConnectionTest, SlicesOfFilesStandBetweenBytes) {
  log::MemoryFileSystem files;
  const std::string content = Pattern(700'000, 5);
  std::shared_ptr<log::File> file = *files.Open("/segment", log::OpenMode::kCreate);
  const absl::string_view piece = content;
  ASSERT_TRUE(file->Append(absl::MakeConstSpan(&piece, 1)).ok());
  for (const size_t chunk : {999, 1 << 20}) {
    network_.options().chunk_bytes_max = chunk;
    slots_.clear();
    sim::SimClient client = Open();
    client.Send(Frame("fetch") + Frame("next"));
    Settle();
    Response response;
    response.pieces.emplace_back(std::string("head"));
    response.pieces.emplace_back(FileSlice{file, 100, 600'000});
    response.pieces.emplace_back(std::string("between"));
    response.pieces.emplace_back(FileSlice{file, 0, 0});  // nothing
    response.pieces.emplace_back(FileSlice{file, 650'000, 50'000});
    connection_->Complete(slots_[0], std::move(response));
    connection_->Complete(slots_[1], TextResponse("tail"));
    std::string received;
    for (int round = 0; round < 20; ++round) {
      Settle();
      received += client.Receive();
    }
    EXPECT_TRUE(received == absl::StrCat("head", content.substr(100, 600'000), "between",
                                         content.substr(650'000, 50'000), "tail"));
    EXPECT_EQ(file.use_count(), 1) << "a slice that was sent lets go of its file";
    connection_.reset();
  }
}

TEST_F(ConnectionTest, AFileThatEndsEarlyClosesTheConnection) {
  log::MemoryFileSystem files;
  std::shared_ptr<log::File> file = *files.Open("/segment", log::OpenMode::kCreate);
  sim::SimClient client = Open();
  client.Send(Frame("fetch"));
  Settle();
  Response response;
  response.pieces.emplace_back(FileSlice{file, 0, 10});
  connection_->Complete(slots_[0], std::move(response));
  Settle();
  EXPECT_NE(closed_.find("ends before"), std::string::npos) << closed_;
  EXPECT_TRUE(client.closed());
}

TEST_F(ConnectionTest, HostileLengthsCloseWithAReason) {
  limits_.frame_bytes_max = 1000;
  for (const auto& [length, text] : std::map<uint32_t, std::string>{{0xffffffff, "-1"},
                                                                    {0x80000000, "-2147483648"},
                                                                    {1001, "1001"},
                                                                    {0x7fffffff, "2147483647"}}) {
    sim::SimClient client = Open();
    std::string bytes(4, '\0');
    StoreBig32(&bytes[0], length);
    client.Send(bytes);
    Settle();
    EXPECT_EQ(closed_,
              absl::StrCat("a request's length is 0 to 1000 bytes, but ", text, " was announced"));
    EXPECT_TRUE(client.closed());
    EXPECT_TRUE(frames_.empty());
  }
}

TEST_F(ConnectionTest, TheLimitMayRiseAfterAuthentication) {
  limits_.frame_bytes_max = 10;
  sim::SimClient client = Open();
  client.Send(Frame("small"));
  Settle();
  connection_->set_frame_bytes_max(100);
  client.Send(Frame(std::string(100, 'x')));
  Settle();
  EXPECT_EQ(frames_.size(), 2u);
  EXPECT_EQ(closed_, "");
}

TEST_F(ConnectionTest, AnAnnouncedLengthCostsNothingUntilBytesCome) {
  sim::SimClient client = Open();
  std::string bytes(4, '\0');
  StoreBig32(&bytes[0], 100 << 20);
  client.Send(bytes + "x");
  Settle();
  EXPECT_LE(pool_->bytes_in_use(), size_t{256} << 10);
  client.Close();
  Settle();
  EXPECT_EQ(closed_, "the peer closed the connection");
  EXPECT_EQ(pool_->bytes_in_use(), 0u);
}

TEST_F(ConnectionTest, StopsReadingAtTheLimitOfRequestsInFlight) {
  limits_.in_flight_max = 4;
  sim::SimClient client = Open();
  for (int i = 0; i < 100; ++i) client.Send(Frame(absl::StrCat(i)));
  Settle();
  EXPECT_EQ(frames_.size(), 4u);  // although all of them came with one receive
  EXPECT_GE(connection_->stats().pauses, 1);
  for (size_t i = 0; i < 100; ++i) {
    ASSERT_LT(i, slots_.size());
    connection_->Complete(slots_[i], TextResponse("."));
    Settle();
    EXPECT_EQ(frames_.size(), std::min<size_t>(100, i + 5));
  }
  EXPECT_EQ(client.Receive(), std::string(100, '.'));
  EXPECT_EQ(frames_.back(), "99");
}

TEST_F(ConnectionTest, StopsReadingWhileAClientDoesNotReadItsResponses) {
  limits_.queued_response_bytes_max = 1000;
  network_.options().window_bytes = 500;
  echo_ = true;
  sim::SimClient client = Open();
  const std::string frame = Frame(std::string(96, 'x'));
  for (int i = 0; i < 1000; ++i) client.Send(frame);
  Settle();
  EXPECT_LE(frames_.size(), 30u);
  std::string received;
  for (int i = 0; i < 1000; ++i) {
    received += client.Receive();
    Settle();
  }
  EXPECT_EQ(received.size(), 1000 * frame.size());
  EXPECT_EQ(frames_.size(), 1000u);
}

TEST_F(ConnectionTest, WaitsForMemoryAndGoesOn) {
  pool_limits_.bytes_max = 2000;
  hold_frames_ = true;
  sim::SimClient client = Open();
  for (int i = 0; i < 20; ++i) client.Send(Frame(std::string(500, static_cast<char>('a' + i))));
  Settle();
  EXPECT_EQ(frames_.size(), 4u);
  for (size_t expected = 5; expected <= 20; ++expected) {
    held_.erase(held_.begin());
    Settle();
    EXPECT_EQ(frames_.size(), expected - 1);
    Pass(10);
    EXPECT_EQ(frames_.size(), expected);
  }
  EXPECT_EQ(closed_, "");
}

TEST_F(ConnectionTest, ClosesWhenIdleButNotWhileWeOweAnAnswer) {
  limits_.idle_ms_max = 1000;
  sim::SimClient client = Open();
  Pass(999);
  EXPECT_EQ(closed_, "");
  client.Send(Frame("x"));
  Settle();
  Pass(100'000);
  EXPECT_EQ(closed_, "");
  connection_->Complete(slots_[0], TextResponse("y"));
  Settle();
  Pass(999);
  EXPECT_EQ(closed_, "");
  Pass(1);
  EXPECT_EQ(closed_, "nothing came for 1000 ms");
}

TEST_F(ConnectionTest, ClosesWhenALargeFrameDoesNotGetOn) {
  sim::SimClient client = Open();
  const std::string frame = Frame(Pattern(8 << 20, 1));
  size_t sent = 0;
  const auto send = [&](size_t bytes) {
    client.Send(absl::string_view(frame).substr(sent, bytes));
    sent += bytes;
    Settle();
  };
  send(2 << 20);
  for (int i = 0; i < 5; ++i) {
    Pass(4'000);
    send(100 << 10);
  }
  EXPECT_EQ(closed_, "");
  Pass(4'000);
  send(100);
  Pass(5'000);
  EXPECT_TRUE(closed_.find("expected 32768 bytes") != std::string::npos) << closed_;
  EXPECT_EQ(pool_->bytes_in_use(), 0u);
}

TEST_F(ConnectionTest, ClosesWhenAResponseIsNeverRead) {
  limits_.idle_ms_max = 1000;
  network_.options().window_bytes = 10;
  sim::SimClient client = Open();
  client.Send(Frame("x"));
  Settle();
  connection_->Complete(slots_[0], TextResponse(std::string(100, 'y')));
  Settle();
  Pass(1000);
  EXPECT_EQ(closed_, "the peer read nothing for 1000 ms");
}

TEST_F(ConnectionTest, AResetEndsItEvenUnderBackpressure) {
  limits_.in_flight_max = 1;
  sim::SimClient client = Open();
  client.Send(Frame("x") + Frame("y"));
  Settle();
  client.Reset();
  Settle();
  EXPECT_EQ(closed_, "the peer reset the connection");
}

TEST_F(ConnectionTest, CloseSoonDropsWhatWaitsAndCloseWhenAnsweredDoesNot) {
  sim::SimClient first = Open();
  first.Send(Frame("x") + Frame("y"));
  Settle();
  connection_->Complete(slots_[0], TextResponse("answer"));
  connection_->CloseSoon("a bad request");
  Settle();
  EXPECT_EQ(closed_, "a bad request");
  EXPECT_EQ(first.Receive(), "");
  slots_.clear();
  sim::SimClient second = Open();
  second.Send(Frame("x"));
  Settle();
  connection_->CloseWhenAnswered("authentication failed");
  second.Send(Frame("never seen"));
  Settle();
  EXPECT_FALSE(second.closed());
  connection_->Complete(slots_[0], TextResponse("answer"));
  Settle();
  EXPECT_EQ(closed_, "authentication failed");
  EXPECT_EQ(second.Receive(), "answer");
  EXPECT_EQ(frames_.back(), "x");
}

TEST(FramePoolTest, ReusesFreedMemoryUpToItsCache) {
  FramePool pool({.bytes_max = 1 << 20, .cached_bytes_max = 4096});
  FrameRef frame = pool.TryAllocate(3000);
  const char* const at = frame.bytes().data();
  EXPECT_EQ(frame.capacity(), 4096u);
  FrameRef copy = frame;
  frame = FrameRef();
  EXPECT_EQ(pool.bytes_in_use(), 4096u);
  copy = FrameRef();
  EXPECT_EQ(pool.bytes_in_use(), 0u);
  EXPECT_EQ(pool.bytes_cached(), 4096u);
  frame = pool.TryAllocate(4096);
  EXPECT_EQ(frame.bytes().data(), at);
  EXPECT_EQ(frame.bytes().size(), 0u);
  FrameRef other = pool.TryAllocate(600);
  frame = FrameRef();
  other = FrameRef();  // no room in the cache
  EXPECT_EQ(pool.bytes_cached(), 4096u);
}

TEST(FramePoolTest, RefusesBeyondItsLimitButKeepsAReserve) {
  FramePool pool({.bytes_max = 1024, .cached_bytes_max = 0});
  const FrameRef one = pool.TryAllocate(1024);
  EXPECT_FALSE(pool.TryAllocate(1));
  const FrameRef two = pool.TryAllocateReserve(1);
  EXPECT_TRUE(two);
  EXPECT_FALSE(pool.TryAllocateReserve(1));
}

}  // namespace
}  // namespace weir::server

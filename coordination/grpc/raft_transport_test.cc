#include "coordination/grpc/raft_transport.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/grpc/grpc_credentials.h"
#include "coordination/grpc/grpc_listener.h"
#include "coordination/grpc/raft.grpc.pb.h"
#include "coordination/grpc/raft.pb.h"
#include "coordination/grpc/raft_codec.h"
#include "coordination/grpc/raft_service.h"
#include "coordination/grpc/test_certificates.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/types.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"

namespace weir::raft {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);

ReplicaKey Key(int32_t id) { return {BrokerId(id), Uuid{5, static_cast<uint64_t>(id)}}; }

Message Beat(uint64_t round, const std::string& cluster = "c") {
  return {cluster, Key(1), Key(2), LeaderEpoch(1), Heartbeat{round, Offset(0)}};
}
Message Piece(size_t bytes) {
  return {"c", Key(1), Key(2), LeaderEpoch(1),
          SnapshotChunk{{{Offset(1), LeaderEpoch(1)}, VoterSet()},
                        static_cast<int64_t>(bytes),
                        0,
                        std::string(bytes, 'x')}};
}

// Something that other threads bring about.
template <class T>
class Watched {
 public:
  void Change(const std::function<void(T&)>& change) {
    const std::lock_guard<std::mutex> lock(mutex_);
    change(value_);
    changed_.notify_all();
  }
  bool Wait(const std::function<bool(const T&)>& reached) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return reached(value_); });
  }
  T Get() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return value_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  T value_{};
};

struct Came {
  std::vector<Message> messages;
  std::string from_address;
  bool takes = true;
};

class Receiver {
 public:
  explicit Receiver(uint16_t port = 0, coordination::GrpcCredentials credentials = {})
      : service_("c", [this](Message message, absl::string_view from) {
          bool taken = false;
          came.Change([&](Came& c) {
            taken = c.takes;
            c.from_address = std::string(from);
            if (taken) c.messages.push_back(std::move(message));
          });
          return taken;
        }) {
    coordination::GrpcListenerOptions options;
    options.port = port;
    options.credentials = std::move(credentials);
    options.message_bytes_max = 1 << 20;
    auto listener = coordination::GrpcListener::Start(options, {&service_});
    EXPECT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", listener_->port()); }
  uint16_t port() const { return listener_->port(); }
  const RaftService& service() const { return service_; }

  Watched<Came> came;

 private:
  RaftService service_;
  std::unique_ptr<coordination::GrpcListener> listener_;
};

uint64_t RoundOf(const Message& message) { return std::get<Heartbeat>(message.body).round; }

TEST(RaftTransport, KeepsTheOrder) {
  Receiver receiver;
  RaftTransport transport({.own_address = "10.0.0.1:9"});
  transport.SetPeer(BrokerId(2), receiver.address());
  for (uint64_t i = 0; i < 3000; ++i) transport.Send(Beat(i));
  ASSERT_TRUE(receiver.came.Wait([](const Came& c) { return c.messages.size() == 3000; }));
  const Came came = receiver.came.Get();
  for (uint64_t i = 0; i < 3000; ++i) EXPECT_EQ(RoundOf(came.messages[i]), i);
  EXPECT_EQ(came.from_address, "10.0.0.1:9");
  EXPECT_EQ(transport.counts().streams, 1);
}

TEST(RaftTransport, DropsWhatIsTooLargeOrForNobody) {
  Receiver receiver;
  RaftTransport transport({.message_bytes_max = 100'000});
  transport.Send(Beat(0));
  EXPECT_EQ(transport.counts().unknown_peer, 1);
  transport.SetPeer(BrokerId(2), receiver.address());
  transport.Send(Piece(100'001));
  EXPECT_EQ(transport.counts().too_large, 1);
  transport.Send(Piece(99'000));
  ASSERT_TRUE(receiver.came.Wait([](const Came& c) { return c.messages.size() == 1; }));
}

TEST(RaftTransport, DropsTheOldestWhereNobodyListens) {
  RaftTransportOptions options;
  options.queue_messages_max = 10;
  options.backoff_min_ms = 1;
  Watched<int> errors;
  options.on_error = [&](BrokerId id, const absl::Status& status) {
    EXPECT_EQ(id, BrokerId(2));
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    errors.Change([](int& n) { ++n; });
  };
  uint16_t port = 0;
  { port = Receiver().port(); }  // free again
  RaftTransport transport(options);
  transport.SetPeer(BrokerId(2), absl::StrCat("127.0.0.1:", port));
  for (uint64_t i = 0; i < 100; ++i) transport.Send(Beat(i));
  ASSERT_TRUE(errors.Wait([](int n) { return n > 0; }));
  // Each stream that did not come about has taken a frame with it.
  EXPECT_GT(transport.counts().dropped, 0);
}

TEST(RaftTransport, ConnectsAgainAndFollowsAPeerThatMoves) {
  RaftTransportOptions options;
  options.backoff_min_ms = 1;
  options.backoff_max_ms = 20;
  RaftTransport transport(options);
  auto receiver = std::make_unique<Receiver>();
  const uint16_t port = receiver->port();
  transport.SetPeer(BrokerId(2), receiver->address());
  transport.Send(Beat(1));
  ASSERT_TRUE(receiver->came.Wait([](const Came& c) { return !c.messages.empty(); }));
  receiver.reset();
  receiver = std::make_unique<Receiver>(port);
  // Those that go into the broken stream are lost: Raft asks again.
  for (uint64_t i = 2; receiver->came.Get().messages.empty() && i < 100'000; ++i) {
    transport.Send(Beat(i));
    std::this_thread::yield();
  }
  ASSERT_TRUE(receiver->came.Wait([](const Came& c) { return !c.messages.empty(); }));
  EXPECT_GE(transport.counts().streams, 2);
  Receiver moved;
  transport.LearnPeer(BrokerId(2), "127.0.0.1:1");  // what is configured stays
  transport.SetPeer(BrokerId(2), moved.address());
  transport.Send(Beat(7));
  ASSERT_TRUE(moved.came.Wait([](const Came& c) { return !c.messages.empty(); }));
}

TEST(RaftTransport, SendsWhatIsForAnybodyToEachInTurn) {
  Receiver receivers[3];
  RaftTransport transport({});
  for (int32_t i = 0; i < 3; ++i) transport.SetPeer(BrokerId(i), receivers[i].address());
  transport.LearnPeer(BrokerId(9), "127.0.0.1:1");
  Message message = Beat(0);
  message.to = ReplicaKey();
  message.body = FollowRequest{};
  for (int i = 0; i < 3; ++i) transport.Send(message);
  for (Receiver& receiver : receivers) {
    ASSERT_TRUE(receiver.came.Wait([](const Came& c) { return c.messages.size() == 1; }));
  }
}

TEST(RaftTransport, EndsWhileMuchIsUnderWay) {
  Receiver receiver;
  for (int i = 0; i < 10; ++i) {
    RaftTransport transport({});
    transport.SetPeer(BrokerId(2), receiver.address());
    for (uint64_t n = 0; n < 50; ++n) transport.Send(Piece(50'000));
    if (i % 2 == 0) transport.Shutdown();
  }
}

TEST(RaftTransport, SpeaksOnlyWithWhomTheAuthorityVouchesFor) {
  Receiver receiver(0, coordination::TestCredentials());
  RaftTransportOptions options;
  options.backoff_min_ms = 1;
  options.credentials = coordination::TestCredentials();
  RaftTransport transport(options);
  transport.SetPeer(BrokerId(2), receiver.address());
  transport.Send(Beat(1));
  ASSERT_TRUE(receiver.came.Wait([](const Came& c) { return c.messages.size() == 1; }));
  for (const auto& credentials :
       {coordination::GrpcCredentials(), coordination::StrangeCredentials()}) {
    Watched<int> errors;
    options.credentials = credentials;
    options.on_error = [&](BrokerId, const absl::Status&) { errors.Change([](int& n) { ++n; }); };
    RaftTransport stranger(options);
    stranger.SetPeer(BrokerId(2), receiver.address());
    stranger.Send(Beat(2));
    ASSERT_TRUE(errors.Wait([](int n) { return n > 0; }));
  }
  EXPECT_EQ(receiver.came.Get().messages.size(), 1u);
}

// --- a stranger's frames ------------------------------------------------------------------------

::grpc::Status SendFrames(const std::string& address, const std::vector<v1::Frame>& frames) {
  const auto stub =
      v1::Raft::NewStub(::grpc::CreateChannel(address, ::grpc::InsecureChannelCredentials()));
  ::grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  v1::Delivered answer;
  const auto writer = stub->Deliver(&context, &answer);
  for (const v1::Frame& frame : frames) {
    if (!writer->Write(frame)) break;
  }
  writer->WritesDone();
  return writer->Finish();
}

v1::Frame FrameOf(const Message& message) {
  v1::Frame frame;
  ToProto(message, frame.add_messages());
  return frame;
}

TEST(RaftService, EndsAStreamThatBringsSomethingElse) {
  Receiver receiver;
  EXPECT_TRUE(SendFrames(receiver.address(), {FrameOf(Beat(1)), v1::Frame()}).ok());
  const ::grpc::Status other = SendFrames(receiver.address(), {FrameOf(Beat(1, "d"))});
  EXPECT_EQ(other.error_code(), ::grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(other.error_message(), "raft message: expected cluster c, came d");
  v1::Frame malformed = FrameOf(Beat(1));
  malformed.mutable_messages(0)->set_term(-5);
  EXPECT_EQ(SendFrames(receiver.address(), {malformed}).error_code(),
            ::grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(SendFrames(receiver.address(), {FrameOf(Piece(2 << 20))}).error_code(),
            ::grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(receiver.service().counts().refused, 2);
  EXPECT_EQ(receiver.service().counts().delivered, 1);
}

TEST(RaftService, CountsWhatItsOwnerDoesNotTake) {
  Receiver receiver;
  receiver.came.Change([](Came& c) { c.takes = false; });
  EXPECT_TRUE(SendFrames(receiver.address(), {FrameOf(Beat(1))}).ok());
  EXPECT_EQ(receiver.service().counts().dropped, 1);
}

TEST(GrpcListener, RefusesAnAddressThatIsTaken) {
  Receiver receiver;
  coordination::GrpcListenerOptions options;
  options.port = receiver.port();
  EXPECT_TRUE(absl::IsUnavailable(coordination::GrpcListener::Start(options, {}).status()));
}

}  // namespace
}  // namespace weir::raft

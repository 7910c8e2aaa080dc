// Peers that speak gRPC, and something else than brokers do.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "coordination/grpc/grpc_listener.h"
#include "grpcpp/client_context.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "grpcpp/support/slice.h"
#include "grpcpp/support/status.h"
#include "gtest/gtest.h"
#include "replication/grpc/replication.grpc.pb.h"
#include "replication/grpc/stream_codec.h"
#include "replication/grpc/stream_test_node.h"
#include "replication/stream_messages.h"

namespace weir::replication {
namespace {

template <class Message>
std::string Encoded(const Message& message) {
  FrameEncoder encoder;
  encoder.Add(message);
  std::string bytes;
  for (const FramePiece& piece : encoder.Take()) {
    bytes.append(piece.bytes.data(), piece.bytes.size());
  }
  return bytes;
}
::grpc::ByteBuffer Buffer(const std::string& bytes) {
  const ::grpc::Slice slice(bytes);
  return {&slice, 1};
}

// Sends these frames, whatever they are, and waits for how the call ends.
::grpc::Status SendFrames(const std::string& address, const std::vector<std::string>& frames) {
  ::grpc::CompletionQueue queue;
  ::grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  ::grpc::GenericStub stub(::grpc::CreateChannel(address, ::grpc::InsecureChannelCredentials()));
  const auto call = stub.PrepareCall(&context, "/weir.replication.v1.Replication/Follow", &queue);
  const auto done = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  call->StartCall(nullptr);
  bool ok = done();
  for (const std::string& frame : frames) {
    if (!ok) break;
    call->Write(Buffer(frame), nullptr);
    ok = done();
  }
  if (ok) {
    call->WritesDone(nullptr);
    (void)done();
  }
  ::grpc::Status status;
  call->Finish(&status, nullptr);
  (void)done();
  return status;
}

const std::string& Hello() {
  static const std::string* const hello =
      new std::string(Encoded(StreamHello{"c", BrokerId(1), BrokerId(2), 22, 0}));
  return *hello;
}

TEST(StreamGarbage, OfAFollowerEndsItsStreamAndNothingElse) {
  StreamTestNode leader(1), follower(2);
  follower.Knows(leader);
  StreamTestFollower good(follower, leader);
  StreamTestLeader& other = leader.Accepted(0);
  const std::string credit = Encoded(FollowerMessage{.credit_bytes = 5});
  const std::string goodbye = Encoded(StreamGoodbye{absl::StatusCode::kAborted, "enough"});
  const auto error = [&](const std::vector<std::string>& frames) {
    const ::grpc::Status status = SendFrames(leader.address(), frames);
    EXPECT_EQ(status.error_code(), ::grpc::StatusCode::INVALID_ARGUMENT);
    return status.error_message();
  };
  EXPECT_EQ(error({""}), "replication stream: expected a message, the frame ends after 0 bytes");
  EXPECT_EQ(error({"GET / HTTP/1.1\r\n\r\n"}), "replication stream: expected version 1, came 71");
  EXPECT_EQ(error({credit}), "replication stream: expected a hello first, came kind 2");
  EXPECT_EQ(error({goodbye}), "replication stream: expected a hello first, came kind 4");
  EXPECT_EQ(error({Hello(), Hello()}),
            "replication stream: expected messages of a follower, came kind 1");
  EXPECT_EQ(error({Hello() + credit + Encoded(LeaderMessage())}),
            "replication stream: expected messages of a follower, came kind 3");
  EXPECT_EQ(error({Hello(), credit, credit + "x"}),
            "replication stream: expected a message, the frame ends after 1 bytes");
  // What came before was taken.
  EXPECT_TRUE(absl::IsInvalidArgument(leader.Accepted(3).Closed()));
  EXPECT_EQ(leader.Accepted(3).came.Get().messages.size(), 2u);
  // These two are fine.
  EXPECT_TRUE(SendFrames(leader.address(), {Hello() + credit, credit + goodbye}).ok());
  EXPECT_EQ(leader.Accepted(4).Closed(), absl::AbortedError("enough"));
  EXPECT_TRUE(SendFrames(leader.address(), {Hello()}).ok());
  EXPECT_TRUE(absl::IsUnavailable(leader.Accepted(5).Closed()));
  EXPECT_TRUE(SendFrames(leader.address(), {}).ok());
  EXPECT_EQ(SendFrames(leader.address(), {std::string(17 << 20, 'x')}).error_code(),
            ::grpc::StatusCode::RESOURCE_EXHAUSTED);

  good.end->Send(FollowerMessage{.credit_bytes = 6});
  EXPECT_TRUE(other.came.Wait([](const auto& c) { return c.messages.size() == 1; }));
}

// Answers every stream with the same frame.
class GarbageService final
    : public v1::Replication::WithRawCallbackMethod_Follow<v1::Replication::Service> {
 public:
  explicit GarbageService(std::string frame) : frame_(std::move(frame)) {}

  using v1::Replication::WithRawCallbackMethod_Follow<v1::Replication::Service>::Follow;
  ::grpc::ServerBidiReactor<::grpc::ByteBuffer, ::grpc::ByteBuffer>* Follow(
      ::grpc::CallbackServerContext*) override {
    return new Reactor(frame_);
  }

 private:
  class Reactor final : public ::grpc::ServerBidiReactor<::grpc::ByteBuffer, ::grpc::ByteBuffer> {
   public:
    explicit Reactor(const std::string& frame) : out_(Buffer(frame)) {
      StartWrite(&out_);
      StartRead(&in_);
    }
    void OnReadDone(bool ok) override {
      if (!ok) return Finish(::grpc::Status::OK);
      StartRead(&in_);
    }
    void OnDone() override { delete this; }

   private:
    ::grpc::ByteBuffer out_, in_;
  };
  const std::string frame_;
};

TEST(StreamGarbage, OfALeaderEndsItsStream) {
  for (const std::string& frame : {std::string("garbage"), std::string(), Hello(),
                                   Encoded(StreamGoodbye{absl::StatusCode::kOk, ""})}) {
    GarbageService service(frame);
    const auto listener = coordination::GrpcListener::Start({}, {&service}).value();
    StreamTestNode follower(2);
    follower.addresses[BrokerId(1)] = absl::StrCat("127.0.0.1:", listener->port());
    StreamTestFollower stream(follower, {"c", BrokerId(1), BrokerId(2), 22, 0});
    EXPECT_TRUE(absl::IsInvalidArgument(stream.Closed())) << stream.Closed();
    EXPECT_TRUE(stream.came.Get().messages.empty());
  }
}

}  // namespace
}  // namespace weir::replication

#include "server/grpc_peer_network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/grpc/grpc_credentials.h"
#include "coordination/grpc/raft_transport.h"
#include "coordination/grpc/test_certificates.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/types.h"
#include "gtest/gtest.h"
#include "protocol/error_code.h"
#include "replication/stream_messages.h"
#include "replication/stream_network.h"
#include "server/listener.h"
#include "server/logger.h"
#include "server/peer_network.h"

namespace weir::server {
namespace {

using Result = absl::StatusOr<ControllerAnswer>;
using AnswerCall = absl::AnyInvocable<void(ControllerAnswer answer)>;

constexpr int64_t kPatienceMs = 60'000;
constexpr char kCluster[] = "c";

// Something that other threads bring about.
template <class T>
class Watched {
 public:
  void Change(const std::function<void(T&)>& change) {
    const std::lock_guard<std::mutex> lock(mutex_);
    change(value_);
    changed_.notify_all();
  }
  bool Wait(const std::function<bool(T&)>& reached) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, std::chrono::milliseconds(kPatienceMs),
                             [&] { return reached(value_); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  T value_{};
};

class TestLogger final : public Logger {
 public:
  void Write(LogLevel, absl::string_view message) override {
    lines.Change([&](auto& all) { all.emplace_back(message); });
  }
  Watched<std::vector<std::string>> lines;
};

struct Came {
  std::vector<raft::Message> messages;
  std::vector<std::pair<ControllerCall, AnswerCall>> calls;
  std::vector<BrokerId> lost;
};

// A node that keeps what comes.
class TestNode {
 public:
  explicit TestNode(int32_t id, const std::string& cluster = kCluster,
                    coordination::GrpcCredentials credentials = {},
                    const std::string& host = "127.0.0.1")
      : host_(host) {
    GrpcPeerNetworkOptions options;
    options.listener = {host_, 0};
    options.credentials = std::move(credentials);
    options.logger = &logger;
    options.client_listeners = "PLAINTEXT://localhost:9092";
    network = std::make_unique<GrpcPeerNetwork>(options);
    PeerNetwork::Owner owner;
    owner.deliver = [this](raft::Message message) {
      came.Change([&](Came& c) { c.messages.push_back(std::move(message)); });
      return true;
    };
    owner.hello = [id, cluster] {
      return NodeHello{BrokerId(id), Uuid{4, 5}, cluster, true, Uuid{6, 7}};
    };
    owner.peer_lost = [this](BrokerId lost) {
      came.Change([&](Came& c) { c.lost.push_back(lost); });
    };
    owner.serve = [this](ControllerCall call, AnswerCall answer) {
      came.Change([&](Came& c) { c.calls.emplace_back(std::move(call), std::move(answer)); });
    };
    const absl::Status started = network->Start(std::move(owner));
    EXPECT_TRUE(started.ok()) << started;
    if (!cluster.empty()) network->SetCluster(cluster);
  }
  ~TestNode() { network->Stop(); }

  HostPort address() const { return {host_, network->port()}; }
  std::pair<ControllerCall, AnswerCall> NextCall() {
    std::pair<ControllerCall, AnswerCall> next;
    EXPECT_TRUE(came.Wait([](Came& c) { return !c.calls.empty(); }));
    came.Change([&](Came& c) {
      next = std::move(c.calls.front());
      c.calls.erase(c.calls.begin());
    });
    return next;
  }
  std::future<Result> Call(BrokerId to, ControllerCall call) {
    auto promise = std::make_shared<std::promise<Result>>();
    network->Call(to, std::move(call), kPatienceMs,
                  [promise](Result result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }
  absl::StatusOr<NodeHello> AskHello(const HostPort& address) {
    std::promise<absl::StatusOr<NodeHello>> promise;
    network->AskHello(address, kPatienceMs,
                      [&](absl::StatusOr<NodeHello> hello) { promise.set_value(hello); });
    return promise.get_future().get();
  }

  TestLogger logger;
  Watched<Came> came;
  std::unique_ptr<GrpcPeerNetwork> network;

 private:
  const std::string host_;
};

ControllerCall Sample() {
  ControllerCall call;
  call.from = BrokerId(3);
  call.incarnation = Uuid{5, 6};
  call.number = 9;
  call.api_key = 19;
  call.api_version = 7;
  call.request = std::string("\0create\xff", 8);
  call.client = {"User:alice", "admin", "10.0.0.9"};
  call.internal = true;
  return call;
}

raft::Message Beat(int32_t from, int32_t to, uint64_t round,
                   const std::string& cluster = kCluster) {
  return {cluster,
          {BrokerId(from), Uuid{5, 1}},
          {BrokerId(to), Uuid{5, 2}},
          LeaderEpoch(1),
          raft::Heartbeat{round, Offset(0)}};
}
uint64_t RoundOf(const raft::Message& message) {
  return std::get<raft::Heartbeat>(message.body).round;
}

TEST(GrpcPeerNetwork, SaysWhoItIsBeforeItHasACluster) {
  TestNode asking(1, ""), asked(2, "");
  const absl::StatusOr<NodeHello> hello = asking.AskHello(asked.address());
  ASSERT_TRUE(hello.ok()) << hello.status();
  EXPECT_EQ(hello->node_id, BrokerId(2));
  EXPECT_EQ(hello->directory_id, (Uuid{4, 5}));
  EXPECT_EQ(hello->cluster_id, "");
  EXPECT_TRUE(hello->is_controller);
}

TEST(GrpcPeerNetwork, TellsThatANodeIsLostAndWhetherItIsGone) {
  TestNode watching(1);
  auto other = std::make_unique<TestNode>(2);
  const auto probe = [&] {
    std::promise<absl::StatusOr<NodeHello>> promise;
    watching.network->Probe(BrokerId(2), kPatienceMs, [&](absl::StatusOr<NodeHello> hello) {
      promise.set_value(std::move(hello));
    });
    return promise.get_future().get();
  };
  other->network->SetPeer(BrokerId(1), watching.address());
  other->network->transport().Send(Beat(2, 1, 7));
  ASSERT_TRUE(watching.came.Wait([](Came& c) { return !c.messages.empty(); }));
  const absl::StatusOr<NodeHello> hello = probe();  // at the address that the message named
  ASSERT_TRUE(hello.ok()) << hello.status();
  EXPECT_EQ(hello->node_id, BrokerId(2));
  EXPECT_EQ(hello->incarnation, (Uuid{6, 7}));
  // Nothing is on its way to the node: that its own stream ends, says it all.
  other.reset();
  EXPECT_TRUE(
      watching.came.Wait([](Came& c) { return !c.lost.empty() && c.lost.front() == BrokerId(2); }));
  EXPECT_TRUE(absl::IsUnavailable(probe().status()));
}

TEST(GrpcPeerNetwork, BringsCallsAndAnswers) {
  TestNode asking(1), asked(2);
  asking.network->SetPeer(BrokerId(2), asked.address());
  std::future<Result> result = asking.Call(BrokerId(2), Sample());
  auto [call, answer] = asked.NextCall();
  const ControllerCall sent = Sample();
  EXPECT_EQ(call.from, sent.from);
  EXPECT_EQ(call.incarnation, sent.incarnation);
  EXPECT_EQ(call.number, sent.number);
  EXPECT_EQ(call.api_key, sent.api_key);
  EXPECT_EQ(call.api_version, sent.api_version);
  EXPECT_EQ(call.request, sent.request);
  EXPECT_EQ(call.client.principal, sent.client.principal);
  EXPECT_EQ(call.client.client_id, sent.client.client_id);
  EXPECT_EQ(call.client.host, sent.client.host);
  EXPECT_EQ(call.internal, sent.internal);
  answer({protocol::ErrorCode::kNotController, "x"});
  const Result got = result.get();
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->error, protocol::ErrorCode::kNotController);
  EXPECT_EQ(got->response, "x");
}

TEST(GrpcPeerNetwork, TellsACallThatNeverLeftFromOneThatMayHaveBeenDone) {
  TestNode asking(1);
  auto asked = std::make_unique<TestNode>(2);
  EXPECT_TRUE(absl::IsUnavailable(asking.Call(BrokerId(2), Sample()).get().status()));
  asking.network->SetPeer(BrokerId(2), asked->address());
  std::future<Result> result = asking.Call(BrokerId(2), Sample());
  auto call = asked->NextCall();
  asked.reset();
  absl::Status status = result.get().status();
  EXPECT_TRUE(absl::IsAborted(status));
  // Until the channel has seen the end of its connection, as well.
  while (absl::IsAborted(status)) status = asking.Call(BrokerId(2), Sample()).get().status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
}

TEST(GrpcPeerNetwork, RefusesWhatIsOfOtherClusters) {
  TestNode asking(1, "d"), asked(2), founding(3, "");
  asking.network->SetPeer(BrokerId(2), asked.address());
  asking.network->SetPeer(BrokerId(3), founding.address());
  EXPECT_TRUE(absl::IsFailedPrecondition(asking.Call(BrokerId(2), Sample()).get().status()));
  EXPECT_TRUE(absl::IsUnavailable(asking.Call(BrokerId(3), Sample()).get().status()));
  // A sender sees that its stream has ended when it writes the next time.
  for (bool told = false; !told; std::this_thread::yield()) {
    for (const int32_t to : {2, 3}) asking.network->transport().Send(Beat(1, to, 1, "d"));
    asking.logger.lines.Change([&](auto& lines) {
      for (const std::string& line : lines) {
        told = told || absl::StrContains(line, "expected cluster c, came d");
      }
    });
  }
  TestNode member(4);
  member.network->SetPeer(BrokerId(2), asked.address());
  member.network->transport().Send(Beat(4, 2, 2));
  EXPECT_TRUE(asked.came.Wait([](Came& c) { return !c.messages.empty(); }));
  asked.came.Change([](Came& c) { EXPECT_EQ(c.messages[0].from.id, BrokerId(4)); });
  founding.came.Change([](Came& c) { EXPECT_TRUE(c.messages.empty() && c.calls.empty()); });
}

TEST(GrpcPeerNetwork, LearnsWhereANodeIsFromItsMessages) {
  TestNode one(1), two(2);
  one.network->SetPeer(BrokerId(2), two.address());
  one.network->transport().Send(Beat(1, 2, 1));
  ASSERT_TRUE(two.came.Wait([](Came& c) { return !c.messages.empty(); }));
  two.network->transport().Send(Beat(2, 1, 7));
  ASSERT_TRUE(one.came.Wait([](Came& c) { return !c.messages.empty(); }));
  one.came.Change([](Came& c) { EXPECT_EQ(RoundOf(c.messages[0]), 7u); });
  std::future<Result> result = two.Call(BrokerId(1), Sample());
  one.NextCall().second({});
  EXPECT_TRUE(result.get().ok());
}

TEST(GrpcPeerNetwork, DialsOnlyAHostAndAPort) {
  TestNode node(1);
  for (const absl::string_view address : {"unix:/tmp/socket", "unix-abstract:name",
                                          "dns://10.0.0.1/host:1", ":9", "host:0", "host"}) {
    raft::RaftTransportOptions options;
    options.own_address = std::string(address);
    raft::RaftTransport stranger(options);
    stranger.SetPeer(BrokerId(1), absl::StrCat("127.0.0.1:", node.network->port()));
    stranger.Send(Beat(9, 1, 1));
    ASSERT_TRUE(node.came.Wait([](Came& c) { return !c.messages.empty(); }));
    node.came.Change([](Came& c) { c.messages.clear(); });
    EXPECT_EQ(node.Call(BrokerId(9), Sample()).get().status(),
              absl::UnavailableError("call: node 9 is not known"))
        << address;
  }
}

TEST(GrpcPeerNetwork, DropsMessagesUntilItHasACluster) {
  TestNode one(1), two(2, "");
  one.network->SetPeer(BrokerId(2), two.address());
  for (uint64_t i = 0; i < 100; ++i) one.network->transport().Send(Beat(1, 2, i));
  while (two.network->raft_counts().dropped < 100) std::this_thread::yield();
  two.came.Change([](Came& c) { EXPECT_TRUE(c.messages.empty()); });
  two.network->SetCluster(kCluster);
  one.network->transport().Send(Beat(1, 2, 5000));
  EXPECT_TRUE(two.came.Wait(
      [](Came& c) { return !c.messages.empty() && RoundOf(c.messages.back()) == 5000; }));
}

TEST(GrpcPeerNetwork, SpeaksTls) {
  TestNode asking(1, kCluster, coordination::TestCredentials());
  TestNode asked(2, kCluster, coordination::TestCredentials());
  TestNode plain(3);
  TestNode strange(4, kCluster, coordination::StrangeCredentials());
  for (TestNode* node : {&asking, &plain, &strange}) {
    node->network->SetPeer(BrokerId(2), asked.address());
  }
  std::future<Result> result = asking.Call(BrokerId(2), Sample());
  asked.NextCall().second({});
  EXPECT_TRUE(result.get().ok());
  EXPECT_TRUE(absl::IsUnavailable(plain.Call(BrokerId(2), Sample()).get().status()));
  EXPECT_TRUE(absl::IsUnavailable(strange.Call(BrokerId(2), Sample()).get().status()));
  EXPECT_TRUE(asked.logger.lines.Wait([](auto& lines) {
    return !lines.empty() && absl::StrContains(lines.front(), "what came is without it");
  }));

  // Who asks the others who they are is told why they do not answer.
  EXPECT_TRUE(asking.AskHello(asked.address()).ok());
  const auto why = [&](TestNode& node, const TestNode& of) {
    return std::string(node.AskHello(of.address()).status().message());
  };
  EXPECT_TRUE(absl::StrContains(why(plain, asked), "speaks without TLS; does the other expect it"));
  EXPECT_TRUE(absl::StrContains(why(strange, asked), "does each believe the other's certificate"));
  EXPECT_TRUE(absl::StrContains(why(asking, plain), "this node speaks TLS; do both"));
  TestNode gone(5);
  gone.network->Stop();
  EXPECT_FALSE(absl::StrContains(why(plain, gone), "TLS")) << why(plain, gone);
}

TEST(GrpcPeerNetwork, AnswersCallsThatWaitWhenItStops) {
  TestNode asking(1), asked(2);
  asking.network->SetPeer(BrokerId(2), asked.address());
  std::vector<std::future<Result>> results;
  for (int i = 0; i < 5; ++i) results.push_back(asking.Call(BrokerId(2), Sample()));
  auto call = asked.NextCall();
  asking.network->Stop();
  for (auto& result : results) {
    ASSERT_EQ(result.wait_for(std::chrono::seconds(0)), std::future_status::ready);
    EXPECT_TRUE(absl::IsAborted(result.get().status()));
  }
  EXPECT_TRUE(absl::IsAborted(asking.Call(BrokerId(2), Sample()).get().status()));
  call.second({});
  asked.network->Stop();
  asked.network->Stop();
}

// --- strangers ----------------------------------------------------------------------------------

// Sends bytes and waits until the other side closes.
void SendAndWaitForTheEnd(const HostPort& to, absl::string_view bytes) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(to.port);
  ASSERT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
  char answer = 0;
  EXPECT_LE(::recv(fd, &answer, 1, 0), 0);
  ::close(fd);
}

TEST(GrpcPeerNetwork, TellsAKafkaClientWhereToGo) {
  TestNode node(1);
  // An ApiVersions request, version 3, as the Java client begins a connection.
  constexpr char kApiVersions[] =
      "\0\0\0\x18\0\x12\0\x03\0\0\0\0\0\x01p\0\x05java\x06"
      "4.2.0\0";
  SendAndWaitForTheEnd(node.address(), absl::string_view(kApiVersions, sizeof(kApiVersions) - 1));
  std::string line;
  ASSERT_TRUE(node.logger.lines.Wait([&](auto& lines) {
    if (!lines.empty()) line = lines.front();
    return !lines.empty();
  }));
  EXPECT_TRUE(absl::StrContains(line, "closed a connection from 127.0.0.1:")) << line;
  EXPECT_TRUE(absl::StrContains(line, absl::StrCat("127.0.0.1:", node.network->port(), " is for")))
      << line;
  EXPECT_TRUE(absl::StrContains(line, "Kafka clients are served at PLAINTEXT://localhost:9092"))
      << line;
  for (int i = 0; i < 50; ++i) SendAndWaitForTheEnd(node.address(), "GET / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(node.AskHello(node.address()).ok());
  node.logger.lines.Change([](auto& lines) { EXPECT_LE(lines.size(), 20u); });
}

TEST(GrpcPeerNetwork, SpeaksOverIpv6) {
  const int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 loopback{};
  loopback.sin6_family = AF_INET6;
  loopback.sin6_addr = in6addr_loopback;
  const bool there =
      ::bind(fd, reinterpret_cast<const sockaddr*>(&loopback), sizeof(loopback)) == 0;
  ::close(fd);
  if (!there) GTEST_SKIP() << "no IPv6 here";
  TestNode one(1, kCluster, {}, "::1"), two(2, kCluster, {}, "::1");
  one.network->SetPeer(BrokerId(2), two.address());
  EXPECT_TRUE(one.AskHello(two.address()).ok());
  one.network->transport().Send(Beat(1, 2, 1));
  ASSERT_TRUE(two.came.Wait([](Came& c) { return !c.messages.empty(); }));
  std::future<Result> result = two.Call(BrokerId(1), Sample());
  one.NextCall().second({});
  EXPECT_TRUE(result.get().ok());
}

TEST(GrpcPeerNetwork, CarriesReplicationStreams) {
  for (const auto& credentials :
       {coordination::GrpcCredentials(), coordination::TestCredentials()}) {
    TestNode leader(1, kCluster, credentials), follower(2, kCluster, credentials);
    follower.network->SetPeer(BrokerId(1), leader.address());
    Watched<int64_t> credit;
    Watched<std::shared_ptr<replication::LeaderEnd>> led;
    leader.network->streams().SetAccept(
        [&](const replication::StreamHello& hello, std::shared_ptr<replication::LeaderEnd> end)
            -> absl::StatusOr<replication::LeaderEnd::Listener> {
          EXPECT_EQ(hello.follower, BrokerId(2));
          led.Change([&](auto& l) { l = std::move(end); });
          return replication::LeaderEnd::Listener{
              [&](const replication::FollowerMessage& message) {
                credit.Change([&](int64_t& c) { c += message.credit_bytes; });
              },
              nullptr};
        });
    Watched<absl::Status> closed;
    Watched<int64_t> received;
    const auto listener = [&closed, &received] {
      return replication::FollowerEnd::Listener{
          [&received](const replication::LeaderMessage& message) {
            received.Change([&](int64_t& bytes) { bytes += message.RecordBytes(); });
          },
          [&closed](const absl::Status& why) {
            closed.Change([&](absl::Status& status) { status = why; });
          }};
    };
    const auto stream =
        follower.network->streams().Open({kCluster, BrokerId(1), BrokerId(2), 7, 0}, listener());
    stream->Send({.credit_bytes = 1000});
    EXPECT_TRUE(credit.Wait([](const int64_t& c) { return c == 1000; }));
    // More than any other message between nodes.
    constexpr int64_t kBytes = 20 << 20;
    const auto bytes = std::make_shared<const std::string>(kBytes, 'r');
    replication::LeaderMessage large;
    large.records.push_back({1, Offset(0), Offset(1), Offset(0), Offset(0), *bytes});
    large.storage = bytes;
    led.Change([&](auto& l) { l->Send(std::move(large)); });
    EXPECT_TRUE(received.Wait([](const int64_t& r) { return r == kBytes; }));
    led.Change([](auto& l) { l->Close(absl::AbortedError("enough")); });
    EXPECT_TRUE(closed.Wait([](const absl::Status& why) { return absl::IsAborted(why); }));
    led.Change([](auto& l) { l = nullptr; });
    const auto other =
        follower.network->streams().Open({"another", BrokerId(1), BrokerId(2), 7, 0}, listener());
    EXPECT_TRUE(
        closed.Wait([](const absl::Status& why) { return absl::IsFailedPrecondition(why); }));
    const auto nowhere =
        follower.network->streams().Open({kCluster, BrokerId(3), BrokerId(2), 7, 0}, listener());
    EXPECT_TRUE(closed.Wait([](const absl::Status& why) { return absl::IsUnavailable(why); }));
  }
}

TEST(GrpcPeerNetwork, SaysWhatIsWrongWithAnAddress) {
  TestNode first(1);
  GrpcPeerNetworkOptions options;
  options.listener = first.address();
  GrpcPeerNetwork second(options);
  EXPECT_TRUE(absl::IsAlreadyExists(second.Start({})));
  second.Stop();
}

}  // namespace
}  // namespace weir::server

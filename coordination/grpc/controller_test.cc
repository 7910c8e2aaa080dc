#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

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
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/grpc/controller.grpc.pb.h"
#include "coordination/grpc/controller.pb.h"
#include "coordination/grpc/controller_client.h"
#include "coordination/grpc/controller_codec.h"
#include "coordination/grpc/controller_service.h"
#include "coordination/grpc/grpc_credentials.h"
#include "coordination/grpc/grpc_listener.h"
#include "coordination/grpc/test_certificates.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"

namespace weir::controller {
namespace {

constexpr int64_t kPatienceMs = 60'000;

using Result = absl::StatusOr<Answer>;

// Takes calls, and answers when it is told to.
class Host {
 public:
  explicit Host(ControllerServiceOptions options = {},
                coordination::GrpcCredentials credentials = {})
      : service_(With(std::move(options))) {
    service_.SetCluster("c");
    coordination::GrpcListenerOptions listening;
    listening.credentials = std::move(credentials);
    listening.message_bytes_max = 1 << 20;
    auto listener = coordination::GrpcListener::Start(listening, {&service_});
    EXPECT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }
  ~Host() { listener_->Shutdown(0); }

  std::string address() const { return absl::StrCat("127.0.0.1:", listener_->port()); }
  ControllerService& service() { return service_; }

  // The next call that came, for as long as it takes.
  std::pair<Call, AnswerCall> Next() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(kPatienceMs), [&] { return !came_.empty(); });
    std::pair<Call, AnswerCall> next = std::move(came_.front());
    came_.erase(came_.begin());
    return next;
  }
  size_t came() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return came_.size();
  }

 private:
  ControllerServiceOptions With(ControllerServiceOptions options) {
    options.hello = [] { return Hello{BrokerId(7), Uuid{1, 2}, "c", true, Uuid{3, 4}}; };
    options.serve = [this](Call call, AnswerCall answer) {
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        came_.emplace_back(std::move(call), std::move(answer));
      }
      changed_.notify_all();
    };
    return options;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<Call, AnswerCall>> came_;
  ControllerService service_;
  std::unique_ptr<coordination::GrpcListener> listener_;
};

class Client {
 public:
  explicit Client(ControllerClientOptions options = {}) : client(std::move(options)) {
    client.SetCluster("c");
  }
  std::future<Result> Start(Call call, int64_t timeout_ms = kPatienceMs,
                            BrokerId to = BrokerId(7)) {
    auto promise = std::make_shared<std::promise<Result>>();
    client.Ask(to, std::move(call), timeout_ms,
               [promise](Result result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }
  absl::Status StatusOf(Call call) { return Start(std::move(call)).get().status(); }

  ControllerClient client;
};

Call Sample() {
  Call call;
  call.from = BrokerId(3);
  call.incarnation = Uuid{5, 6};
  call.number = uint64_t{1} << 63;
  call.api_key = 19;
  call.api_version = 7;
  call.request = std::string("\0create\xff", 8);
  call.principal = "User:alice";
  call.client_id = "admin";
  call.host = "10.0.0.9";
  call.internal = true;
  return call;
}

// Of a socket that does not listen, so that nobody else comes to.
std::string DeadAddress() {
  static const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  static const int bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), length);
  EXPECT_EQ(bound, 0);
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), 0);
  return absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
}

// The kernel takes connections to it, and nobody else.
std::string SilentAddress() {
  static const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  static const int listens =
      ::bind(fd, reinterpret_cast<sockaddr*>(&address), length) | ::listen(fd, 5);
  EXPECT_EQ(listens, 0);
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), 0);
  return absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
}

TEST(Controller, SaysWhoItIs) {
  Host host;
  Client client;
  std::promise<absl::StatusOr<Hello>> came;
  client.client.AskHello(host.address(), kPatienceMs,
                         [&](absl::StatusOr<Hello> hello) { came.set_value(std::move(hello)); });
  const absl::StatusOr<Hello> hello = came.get_future().get();
  ASSERT_TRUE(hello.ok()) << hello.status();
  EXPECT_EQ(hello->node_id, BrokerId(7));
  EXPECT_EQ(hello->directory_id, (Uuid{1, 2}));
  EXPECT_EQ(hello->cluster_id, "c");
  EXPECT_TRUE(hello->is_controller);
}

TEST(Controller, TellsANodeThatIsGoneFromOneThatIsSilent) {
  const auto probe = [](ControllerClient& client, int32_t id, int64_t timeout_ms) {
    std::promise<absl::StatusOr<Hello>> came;
    client.Probe(BrokerId(id), timeout_ms,
                 [&](absl::StatusOr<Hello> hello) { came.set_value(std::move(hello)); });
    return came.get_future().get();
  };
  Client client;
  EXPECT_TRUE(absl::IsNotFound(probe(client.client, 7, kPatienceMs).status()));
  auto host = std::make_unique<Host>();
  const std::string address = host->address();
  client.client.SetPeer(BrokerId(7), address);
  const absl::StatusOr<Hello> hello = probe(client.client, 7, kPatienceMs);
  ASSERT_TRUE(hello.ok()) << hello.status();
  EXPECT_EQ(hello->incarnation, (Uuid{3, 4}));
  host.reset();
  EXPECT_TRUE(absl::IsUnavailable(probe(client.client, 7, kPatienceMs).status()));
  // It takes connections, as a process does that is stopped, and says nothing.
  const std::string silent = SilentAddress();
  client.client.SetPeer(BrokerId(8), silent);
  EXPECT_TRUE(absl::IsDeadlineExceeded(probe(client.client, 8, 200).status()));
}

TEST(Controller, BringsTheCallAndTheAnswerWhole) {
  Host host;
  Client client;
  client.client.SetPeer(BrokerId(7), host.address());
  for (int16_t error : {0, 41, -1}) {
    std::future<Result> result = client.Start(Sample());
    auto [call, answer] = host.Next();
    const Call sent = Sample();
    EXPECT_EQ(call.from, sent.from);
    EXPECT_EQ(call.incarnation, sent.incarnation);
    EXPECT_EQ(call.number, sent.number);
    EXPECT_EQ(call.api_key, sent.api_key);
    EXPECT_EQ(call.api_version, sent.api_version);
    EXPECT_EQ(call.request, sent.request);
    EXPECT_EQ(call.principal, sent.principal);
    EXPECT_EQ(call.client_id, sent.client_id);
    EXPECT_EQ(call.host, sent.host);
    EXPECT_EQ(call.internal, sent.internal);
    answer({error, std::string("\0done", 5)});
    const Result got = result.get();
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(got->error, error);
    EXPECT_EQ(got->response, std::string("\0done", 5));
  }
}

TEST(Controller, AnswersInAnyOrder) {
  Host host;
  Client client;
  client.client.LearnPeer(BrokerId(7), host.address());
  std::vector<std::future<Result>> results;
  std::vector<std::pair<Call, AnswerCall>> calls;
  for (int i = 0; i < 20; ++i) {
    Call call = Sample();
    call.number = i;
    results.push_back(client.Start(call));
  }
  for (int i = 0; i < 20; ++i) calls.push_back(host.Next());
  for (auto it = calls.rbegin(); it != calls.rend(); ++it) {
    it->second({0, absl::StrCat(it->first.number)});
  }
  for (int i = 0; i < 20; ++i) EXPECT_EQ(results[i].get()->response, absl::StrCat(i));
}

TEST(Controller, KnowsThatACallNeverLeft) {
  Client client;
  EXPECT_TRUE(absl::IsUnavailable(client.StatusOf(Sample())));  // an unknown node
  client.client.SetPeer(BrokerId(7), DeadAddress());
  EXPECT_TRUE(absl::IsUnavailable(client.StatusOf(Sample())));
  Host host;
  client.client.SetPeer(BrokerId(7), host.address());   // has moved
  client.client.LearnPeer(BrokerId(7), DeadAddress());  // what is configured stays
  std::future<Result> result = client.Start(Sample());
  host.Next().second({});
  EXPECT_TRUE(result.get().ok());
  ControllerClient founding({});
  founding.SetPeer(BrokerId(7), host.address());
  std::promise<Result> came;
  founding.Ask(BrokerId(7), Sample(), kPatienceMs, [&](Result r) { came.set_value(r); });
  EXPECT_TRUE(absl::IsUnavailable(came.get_future().get().status()));
  EXPECT_EQ(host.came(), 0u);
}

TEST(Controller, DoesNotKnowWhatANodeDidThatDied) {
  auto host = std::make_unique<Host>();
  Client client;
  client.client.SetPeer(BrokerId(7), host->address());
  std::future<Result> result = client.Start(Sample());
  auto [call, answer] = host->Next();
  host.reset();
  absl::Status status = result.get().status();
  EXPECT_TRUE(absl::IsAborted(status));
  answer({});  // nobody is there any more
  // Until the channel has seen the end of its connection, as well.
  while (absl::IsAborted(status)) status = client.StatusOf(Sample());
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
}

TEST(Controller, EndsACallWhoseAnswerIsThrownAway) {
  Host host;
  Client client;
  client.client.SetPeer(BrokerId(7), host.address());
  std::future<Result> result = client.Start(Sample());
  { auto dropped = host.Next(); }
  const absl::Status status = result.get().status();
  EXPECT_TRUE(absl::IsAborted(status)) << status;
  EXPECT_EQ(status.message(), "the node gave no answer");
}

TEST(Controller, GivesUpAtTheDeadline) {
  Host host;
  Client client;
  client.client.SetPeer(BrokerId(7), host.address());
  std::future<Result> first = client.Start(Sample());
  host.Next().second({});
  ASSERT_TRUE(first.get().ok());  // connected
  std::future<Result> late = client.Start(Sample(), 500);
  auto [call, answer] = host.Next();
  const absl::Status status = late.get().status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  while (host.service().waiting() > 0) std::this_thread::yield();  // though nobody answered
  answer({});                                                      // too late, and harmless
}

TEST(Controller, RefusesCallsOfOtherClusters) {
  Host host;
  Client client;
  client.client.SetPeer(BrokerId(7), host.address());
  client.client.SetCluster("d");
  const absl::Status status = client.StatusOf(Sample());
  EXPECT_EQ(status, absl::FailedPreconditionError("call: expected cluster c, came d"));
  host.service().SetCluster("");
  EXPECT_TRUE(absl::IsUnavailable(client.StatusOf(Sample())));
  EXPECT_EQ(host.came(), 0u);
}

TEST(Controller, BoundsWhatItSends) {
  Host host;
  ControllerClientOptions options;
  options.request_bytes_max = 100;
  Client client(options);
  client.client.SetPeer(BrokerId(7), host.address());
  for (std::string Call::*name : {&Call::principal, &Call::client_id, &Call::host}) {
    Call call = Sample();
    call.*name = std::string(kCallNameBytesMax, 'x');
    std::future<Result> result = client.Start(call);
    EXPECT_EQ((host.Next().first.*name).size(), kCallNameBytesMax);
    EXPECT_TRUE(absl::IsAborted(result.get().status()));
    call.*name += 'x';
    EXPECT_TRUE(absl::IsInvalidArgument(client.StatusOf(call)));
  }
  Call call = Sample();
  call.request = std::string(101, 'x');
  EXPECT_EQ(client.StatusOf(call),
            absl::InvalidArgumentError("call: request: expected at most 100 bytes, came 101"));
  call = Sample();
  call.from = BrokerId(-2);
  EXPECT_TRUE(absl::IsInvalidArgument(client.StatusOf(call)));
}

TEST(Controller, BoundsCallsInFlight) {
  ControllerServiceOptions serving;
  serving.calls_max = 2;
  Host host(serving);
  Client client, other;
  for (Client* c : {&client, &other}) c->client.SetPeer(BrokerId(7), host.address());
  std::future<Result> first = client.Start(Sample()), second = client.Start(Sample());
  auto a = host.Next(), b = host.Next();
  EXPECT_EQ(other.StatusOf(Sample()),
            absl::UnavailableError("call: 2 calls of 16 bytes wait already"));
  std::future<Result> third = client.Start(Sample());
  EXPECT_EQ(third.get().status(), absl::UnavailableError("call: 2 calls of 16 bytes wait already"));
  ControllerClientOptions narrow;
  narrow.calls_max = 0;
  Client blocked(narrow);
  blocked.client.SetPeer(BrokerId(7), host.address());
  EXPECT_EQ(blocked.StatusOf(Sample()),
            absl::UnavailableError("call: 0 calls of 0 bytes wait already"));
  a.second({});
  b.second({});
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(second.get().ok());
}

TEST(Controller, BoundsBytesInFlight) {
  ControllerServiceOptions serving;
  serving.calls_bytes_max = 7;
  Host host(serving);
  Client client;
  client.client.SetPeer(BrokerId(7), host.address());
  EXPECT_EQ(client.StatusOf(Sample()),
            absl::UnavailableError("call: 0 calls of 0 bytes wait already"));
  EXPECT_EQ(host.service().waiting(), 0u);
}

TEST(Controller, StopsWithCallsInEveryState) {
  Host host;
  for (int i = 0; i < 10; ++i) {
    auto client = std::make_unique<Client>();
    client->client.SetPeer(BrokerId(7), host.address());
    std::vector<std::future<Result>> results;
    for (int n = 0; n < 5; ++n) results.push_back(client->Start(Sample()));
    std::vector<std::pair<Call, AnswerCall>> calls;
    if (i % 2 == 0) {
      for (int n = 0; n < 5; ++n) calls.push_back(host.Next());
    }
    client->client.Shutdown();
    for (auto& result : results) {
      ASSERT_EQ(result.wait_for(std::chrono::seconds(0)), std::future_status::ready);
      EXPECT_TRUE(absl::IsAborted(result.get().status()));
    }
    EXPECT_TRUE(absl::IsAborted(client->StatusOf(Sample())));
  }
}

TEST(Controller, SpeaksOnlyWithWhomTheAuthorityVouchesFor) {
  Host host({}, coordination::TestCredentials());
  Client vouched({.credentials = coordination::TestCredentials()});
  vouched.client.SetPeer(BrokerId(7), host.address());
  std::future<Result> result = vouched.Start(Sample());
  host.Next().second({});
  EXPECT_TRUE(result.get().ok());
  for (const auto& credentials :
       {coordination::GrpcCredentials(), coordination::StrangeCredentials()}) {
    Client stranger({.credentials = credentials});
    stranger.client.SetPeer(BrokerId(7), host.address());
    EXPECT_TRUE(absl::IsUnavailable(stranger.StatusOf(Sample())));
  }
}

// --- a stranger's calls -------------------------------------------------------------------------

struct Raw {
  ::grpc::Status status;
  v1::CallResponse response;
};

Raw SendRaw(const std::string& address, const v1::CallRequest& request) {
  const auto stub =
      v1::Controller::NewStub(::grpc::CreateChannel(address, ::grpc::InsecureChannelCredentials()));
  ::grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(kPatienceMs));
  Raw raw;
  raw.status = stub->Call(&context, request, &raw.response);
  return raw;
}

TEST(ControllerService, RefusesWhatNoNodeWouldSend) {
  Host host;
  const struct {
    std::function<void(v1::CallRequest&)> change;
    std::string reason;
  } cases[] = {
      {[](auto& r) { r.set_from(-2); }, "call: node id: expected -1 to 2147483647, came -2"},
      {[](auto& r) { r.set_api_key(32768); }, "call: API key: expected 0 to 32767, came 32768"},
      {[](auto& r) { r.set_api_key(-1); }, "call: API key: expected 0 to 32767, came -1"},
      {[](auto& r) { r.set_api_version(65537); },
       "call: API version: expected 0 to 32767, came 65537"},
      {[](auto& r) { r.set_principal(std::string(65537, 'x')); },
       "call: principal: expected at most 65536 bytes, came 65537"},
      {[](auto& r) { r.set_client_id(std::string(65537, 'x')); },
       "call: client id: expected at most 65536 bytes, came 65537"},
      {[](auto& r) { r.set_host(std::string(65537, 'x')); },
       "call: host: expected at most 65536 bytes, came 65537"},
      {[](auto& r) { r.set_cluster_id("\n" + std::string(5000, 'x')); },
       "call: expected cluster c, came \\n" + std::string(63, 'x')},
  };
  for (const auto& c : cases) {
    v1::CallRequest request;
    ToProto(Sample(), &request);
    request.set_cluster_id("c");
    c.change(request);
    const Raw raw = SendRaw(host.address(), request);
    ASSERT_TRUE(raw.status.ok()) << raw.status.error_message();
    EXPECT_EQ(raw.response.refusal().reason(), c.reason);
  }
  EXPECT_EQ(host.came(), 0u);
  EXPECT_EQ(host.service().waiting(), 0u);
}

TEST(ControllerService, RefusesHugeMessages) {
  Host host;
  v1::CallRequest request;
  ToProto(Sample(), &request);
  request.set_cluster_id("c");
  request.set_request(std::string(2 << 20, 'x'));
  EXPECT_EQ(SendRaw(host.address(), request).status.error_code(),
            ::grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(host.came(), 0u);
}

TEST(ControllerService, DoesNotSendHugeAnswers) {
  ControllerServiceOptions options;
  options.response_bytes_max = 1000;
  Host host(options);
  Client client;
  client.client.SetPeer(BrokerId(7), host.address());
  std::future<Result> result = client.Start(Sample());
  host.Next().second({0, std::string(1001, 'x')});
  EXPECT_EQ(result.get().status(),
            absl::AbortedError("answer: expected at most 1000 bytes, came 1001"));
}

TEST(ControllerCodec, RefusesAnswersOfNoNode) {
  v1::HelloResponse hello;
  hello.set_node_id(-1);
  EXPECT_TRUE(absl::IsInvalidArgument(FromProto(hello).status()));
  hello.set_node_id(0);
  EXPECT_TRUE(FromProto(hello).ok());
  hello.set_cluster_id(std::string(kClusterIdBytesMax + 1, 'x'));
  EXPECT_TRUE(absl::IsInvalidArgument(FromProto(hello).status()));
  v1::CallResponse answer;
  answer.set_error(40'000);
  EXPECT_TRUE(absl::IsInvalidArgument(FromProto(&answer).status()));
}

}  // namespace
}  // namespace weir::controller

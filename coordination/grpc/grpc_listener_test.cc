#include "coordination/grpc/grpc_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "coordination/grpc/controller_client.h"
#include "coordination/grpc/controller_codec.h"
#include "coordination/grpc/controller_service.h"
#include "coordination/grpc/grpc_credentials.h"
#include "coordination/grpc/preface.h"
#include "coordination/grpc/test_certificates.h"
#include "gtest/gtest.h"

namespace weir::coordination {
namespace {

constexpr int64_t kPatienceMs = 60'000;

int ListeningSocket() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(::listen(fd, 128), 0);
  return fd;
}

// What the listener tells of strangers, in a queue.
class Strangers {
 public:
  void Add(const Stranger& stranger) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      seen_.push_back(stranger.spoke);
    }
    changed_.notify_all();
  }
  std::vector<Preface> Wait(size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(kPatienceMs),
                      [&] { return seen_.size() >= count; });
    return seen_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Preface> seen_;
};

class Host {
 public:
  explicit Host(GrpcListenerOptions options = {})
      : service_({.hello = [] { return controller::Hello{.node_id = BrokerId(7)}; }, .serve = {}}) {
    options.listening_socket = ListeningSocket();
    options.on_stranger = [this](const Stranger& stranger) { strangers.Add(stranger); };
    auto listener = GrpcListener::Start(options, {&service_});
    EXPECT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }
  uint16_t port() const { return listener_->port(); }
  std::string address() const { return absl::StrCat("127.0.0.1:", port()); }

  Strangers strangers;

 private:
  controller::ControllerService service_;
  std::unique_ptr<GrpcListener> listener_;
};

// A plain connection, which blocks.
class Client {
 public:
  explicit Client(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~Client() { ::close(fd_); }
  void Send(absl::string_view bytes) {
    EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // What comes until the other side closes; how it does that is its own affair.
  std::string ReadAll() {
    std::string all;
    char bytes[4096];
    ssize_t n = 0;
    while ((n = ::recv(fd_, bytes, sizeof(bytes), 0)) > 0) all.append(bytes, n);
    return all;
  }
  // Waits for one byte.
  bool ReadSome() {
    char byte = 0;
    return ::recv(fd_, &byte, 1, 0) == 1;
  }

 private:
  const int fd_;
};

absl::StatusOr<controller::Hello> AskHello(const std::string& address,
                                           const GrpcCredentials& credentials = {}) {
  controller::ControllerClientOptions options;
  options.credentials = credentials;
  controller::ControllerClient client(options);
  std::promise<absl::StatusOr<controller::Hello>> came;
  client.AskHello(address, kPatienceMs,
                  [&](absl::StatusOr<controller::Hello> hello) { came.set_value(hello); });
  return came.get_future().get();
}

// An ApiVersions request, version 3, as the Java client begins a connection.
constexpr char kApiVersionsBytes[] =
    "\0\0\0\x18\0\x12\0\x03\0\0\0\0\0\x01p\0\x05java\x06"
    "4.2.0\0";
constexpr absl::string_view kApiVersions(kApiVersionsBytes, sizeof(kApiVersionsBytes) - 1);

TEST(GrpcListener, HandsConnectionsThatSpeakHttp2ToGrpc) {
  Host host;
  for (int i = 0; i < 3; ++i) {
    const auto hello = AskHello(host.address());
    ASSERT_TRUE(hello.ok()) << hello.status();
    EXPECT_EQ(hello->node_id, BrokerId(7));
  }
  EXPECT_TRUE(host.strangers.Wait(0).empty());
}

TEST(GrpcListener, HandsConnectionsThatSpeakTlsToGrpc) {
  GrpcListenerOptions options;
  options.credentials = TestCredentials();
  Host host(options);
  EXPECT_TRUE(AskHello(host.address(), TestCredentials()).ok());
  EXPECT_FALSE(AskHello(host.address(), StrangeCredentials()).ok());
  EXPECT_TRUE(host.strangers.Wait(0).empty());
  EXPECT_FALSE(AskHello(host.address()).ok());
  EXPECT_EQ(host.strangers.Wait(1).front(), Preface::kHttp2);
}

TEST(GrpcListener, ClosesWhatIsSomethingElse) {
  Host host;
  for (const absl::string_view bytes :
       {kApiVersions, absl::string_view("GET / HTTP/1.1\r\n\r\n"), absl::string_view("PRX")}) {
    Client client(host.port());
    client.Send(bytes);
    EXPECT_EQ(client.ReadAll(), "");
  }
  Client tls(host.port());
  tls.Send(absl::string_view("\x16\x03\x01\0\x05", 5));
  EXPECT_EQ(tls.ReadAll(), "");
  EXPECT_EQ(host.strangers.Wait(4), (std::vector<Preface>{Preface::kOther, Preface::kOther,
                                                          Preface::kOther, Preface::kTls}));
  EXPECT_TRUE(AskHello(host.address()).ok());
}

TEST(GrpcListener, WaitsForTheRestOfThePreface) {
  Host host;
  Client client(host.port());
  for (const char c : absl::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")) {
    client.Send(absl::string_view(&c, 1));
  }
  client.Send(absl::string_view("\0\0\0\x04\0\0\0\0\0", 9));  // SETTINGS, empty
  EXPECT_TRUE(client.ReadSome());
}

TEST(GrpcListener, ClosesConnectionsThatSayNothing) {
  GrpcListenerOptions options;
  options.preface_wait_ms = 20;
  Host host(options);
  Client silent(host.port());
  Client slow(host.port());
  slow.Send("PRI");
  EXPECT_EQ(silent.ReadAll(), "");
  EXPECT_EQ(slow.ReadAll(), "");
}

TEST(GrpcListener, ClosesTheOldestOfTooManyThatSayNothing) {
  GrpcListenerOptions options;
  options.undecided_max = 2;
  options.preface_wait_ms = 10 * kPatienceMs;
  Host host(options);
  Client first(host.port()), second(host.port()), third(host.port());
  EXPECT_EQ(first.ReadAll(), "");
  EXPECT_TRUE(AskHello(host.address()).ok());
  EXPECT_EQ(second.ReadAll(), "");  // made way for the hello
}

TEST(GrpcListener, EndsWithConnectionsInEveryState) {
  auto host = std::make_unique<Host>();
  Client silent(host->port()), begun(host->port()), open(host->port());
  begun.Send("PRI *");
  open.Send(absl::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 33));
  EXPECT_TRUE(open.ReadSome());
  host.reset();
  EXPECT_EQ(silent.ReadAll(), "");
  EXPECT_EQ(begun.ReadAll(), "");
  (void)open.ReadAll();
}

}  // namespace
}  // namespace weir::coordination

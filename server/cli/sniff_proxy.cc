// weir sniff --listen: the proxy.
#include "server/cli/sniff_proxy.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "protocol/framing.h"
#include "protocol/sniff/capture_writer.h"
#include "protocol/sniff/conversation.h"
#include "protocol/sniff/message_line.h"
#include "protocol/sniff/packet.h"
#include "protocol/sniff/sniffed_message.h"
#include "server/cli/sniff_apis.h"
#include "server/tcp_listen.h"

namespace weir::cli {
namespace {

using protocol::Side;

constexpr size_t kConnectionsMax = 1024;
constexpr size_t kBrokersMax = 256;
constexpr size_t kHeldBytesMax = size_t{4} << 20;
constexpr size_t kReadBytes = size_t{64} << 10;
constexpr int kBacklog = 128;
constexpr int kWakeUpMs = 500;

std::string SystemError(int error) { return std::generic_category().message(error); }

std::string Text(const HostAndPort& address) {
  return absl::StrCat(address.host, ":", address.port);
}

// The addresses at both ends of a socket, IPv4 in IPv6 as the IPv4 that it is.
protocol::Endpoint EndpointOf(const sockaddr_storage& address) {
  protocol::Endpoint end;
  if (address.ss_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &address, sizeof(v6));
    const bool is_mapped = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr);
    end.is_v6 = !is_mapped;
    std::memcpy(end.address.data(), v6.sin6_addr.s6_addr + (is_mapped ? 12 : 0),
                is_mapped ? 4 : 16);
    end.port = ntohs(v6.sin6_port);
  } else {
    sockaddr_in v4;
    std::memcpy(&v4, &address, sizeof(v4));
    std::memcpy(end.address.data(), &v4.sin_addr, 4);
    end.port = ntohs(v4.sin_port);
  }
  return end;
}

protocol::Endpoint NameOf(int fd, int (*name)(int, sockaddr*, socklen_t*)) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  name(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return EndpointOf(address);
}

// A broker, and where the proxy stands for it.
struct Listener {
  int fd = -1;
  int port = 0;
  HostAndPort broker;
};

// Begins to connect. Tries the first address of the name alone.
absl::StatusOr<int> ConnectTo(const HostAndPort& to) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(to.host.c_str(), std::to_string(to.port).c_str(), &hints, &found);
  if (error != 0) return absl::NotFoundError(absl::StrCat(Text(to), ": ", ::gai_strerror(error)));
  const addrinfo* chosen = found;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    if (at->ai_family == AF_INET) {  // as most clients, and TcpListen
      chosen = at;
      break;
    }
  }
  const int fd = ::socket(chosen->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const bool failed =
      fd < 0 || (::connect(fd, chosen->ai_addr, chosen->ai_addrlen) != 0 && errno != EINPROGRESS);
  const int reason = errno;
  ::freeaddrinfo(found);
  if (!failed) return fd;
  if (fd >= 0) ::close(fd);
  return absl::UnavailableError(absl::StrCat(Text(to), ": ", SystemError(reason)));
}

class Proxy;

// One of the two sockets of a connection.
struct End {
  int fd = -1;
  std::string unsent;     // what the other side said
  size_t sent = 0;        // of that
  bool is_read = false;   // to its end
  bool is_ended = false;  // the other side's end was passed on

  size_t held() const { return unsent.size() - sent; }
};

class ProxiedConnection : public protocol::ConversationSink {
 public:
  ProxiedConnection(Proxy* proxy, const Listener& listener, uint64_t number, int client,
                    int server);
  ~ProxiedConnection() override {
    for (const End& end : ends_) ::close(end.fd);
  }

  void AddTo(std::vector<pollfd>* polls) const {
    for (const Side side : {Side::kClient, Side::kServer}) {
      const End& end = Of(side);
      short events = 0;
      const bool is_waiting = side == Side::kServer && is_connecting_;
      if (!end.is_read && !is_connecting_ && Other(side).held() < kHeldBytesMax) events |= POLLIN;
      if (is_waiting || end.held() > 0) events |= POLLOUT;
      // A descriptor that nothing is asked of would still wake us when it hangs up.
      polls->push_back({events == 0 ? -1 : end.fd, events, 0});
    }
  }
  // Does what the two descriptors are ready for. False when the connection is over.
  bool Serve(const pollfd& client, const pollfd& server);
  void Close();

  void OnMessage(protocol::SniffedMessage message) override;
  void OnFrame(Side from, int16_t api_key, int16_t version, absl::string_view frame) override;
  void OnNoFrame(Side from, absl::string_view bytes) override;

 private:
  const End& Of(Side side) const { return ends_[static_cast<size_t>(side)]; }
  End& Of(Side side) { return ends_[static_cast<size_t>(side)]; }
  const End& Other(Side side) const { return ends_[1 - static_cast<size_t>(side)]; }
  End& Other(Side side) { return ends_[1 - static_cast<size_t>(side)]; }

  // Answers go out frame by frame when addresses in them may change.
  bool IsHeldBack(Side from) const;
  bool FinishConnect();
  bool Read(Side side);
  bool Write(Side side);
  void Note(std::string text);

  Proxy& proxy_;
  const uint64_t number_;
  const HostAndPort broker_;
  protocol::Endpoint local_;  // where the client sees the proxy
  protocol::ConnectionName name_;
  std::unique_ptr<protocol::CaptureWriter> recording_;
  protocol::Conversation conversation_;
  End ends_[2];
  bool is_connecting_ = true;
};

class Proxy {
 public:
  Proxy(const SniffProxyOptions& options, const protocol::SniffOptions& sniff,
        SniffPrinter* printer, Context* context)
      : options_(options), sniff_(sniff), printer_(*printer), context_(*context) {
    SystemClock clock;
    wall_us_ = clock.WallMs() * 1000 - clock.Monotonic().value() / 1000;
  }
  ~Proxy() {
    for (auto& [number, connection] : connections_) connection->Close();
    for (const Listener& listener : listeners_) ::close(listener.fd);
  }

  absl::Status Run() {
    WEIR_ASSIGN_OR_RETURN(const Listener* first, Listen(options_.listen, options_.to));
    if (options_.recording != nullptr) {
      std::string header;
      protocol::AppendCaptureHeader(&header);
      WEIR_RETURN_IF_ERROR(Record(header));
    }
    context_.Note(absl::StrCat("clients of ", Text(options_.to), " may now use ",
                               options_.listen.host.empty() ? "*" : options_.listen.host, ":",
                               first->port, options_.rewrite ? "" : ", and leave it again"));
    while (!Interrupted() && !printer_.is_done() && status_.ok()) {
      WEIR_RETURN_IF_ERROR(Turn());
      printer_.Flush();
      if (options_.recording != nullptr) std::fflush(options_.recording);
    }
    return status_;
  }

  // Wall-clock time that runs evenly.
  int64_t NowUs() const { return wall_us_ + SystemClock().Monotonic().value() / 1000; }

  // Where clients find the broker that an answer calls `host` and `port`: the port of a listener,
  // or nothing. `of` as in address_rewriter.h.
  std::optional<int> PortFor(size_t of, const std::string& host, int32_t port) {
    const std::string name = absl::StrCat(host, ":", port);
    const auto known = by_name_.find(name);
    if (known != by_name_.end()) return known->second;
    // A cluster of one is the broker that we were told of, whatever it calls itself.
    if (of == 1 && listeners_.size() == 1) return by_name_[name] = listeners_[0].port;
    if (port <= 0 || port > 65535 || listeners_.size() >= kBrokersMax) return std::nullopt;
    const absl::StatusOr<const Listener*> added = Listen({options_.listen.host, 0}, {host, port});
    if (!added.ok()) {
      context_.Note(absl::StrCat(name, " is not proxied: ", added.status().message()));
      return std::nullopt;
    }
    context_.Note(absl::StrCat("clients of ", name, " come by port ", (*added)->port));
    return (*added)->port;
  }

  absl::Status Record(absl::string_view bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), options_.recording) == bytes.size()) {
      return absl::OkStatus();
    }
    return status_ = absl::DataLossError(absl::StrCat("--record: ", SystemError(errno)));
  }

  const SniffProxyOptions& options() const { return options_; }
  const protocol::SniffOptions& sniff() const { return sniff_; }
  SniffPrinter& printer() { return printer_; }

 private:
  absl::StatusOr<const Listener*> Listen(const HostAndPort& at, const HostAndPort& broker) {
    WEIR_ASSIGN_OR_RETURN(const int fd, server::TcpListen(at.host, at.port, kBacklog));
    listeners_.push_back({fd, server::TcpLocalPort(fd), broker});
    by_name_[Text(broker)] = listeners_.back().port;
    return &listeners_.back();
  }

  // Waits for something to happen, and does it.
  absl::Status Turn() {
    std::vector<pollfd> polls;
    const bool has_room = connections_.size() < kConnectionsMax;
    const size_t listeners = listeners_.size();  // more may come while connections are served
    for (const Listener& listener : listeners_) {
      polls.push_back({has_room ? listener.fd : -1, POLLIN, 0});
    }
    std::vector<uint64_t> numbers;
    for (const auto& [number, connection] : connections_) {
      connection->AddTo(&polls);
      numbers.push_back(number);
    }
    if (::poll(polls.data(), polls.size(), kWakeUpMs) < 0) {
      if (errno == EINTR) return absl::OkStatus();
      return absl::InternalError(absl::StrCat("poll: ", SystemError(errno)));
    }
    for (size_t i = 0; i < numbers.size(); ++i) {
      const pollfd* ready = &polls[listeners + 2 * i];
      if (ready[0].revents == 0 && ready[1].revents == 0) continue;
      const auto it = connections_.find(numbers[i]);
      if (it->second->Serve(ready[0], ready[1])) continue;
      it->second->Close();
      printer_.OnEnd(numbers[i]);
      connections_.erase(it);
    }
    for (size_t i = 0; i < listeners; ++i) {
      if (polls[i].revents != 0) Accept(listeners_[i]);
    }
    return absl::OkStatus();
  }

  void Accept(const Listener& listener) {
    const int client = ::accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) return;
    const absl::StatusOr<int> server = ConnectTo(listener.broker);
    if (!server.ok()) {
      context_.Note(server.status().message());
      ::close(client);
      return;
    }
    const int on = 1;
    for (const int fd : {client, *server}) {
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    const uint64_t number = next_number_++;
    connections_[number] =
        std::make_unique<ProxiedConnection>(this, listener, number, client, *server);
  }

  const SniffProxyOptions& options_;
  const protocol::SniffOptions& sniff_;
  SniffPrinter& printer_;
  Context& context_;
  int64_t wall_us_ = 0;
  absl::Status status_;
  std::deque<Listener> listeners_;
  std::map<std::string, int> by_name_;  // ports of listeners, by what brokers are called
  uint64_t next_number_ = 1;
  std::map<uint64_t, std::unique_ptr<ProxiedConnection>> connections_;
};

ProxiedConnection::ProxiedConnection(Proxy* proxy, const Listener& listener, uint64_t number,
                                     int client, int server)
    : proxy_(*proxy),
      number_(number),
      broker_(listener.broker),
      local_(NameOf(client, ::getsockname)),
      conversation_(&proxy->sniff(), this) {
  ends_[0].fd = client;
  ends_[1].fd = server;
  const protocol::Endpoint peer = NameOf(client, ::getpeername);
  name_ = {peer.ToString(), Text(broker_)};
  if (proxy_.options().recording != nullptr) {
    recording_ = std::make_unique<protocol::CaptureWriter>(peer, local_);
    std::string packets;
    recording_->Open(proxy_.NowUs(), &packets);
    static_cast<void>(proxy_.Record(packets));
  }
}

bool ProxiedConnection::Serve(const pollfd& client, const pollfd& server) {
  if (is_connecting_) return server.revents == 0 || FinishConnect();
  const pollfd* ready[] = {&client, &server};
  for (const Side side : {Side::kClient, Side::kServer}) {
    const short events = ready[static_cast<size_t>(side)]->revents;
    if ((events & POLLNVAL) != 0) return false;
    if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 && !Of(side).is_read && !Read(side)) {
      return false;
    }
  }
  for (const Side side : {Side::kClient, Side::kServer}) {
    if (!Write(side)) return false;
  }
  return !(Of(Side::kClient).is_ended && Of(Side::kServer).is_ended);
}

bool ProxiedConnection::FinishConnect() {
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(Of(Side::kServer).fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error == 0) {
    is_connecting_ = false;
    return true;
  }
  Note(absl::StrCat("cannot be reached: ", SystemError(error)));
  return false;
}

bool ProxiedConnection::IsHeldBack(Side from) const {
  return from == Side::kServer && proxy_.options().rewrite;
}

bool ProxiedConnection::Read(Side side) {
  char room[kReadBytes];
  const ssize_t n = ::recv(Of(side).fd, room, sizeof(room), 0);
  if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  if (n == 0) {
    conversation_.EndOf(side, proxy_.NowUs());  // a client gets the rest of a frame too
    Of(side).is_read = true;
    return true;
  }
  const absl::string_view bytes(room, static_cast<size_t>(n));
  if (recording_ != nullptr) {
    std::string packets;
    recording_->Data(side, proxy_.NowUs(), bytes, &packets);
    if (!proxy_.Record(packets).ok()) return false;
  }
  if (!IsHeldBack(side)) Other(side).unsent.append(bytes.data(), bytes.size());
  conversation_.Feed(side, proxy_.NowUs(), bytes);
  return true;
}

bool ProxiedConnection::Write(Side side) {
  End& end = Of(side);
  while (end.held() > 0) {
    const ssize_t n = ::send(end.fd, end.unsent.data() + end.sent, end.held(), MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    end.sent += static_cast<size_t>(n);
  }
  end.unsent.clear();
  end.sent = 0;
  if (Other(side).is_read && !end.is_ended) {
    ::shutdown(end.fd, SHUT_WR);
    end.is_ended = true;
  }
  return true;
}

void ProxiedConnection::OnMessage(protocol::SniffedMessage message) {
  proxy_.printer().OnMessage(number_, name_, std::move(message));
}

void ProxiedConnection::OnFrame(Side from, int16_t api_key, int16_t version,
                                absl::string_view frame) {
  if (!IsHeldBack(from)) return;
  const std::string text = local_.ToString();
  const std::string host =
      local_.is_v6 ? text.substr(1, text.rfind(']') - 1) : text.substr(0, text.rfind(':'));
  const std::optional<std::string> changed = RewriteSniffedAddresses(
      api_key, version, frame, [&](size_t of, std::string* broker, int32_t* port) {
        const std::optional<int> ours = proxy_.PortFor(of, *broker, *port);
        if (!ours.has_value()) return;
        *broker = host;
        *port = *ours;
      });
  const absl::string_view sent = changed.has_value() ? absl::string_view(*changed) : frame;
  protocol::AppendFrameLength(sent.size(), &Other(from).unsent);
  Other(from).unsent.append(sent.data(), sent.size());
}

void ProxiedConnection::OnNoFrame(Side from, absl::string_view bytes) {
  if (IsHeldBack(from)) Other(from).unsent.append(bytes.data(), bytes.size());
}

void ProxiedConnection::Note(std::string text) {
  protocol::SniffedMessage note;
  note.from = Side::kServer;
  note.time_us = proxy_.NowUs();
  note.problem = std::move(text);
  OnMessage(std::move(note));
}

void ProxiedConnection::Close() {
  conversation_.Close(proxy_.NowUs());
  if (recording_ == nullptr) return;
  std::string packets;
  recording_->Close(proxy_.NowUs(), &packets);
  static_cast<void>(proxy_.Record(packets));
}

}  // namespace

absl::Status RunSniffProxy(const SniffProxyOptions& options, const protocol::SniffOptions& sniff,
                           SniffPrinter* printer, Context* context) {
  Proxy proxy(options, sniff, printer, context);
  return proxy.Run();
}

}  // namespace weir::cli

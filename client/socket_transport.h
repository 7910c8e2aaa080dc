// -----------------------------------------------------------------------------
// File: client/socket_transport.h
// -----------------------------------------------------------------------------
// TCP streams for clients: nonblocking sockets and ppoll(2). A host with several addresses is tried
// address by address.
// Threading: one thread.
// Errors: kUnavailable, with the host, the port and the system's reason.
#ifndef WEIR_CLIENT_SOCKET_TRANSPORT_H_
#define WEIR_CLIENT_SOCKET_TRANSPORT_H_

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "client/transport.h"

namespace weir::client {

class SocketTransport final : public Transport {
 public:
  SocketTransport() = default;
  SocketTransport(const SocketTransport&) = delete;
  SocketTransport& operator=(const SocketTransport&) = delete;
  ~SocketTransport() override {
    for (auto& [id, socket] : sockets_) CloseFd(socket);
  }

  absl::StatusOr<StreamId> Connect(const std::string& host, int32_t port) override {
    Socket socket;
    socket.name = absl::StrCat(host, ":", port);
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int rc = getaddrinfo(host.c_str(), absl::StrCat(port).c_str(), &hints, &found);
    if (rc != 0) {
      return absl::UnavailableError(
          absl::StrCat("connect to ", socket.name, ": ", gai_strerror(rc)));
    }
    for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
      Address address;
      address.size =
          static_cast<socklen_t>(std::min<size_t>(at->ai_addrlen, sizeof(address.bytes)));
      std::memcpy(&address.bytes, at->ai_addr, address.size);
      socket.addresses.push_back(address);
    }
    freeaddrinfo(found);
    const absl::Status status = TryNext(socket);
    if (!status.ok()) return status;
    const StreamId id(next_id_++);
    sockets_.emplace(id, std::move(socket));
    return id;
  }

  absl::StatusOr<bool> FinishConnect(StreamId stream) override {
    Socket& socket = Find(stream);
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(socket.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error == 0) return true;
    socket.last_error = error;
    const absl::Status status = TryNext(socket);
    if (!status.ok()) return status;
    return false;
  }

  absl::StatusOr<size_t> Write(StreamId stream, absl::string_view bytes) override {
    const Socket& socket = Find(stream);
    while (true) {
      const ssize_t n = send(socket.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n >= 0) return static_cast<size_t>(n);
      if (errno == EAGAIN || errno == EWOULDBLOCK) return size_t{0};
      if (errno != EINTR) return Broken("write to ", socket, errno);
    }
  }

  absl::StatusOr<size_t> Read(StreamId stream, absl::Span<char> room) override {
    const Socket& socket = Find(stream);
    while (true) {
      const ssize_t n = recv(socket.fd, room.data(), room.size(), 0);
      if (n > 0) return static_cast<size_t>(n);
      if (n == 0) {
        return absl::UnavailableError(absl::StrCat(socket.name, " closed the connection"));
      }
      if (errno == EAGAIN || errno == EWOULDBLOCK) return size_t{0};
      if (errno != EINTR) return Broken("read from ", socket, errno);
    }
  }

  void Close(StreamId stream) override {
    const auto it = sockets_.find(stream);
    WEIR_CHECK(it != sockets_.end());
    CloseFd(it->second);
    sockets_.erase(it);
  }

  void Wait(absl::Span<StreamInterest> streams, int64_t timeout_ns) override {
    polls_.clear();
    for (const StreamInterest& interest : streams) {
      const int events = POLLIN | (interest.wants_write ? POLLOUT : 0);
      polls_.push_back({Find(interest.stream).fd, static_cast<int16_t>(events), 0});
    }
    const int64_t ns = std::max<int64_t>(timeout_ns, 0);
    const timespec timeout{static_cast<time_t>(ns / 1'000'000'000),
                           static_cast<long>(ns % 1'000'000'000)};
    if (ppoll(polls_.data(), polls_.size(), &timeout, nullptr) <= 0) return;
    for (size_t i = 0; i < streams.size(); ++i) {
      streams[i].readable = (polls_[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
      streams[i].writable = (polls_[i].revents & (POLLOUT | POLLERR | POLLHUP)) != 0;
    }
  }

 private:
  struct Address {
    sockaddr_storage bytes{};
    socklen_t size = 0;
  };
  struct Socket {
    std::string name;
    std::vector<Address> addresses;
    size_t next_address = 0;
    int fd = -1;
    int last_error = 0;
  };

  static void CloseFd(Socket& socket) {
    if (socket.fd >= 0) close(socket.fd);
    socket.fd = -1;
  }

  static absl::Status Broken(absl::string_view what, const Socket& socket, int error) {
    return absl::UnavailableError(absl::StrCat(what, socket.name, ": ", std::strerror(error)));
  }

  // Begins to connect to the next address that lets us begin.
  static absl::Status TryNext(Socket& socket) {
    CloseFd(socket);
    while (socket.next_address < socket.addresses.size()) {
      const Address& address = socket.addresses[socket.next_address++];
      socket.fd = ::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      if (socket.fd >= 0) {
        const int on = 1;
        setsockopt(socket.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        const int rc =
            connect(socket.fd, reinterpret_cast<const sockaddr*>(&address.bytes), address.size);
        if (rc == 0 || errno == EINPROGRESS) return absl::OkStatus();
      }
      socket.last_error = errno;
      CloseFd(socket);
    }
    return Broken("connect to ", socket, socket.last_error);
  }

  Socket& Find(StreamId stream) {
    const auto it = sockets_.find(stream);
    WEIR_CHECK(it != sockets_.end());
    return it->second;
  }

  absl::flat_hash_map<StreamId, Socket> sockets_;
  std::vector<pollfd> polls_;
  int32_t next_id_ = 1;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_SOCKET_TRANSPORT_H_

// -----------------------------------------------------------------------------
// File: server/tcp_listen.h
// -----------------------------------------------------------------------------
// Opens a listening TCP socket and names addresses. Blocks while it resolves a name.
// Errors: as Poller::Listen; messages name the address and the system's reason.
#ifndef WEIR_SERVER_TCP_LISTEN_H_
#define WEIR_SERVER_TCP_LISTEN_H_

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <system_error>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace weir::server {

// "192.0.2.1:9092" or "[2001:db8::1]:9092"; a mapped IPv4 address as the IPv4 address that it is.
inline std::string TcpAddressText(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (address.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address, sizeof(v4));
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    return absl::StrCat(text, ":", ntohs(v4.sin_port));
  }
  if (address.ss_family != AF_INET6) return "an unknown kind of address";
  sockaddr_in6 v6;
  std::memcpy(&v6, &address, sizeof(v6));
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    ::inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, text, sizeof(text));
    return absl::StrCat(text, ":", ntohs(v6.sin6_port));
  }
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
  return absl::StrCat("[", text, "]:", ntohs(v6.sin6_port));
}

inline int TcpLocalPort(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
  return ntohs(address.ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port);
}

namespace server_internal {

inline absl::Status ListenError(const std::string& where, const char* call, int error) {
  const std::string text = absl::StrCat("cannot listen on ", where, ": ", call, ": ",
                                        std::generic_category().message(error));
  if (error == EADDRINUSE) return absl::AlreadyExistsError(text);
  if (error == EACCES) return absl::PermissionDeniedError(text);
  if (error == EADDRNOTAVAIL) return absl::NotFoundError(text);
  if (error == EMFILE || error == ENFILE) return absl::ResourceExhaustedError(text);
  return absl::UnavailableError(text);
}

inline absl::StatusOr<int> ListenAt(const sockaddr* address, socklen_t length, int backlog,
                                    const std::string& where) {
  const int fd =
      ::socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) return ListenError(where, "socket", errno);
  const int on = 1, off = 0;
  // A restart must not wait for old connections to leave TIME_WAIT. Never SO_REUSEPORT: a second
  // process would take half of the connections.
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address->sa_family == AF_INET6) {
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  }
  const char* failed = nullptr;
  if (::bind(fd, address, length) != 0) {
    failed = "bind";
  } else if (::listen(fd, backlog) != 0) {
    failed = "listen";
  }
  if (failed == nullptr) return fd;
  const int error = errno;
  ::close(fd);
  return ListenError(where, failed, error);
}

}  // namespace server_internal

// The descriptor of a non-blocking listener. An empty host is every interface, IPv6 and IPv4 where
// the system has both; of a name's addresses the first IPv4 one is taken, as most clients try it
// first.
inline absl::StatusOr<int> TcpListen(const std::string& host, int port, int backlog) {
  const std::string where = absl::StrCat(host.empty() ? "*" : host, ":", port);
  if (port < 0 || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot listen on ", where, ": a port is 0 to 65535"));
  }
  if (host.empty()) {
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(static_cast<uint16_t>(port));
    auto fd =
        server_internal::ListenAt(reinterpret_cast<sockaddr*>(&any), sizeof(any), backlog, where);
    if (fd.ok() || absl::IsAlreadyExists(fd.status())) return fd;
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  if (host.empty()) hints.ai_family = AF_INET;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.empty() ? nullptr : host.c_str(),
                                  std::to_string(port).c_str(), &hints, &found);
  if (error != 0) {
    return absl::NotFoundError(
        absl::StrCat("cannot listen on ", where, ": ", ::gai_strerror(error)));
  }
  const addrinfo* chosen = found;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    if (at->ai_family == AF_INET) {
      chosen = at;
      break;
    }
  }
  auto fd = server_internal::ListenAt(chosen->ai_addr, chosen->ai_addrlen, backlog, where);
  ::freeaddrinfo(found);
  return fd;
}

}  // namespace weir::server

#endif  // WEIR_SERVER_TCP_LISTEN_H_

// -----------------------------------------------------------------------------
// File: server/fd_poller.h
// -----------------------------------------------------------------------------
// What the pollers over real sockets share: the table of descriptors and every call that moves
// bytes. A poller adds how it waits.
// A program that holds one ignores SIGPIPE unless it handles it: sendfile has no flag against it.
#ifndef WEIR_SERVER_FD_POLLER_H_
#define WEIR_SERVER_FD_POLLER_H_

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "log/file.h"
#include "server/page_cache.h"
#include "server/poller.h"
#include "server/tcp_listen.h"

namespace weir::server {

class FdPoller : public Poller {
 public:
  FdPoller() {
    struct sigaction action {};
    if (sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler == SIG_DFL) {
      signal(SIGPIPE, SIG_IGN);
    }
  }
  FdPoller(const FdPoller&) = delete;
  FdPoller& operator=(const FdPoller&) = delete;
  ~FdPoller() override {
    for (size_t fd = 0; fd < sockets_.size(); ++fd) {
      if (sockets_[fd].generation != 0) ::close(static_cast<int>(fd));
    }
  }

  // For connections that are accepted from now on; -1 leaves a size to the system, which adapts it.
  void set_socket_buffers(int send_bytes, int receive_bytes) override {
    send_buffer_bytes_ = send_bytes;
    receive_buffer_bytes_ = receive_bytes;
  }

  absl::StatusOr<SocketId> Listen(const std::string& host, int port, int backlog) override {
    WEIR_ASSIGN_OR_RETURN(const int fd, TcpListen(host, port, backlog));
    return Register(fd);
  }

  int LocalPort(SocketId socket) const override { return TcpLocalPort(Fd(socket)); }

  absl::StatusOr<Accepted> Accept(SocketId listener) override {
    sockaddr_storage address{};
    socklen_t length = sizeof(address);
    int fd;
    do {
      fd = ::accept4(Fd(listener), reinterpret_cast<sockaddr*>(&address), &length,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) return AcceptError(errno);
    if (IsKeptForFiles(fd)) {
      ::close(fd);
      return absl::ResourceExhaustedError(
          "accept: closed a connection, the descriptors that are left are kept for files");
    }
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    SetBuffer(fd, SO_SNDBUF, send_buffer_bytes_);
    SetBuffer(fd, SO_RCVBUF, receive_buffer_bytes_);
    return Accepted{Register(fd), TcpAddressText(address)};
  }

  IoResult Receive(SocketId socket, absl::Span<char> into) override {
    if (into.empty()) return {};
    ssize_t n;
    do {
      n = ::recv(Fd(socket), into.data(), into.size(), 0);
    } while (n < 0 && errno == EINTR);
    if (n > 0) return {IoKind::kDone, static_cast<size_t>(n), {}};
    if (n == 0) return {IoKind::kClosed, 0, {}};
    return Failure("recv", errno);
  }

  IoResult Send(SocketId socket, absl::Span<const absl::string_view> pieces, bool more) override {
    iovec vector[kPiecesMax];
    const size_t count = std::min<size_t>(pieces.size(), kPiecesMax);
    for (size_t i = 0; i < count; ++i) {
      vector[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};
    }
    msghdr message{};
    message.msg_iov = vector;
    message.msg_iovlen = count;
    ssize_t n;
    do {
      n = ::sendmsg(Fd(socket), &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    } while (n < 0 && errno == EINTR);
    if (n >= 0) return {IoKind::kDone, static_cast<size_t>(n), {}};
    return Failure("send", errno);
  }

  IoResult SendFile(SocketId socket, const log::File& file, int64_t position,
                    size_t bytes) override {
    WEIR_CHECK(bytes > 0);
    if (file.NativeHandle() < 0) return SendCopied(socket, file, position, bytes);
    const size_t window = std::min(bytes, kWindowBytes);
    if (!HasArrived(socket, file.NativeHandle(), position, window)) {
      return {IoKind::kWouldBlock, 0, {}};
    }
    off_t offset = position;
    ssize_t n;
    do {
      n = ::sendfile(Fd(socket), file.NativeHandle(), &offset, window);
    } while (n < 0 && errno == EINTR);
    if (n > 0) return {IoKind::kDone, static_cast<size_t>(n), {}};
    if (n == 0) return FileTooShort(position, bytes);
    return Failure("sendfile", errno);
  }

  void Close(SocketId socket) override {
    const int fd = Unregister(socket);
    ::close(fd);
  }

  DetachedSocket Detach(SocketId socket) override {
    return DetachedSocket(
        Unregister(socket), [](void*, int fd) { ::close(fd); }, nullptr);
  }

  SocketId Adopt(DetachedSocket socket) override {
    WEIR_CHECK(socket.holds_socket());
    return Register(socket.Release());
  }

 protected:
  struct Socket {
    uint64_t generation = 0;  // 0: this descriptor is not ours
    bool readable = false;    // what Watch asked for
    bool writable = false;
    bool awaits_disk = false;   // what is to be sent is being read
    bool has_arrived = false;   // it was, and has not been sent
    uint8_t strict_checks = 0;  // how many pieces to come are looked at closely
    int file = -1;              // the descriptor that a piece was sent from last

    bool wants_writable() const { return writable && !awaits_disk; }
  };

  // How a subclass learns of sockets that come and go. OnRemove runs before the descriptor closes.
  virtual void OnAdd(int fd, SocketId id) = 0;
  virtual void OnRemove(int fd, SocketId id) = 0;
  // wants_writable() of a socket has changed, and not by Watch.
  virtual void OnInterest(SocketId id) = 0;
  // Reads a piece of a file into the page cache without blocking; DiskRead tells when it is there.
  virtual void StartDiskRead(SocketId id, int file, int64_t position, size_t bytes) = 0;

  void DiskRead(SocketId id) {
    if (!Holds(id)) return;  // closed meanwhile
    Socket& at = At(id);
    at.awaits_disk = false;
    at.has_arrived = true;
    OnInterest(id);
  }

  int Fd(SocketId id) const {
    const int fd = static_cast<int>(id.value() & kFdMask);
    WEIR_CHECK(Holds(id));
    return fd;
  }
  bool Holds(SocketId id) const {
    const size_t fd = id.value() & kFdMask;
    return fd < sockets_.size() && sockets_[fd].generation != 0 &&
           sockets_[fd].generation == id.value() >> kFdBits;
  }
  Socket& At(SocketId id) { return sockets_[Fd(id)]; }
  // Of a descriptor that this poller holds.
  SocketId IdOf(int fd) const {
    return SocketId(sockets_[fd].generation << kFdBits | static_cast<uint64_t>(fd));
  }

 private:
  // The last eighth: what cannot open a file of its own fails for good, a client comes again.
  static bool IsKeptForFiles(int fd) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
    return static_cast<rlim_t>(fd) >= limit.rlim_cur - limit.rlim_cur / 8;
  }

  static void SetBuffer(int fd, int which, int bytes) {
    if (bytes > 0) ::setsockopt(fd, SOL_SOCKET, which, &bytes, sizeof(bytes));
  }

  static constexpr int kFdBits = 24;
  static constexpr uint64_t kFdMask = (uint64_t{1} << kFdBits) - 1;
  static constexpr size_t kPiecesMax = 64;
  static constexpr size_t kCopyBytesMax = 256 << 10;
  static constexpr size_t kWindowBytes = size_t{1} << 20;  // of a file, looked at and sent at once
  static constexpr size_t kStrictBytes = size_t{256} << 10;  // whose sending costs much more
  static constexpr uint8_t kStrictChecks = 64;  // after a cold piece its neighbours are likely so

  // Whether this piece of a file can be sent without waiting for the disk. Who waited once sends
  // then, whatever the cache says: memory may be short.
  bool HasArrived(SocketId socket, int file, int64_t position, size_t bytes) {
    Socket& at = At(socket);
    if (at.awaits_disk) return false;
    if (std::exchange(at.has_arrived, false)) return true;
    if (std::exchange(at.file, file) != file) ReadNothingAhead(file);
    const bool strict = at.strict_checks > 0 || bytes >= kStrictBytes;
    if (at.strict_checks > 0) --at.strict_checks;
    if (IsCached(file, position, bytes, strict)) return true;
    at.strict_checks = kStrictChecks;
    at.awaits_disk = true;
    OnInterest(socket);
    StartDiskRead(socket, file, position, bytes);
    return false;
  }

  SocketId Register(int fd) {
    WEIR_CHECK(fd >= 0 && static_cast<uint64_t>(fd) <= kFdMask);
    if (static_cast<size_t>(fd) >= sockets_.size()) sockets_.resize(fd + 1);
    WEIR_CHECK(sockets_[fd].generation == 0);
    sockets_[fd] = Socket{};
    sockets_[fd].generation = ++generation_;
    OnAdd(fd, IdOf(fd));
    return IdOf(fd);
  }

  int Unregister(SocketId id) {
    const int fd = Fd(id);
    OnRemove(fd, id);
    sockets_[fd] = Socket{};
    return fd;
  }

  IoResult SendCopied(SocketId socket, const log::File& file, int64_t position, size_t bytes) {
    copy_.resize(std::min(bytes, kCopyBytesMax));
    const absl::StatusOr<size_t> read = file.ReadAt(position, absl::MakeSpan(copy_));
    if (!read.ok()) return {IoKind::kError, 0, std::string(read.status().message())};
    if (*read == 0) return FileTooShort(position, bytes);
    const absl::string_view piece(copy_.data(), *read);
    return Send(socket, absl::MakeConstSpan(&piece, 1), *read < bytes);
  }

  static IoResult FileTooShort(int64_t position, size_t bytes) {
    return {IoKind::kError, 0,
            absl::StrCat("a file ends before position ", position, ": ", bytes,
                         " bytes were to be sent from there")};
  }

  static IoResult Failure(const char* call, int error) {
    if (error == EAGAIN || error == EWOULDBLOCK) return {IoKind::kWouldBlock, 0, {}};
    std::string text = absl::StrCat(call, ": ", std::generic_category().message(error));
    const bool gone = error == EPIPE;
    return {gone ? IoKind::kClosed : IoKind::kError, 0, std::move(text)};
  }

  static absl::Status AcceptError(int error) {
    const std::string text = absl::StrCat("accept: ", std::generic_category().message(error));
    switch (error) {
      case EAGAIN:
#if EWOULDBLOCK != EAGAIN
      case EWOULDBLOCK:
#endif
        return absl::UnavailableError("accept: no connection waits");
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
        return absl::ResourceExhaustedError(text);
      default:  // Linux passes pending network errors of the new connection on: accept(2)
        return absl::AbortedError(text);
    }
  }

  std::vector<Socket> sockets_;  // by descriptor
  int send_buffer_bytes_ = -1;
  int receive_buffer_bytes_ = -1;
  uint64_t generation_ = 0;
  std::vector<char> copy_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_FD_POLLER_H_

// -----------------------------------------------------------------------------
// File: server/poller_factory.h
// -----------------------------------------------------------------------------
// Makes the poller that the configuration and the system allow. io_uring counts as allowed only
// when a poll and a sync make the round trip: containers forbid it in several ways, some of them
// per operation.
#ifndef WEIR_SERVER_POLLER_FACTORY_H_
#define WEIR_SERVER_POLLER_FACTORY_H_

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "log/file.h"
#include "server/broker_config.h"
#include "server/epoll_poller.h"
#include "server/poller.h"
#include "server/uring_poller.h"

namespace weir::server {

struct ChosenPoller {
  std::unique_ptr<Poller> poller;
  std::string reason;  // for the log: why this one, and why not the other
};

namespace server_internal {

inline absl::Status ProbePoll(Poller& poller, int64_t patience_ns) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return absl::UnavailableError("io_uring: no socket for a probe");
  }
  const SocketId socket = poller.Adopt(DetachedSocket(
      ends[0], [](void*, int fd) { ::close(fd); }, nullptr));
  poller.Watch(socket, true, false);
  ::close(ends[1]);  // which makes the other end readable
  std::vector<PollEvent> events;
  for (int i = 0; i < 3 && events.empty(); ++i) poller.Wait(patience_ns, &events);
  poller.Close(socket);
  return events.empty() ? absl::UnavailableError("io_uring: a poll did not complete")
                        : absl::OkStatus();
}

inline absl::Status ProbeSync(Poller& poller, int64_t patience_ns) {
  const int fd = ::memfd_create("weir-probe", MFD_CLOEXEC);
  if (fd < 0) return absl::UnavailableError("io_uring: no file for a probe");
  std::vector<PollEvent> events;
  std::vector<log::SyncDone> done;
  poller.syncer().Start(fd, 1);
  for (int i = 0; i < 3 && done.empty(); ++i) {
    poller.Wait(patience_ns, &events);
    poller.syncer().Drain(&done);
  }
  ::close(fd);
  if (done.empty()) return absl::UnavailableError("io_uring: a sync did not complete");
  if (done[0].status.ok()) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("io_uring: ", done[0].status.message(), " a probe"));
}

}  // namespace server_internal

// OK when io_uring serves here.
inline absl::Status ProbeUring() {
  constexpr int64_t kPatienceNs = 1'000'000'000;
  WEIR_ASSIGN_OR_RETURN(const std::unique_ptr<UringPoller> poller, UringPoller::Create());
  WEIR_RETURN_IF_ERROR(server_internal::ProbePoll(*poller, kPatienceNs));
  return server_internal::ProbeSync(*poller, kPatienceNs);
}

// `choice` kIoUring: fails where io_uring does not serve, with the reason. kAuto: epoll there.
inline absl::StatusOr<ChosenPoller> MakePoller(PollerChoice choice) {
  if (choice == PollerChoice::kEpoll) {
    return ChosenPoller{std::make_unique<EpollPoller>(), "epoll, as configured"};
  }
  const absl::Status probed = ProbeUring();
  if (choice == PollerChoice::kAuto) {
    return ChosenPoller{
        std::make_unique<EpollPoller>(),
        probed.ok() ? "epoll; io_uring would work here too (weir.poller=io_uring)"
                    : absl::StrCat("epoll; io_uring does not work here: ", probed.message())};
  }
  if (!probed.ok()) {
    return absl::Status(
        probed.code(),
        absl::StrCat("io_uring is configured but does not work here: ", probed.message()));
  }
  WEIR_ASSIGN_OR_RETURN(std::unique_ptr<UringPoller> poller, UringPoller::Create());
  return ChosenPoller{std::move(poller), "io_uring, as configured"};
}

}  // namespace weir::server

#endif  // WEIR_SERVER_POLLER_FACTORY_H_

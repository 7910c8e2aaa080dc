// -----------------------------------------------------------------------------
// File: log/thread_syncer.h
// -----------------------------------------------------------------------------
// A Syncer that calls fdatasync on a few threads of its own, for hosts without io_uring.
// Threading: Start and Drain are called by the owner's thread; `notify` is called on the syncer's
// threads and must be thread-safe. Threads start when they are first needed. The destructor
// finishes every sync that was started.
#ifndef WEIR_LOG_THREAD_SYNCER_H_
#define WEIR_LOG_THREAD_SYNCER_H_

#include <errno.h>
#include <unistd.h>

#include <cstddef>
#include <functional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "log/file.h"
#include "log/worker_threads.h"

namespace weir::log {

class ThreadSyncer final : public Syncer {
 public:
  // `notify`, when given, is called after a completion was queued for Drain.
  explicit ThreadSyncer(size_t threads_max = 4, std::function<void()> notify = nullptr)
      : workers_(
            threads_max,
            [](const Job& job) {
              return SyncDone{job.token, SyncDescriptor(job.fd)};
            },
            std::move(notify)) {}

  void Start(int fd, SyncToken token) override { workers_.Start({fd, token}); }
  void Drain(std::vector<SyncDone>* done) override { workers_.Drain(done); }

 private:
  struct Job {
    int fd;
    SyncToken token;
  };

  static absl::Status SyncDescriptor(int fd) {
    if (::fdatasync(fd) == 0) return absl::OkStatus();
    const int error = errno;
    return absl::DataLossError(
        absl::StrCat("fdatasync: ", std::generic_category().message(error), ", of"));
  }

  WorkerThreads<Job, SyncDone> workers_;
};

}  // namespace weir::log

#endif  // WEIR_LOG_THREAD_SYNCER_H_

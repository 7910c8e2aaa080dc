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

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <iterator>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "log/file.h"

namespace weir::log {

class ThreadSyncer final : public Syncer {
 public:
  // `notify`, when given, is called after a completion was queued for Drain.
  explicit ThreadSyncer(size_t threads_max = 4, std::function<void()> notify = nullptr)
      : threads_max_(threads_max), notify_(std::move(notify)) {
    WEIR_CHECK(threads_max > 0);
  }
  ThreadSyncer(const ThreadSyncer&) = delete;
  ThreadSyncer& operator=(const ThreadSyncer&) = delete;
  ~ThreadSyncer() override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    work_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void Start(int fd, SyncToken token) override {
    bool spawn = false;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      queue_.push_back({fd, token});
      spawn = queue_.size() > idle_ && threads_.size() < threads_max_;
    }
    if (spawn) threads_.emplace_back([this] { Run(); });
    work_.notify_one();
  }

  void Drain(std::vector<SyncDone>* done) override {
    std::lock_guard<std::mutex> lock(mutex_);
    done->insert(done->end(), std::make_move_iterator(done_.begin()),
                 std::make_move_iterator(done_.end()));
    done_.clear();
  }

 private:
  struct Job {
    int fd;
    SyncToken token;
  };

  void Run() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      ++idle_;
      work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      --idle_;
      if (queue_.empty()) return;
      const Job job = queue_.front();
      queue_.pop_front();
      lock.unlock();
      SyncDone completion{job.token, SyncDescriptor(job.fd)};
      lock.lock();
      done_.push_back(std::move(completion));
      lock.unlock();
      if (notify_) notify_();
      lock.lock();
    }
  }

  static absl::Status SyncDescriptor(int fd) {
    if (::fdatasync(fd) == 0) return absl::OkStatus();
    const int error = errno;
    return absl::DataLossError(
        absl::StrCat("fdatasync: ", std::generic_category().message(error), ", of"));
  }

  const size_t threads_max_;
  const std::function<void()> notify_;
  std::vector<std::thread> threads_;  // the owner's
  std::mutex mutex_;                  // guards what follows
  std::condition_variable work_;
  std::deque<Job> queue_;
  std::vector<SyncDone> done_;
  size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace weir::log

#endif  // WEIR_LOG_THREAD_SYNCER_H_

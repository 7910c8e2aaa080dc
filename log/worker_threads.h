// -----------------------------------------------------------------------------
// File: log/worker_threads.h
// -----------------------------------------------------------------------------
// A few threads that do jobs which wait for the disk, and hand out what came of them.
// Threading: Start and Drain are called by the owner's thread; `run` and `notify` are called on the
// workers and must be thread-safe. Threads start when they are first needed. The destructor
// finishes every job that was started.
#ifndef WEIR_LOG_WORKER_THREADS_H_
#define WEIR_LOG_WORKER_THREADS_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <iterator>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"

namespace weir::log {

template <class Job, class Result>
class WorkerThreads {
 public:
  // `notify`, when given, is called after a result was queued for Drain.
  WorkerThreads(size_t threads_max, std::function<Result(const Job&)> run,
                std::function<void()> notify)
      : threads_max_(threads_max), run_(std::move(run)), notify_(std::move(notify)) {
    WEIR_CHECK(threads_max > 0);
  }
  WorkerThreads(const WorkerThreads&) = delete;
  WorkerThreads& operator=(const WorkerThreads&) = delete;
  ~WorkerThreads() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    work_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void Start(Job job) {
    bool spawn = false;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      queue_.push_back(std::move(job));
      spawn = queue_.size() > idle_ && threads_.size() < threads_max_;
    }
    if (spawn) threads_.emplace_back([this] { Run(); });
    work_.notify_one();
  }

  void Drain(std::vector<Result>* done) {
    std::lock_guard<std::mutex> lock(mutex_);
    done->insert(done->end(), std::make_move_iterator(done_.begin()),
                 std::make_move_iterator(done_.end()));
    done_.clear();
  }

 private:
  void Run() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      ++idle_;
      work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      --idle_;
      if (queue_.empty()) return;
      const Job job = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      Result result = run_(job);
      lock.lock();
      done_.push_back(std::move(result));
      lock.unlock();
      if (notify_) notify_();
      lock.lock();
    }
  }

  const size_t threads_max_;
  const std::function<Result(const Job&)> run_;
  const std::function<void()> notify_;
  std::vector<std::thread> threads_;  // the owner's
  std::mutex mutex_;                  // guards what follows
  std::condition_variable work_;
  std::deque<Job> queue_;
  std::vector<Result> done_;
  size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace weir::log

#endif  // WEIR_LOG_WORKER_THREADS_H_

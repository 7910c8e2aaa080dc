// -----------------------------------------------------------------------------
// File: server/thread_worker.h
// -----------------------------------------------------------------------------
// A Worker with a thread of its own, which the system lets run when others leave it time: nice 10,
// and last in line for the disk. It starts with the first task.
// Threading: see Worker; Stop and destruction by the owner.
#ifndef WEIR_SERVER_THREAD_WORKER_H_
#define WEIR_SERVER_THREAD_WORKER_H_

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "log/file.h"
#include "log/posix_file.h"
#include "server/mailbox.h"
#include "server/worker.h"

namespace weir::server {

class ThreadWorker final : public Worker {
 public:
  ThreadWorker() = default;
  ~ThreadWorker() override { Stop(); }
  ThreadWorker(const ThreadWorker&) = delete;
  ThreadWorker& operator=(const ThreadWorker&) = delete;

  log::FileSystem& files() override { return files_; }

  // Dropped after Stop.
  void Post(Task task) override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (stopped_) return;
    tasks_.push_back(std::move(task));
    if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
    wake_.notify_one();
  }

  // Waits for the task that runs, and drops the others.
  void Stop() {
    std::deque<Task> dropped;  // destroyed without the lock
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stopped_ = true;
      dropped.swap(tasks_);
      wake_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  // Only requests: where the system says no, the thread is like any other.
  static void LowerPriority() {
    constexpr int kNice = 10;
    constexpr int kThisThread = 1;                    // IOPRIO_WHO_PROCESS
    constexpr int kLastOfBestEffort = (2 << 13) | 7;  // IOPRIO_CLASS_BE, level 7
    (void)setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNice);
    (void)syscall(SYS_ioprio_set, kThisThread, 0, kLastOfBestEffort);
  }

  void Run() {
    LowerPriority();
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stopped_ || !tasks_.empty(); });
      if (stopped_) return;
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      task = nullptr;  // what it holds goes without the lock
      lock.lock();
    }
  }

  log::PosixFileSystem files_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;  // guarded by mutex_
  bool stopped_ = false;    // guarded by mutex_
  std::thread thread_;      // started under mutex_
};

}  // namespace weir::server

#endif  // WEIR_SERVER_THREAD_WORKER_H_

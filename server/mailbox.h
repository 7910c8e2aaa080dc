// -----------------------------------------------------------------------------
// File: server/mailbox.h
// -----------------------------------------------------------------------------
// Tasks that other threads hand to one reactor.
// Threading: Post from any thread; the rest from the owner's.
// Limits: none of its own. Senders post a few tasks for each request that they admit, and bound
// those (Connection::Limits, server/call_each.h).
#ifndef WEIR_SERVER_MAILBOX_H_
#define WEIR_SERVER_MAILBOX_H_

#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace weir::server {

using Task = absl::AnyInvocable<void()>;

class Mailbox {
 public:
  // `wake` runs on the poster's thread when a task arrives in an empty mailbox; it must be
  // thread-safe.
  explicit Mailbox(absl::AnyInvocable<void() const> wake) : wake_(std::move(wake)) {}

  void Post(Task task) {
    bool was_empty = false;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      was_empty = tasks_.empty();
      tasks_.push_back(std::move(task));
    }
    if (was_empty) wake_();
  }

  // Runs what was posted before the call, in order of arrival. Returns how many tasks ran.
  size_t RunAll() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      running_.swap(tasks_);
    }
    const size_t count = running_.size();
    for (Task& task : running_) task();
    running_.clear();
    return count;
  }

  // Destroys the tasks that wait, unrun.
  void Clear() {
    std::vector<Task> dropped;  // destroyed without the lock
    {
      std::lock_guard<std::mutex> lock(mutex_);
      dropped.swap(tasks_);
    }
  }

  bool empty() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return tasks_.empty();
  }

 private:
  const absl::AnyInvocable<void() const> wake_;
  mutable std::mutex mutex_;
  std::vector<Task> tasks_;    // guarded by mutex_
  std::vector<Task> running_;  // the owner's; keeps its storage for the next swap
};

}  // namespace weir::server

#endif  // WEIR_SERVER_MAILBOX_H_

// -----------------------------------------------------------------------------
// File: server/event_loop.h
// -----------------------------------------------------------------------------
// The reactor of one core: a poller, timers, a mailbox and a clock, all handed in, so that the
// simulator drives the same code with its own. One tick is: wait, sockets that are ready, tasks,
// timers that are due, syncs that completed, the hook at the end (where a shard commits what the
// tick appended, as a group). Nothing here starts a thread.
// Threading: everything on the thread that runs the loop, except Post and Stop.
#ifndef WEIR_SERVER_EVENT_LOOP_H_
#define WEIR_SERVER_EVENT_LOOP_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "base/check.h"
#include "base/clock.h"
#include "log/file.h"
#include "server/mailbox.h"
#include "server/poller.h"
#include "server/timers.h"

namespace weir::server {

class SocketHandler {
 public:
  virtual ~SocketHandler() = default;
  virtual void OnReady(const PollEvent& event) = 0;
  // Asked for by EventLoop::CallAtTickEnd: to send together what one tick brought together.
  virtual void OnTickEnd() {}
};

class EventLoop {
 public:
  // `file_system` is where completed syncs are drained from; none when null. All outlive the loop.
  EventLoop(Poller& poller, Clock& clock, log::FileSystem* file_system)
      : poller_(poller),
        clock_(clock),
        file_system_(file_system),
        mailbox_([&poller] { poller.Wake(); }),
        now_(clock.Monotonic()) {}
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  Poller& poller() { return poller_; }
  Clock& clock() { return clock_; }
  TimerQueue& timers() { return timers_; }
  // The time at which this tick's wait ended.
  MonotonicNs now() const { return now_; }

  // Whom Wait's events of `socket` go to. Unregister before the socket is closed or detached:
  // events of this tick that still name it are dropped.
  void Register(SocketId socket, SocketHandler* handler) {
    WEIR_CHECK(handlers_.emplace(socket, handler).second);
  }
  void Unregister(SocketId socket) { WEIR_CHECK(handlers_.erase(socket) == 1); }

  // Called with every completed sync.
  void SetSyncHandler(absl::AnyInvocable<void(log::SyncDone)> handler) {
    sync_handler_ = std::move(handler);
  }
  // Called once at the end of every tick.
  void SetTickEndHook(absl::AnyInvocable<void()> hook) { tick_end_hook_ = std::move(hook); }

  // Runs `task` on the loop's thread. Any thread.
  void Post(Task task) { mailbox_.Post(std::move(task)); }
  // As Post, for the loop's own thread and without a wake-up: runs in the next tick, which then
  // does not wait.
  void Defer(Task task) { deferred_.push_back(std::move(task)); }

  // Calls OnTickEnd of the socket's handler, if it is still registered, after this tick's hook.
  void CallAtTickEnd(SocketId socket) { at_tick_end_.push_back(socket); }

  // Destroys the tasks and timers that wait, with all that they hold. While the loop does not run.
  void DropAll() {
    std::vector<Task> dropped;
    dropped.swap(deferred_);
    mailbox_.Clear();
    timers_.Clear();
  }

  // One tick. Waits for something to happen when `may_block` and nothing is to be done already.
  void RunOnce(bool may_block) {
    poller_.Wait(Timeout(may_block), &events_);
    now_ = clock_.Monotonic();
    for (const PollEvent& event : events_) {
      const auto handler = handlers_.find(event.socket);
      if (handler != handlers_.end()) handler->second->OnReady(event);
    }
    RunTasks();
    timers_.RunDue(now_);
    DrainSyncs();
    if (tick_end_hook_) tick_end_hook_();
    for (size_t i = 0; i < at_tick_end_.size(); ++i) {  // may grow on the way
      const auto handler = handlers_.find(at_tick_end_[i]);
      if (handler != handlers_.end()) handler->second->OnTickEnd();
    }
    at_tick_end_.clear();
  }

  // Ticks until Stop.
  void Run() {
    while (!stopped_.load(std::memory_order_acquire)) RunOnce(true);
  }
  // Ends Run after the tick that runs; for good. Any thread.
  void Stop() {
    stopped_.store(true, std::memory_order_release);
    poller_.Wake();
  }

  // When the loop has something to do even if no socket, sync or other thread wakes it: now when
  // tasks wait, else at its next timer. For drivers that own the time.
  std::optional<MonotonicNs> NextDue() const {
    if (!deferred_.empty() || !at_tick_end_.empty() || !mailbox_.empty()) return now_;
    return timers_.Next();
  }

 private:
  std::optional<int64_t> Timeout(bool may_block) {
    if (!may_block || !deferred_.empty() || !at_tick_end_.empty()) return 0;
    const std::optional<MonotonicNs> next = timers_.Next();
    if (!next.has_value()) return std::nullopt;
    return std::max<int64_t>(*next - clock_.Monotonic(), 0);
  }

  void RunTasks() {
    running_.swap(deferred_);
    for (Task& task : running_) task();
    running_.clear();
    mailbox_.RunAll();
  }

  void DrainSyncs() {
    if (file_system_ == nullptr) return;
    file_system_->DrainSyncs(&syncs_);
    for (log::SyncDone& sync : syncs_) {
      WEIR_CHECK(sync_handler_ != nullptr);
      sync_handler_(std::move(sync));
    }
    syncs_.clear();
  }

  Poller& poller_;
  Clock& clock_;
  log::FileSystem* const file_system_;
  TimerQueue timers_;
  Mailbox mailbox_;
  MonotonicNs now_;
  std::atomic<bool> stopped_{false};
  absl::flat_hash_map<SocketId, SocketHandler*> handlers_;
  absl::AnyInvocable<void(log::SyncDone)> sync_handler_;
  absl::AnyInvocable<void()> tick_end_hook_;
  std::vector<Task> deferred_;
  std::vector<SocketId> at_tick_end_;
  // Kept for their storage; empty between ticks.
  std::vector<PollEvent> events_;
  std::vector<Task> running_;
  std::vector<log::SyncDone> syncs_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_EVENT_LOOP_H_

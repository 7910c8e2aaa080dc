// -----------------------------------------------------------------------------
// File: coordination/group/internal/timer_queue.h
// -----------------------------------------------------------------------------
// Deadlines of a group coordinator. Equal deadlines fire in the order they were armed, so that a
// run repeats. Arming an armed timer again moves it without allocating: every heartbeat does that.
#ifndef WEIR_COORDINATION_GROUP_INTERNAL_TIMER_QUEUE_H_
#define WEIR_COORDINATION_GROUP_INTERNAL_TIMER_QUEUE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace weir::group::group_internal {

enum class TimerKind : int8_t { kSession, kPendingMember, kJoin, kSync, kAppend, kRetention };

struct TimerTarget {
  TimerKind kind = TimerKind::kRetention;
  std::string group_id;
  std::string member_id;
};

// Where an armed timer stands; the owner keeps it.
struct Timer {
  int64_t deadline_ms = 0;
  uint64_t sequence = 0;  // 0: not armed

  bool armed() const { return sequence != 0; }
};

class TimerQueue {
 public:
  // `target` is called for the timer's TimerTarget unless the timer is armed already.
  template <class MakeTarget>
  void Arm(Timer& timer, int64_t deadline_ms, MakeTarget target) {
    const Key key{deadline_ms, ++last_sequence_};
    if (timer.armed()) {
      auto node = timers_.extract(Key{timer.deadline_ms, timer.sequence});
      node.key() = key;
      timers_.insert(std::move(node));
    } else {
      timers_.emplace(key, target());
    }
    timer = {key.first, key.second};
  }

  void Cancel(Timer& timer) {
    if (timer.armed()) timers_.erase(Key{timer.deadline_ms, timer.sequence});
    timer = {};
  }

  std::optional<int64_t> NextDeadlineMs() const {
    if (timers_.empty()) return std::nullopt;
    return timers_.begin()->first.first;
  }

  // Takes out the first timer due at `now_ms`; its owner must clear its Timer.
  std::optional<TimerTarget> PopDue(int64_t now_ms) {
    if (timers_.empty() || timers_.begin()->first.first > now_ms) return std::nullopt;
    return std::move(timers_.extract(timers_.begin()).mapped());
  }

  void Clear() { timers_.clear(); }
  size_t size() const { return timers_.size(); }

 private:
  using Key = std::pair<int64_t, uint64_t>;

  std::map<Key, TimerTarget> timers_;
  uint64_t last_sequence_ = 0;
};

}  // namespace weir::group::group_internal

#endif  // WEIR_COORDINATION_GROUP_INTERNAL_TIMER_QUEUE_H_

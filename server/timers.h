// -----------------------------------------------------------------------------
// File: server/timers.h
// -----------------------------------------------------------------------------
// Callbacks by time, for the thread of one reactor: a binary heap that also finds a timer by its
// id. Schedule and Cancel cost O(log n). Reads no clock; equal times run in the order of
// scheduling, so that a simulation repeats.
#ifndef WEIR_SERVER_TIMERS_H_
#define WEIR_SERVER_TIMERS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/strong_int.h"

namespace weir::server {

// Never reused; the default value names no timer.
using TimerId = StrongInt<struct TimerIdTag, uint64_t>;

class TimerQueue {
 public:
  using Callback = absl::AnyInvocable<void()>;

  TimerId Schedule(MonotonicNs when, Callback callback) {
    size_t slot = slots_.size();
    if (free_.empty()) {
      WEIR_CHECK(slot < kSlotsMax);
      slots_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    const uint64_t id = ++sequence_ << kSlotBits | slot;
    slots_[slot] = Slot{id, heap_.size(), std::move(callback)};
    heap_.push_back(Entry{when, id});
    SiftUp(heap_.size() - 1);
    return TimerId(id);
  }

  // False when it ran, runs now, was cancelled before or is TimerId().
  bool Cancel(TimerId id) {
    const size_t slot = SlotOf(id.value());
    if (id == TimerId() || slot >= slots_.size() || slots_[slot].id != id.value()) return false;
    if (slots_[slot].heap_index != kDue) RemoveAt(slots_[slot].heap_index);
    Free(slot);
    return true;
  }

  // Destroys the callbacks that wait, unrun.
  void Clear() {
    WEIR_CHECK(due_.empty());  // not from a callback
    std::vector<Slot> dropped;
    dropped.swap(slots_);
    heap_.clear();
    free_.clear();
  }

  // Runs what is due, earliest first. What the callbacks schedule waits for the next call, however
  // early it is due. Returns how many ran.
  size_t RunDue(MonotonicNs now) {
    WEIR_CHECK(due_.empty());  // a callback must not call RunDue
    while (!heap_.empty() && heap_[0].when <= now) {
      due_.push_back(heap_[0].id);
      slots_[SlotOf(heap_[0].id)].heap_index = kDue;
      RemoveAt(0);
    }
    size_t ran = 0;
    for (const uint64_t id : due_) {
      Slot& slot = slots_[SlotOf(id)];
      if (slot.id != id) continue;  // cancelled by one that ran before it
      Callback callback = std::move(slot.callback);
      Free(SlotOf(id));
      callback();
      ++ran;
    }
    due_.clear();
    return ran;
  }

  std::optional<MonotonicNs> Next() const {
    if (heap_.empty()) return std::nullopt;
    return heap_[0].when;
  }
  size_t size() const { return heap_.size(); }

 private:
  struct Entry {
    MonotonicNs when;
    uint64_t id;
    friend bool operator<(const Entry& a, const Entry& b) {
      return a.when != b.when ? a.when < b.when : a.id < b.id;
    }
  };
  struct Slot {
    uint64_t id = 0;  // 0: free
    size_t heap_index = 0;
    Callback callback;
  };
  static constexpr int kSlotBits = 24;  // the sequence above them orders equal times
  static constexpr size_t kSlotsMax = size_t{1} << kSlotBits;
  static constexpr size_t kDue = ~size_t{0};

  static size_t SlotOf(uint64_t id) { return id & (kSlotsMax - 1); }

  void Free(size_t slot) {
    slots_[slot] = Slot{};
    free_.push_back(slot);
  }

  void Place(size_t index, Entry entry) {
    heap_[index] = entry;
    slots_[SlotOf(entry.id)].heap_index = index;
  }

  void SiftUp(size_t index) {
    const Entry entry = heap_[index];
    while (index > 0 && entry < heap_[(index - 1) / 2]) {
      Place(index, heap_[(index - 1) / 2]);
      index = (index - 1) / 2;
    }
    Place(index, entry);
  }

  void SiftDown(size_t index) {
    const Entry entry = heap_[index];
    for (size_t child; (child = 2 * index + 1) < heap_.size(); index = child) {
      if (child + 1 < heap_.size() && heap_[child + 1] < heap_[child]) ++child;
      if (!(heap_[child] < entry)) break;
      Place(index, heap_[child]);
    }
    Place(index, entry);
  }

  void RemoveAt(size_t index) {
    const Entry last = heap_.back();
    heap_.pop_back();
    if (index == heap_.size()) return;
    Place(index, last);
    SiftUp(index);
    SiftDown(slots_[SlotOf(last.id)].heap_index);
  }

  std::vector<Entry> heap_;
  std::vector<Slot> slots_;
  std::vector<size_t> free_;
  std::vector<uint64_t> due_;  // of the RunDue that runs
  uint64_t sequence_ = 0;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_TIMERS_H_

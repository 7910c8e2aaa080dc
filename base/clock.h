// -----------------------------------------------------------------------------
// File: base/clock.h
// -----------------------------------------------------------------------------
// The clock port. Only drivers hold one; state machines are told the time with every event.
#ifndef WEIR_BASE_CLOCK_H_
#define WEIR_BASE_CLOCK_H_

#include <time.h>

#include <compare>
#include <cstdint>

#include "base/ids.h"
#include "base/strong_int.h"

namespace weir {

// Nanoseconds since an arbitrary start, never going back: for timeouts and timers.
using MonotonicNs = Ordinal<struct MonotonicNsTag, int64_t>;

inline constexpr int64_t kNsPerMs = 1'000'000;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonotonicNs Monotonic() = 0;
  virtual TimestampMs WallMs() = 0;  // may jump either way
};

class SystemClock final : public Clock {
 public:
  MonotonicNs Monotonic() override {
    const timespec t = Get(CLOCK_MONOTONIC);
    return MonotonicNs(t.tv_sec * 1'000'000'000 + t.tv_nsec);
  }
  TimestampMs WallMs() override {
    const timespec t = Get(CLOCK_REALTIME);
    return t.tv_sec * 1000 + t.tv_nsec / kNsPerMs;
  }

 private:
  static timespec Get(clockid_t id) {
    timespec t{};
    clock_gettime(id, &t);
    return t;
  }
};

}  // namespace weir

#endif  // WEIR_BASE_CLOCK_H_

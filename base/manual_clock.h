// -----------------------------------------------------------------------------
// File: base/manual_clock.h
// -----------------------------------------------------------------------------
// For tests: a clock that stands still until the test moves it.
#ifndef WEIR_BASE_MANUAL_CLOCK_H_
#define WEIR_BASE_MANUAL_CLOCK_H_

#include <cstdint>

#include "base/clock.h"
#include "base/ids.h"

namespace weir {

class ManualClock final : public Clock {
 public:
  static constexpr TimestampMs kWallMs = 1'700'000'000'000;  // when Monotonic() is zero

  MonotonicNs Monotonic() override { return now; }
  TimestampMs WallMs() override { return kWallMs + (now - MonotonicNs(0)) / kNsPerMs; }
  void Advance(int64_t ns) { now += ns; }

  MonotonicNs now;
};

}  // namespace weir

#endif  // WEIR_BASE_MANUAL_CLOCK_H_

// -----------------------------------------------------------------------------
// File: replication/internal/fetch_waiters.h
// -----------------------------------------------------------------------------
// The readers that wait for a partition to have enough that they may read.
// Threading: one thread.
#ifndef WEIR_REPLICATION_INTERNAL_FETCH_WAITERS_H_
#define WEIR_REPLICATION_INTERNAL_FETCH_WAITERS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/ids.h"
#include "replication/partition_events.h"

namespace weir::replication::replication_internal {

struct FetchWaiter {
  Offset offset;
  int64_t bytes_min = 1;
  int64_t bytes_missing = 1;  // until that much is below the high watermark
  bool read_committed = false;
};

class FetchWaiters {
 public:
  void Add(WaitToken token, const FetchWaiter& waiter) { waiters_[token] = waiter; }
  void Cancel(WaitToken token) { waiters_.erase(token); }
  size_t size() const { return waiters_.size(); }

  // A batch that ends at `end` was appended; nobody may read it yet.
  void Hide(Offset end, int64_t bytes) { hidden_.push_back({end, bytes}); }
  // What lies before the high watermark may be read now.
  void Show(Offset high_watermark) {
    int64_t shown = 0;
    while (!hidden_.empty() && hidden_.front().end <= high_watermark) {
      shown += hidden_.front().bytes;
      hidden_.pop_front();
    }
    for (auto& [token, waiter] : waiters_) waiter.bytes_missing -= shown;
  }

  // The log was cut off: what stood behind it is not hidden but gone. Nobody waits.
  void ForgetHidden() { hidden_.clear(); }

  // Answers those who are `ready`.
  template <class Ready>
  void Wake(Effects* effects, Ready ready) {
    std::vector<WaitToken> tokens;
    for (const auto& [token, waiter] : waiters_) {
      if (ready(waiter)) tokens.push_back(token);
    }
    std::sort(tokens.begin(), tokens.end());  // the map's order differs from run to run
    for (const WaitToken token : tokens) {
      waiters_.erase(token);
      effects->push_back(FetchReady{token});
    }
  }

 private:
  struct HiddenBatch {
    Offset end;
    int64_t bytes;
  };

  absl::flat_hash_map<WaitToken, FetchWaiter> waiters_;
  std::deque<HiddenBatch> hidden_;  // appended and not yet readable
};

}  // namespace weir::replication::replication_internal

#endif  // WEIR_REPLICATION_INTERNAL_FETCH_WAITERS_H_

// -----------------------------------------------------------------------------
// File: replication/internal/fetch_waiters.h
// -----------------------------------------------------------------------------
// The readers that wait for a partition to have enough that they may read.
// Threading: one thread.
#ifndef WEIR_REPLICATION_INTERNAL_FETCH_WAITERS_H_
#define WEIR_REPLICATION_INTERNAL_FETCH_WAITERS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/ids.h"
#include "base/sort.h"
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

  // What the log has now was not told of, from here on appends are. Nobody waits.
  void CountFrom(Offset log_end) {
    hidden_.clear();
    counts_from_ = log_end;
  }
  // What readers may see before it, Show does not know.
  Offset counts_from() const { return counts_from_; }
  // Looks again what those have who are not waiting for committed records.
  template <class BytesFor>
  void Recount(BytesFor bytes_for) {
    for (auto& [token, waiter] : waiters_) {
      if (!waiter.read_committed) waiter.bytes_missing = waiter.bytes_min - bytes_for(waiter);
    }
  }

  // Answers those who are `ready`.
  template <class Ready>
  void Wake(Effects* effects, Ready ready) {
    std::vector<WaitToken> tokens;
    for (const auto& [token, waiter] : waiters_) {
      if (ready(waiter)) tokens.push_back(token);
    }
    Sort(tokens);  // the map's order differs from run to run
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
  Offset counts_from_;
};

}  // namespace weir::replication::replication_internal

#endif  // WEIR_REPLICATION_INTERNAL_FETCH_WAITERS_H_

// -----------------------------------------------------------------------------
// File: replication/replication_quota.h
// -----------------------------------------------------------------------------
// How many bytes per second replicas that catch up may move (KIP-73). What was moved beyond that is
// a debt that time pays off; until it is, nothing more begins. What is under way already counts
// when it comes, so that the average holds whatever the size of a message is.
// Threading: any; the shards of a broker share one. Errors: none.
#ifndef WEIR_REPLICATION_REPLICATION_QUOTA_H_
#define WEIR_REPLICATION_REPLICATION_QUOTA_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>

#include "base/clock.h"

namespace weir::replication {

class ReplicationQuota {
 public:
  static constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

  // In bytes per second, 0 for nothing at all. Another rate begins without debts.
  void SetRate(int64_t rate) {
    if (rate_.exchange(rate, std::memory_order_relaxed) == rate) return;
    free_at_ns_.store(0, std::memory_order_relaxed);
  }
  bool is_limited() const { return rate_.load(std::memory_order_relaxed) != kNoLimit; }

  void Record(MonotonicNs now, int64_t bytes) {
    const int64_t rate = rate_.load(std::memory_order_relaxed);
    if (rate == kNoLimit) return;
    const double cost =
        static_cast<double>(bytes) * 1e9 / static_cast<double>(std::max<int64_t>(rate, 1));
    const int64_t ns = cost < 1e17 ? static_cast<int64_t>(cost) : kLongestNs;
    int64_t before = free_at_ns_.load(std::memory_order_relaxed);
    int64_t after = 0;
    do {
      after = std::min(std::max(before, now.value() - kBurstNs) + ns, now.value() + kLongestNs);
    } while (!free_at_ns_.compare_exchange_weak(before, after, std::memory_order_relaxed));
  }

  bool IsExceeded(MonotonicNs now) const { return is_limited() && FreeAt(now) > now; }
  // When it is worth asking again; the rate may change before.
  MonotonicNs FreeAt(MonotonicNs now) const {
    if (rate_.load(std::memory_order_relaxed) == 0) return now + kBurstNs;
    return MonotonicNs(std::max(free_at_ns_.load(std::memory_order_relaxed), now.value()));
  }

 private:
  // What was not used of the last second may be used at once.
  static constexpr int64_t kBurstNs = 1'000'000'000;
  static constexpr int64_t kLongestNs = 3'600 * kBurstNs;

  std::atomic<int64_t> rate_{kNoLimit};
  std::atomic<int64_t> free_at_ns_{0};
};

// Those of a broker.
struct ReplicationQuotas {
  ReplicationQuota leader;    // sent to replicas that catch up
  ReplicationQuota follower;  // fetched by its own that do
  ReplicationQuota log_dirs;  // moved between its folders (KIP-113)
};

}  // namespace weir::replication

#endif  // WEIR_REPLICATION_REPLICATION_QUOTA_H_

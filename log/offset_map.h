// -----------------------------------------------------------------------------
// File: log/offset_map.h
// -----------------------------------------------------------------------------
// The last offset of each key, in bounded memory: what the cleaner (log/cleaner.h) compares records
// with. Keys are known by a keyed 128-bit hash alone, 24 bytes an entry with the offset.
// Decision: docs/adr/0008-compaction.md: of n keys, two have the same hash with a probability of
// n^2 / 2^129, whoever chose them.
// Open addressing by Robin Hood hashing, so that even a map that is nearly full finds or misses a
// key within a few slots that lie side by side.
// Threading: one thread.
// Limits: the memory given; it is taken at once, and returned with the map.
#ifndef WEIR_LOG_OFFSET_MAP_H_
#define WEIR_LOG_OFFSET_MAP_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/ids.h"
#include "base/siphash.h"

namespace weir::log {

class OffsetMap {
 public:
  static constexpr int64_t kEntryBytes = 24;

  // For at most `keys_max` keys, or as many as `bytes_max` of memory hold when filled up to
  // `load_factor`, in (0, 1]; one at least.
  OffsetMap(const SipKey& key, int64_t keys_max, int64_t bytes_max, double load_factor)
      : key_(key) {
    WEIR_CHECK(load_factor > 0 && load_factor <= 1);
    const int64_t affordable = std::max<int64_t>(bytes_max / kEntryBytes, 2);
    const double wanted = static_cast<double>(std::max<int64_t>(keys_max, 1)) / load_factor + 2;
    slot_count_ = wanted < static_cast<double>(affordable) ? static_cast<uint64_t>(wanted)
                                                           : static_cast<uint64_t>(affordable);
    const auto filled = static_cast<int64_t>(static_cast<double>(slot_count_) * load_factor);
    capacity_ = std::clamp<int64_t>(filled, 1, static_cast<int64_t>(slot_count_) - 1);
    slots_.reset(static_cast<Slot*>(std::calloc(slot_count_, sizeof(Slot))));
    WEIR_CHECK(slots_ != nullptr);
  }

  // Notes that `key` is at `offset`, not below any offset that it had. False when the map is full
  // and does not have the key yet; it is unchanged then.
  bool Put(absl::string_view key, Offset offset) {
    Slot carried{SipHash128(key_, key), offset.value() + 1};
    bool is_new = true;  // whether what is carried is the key itself
    uint64_t at = Home(carried.hash);
    for (uint64_t distance = 0;; ++distance, at = Next(at)) {
      Slot& slot = slots_.get()[at];
      if (slot.offset_plus_1 == 0) {
        if (is_new && size_ == capacity_) return false;
        slot = carried;
        ++size_;
        return true;
      }
      if (is_new && slot.hash == carried.hash) {
        slot.offset_plus_1 = std::max(slot.offset_plus_1, carried.offset_plus_1);
        return true;
      }
      if (const uint64_t theirs = Distance(slot.hash, at); theirs < distance) {
        if (is_new && size_ == capacity_) return false;
        std::swap(slot, carried);
        distance = theirs;
        is_new = false;
      }
    }
  }

  // The last offset of `key`, or kNoOffset.
  Offset Get(absl::string_view key) const {
    const Hash128 hash = SipHash128(key_, key);
    uint64_t at = Home(hash);
    for (uint64_t distance = 0;; ++distance, at = Next(at)) {
      const Slot& slot = slots_.get()[at];
      if (slot.offset_plus_1 == 0 || Distance(slot.hash, at) < distance) return kNoOffset;
      if (slot.hash == hash) return Offset(slot.offset_plus_1 - 1);
    }
  }

  int64_t size() const { return size_; }
  int64_t capacity() const { return capacity_; }
  int64_t memory_bytes() const { return static_cast<int64_t>(slot_count_) * kEntryBytes; }

 private:
  struct Slot {
    Hash128 hash;
    int64_t offset_plus_1 = 0;  // 0: the slot is free
  };
  static_assert(sizeof(Slot) == kEntryBytes);
  struct Free {
    void operator()(Slot* slots) const { std::free(slots); }
  };

  uint64_t Home(const Hash128& hash) const {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(hash.low) * slot_count_) >> 64);
  }
  uint64_t Next(uint64_t at) const { return at + 1 == slot_count_ ? 0 : at + 1; }
  // How far the slot `at` is behind the one where the hash would best be.
  uint64_t Distance(const Hash128& hash, uint64_t at) const {
    const uint64_t home = Home(hash);
    return at >= home ? at - home : at + slot_count_ - home;
  }

  const SipKey key_;
  uint64_t slot_count_ = 0;
  int64_t capacity_ = 0;  // below slot_count_: a search ends
  int64_t size_ = 0;
  std::unique_ptr<Slot, Free> slots_;
};

}  // namespace weir::log

#endif  // WEIR_LOG_OFFSET_MAP_H_

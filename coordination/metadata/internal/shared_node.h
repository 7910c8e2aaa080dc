// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/shared_node.h
// -----------------------------------------------------------------------------
// Reference-counted nodes and entries of a PersistentMap, copied only while others hold them too.
// Threading: counts are atomic, contents are written only by the sole holder.
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_SHARED_NODE_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_SHARED_NODE_H_

#include <atomic>
#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

namespace weir::metadata::metadata_internal {

// Counts the holders of a T, which has `mutable std::atomic<uint32_t> holders`. std::shared_ptr
// will not do: its use_count() orders nothing, so a sole holder could write while the reads of the
// holder that just left are still under way.
template <class T>
class CountedPointer {
 public:
  CountedPointer() = default;
  explicit CountedPointer(T* taken) : to_(taken) {}  // a new object, with a count of one
  CountedPointer(const CountedPointer& other) : to_(other.to_) {
    if (to_ != nullptr) to_->holders.fetch_add(1, std::memory_order_relaxed);
  }
  CountedPointer(CountedPointer&& other) noexcept : to_(std::exchange(other.to_, nullptr)) {}
  CountedPointer& operator=(CountedPointer other) noexcept {
    std::swap(to_, other.to_);
    return *this;
  }
  ~CountedPointer() {
    if (to_ != nullptr && to_->holders.fetch_sub(1, std::memory_order_acq_rel) == 1) delete to_;
  }

  T* get() const { return to_; }
  T& operator*() const { return *to_; }
  T* operator->() const { return to_; }
  bool is_sole_holder() const { return to_->holders.load(std::memory_order_acquire) == 1; }

 private:
  T* to_ = nullptr;
};

template <class Key, class Value>
struct SharedNode {
  struct Entry;
  using EntryPointer = CountedPointer<Entry>;
  using Pointer = CountedPointer<SharedNode>;

  static constexpr int kBits = 5;
  static constexpr int kLevels = 13;  // 13 * 5 bits exhaust a 64-bit hash; below are collisions

  struct Entry {
    Entry(Key k, Value v) : key(std::move(k)), value(std::move(v)) {}

    static Entry* Unshare(EntryPointer* place) {
      if (!place->is_sole_holder())
        *place = EntryPointer(new Entry((*place)->key, (*place)->value));
      return place->get();
    }

    mutable std::atomic<uint32_t> holders{1};
    Key key;
    Value value;
  };

  SharedNode() = default;
  SharedNode(const SharedNode& other)
      : entry_bits(other.entry_bits),
        child_bits(other.child_bits),
        entries(other.entries),
        children(other.children) {}
  SharedNode& operator=(const SharedNode&) = delete;

  static SharedNode* Unshare(Pointer* place) {
    if (!place->is_sole_holder()) *place = Pointer(new SharedNode(**place));
    return place->get();
  }

  static uint32_t BitOf(uint64_t hash) { return uint32_t{1} << (hash & 31); }
  static int Rank(uint32_t bits, uint32_t bit) { return std::popcount(bits & (bit - 1)); }

  mutable std::atomic<uint32_t> holders{1};
  uint32_t entry_bits = 0;  // which of the 32 slots hold an entry; disjoint from child_bits
  uint32_t child_bits = 0;
  std::vector<EntryPointer> entries;  // in the order of their slots
  std::vector<Pointer> children;
};

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_SHARED_NODE_H_

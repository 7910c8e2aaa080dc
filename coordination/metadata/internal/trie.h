// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/trie.h
// -----------------------------------------------------------------------------
// The trie of coordination/metadata/persistent_map.h. It knows its entries by three virtual
// functions only, so that it is compiled once for the maps of all types.
// Threading: nodes and entries are shared between threads; only a sole holder writes.
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_TRIE_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_TRIE_H_

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"

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

// A key and its value, whose types the trie does not know.
struct TrieEntry {
  virtual ~TrieEntry() = default;
  virtual TrieEntry* Copy() const = 0;
  virtual uint64_t HashOfKey() const = 0;
  virtual bool HasKeyOf(const TrieEntry& other) const = 0;

  mutable std::atomic<uint32_t> holders{1};
};
using EntryPointer = CountedPointer<TrieEntry>;

struct TrieNode {
  using Pointer = CountedPointer<TrieNode>;

  static constexpr int kBits = 5;
  static constexpr int kLevels = 13;  // 13 * 5 bits exhaust a 64-bit hash; below are collisions

  TrieNode() = default;
  TrieNode(const TrieNode& other)
      : entry_bits(other.entry_bits),
        child_bits(other.child_bits),
        entries(other.entries),
        children(other.children) {}
  TrieNode& operator=(const TrieNode&) = delete;

  static uint32_t BitOf(uint64_t hash) { return uint32_t{1} << (hash & 31); }
  static int Rank(uint32_t bits, uint32_t bit) { return std::popcount(bits & (bit - 1)); }

  mutable std::atomic<uint32_t> holders{1};
  uint32_t entry_bits = 0;  // which of the 32 slots hold an entry; disjoint from child_bits
  uint32_t child_bits = 0;
  std::vector<EntryPointer> entries;  // in the order of their slots
  std::vector<Pointer> children;
};
using NodePointer = TrieNode::Pointer;

class Trie {
 public:
  const TrieNode* root() const { return root_.get(); }
  void Clear() { root_ = NodePointer(); }

  // Adds the entry, or puts it where one of its key was. True if the key is new.
  bool Set(EntryPointer entry) {
    if (root_.get() == nullptr) root_ = NodePointer(new TrieNode());
    const uint64_t hash = entry->HashOfKey();
    return Insert(&root_, 0, hash, std::move(entry));
  }

  // `entry`, which is here under `hash`, for changing: unshared from every other copy first.
  TrieEntry* Mutable(uint64_t hash, const TrieEntry* entry) {
    NodePointer* place = &root_;
    for (int level = 0;; ++level, hash >>= TrieNode::kBits) {
      TrieNode* node = Unshare(place);
      if (level == TrieNode::kLevels) return UnshareEntry(&node->entries[IndexOf(*node, entry)]);
      const uint32_t bit = TrieNode::BitOf(hash);
      if (node->entry_bits & bit) {
        return UnshareEntry(&node->entries[TrieNode::Rank(node->entry_bits, bit)]);
      }
      place = &node->children[TrieNode::Rank(node->child_bits, bit)];
    }
  }

  // Removes `entry`, which is here under `hash`.
  void Remove(uint64_t hash, const TrieEntry* entry) { RemoveAt(&root_, 0, hash, entry); }

  using Visit = absl::FunctionRef<void(const TrieEntry&)>;
  void ForEach(Visit visit) const {
    if (root_.get() != nullptr) VisitAll(*root_, visit);
  }

  // Null where the entry is in the other one only.
  using VisitBoth = absl::FunctionRef<void(const TrieEntry* before, const TrieEntry* after)>;
  static void Difference(const Trie& from, const Trie& to, VisitBoth visit) {
    Differ(from.root(), to.root(), 0, visit);
  }

 private:
  static TrieNode* Unshare(NodePointer* place) {
    if (!place->is_sole_holder()) *place = NodePointer(new TrieNode(**place));
    return place->get();
  }
  static TrieEntry* UnshareEntry(EntryPointer* place) {
    if (!place->is_sole_holder()) *place = EntryPointer((*place)->Copy());
    return place->get();
  }
  static size_t IndexOf(const TrieNode& node, const TrieEntry* entry) {
    size_t index = 0;
    while (node.entries[index].get() != entry) ++index;
    return index;
  }

  // `hash` is shifted to `level`. True if the key is new.
  static bool Insert(NodePointer* place, int level, uint64_t hash, EntryPointer entry) {
    TrieNode* node = Unshare(place);
    if (level == TrieNode::kLevels) return InsertColliding(node, std::move(entry));
    const uint32_t bit = TrieNode::BitOf(hash);
    if (node->child_bits & bit) {
      NodePointer* child = &node->children[TrieNode::Rank(node->child_bits, bit)];
      return Insert(child, level + 1, hash >> TrieNode::kBits, std::move(entry));
    }
    const int rank = TrieNode::Rank(node->entry_bits, bit);
    if (!(node->entry_bits & bit)) {
      node->entry_bits |= bit;
      node->entries.insert(node->entries.begin() + rank, std::move(entry));
      return true;
    }
    if (node->entries[rank]->HasKeyOf(*entry)) {
      node->entries[rank] = std::move(entry);
      return false;
    }
    // Two keys meet in one slot: both move one level down.
    EntryPointer other = std::move(node->entries[rank]);
    node->entries.erase(node->entries.begin() + rank);
    node->entry_bits &= ~bit;
    NodePointer child(new TrieNode());
    const int shift = TrieNode::kBits * (level + 1);
    const uint64_t other_hash = shift < 64 ? other->HashOfKey() >> shift : 0;
    Insert(&child, level + 1, other_hash, std::move(other));
    Insert(&child, level + 1, hash >> TrieNode::kBits, std::move(entry));
    node->children.insert(node->children.begin() + TrieNode::Rank(node->child_bits, bit),
                          std::move(child));
    node->child_bits |= bit;
    return true;
  }

  static bool InsertColliding(TrieNode* node, EntryPointer entry) {
    for (EntryPointer& existing : node->entries) {
      if (existing->HasKeyOf(*entry)) {
        existing = std::move(entry);
        return false;
      }
    }
    node->entries.push_back(std::move(entry));
    return true;
  }

  // Children left empty go; one left with a single entry stays as it is.
  static void RemoveAt(NodePointer* place, int level, uint64_t hash, const TrieEntry* entry) {
    TrieNode* node = Unshare(place);
    if (level == TrieNode::kLevels) {
      node->entries.erase(node->entries.begin() + static_cast<int64_t>(IndexOf(*node, entry)));
      return;
    }
    const uint32_t bit = TrieNode::BitOf(hash);
    if (node->entry_bits & bit) {
      node->entries.erase(node->entries.begin() + TrieNode::Rank(node->entry_bits, bit));
      node->entry_bits &= ~bit;
      return;
    }
    const int rank = TrieNode::Rank(node->child_bits, bit);
    RemoveAt(&node->children[rank], level + 1, hash >> TrieNode::kBits, entry);
    const TrieNode& child = *node->children[rank];
    if (child.entries.empty() && child.children.empty()) {
      node->children.erase(node->children.begin() + rank);
      node->child_bits &= ~bit;
    }
  }

  static void VisitAll(const TrieNode& node, Visit visit) {
    for (const EntryPointer& entry : node.entries) visit(*entry);
    for (const NodePointer& child : node.children) VisitAll(*child, visit);
  }

  // What stands in one slot of a node: an entry, a subtree or nothing.
  struct Slot {
    const TrieEntry* entry = nullptr;
    const TrieNode* child = nullptr;
  };
  static Slot SlotOf(const TrieNode* node, uint32_t bit) {
    if (node == nullptr) return {};
    if (node->entry_bits & bit) {
      return {.entry = node->entries[TrieNode::Rank(node->entry_bits, bit)].get()};
    }
    if (node->child_bits & bit) {
      return {.child = node->children[TrieNode::Rank(node->child_bits, bit)].get()};
    }
    return {};
  }

  using Entries = std::vector<const TrieEntry*>;

  static void Differ(const TrieNode* from, const TrieNode* to, int level, VisitBoth visit) {
    if (from == to) return;
    if (level == TrieNode::kLevels) {
      Entries before, after;
      Collect({.child = from}, &before);
      Collect({.child = to}, &after);
      return DifferEntries(before, after, visit);
    }
    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
      const Slot a = SlotOf(from, bit), b = SlotOf(to, bit);
      if (a.entry == b.entry && a.child == b.child) continue;
      if (a.entry == nullptr && b.entry == nullptr) {
        Differ(a.child, b.child, level + 1, visit);
        continue;
      }
      Entries before, after;  // one of the two holds at most one entry
      Collect(a, &before);
      Collect(b, &after);
      DifferEntries(before, after, visit);
    }
  }

  static void Collect(Slot slot, Entries* out) {
    if (slot.entry != nullptr) out->push_back(slot.entry);
    if (slot.child != nullptr) {
      VisitAll(*slot.child, [&](const TrieEntry& entry) { out->push_back(&entry); });
    }
  }

  static const TrieEntry* FindIn(const Entries& entries, const TrieEntry& key) {
    for (const TrieEntry* entry : entries) {
      if (entry->HasKeyOf(key)) return entry;
    }
    return nullptr;
  }

  static void DifferEntries(const Entries& before, const Entries& after, VisitBoth visit) {
    for (const TrieEntry* entry : before) {
      const TrieEntry* now = FindIn(after, *entry);
      if (now != entry) visit(entry, now);
    }
    for (const TrieEntry* entry : after) {
      if (FindIn(before, *entry) == nullptr) visit(nullptr, entry);
    }
  }

  NodePointer root_;
};

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_TRIE_H_

// -----------------------------------------------------------------------------
// File: coordination/metadata/persistent_map.h
// -----------------------------------------------------------------------------
// A hash map whose copies share structure: copying costs one reference count, changing a copy
// leaves the original as it was. It is a hash array mapped trie (Bagwell: Ideal Hash Trees, 2001)
// with entries and subtrees kept apart in each node (Steindorfer and Vinju: CHAMP, OOPSLA 2015).
//
// Cost: find, insert and erase visit about log32(n) nodes (4 at a million keys). A change copies
// the nodes on its path that are shared with another copy, at most 32 pointers each, and nothing
// where no other copy shares them, so a series of changes to one copy pays for a path only once.
// Difference() of two copies visits only what they do not share.
// Hashing is not seeded, so that iteration order repeats from run to run. Keys that collide in
// all 64 bits still work; they are searched one by one.
// Threading: as std::map. Distinct copies may be used from distinct threads at once, whatever they
// share.
#ifndef WEIR_COORDINATION_METADATA_PERSISTENT_MAP_H_
#define WEIR_COORDINATION_METADATA_PERSISTENT_MAP_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/strong_int.h"
#include "base/uuid.h"
#include "coordination/metadata/internal/shared_node.h"

namespace weir::metadata {

// Hashes of the key types that images use; repeatable, unlike absl::Hash.
struct PersistentHash {
  // Dense small integers fill a trie level by level when they are taken as they are.
  template <class Tag, class Rep>
  uint64_t operator()(StrongInt<Tag, Rep> id) const {
    return static_cast<uint64_t>(id.value());
  }
  uint64_t operator()(uint64_t value) const { return Mix(value); }
  uint64_t operator()(const Uuid& id) const { return Mix(id.high ^ Mix(id.low)); }
  uint64_t operator()(absl::string_view text) const {
    uint64_t hash = 0xcbf29ce484222325;  // FNV-1a, mixed so that every level sees every byte
    for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
    return Mix(hash);
  }

 private:
  static constexpr uint64_t Mix(uint64_t z) {  // the finisher of splitmix64
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
};

// Key and Value are copied when a shared entry changes. Hash may take other types than Key; those
// work for lookup if they compare with Key.
template <class Key, class Value, class Hash = PersistentHash>
class PersistentMap {
  using Node = metadata_internal::SharedNode<Key, Value>;
  using NodePointer = typename Node::Pointer;
  using Entry = typename Node::Entry;
  using EntryPointer = typename Node::EntryPointer;

 public:
  PersistentMap() = default;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // The value of `key`, or null. Valid until this map changes, or while an unchanged copy lives.
  template <class K>
  const Value* Find(const K& key) const {
    uint64_t hash = Hash()(key);
    const Node* node = root_.get();
    for (int level = 0; node != nullptr; ++level, hash >>= Node::kBits) {
      if (level == Node::kLevels) return FindColliding(*node, key);
      const uint32_t bit = Node::BitOf(hash);
      if (node->entry_bits & bit) {
        const Entry& entry = *node->entries[Node::Rank(node->entry_bits, bit)];
        return entry.key == key ? &entry.value : nullptr;
      }
      if (!(node->child_bits & bit)) return nullptr;
      node = node->children[Node::Rank(node->child_bits, bit)].get();
    }
    return nullptr;
  }

  template <class K>
  bool Contains(const K& key) const {
    return Find(key) != nullptr;
  }

  // Adds the key or replaces its value.
  void Set(Key key, Value value) {
    EntryPointer entry(new Entry(std::move(key), std::move(value)));
    const uint64_t hash = Hash()(entry->key);
    if (root_.get() == nullptr) root_ = NodePointer(new Node());
    size_ += Insert(&root_, 0, hash, std::move(entry)) ? 1 : 0;
  }

  // The value of `key` for changing, unshared from every other copy first; null if there is none.
  // Valid until this map is changed or copied.
  template <class K>
  Value* Mutable(const K& key) {
    if (!Contains(key)) return nullptr;
    uint64_t hash = Hash()(key);
    NodePointer* place = &root_;
    for (int level = 0;; ++level, hash >>= Node::kBits) {
      Node* node = Node::Unshare(place);
      if (level == Node::kLevels) {
        for (EntryPointer& entry : node->entries) {
          if (entry->key == key) return &Entry::Unshare(&entry)->value;
        }
        return nullptr;
      }
      const uint32_t bit = Node::BitOf(hash);
      if (node->entry_bits & bit) {
        return &Entry::Unshare(&node->entries[Node::Rank(node->entry_bits, bit)])->value;
      }
      place = &node->children[Node::Rank(node->child_bits, bit)];
    }
  }

  // True if there was such a key.
  template <class K>
  bool Erase(const K& key) {
    if (!Contains(key)) return false;
    Remove(&root_, 0, Hash()(key), key);
    if (--size_ == 0) root_ = NodePointer();
    return true;
  }

  // Calls visit(key, value) for each entry. The order depends on the keys alone.
  template <class Visit>
  void ForEach(const Visit& visit) const {
    if (root_.get() != nullptr) VisitAll(*root_, [&](const Entry& e) { visit(e.key, e.value); });
  }

  // Calls visit(key, before, after) for each key whose entry is not the same in both maps: before
  // is null for an added key, after for a removed one. An entry that was set to an equal value
  // counts as changed. Costs what is not shared.
  template <class Visit>
  friend void Difference(const PersistentMap& from, const PersistentMap& to, const Visit& visit) {
    Differ(from.root_.get(), to.root_.get(), 0, [&](const Entry* before, const Entry* after) {
      visit(before != nullptr ? before->key : after->key,
            before != nullptr ? &before->value : nullptr,
            after != nullptr ? &after->value : nullptr);
    });
  }

  friend bool operator==(const PersistentMap& a, const PersistentMap& b) {
    if (a.size_ != b.size_) return false;
    bool equal = true;
    Difference(a, b, [&](const Key&, const Value* before, const Value* after) {
      equal = equal && before != nullptr && after != nullptr && *before == *after;
    });
    return equal;
  }

 private:
  template <class K>
  static const Value* FindColliding(const Node& node, const K& key) {
    for (const EntryPointer& entry : node.entries) {
      if (entry->key == key) return &entry->value;
    }
    return nullptr;
  }

  // `hash` is shifted to `level`. True if the key is new.
  static bool Insert(NodePointer* place, int level, uint64_t hash, EntryPointer entry) {
    Node* node = Node::Unshare(place);
    if (level == Node::kLevels) return InsertColliding(node, std::move(entry));
    const uint32_t bit = Node::BitOf(hash);
    if (node->child_bits & bit) {
      NodePointer* child = &node->children[Node::Rank(node->child_bits, bit)];
      return Insert(child, level + 1, hash >> Node::kBits, std::move(entry));
    }
    const int rank = Node::Rank(node->entry_bits, bit);
    if (!(node->entry_bits & bit)) {
      node->entry_bits |= bit;
      node->entries.insert(node->entries.begin() + rank, std::move(entry));
      return true;
    }
    if (node->entries[rank]->key == entry->key) {
      node->entries[rank] = std::move(entry);
      return false;
    }
    // Two keys meet in one slot: both move one level down.
    EntryPointer other = std::move(node->entries[rank]);
    node->entries.erase(node->entries.begin() + rank);
    node->entry_bits &= ~bit;
    NodePointer child(new Node());
    const int shift = Node::kBits * (level + 1);
    const uint64_t other_hash = shift < 64 ? Hash()(other->key) >> shift : 0;
    Insert(&child, level + 1, other_hash, std::move(other));
    Insert(&child, level + 1, hash >> Node::kBits, std::move(entry));
    node->children.insert(node->children.begin() + Node::Rank(node->child_bits, bit),
                          std::move(child));
    node->child_bits |= bit;
    return true;
  }

  static bool InsertColliding(Node* node, EntryPointer entry) {
    for (EntryPointer& existing : node->entries) {
      if (existing->key == entry->key) {
        existing = std::move(entry);
        return false;
      }
    }
    node->entries.push_back(std::move(entry));
    return true;
  }

  // The key must be there. Children left empty go; one left with a single entry stays as it is.
  template <class K>
  static void Remove(NodePointer* place, int level, uint64_t hash, const K& key) {
    Node* node = Node::Unshare(place);
    if (level == Node::kLevels) {
      for (size_t i = 0; i < node->entries.size(); ++i) {
        if (node->entries[i]->key == key) {
          node->entries.erase(node->entries.begin() + i);
          return;
        }
      }
      return;
    }
    const uint32_t bit = Node::BitOf(hash);
    if (node->entry_bits & bit) {
      node->entries.erase(node->entries.begin() + Node::Rank(node->entry_bits, bit));
      node->entry_bits &= ~bit;
      return;
    }
    const int rank = Node::Rank(node->child_bits, bit);
    Remove(&node->children[rank], level + 1, hash >> Node::kBits, key);
    const Node& child = *node->children[rank];
    if (child.entries.empty() && child.children.empty()) {
      node->children.erase(node->children.begin() + rank);
      node->child_bits &= ~bit;
    }
  }

  template <class Visit>
  static void VisitAll(const Node& node, const Visit& visit) {
    for (const EntryPointer& entry : node.entries) visit(*entry);
    for (const NodePointer& child : node.children) VisitAll(*child, visit);
  }

  // What stands in one slot of a node: an entry, a subtree or nothing.
  struct Slot {
    const Entry* entry = nullptr;
    const Node* child = nullptr;
  };
  static Slot SlotOf(const Node* node, uint32_t bit) {
    if (node == nullptr) return {};
    if (node->entry_bits & bit) {
      return {.entry = node->entries[Node::Rank(node->entry_bits, bit)].get()};
    }
    if (node->child_bits & bit) {
      return {.child = node->children[Node::Rank(node->child_bits, bit)].get()};
    }
    return {};
  }

  template <class Visit>
  static void Differ(const Node* from, const Node* to, int level, const Visit& visit) {
    if (from == to) return;
    if (level == Node::kLevels) {
      std::vector<const Entry*> before, after;
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
      std::vector<const Entry*> before, after;  // one of the two holds at most one entry
      Collect(a, &before);
      Collect(b, &after);
      DifferEntries(before, after, visit);
    }
  }

  static void Collect(Slot slot, std::vector<const Entry*>* out) {
    if (slot.entry != nullptr) out->push_back(slot.entry);
    if (slot.child != nullptr) {
      VisitAll(*slot.child, [&](const Entry& entry) { out->push_back(&entry); });
    }
  }

  template <class Visit>
  static void DifferEntries(const std::vector<const Entry*>& before,
                            const std::vector<const Entry*>& after, const Visit& visit) {
    const auto find = [](const std::vector<const Entry*>& in, const Key& key) -> const Entry* {
      for (const Entry* entry : in) {
        if (entry->key == key) return entry;
      }
      return nullptr;
    };
    for (const Entry* entry : before) {
      const Entry* now = find(after, entry->key);
      if (now != entry) visit(entry, now);
    }
    for (const Entry* entry : after) {
      if (find(before, entry->key) == nullptr) visit(static_cast<const Entry*>(nullptr), entry);
    }
  }

  NodePointer root_;
  size_t size_ = 0;
};

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_PERSISTENT_MAP_H_

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

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/strong_int.h"
#include "base/uuid.h"
#include "coordination/metadata/internal/trie.h"

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
  using Node = metadata_internal::TrieNode;

  struct Entry final : metadata_internal::TrieEntry {
    Entry(Key k, Value v) : key(std::move(k)), value(std::move(v)) {}

    TrieEntry* Copy() const override { return new Entry(key, value); }
    uint64_t HashOfKey() const override { return Hash()(key); }
    bool HasKeyOf(const TrieEntry& other) const override {
      return static_cast<const Entry&>(other).key == key;
    }

    Key key;
    Value value;
  };

 public:
  PersistentMap() = default;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // The value of `key`, or null. Valid until this map changes, or while an unchanged copy lives.
  template <class K>
  const Value* Find(const K& key) const {
    const Entry* entry = FindEntry(key, Hash()(key));
    return entry == nullptr ? nullptr : &entry->value;
  }

  template <class K>
  bool Contains(const K& key) const {
    return Find(key) != nullptr;
  }

  // Adds the key or replaces its value.
  void Set(Key key, Value value) {
    const bool is_new =
        trie_.Set(metadata_internal::EntryPointer(new Entry(std::move(key), std::move(value))));
    size_ += is_new ? 1 : 0;
  }

  // The value of `key` for changing, unshared from every other copy first; null if there is none.
  // Valid until this map is changed or copied.
  template <class K>
  Value* Mutable(const K& key) {
    const uint64_t hash = Hash()(key);
    const Entry* entry = FindEntry(key, hash);
    return entry == nullptr ? nullptr : &static_cast<Entry*>(trie_.Mutable(hash, entry))->value;
  }

  // True if there was such a key.
  template <class K>
  bool Erase(const K& key) {
    const uint64_t hash = Hash()(key);
    const Entry* entry = FindEntry(key, hash);
    if (entry == nullptr) return false;
    trie_.Remove(hash, entry);
    if (--size_ == 0) trie_.Clear();
    return true;
  }

  // Calls visit(key, value) for each entry. The order depends on the keys alone.
  template <class Visit>
  void ForEach(const Visit& visit) const {
    trie_.ForEach([&](const metadata_internal::TrieEntry& e) {
      const auto& entry = static_cast<const Entry&>(e);
      visit(entry.key, entry.value);
    });
  }

  // Calls visit(key, before, after) for each key whose entry is not the same in both maps: before
  // is null for an added key, after for a removed one. An entry that was set to an equal value
  // counts as changed. Costs what is not shared.
  template <class Visit>
  friend void Difference(const PersistentMap& from, const PersistentMap& to, const Visit& visit) {
    using metadata_internal::TrieEntry;
    metadata_internal::Trie::Difference(from.trie_, to.trie_,
                                        [&](const TrieEntry* b, const TrieEntry* a) {
                                          const auto* before = static_cast<const Entry*>(b);
                                          const auto* after = static_cast<const Entry*>(a);
                                          visit(before != nullptr ? before->key : after->key,
                                                before != nullptr ? &before->value : nullptr,
                                                after != nullptr ? &after->value : nullptr);
                                        });
  }

  // Whether both are copies of one map and neither has been changed since.
  bool IsCopyOf(const PersistentMap& other) const { return trie_.root() == other.trie_.root(); }

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
  const Entry* FindEntry(const K& key, uint64_t hash) const {
    const Node* node = trie_.root();
    for (int level = 0; node != nullptr; ++level, hash >>= Node::kBits) {
      if (level == Node::kLevels) return FindColliding(*node, key);
      const uint32_t bit = Node::BitOf(hash);
      if (node->entry_bits & bit) {
        const auto* entry =
            static_cast<const Entry*>(node->entries[Node::Rank(node->entry_bits, bit)].get());
        return entry->key == key ? entry : nullptr;
      }
      if (!(node->child_bits & bit)) return nullptr;
      node = node->children[Node::Rank(node->child_bits, bit)].get();
    }
    return nullptr;
  }

  template <class K>
  static const Entry* FindColliding(const Node& node, const K& key) {
    for (const metadata_internal::EntryPointer& at : node.entries) {
      const auto* entry = static_cast<const Entry*>(at.get());
      if (entry->key == key) return entry;
    }
    return nullptr;
  }

  metadata_internal::Trie trie_;
  size_t size_ = 0;
};

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_PERSISTENT_MAP_H_

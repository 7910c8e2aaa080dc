// -----------------------------------------------------------------------------
// File: coordination/group/offset_store.h
// -----------------------------------------------------------------------------
// How far one group has read: committed offsets, what is on its way to the log, and what open
// transactions will commit.
// Readers see what is committed. A write is noted with Begin when it is handed to the log and takes
// effect with Finish, in the order of the log; what deletes offsets must also cover those on their
// way, which is what has_in_flight is for.
#ifndef WEIR_COORDINATION_GROUP_OFFSET_STORE_H_
#define WEIR_COORDINATION_GROUP_OFFSET_STORE_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "base/check.h"
#include "coordination/group/records.h"

namespace weir::group {

class OffsetStore {
 public:
  struct Entry {
    std::optional<OffsetCommitValue> committed;
    int64_t log_offset = -1;  // of the record it was loaded from
    int32_t in_flight = 0;

    bool has_in_flight() const { return in_flight > 0; }
  };
  using Partitions = std::map<int32_t, Entry>;
  using Topics = std::map<std::string, Partitions, std::less<>>;

  const Topics& topics() const { return topics_; }
  // Entries: partitions with an offset that is committed or on its way.
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0 && transactions_.empty(); }

  // Null when nothing is committed.
  const OffsetCommitValue* Find(absl::string_view topic, int32_t partition) const {
    const Entry* entry = FindEntry(topic, partition);
    return entry != nullptr && entry->committed.has_value() ? &*entry->committed : nullptr;
  }
  const Entry* FindEntry(absl::string_view topic, int32_t partition) const {
    const auto t = topics_.find(topic);
    if (t == topics_.end()) return nullptr;
    const auto p = t->second.find(partition);
    return p == t->second.end() ? nullptr : &p->second;
  }

  void Begin(const std::string& topic, int32_t partition) { ++At(topic, partition).in_flight; }

  // Ends a Begin. With `applied`, `value` (or nothing, a tombstone) is what is committed now.
  void Finish(const std::string& topic, int32_t partition, bool applied,
              std::optional<OffsetCommitValue> value) {
    Entry& entry = At(topic, partition);
    WEIR_CHECK(entry.in_flight > 0);
    --entry.in_flight;
    if (applied) Store(topic, partition, entry, kWrittenHere, std::move(value));
    EraseIfEmpty(topic, partition);
  }

  // A record read back from the log, where it stands at `log_offset`.
  void Load(const std::string& topic, int32_t partition, int64_t log_offset,
            std::optional<OffsetCommitValue> value) {
    Store(topic, partition, At(topic, partition), log_offset, std::move(value));
    EraseIfEmpty(topic, partition);
  }

  // A record that a transaction wrote: it counts once the transaction commits, unless a later
  // record has set the same offset.
  void LoadTransactional(int64_t producer_id, const std::string& topic, int32_t partition,
                         int64_t log_offset, OffsetCommitValue value) {
    transactions_[producer_id][topic][partition] = {log_offset, std::move(value)};
  }
  void EndTransaction(int64_t producer_id, bool commit) {
    const auto it = transactions_.find(producer_id);
    if (it == transactions_.end()) return;
    if (commit) {
      for (auto& [topic, partitions] : it->second) {
        for (auto& [partition, pending] : partitions) {
          const Entry* entry = FindEntry(topic, partition);
          if (entry != nullptr && entry->committed.has_value() &&
              entry->log_offset > pending.log_offset) {
            continue;
          }
          Load(topic, partition, pending.log_offset, std::move(pending.value));
        }
      }
    }
    transactions_.erase(it);
  }
  // Whether an open transaction may still change it.
  bool IsUnstable(absl::string_view topic, int32_t partition) const {
    for (const auto& [producer, topics] : transactions_) {
      const auto t = topics.find(topic);
      if (t != topics.end() && t->second.count(partition) > 0) return true;
    }
    return false;
  }

  bool HasTransactions() const { return !transactions_.empty(); }
  // Calls visit(topic, partition) for each offset that an open transaction will commit.
  template <class F>
  void ForEachInTransactions(F visit) const {
    for (const auto& [producer, topics] : transactions_) {
      for (const auto& [topic, partitions] : topics) {
        for (const auto& [partition, pending] : partitions) visit(topic, partition);
      }
    }
  }

 private:
  static constexpr int64_t kWrittenHere = std::numeric_limits<int64_t>::max();

  struct Pending {
    int64_t log_offset = 0;
    OffsetCommitValue value;
  };
  using PendingTopics = std::map<std::string, std::map<int32_t, Pending>, std::less<>>;

  Entry& At(const std::string& topic, int32_t partition) {
    const auto [it, added] = topics_[topic].try_emplace(partition);
    if (added) ++size_;
    return it->second;
  }
  // A tombstone also deletes what open transactions hold, as in Kafka.
  void Store(const std::string& topic, int32_t partition, Entry& entry, int64_t log_offset,
             std::optional<OffsetCommitValue> value) {
    if (!value.has_value()) {
      for (auto& [producer, topics] : transactions_) {
        const auto t = topics.find(topic);
        if (t != topics.end()) t->second.erase(partition);
      }
    }
    entry.committed = std::move(value);
    entry.log_offset = log_offset;
  }
  void EraseIfEmpty(const std::string& topic, int32_t partition) {
    const auto t = topics_.find(topic);
    const auto p = t->second.find(partition);
    if (p->second.committed.has_value() || p->second.has_in_flight()) return;
    t->second.erase(p);
    --size_;
    if (t->second.empty()) topics_.erase(t);
  }

  Topics topics_;
  std::map<int64_t, PendingTopics> transactions_;  // by producer id
  size_t size_ = 0;
};

}  // namespace weir::group

#endif  // WEIR_COORDINATION_GROUP_OFFSET_STORE_H_

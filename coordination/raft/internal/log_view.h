// -----------------------------------------------------------------------------
// File: coordination/raft/internal/log_view.h
// -----------------------------------------------------------------------------
// What a replica knows of its log without reading it: where each epoch starts, who votes from where
// on, up to where it is durable, and the entries at its end. Where an entry ends, the epoch of that
// entry says whether two logs are the same up to there: one leader wrote all batches of an epoch.
// Threading: one thread.
#ifndef WEIR_COORDINATION_RAFT_INTERNAL_LOG_VIEW_H_
#define WEIR_COORDINATION_RAFT_INTERNAL_LOG_VIEW_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/check.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "coordination/raft/storage.h"
#include "coordination/raft/types.h"

namespace weir::raft_internal {

using raft::Entry;
using raft::EntryKind;
using raft::SnapshotMeta;
using raft::VoterSet;

class LogView {
 public:
  LogView(raft::Storage& storage, size_t cache_bytes_max)
      : storage_(storage), cache_bytes_max_(cache_bytes_max) {}

  // Takes over what was found at the start. False when the log does not go with the snapshot: it is
  // given up for the snapshot then, and the storage is to be reset.
  bool Load(raft::Recovered found) {
    snapshot_ = std::move(found.snapshot);
    start_ = found.log_start;
    end_ = durable_end_ = tail_start_ = found.log_end;
    epochs_ = std::move(found.epochs);
    voters_ = std::move(found.voters);
    start_epoch_.reset();
    if (start_ == snapshot_.id.end_offset) start_epoch_ = snapshot_.id.epoch;
    if (start_ == Offset(0)) start_epoch_ = LeaderEpoch(0);
    if (Holds(snapshot_.id)) return true;
    ResetTo(snapshot_);
    return false;
  }

  Offset start() const { return start_; }
  Offset end() const { return end_; }
  // Entries before it are durable.
  Offset durable_end() const { return durable_end_; }
  LeaderEpoch last_epoch() const {
    return epochs_.empty() ? start_epoch_.value_or(snapshot_.id.epoch) : epochs_.back().epoch;
  }
  const SnapshotMeta& snapshot() const { return snapshot_; }

  // The epoch of the entry that ends at `end`, where that is known.
  std::optional<LeaderEpoch> EpochAt(Offset end) const {
    if (end == start_) return start_epoch_;
    if (end < start_ || end > end_) return std::nullopt;
    const auto after = FirstEpochFrom(end);
    return after == epochs_.begin() ? start_epoch_ : std::optional(std::prev(after)->epoch);
  }
  bool Holds(const raft::SnapshotId& id) const { return EpochAt(id.end_offset) == id.epoch; }

  // The last epoch that is `epoch` or before, and where it ends: the beginning where the log does
  // not go back to it.
  raft::SnapshotId EndOf(LeaderEpoch epoch) const {
    Offset end = end_;
    for (auto it = epochs_.rbegin(); it != epochs_.rend(); ++it) {
      if (it->epoch <= epoch) return {end, it->epoch};
      end = it->start;
    }
    if (start_epoch_.has_value() && *start_epoch_ <= epoch) return {end, *start_epoch_};
    return {};
  }

  // The voters in force at the end of the log, or where an entry ends.
  const VoterSet& voters() const {
    return voters_.empty() ? snapshot_.voters : voters_.back().voters;
  }
  const VoterSet& VotersBefore(Offset end) const {
    for (auto it = voters_.rbegin(); it != voters_.rend(); ++it) {
      if (it->base_offset < end) return it->voters;
    }
    return snapshot_.voters;
  }
  // Whether `key` votes somewhere from `end` on, where an entry ends.
  bool VotesFrom(Offset end, const raft::ReplicaKey& key) const {
    return VotersBefore(end).Contains(key) ||
           std::any_of(voters_.begin(), voters_.end(), [&](const raft::VotersAt& at) {
             return at.base_offset >= end && at.voters.Contains(key);
           });
  }
  // Where the last control entry is; the beginning when there is none.
  Offset last_control() const { return voters_.empty() ? start_ : voters_.back().base_offset; }

  void Append(const Entry& entry, uint64_t token) {
    WEIR_CHECK(entry.base_offset == end_ && entry.epoch >= last_epoch());
    if (epochs_.empty() || epochs_.back().epoch != entry.epoch) {
      epochs_.push_back({entry.epoch, entry.base_offset});
    }
    if (entry.kind != EntryKind::kData) {
      voters_.push_back({entry.base_offset, entry.control->voters});
    }
    end_ = entry.next_offset();
    tail_bytes_ += entry.size_bytes();
    tail_.push_back(entry);
    if (!unsynced_.empty() && unsynced_.back().token == token) {
      unsynced_.back().end = end_;
    } else {
      unsynced_.push_back({token, end_});
    }
  }

  // Drops the entry at `to` and all behind it.
  void Truncate(Offset to) {
    WEIR_CHECK(to >= start_ && to <= end_);
    epochs_.erase(FirstEpochFrom(to), epochs_.end());
    while (!voters_.empty() && voters_.back().base_offset >= to) voters_.pop_back();
    while (!tail_.empty() && tail_.back().base_offset >= to) {
      tail_bytes_ -= tail_.back().size_bytes();
      tail_.pop_back();
    }
    end_ = to;
    tail_start_ = std::min(tail_start_, to);
    if (tail_.empty()) tail_start_ = to;
    durable_end_ = std::min(durable_end_, to);
    // What is behind `to` will be something else by the time these writes complete.
    for (Unsynced& write : unsynced_) write.end = std::min(write.end, to);
  }

  // All writes up to `token` are durable.
  void OnDurable(uint64_t token) {
    while (!unsynced_.empty() && unsynced_.front().token <= token) {
      durable_end_ = std::max(durable_end_, unsynced_.front().end);
      unsynced_.pop_front();
    }
    while (tail_bytes_ > cache_bytes_max_ && tail_.front().next_offset() <= durable_end_) {
      tail_bytes_ -= tail_.front().size_bytes();
      tail_start_ = tail_.front().next_offset();
      tail_.pop_front();
    }
  }

  // A snapshot that this log holds the end of, and from where on entries are kept.
  void SetSnapshot(SnapshotMeta meta, Offset keep_from) {
    snapshot_ = std::move(meta);
    if (keep_from <= start_) return;
    WEIR_CHECK(keep_from <= snapshot_.id.end_offset);
    start_epoch_ = EpochAt(keep_from);
    const auto after = FirstEpochFrom(keep_from);
    if (after != epochs_.begin()) {
      const LeaderEpoch straddling = std::prev(after)->epoch;
      const bool goes_on = keep_from < end_ && (after == epochs_.end() || after->start > keep_from);
      epochs_.erase(epochs_.begin(), after);
      if (goes_on) epochs_.insert(epochs_.begin(), {straddling, keep_from});
    }
    std::erase_if(voters_, [&](const auto& at) {
      return at.base_offset < snapshot_.id.end_offset && at.base_offset < keep_from;
    });
    while (!tail_.empty() && tail_.front().base_offset < keep_from) {
      tail_bytes_ -= tail_.front().size_bytes();
      tail_.pop_front();
    }
    start_ = keep_from;
    tail_start_ = std::max(tail_start_, start_);
  }

  // The log is what follows this snapshot: nothing yet.
  void ResetTo(SnapshotMeta meta) {
    snapshot_ = std::move(meta);
    start_ = end_ = tail_start_ = durable_end_ = snapshot_.id.end_offset;
    start_epoch_ = snapshot_.id.epoch;
    epochs_.clear();
    voters_.clear();
    tail_.clear();
    tail_bytes_ = 0;
    for (Unsynced& write : unsynced_) write.end = std::min(write.end, end_);
  }

  // Entries from `from` on, where one begins, all before `until`: at least one if there is any.
  absl::StatusOr<std::vector<Entry>> Read(Offset from, Offset until, size_t bytes_max,
                                          size_t entries_max) const {
    WEIR_CHECK(from >= start_ && until <= end_);
    std::vector<Entry> entries;
    if (from >= until) return entries;
    size_t bytes = 0;
    const auto take = [&](Entry entry) {
      bytes += entry.size_bytes();
      if (entry.next_offset() > until || entries.size() >= entries_max) return false;
      if (!entries.empty() && bytes > bytes_max) return false;
      entries.push_back(std::move(entry));
      return true;
    };
    if (from < tail_start_) {
      // What stands behind tail_start_ in the storage may be about to be replaced.
      WEIR_ASSIGN_OR_RETURN(std::vector<Entry> stored, storage_.ReadEntries(from, bytes_max));
      for (Entry& entry : stored) {
        if (entry.base_offset >= tail_start_ || !take(std::move(entry))) break;
      }
      return entries;
    }
    auto it = std::lower_bound(tail_.begin(), tail_.end(), from,
                               [](const Entry& e, Offset at) { return e.base_offset < at; });
    for (; it != tail_.end() && take(*it); ++it) {
    }
    return entries;
  }

 private:
  struct Unsynced {
    uint64_t token;
    Offset end;
  };

  std::vector<raft::EpochStart>::const_iterator FirstEpochFrom(Offset offset) const {
    return std::lower_bound(epochs_.begin(), epochs_.end(), offset,
                            [](const raft::EpochStart& e, Offset at) { return e.start < at; });
  }

  raft::Storage& storage_;
  const size_t cache_bytes_max_;
  SnapshotMeta snapshot_;
  Offset start_;
  Offset end_;
  Offset durable_end_;
  std::optional<LeaderEpoch> start_epoch_;  // of the entry that ended at start_
  std::vector<raft::EpochStart> epochs_;
  std::vector<raft::VotersAt> voters_;  // of control entries behind the snapshot or still kept
  std::deque<Entry> tail_;              // from tail_start_ to end_
  Offset tail_start_;
  size_t tail_bytes_ = 0;
  std::deque<Unsynced> unsynced_;
};

}  // namespace weir::raft_internal

#endif  // WEIR_COORDINATION_RAFT_INTERNAL_LOG_VIEW_H_

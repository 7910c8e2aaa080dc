// -----------------------------------------------------------------------------
// File: coordination/group/internal/removal.h
// -----------------------------------------------------------------------------
// Takes offsets of a group, and the group, out of the log and then out of memory.
#ifndef WEIR_COORDINATION_GROUP_INTERNAL_REMOVAL_H_
#define WEIR_COORDINATION_GROUP_INTERNAL_REMOVAL_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordination/group/internal/shard.h"
#include "coordination/group/offset_store.h"
#include "coordination/group/records.h"
#include "protocol/error_code.h"

namespace weir::group::group_internal {

// What an append on its way does to one offset; no value is a tombstone.
struct Change {
  std::string topic;
  int32_t partition = 0;
  std::optional<OffsetCommitValue> value;
};

class Removal {
 public:
  explicit Removal(Shard& shard) : shard_(shard) {}

  // Whether there is an offset to delete, be it committed, on its way or in a transaction.
  bool Holds(const Group& group, const std::string& topic, int32_t partition) const {
    return group.offsets.FindEntry(topic, partition) != nullptr ||
           group.offsets.IsUnstable(topic, partition);
  }

  // Every offset that the group holds.
  std::vector<Change> All(const Group& group) const {
    std::vector<Change> changes;
    for (const auto& [topic, partitions] : group.offsets.topics()) {
      for (const auto& [partition, entry] : partitions) {
        changes.push_back({topic, partition, std::nullopt});
      }
    }
    group.offsets.ForEachInTransactions([&](const std::string& topic, int32_t partition) {
      if (group.offsets.FindEntry(topic, partition) == nullptr) {
        changes.push_back({topic, partition, std::nullopt});
      }
    });
    return changes;
  }

  // Writes the tombstones of `changes`, and with_group that of the group behind them; in several
  // appends when they are many. `then` hears once: the first failure, kNone when all are done, or
  // REQUEST_TIMED_OUT when that takes too long. What was refused stays; until then the group is
  // deleting. It must not be so already.
  void Remove(const std::string& group_id, std::vector<Change> changes, bool with_group,
              std::function<void(ErrorCode)> then) {
    Group& group = shard_.groups.at(group_id);
    group.is_deleting = with_group;
    const size_t most = std::max<size_t>(shard_.config.records_per_append_max, 1);
    const size_t chunks = (changes.size() + most - 1) / most;
    if (chunks == 0 && !with_group) return then(ErrorCode::kNone);
    auto progress = std::make_shared<Progress>();
    progress->left = std::max<size_t>(chunks, 1);
    progress->then = std::move(then);
    size_t begin = 0;
    do {
      const size_t end = std::min(changes.size(), begin + most);
      std::vector<Change> chunk(std::make_move_iterator(changes.begin() + Distance(begin)),
                                std::make_move_iterator(changes.begin() + Distance(end)));
      begin = end;
      AppendChunk(group_id, group, std::move(chunk), with_group && end == changes.size(), progress);
    } while (begin < changes.size());
  }

  // The append with `changes` is done. Also for commits.
  void Finish(const std::string& group_id, std::vector<Change>& changes, ErrorCode error) {
    OffsetStore& offsets = shard_.groups.at(group_id).offsets;
    for (Change& change : changes) {
      offsets.Finish(change.topic, change.partition, error == ErrorCode::kNone,
                     std::move(change.value));
    }
  }

 private:
  struct Progress {
    size_t left = 0;
    ErrorCode first_failure = ErrorCode::kNone;
    std::function<void(ErrorCode)> then;  // null: it has heard

    void Tell(ErrorCode error) {
      if (then) std::exchange(then, nullptr)(error);
    }
  };

  static ptrdiff_t Distance(size_t n) { return static_cast<ptrdiff_t>(n); }

  void AppendChunk(const std::string& group_id, Group& group, std::vector<Change> changes,
                   bool with_group, std::shared_ptr<Progress> progress) {
    std::vector<Record> records;
    for (const Change& change : changes) {
      records.push_back(OffsetCommitTombstone({group_id, change.topic, change.partition}));
      group.offsets.Begin(change.topic, change.partition);
    }
    if (with_group) records.push_back(GroupMetadataTombstone(group_id));
    shard_.Append(
        group_id, std::move(records),
        [this, group_id, changes = std::move(changes), with_group,
         progress](ErrorCode error) mutable {
          Finish(group_id, changes, error);
          if (with_group) FinishGroup(group_id, error);
          if (progress->first_failure == ErrorCode::kNone) progress->first_failure = error;
          if (--progress->left == 0) progress->Tell(progress->first_failure);
        },
        [progress] { progress->Tell(ErrorCode::kRequestTimedOut); });
  }

  // Offsets whose tombstones were refused keep the group, as one that only stores offsets.
  void FinishGroup(const std::string& group_id, ErrorCode error) {
    Group& group = shard_.groups.at(group_id);
    group.is_deleting = false;
    if (error != ErrorCode::kNone) return;
    OffsetStore offsets = std::move(group.offsets);
    shard_.Forget(group_id);
    if (!offsets.empty()) shard_.groups[group_id].offsets = std::move(offsets);
  }

  Shard& shard_;
};

}  // namespace weir::group::group_internal

#endif  // WEIR_COORDINATION_GROUP_INTERNAL_REMOVAL_H_

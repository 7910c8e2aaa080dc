// -----------------------------------------------------------------------------
// File: coordination/raft/types.h
// -----------------------------------------------------------------------------
// What a Raft log is made of: replicas, sets of voters, entries, snapshots, the vote.
// Decision: docs/adr/0010-raft-core.md.
// Ownership: the bytes of an entry are shared and never change.
#ifndef WEIR_COORDINATION_RAFT_TYPES_H_
#define WEIR_COORDINATION_RAFT_TYPES_H_

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/sort.h"
#include "base/uuid.h"

namespace weir::raft {

// A node with its disk (KIP-853). A node that lost its disk comes back under a fresh directory id
// and is somebody else: what it once voted or stored, it does not know any more.
struct ReplicaKey {
  BrokerId id = kNoBroker;
  Uuid directory_id;

  bool is_none() const { return id == kNoBroker; }
  std::string ToString() const {
    return is_none() ? "none" : absl::StrCat(id.value(), "/", directory_id.low);
  }
  friend auto operator<=>(const ReplicaKey&, const ReplicaKey&) = default;
};

inline constexpr size_t kVotersMax = 31;

// Who votes. Ids are unique: of two disks of one node at most one votes.
class VoterSet {
 public:
  VoterSet() = default;
  explicit VoterSet(std::vector<ReplicaKey> voters) : voters_(std::move(voters)) { Sort(voters_); }

  bool Contains(const ReplicaKey& key) const {
    return std::binary_search(voters_.begin(), voters_.end(), key);
  }
  bool ContainsId(BrokerId id) const {
    return std::any_of(voters_.begin(), voters_.end(),
                       [id](const ReplicaKey& voter) { return voter.id == id; });
  }
  // The same with `key` too, or without it.
  VoterSet With(const ReplicaKey& key) const {
    std::vector<ReplicaKey> voters = voters_;
    voters.push_back(key);
    return VoterSet(std::move(voters));
  }
  VoterSet Without(const ReplicaKey& key) const {
    std::vector<ReplicaKey> voters = voters_;
    std::erase(voters, key);
    return VoterSet(std::move(voters));
  }
  // False for what no leader would write: an id twice, no id, too many.
  bool IsWellFormed() const {
    for (size_t i = 0; i < voters_.size(); ++i) {
      if (voters_[i].id < BrokerId(0) || (i > 0 && voters_[i].id == voters_[i - 1].id))
        return false;
    }
    return voters_.size() <= kVotersMax;
  }

  size_t quorum() const { return voters_.size() / 2 + 1; }
  size_t size() const { return voters_.size(); }
  bool empty() const { return voters_.empty(); }
  auto begin() const { return voters_.begin(); }
  auto end() const { return voters_.end(); }
  friend bool operator==(const VoterSet&, const VoterSet&) = default;

 private:
  std::vector<ReplicaKey> voters_;  // sorted
};

enum class EntryKind : int8_t {
  kData,          // the application's
  kLeaderChange,  // the first of an epoch, from its leader
  kVoters,        // another set of voters, in force from its appending on
};

// What the entries that Raft itself writes say.
struct Control {
  ReplicaKey leader;  // who wrote it
  VoterSet voters;    // in force from here on
  friend bool operator==(const Control&, const Control&) = default;
};

// A record batch: it takes `record_count` offsets from base_offset on.
struct Entry {
  Offset base_offset;
  int32_t record_count = 1;
  LeaderEpoch epoch;
  EntryKind kind = EntryKind::kData;
  std::shared_ptr<const std::string> data;   // of kData, else null
  std::shared_ptr<const Control> control{};  // of the other kinds, else null

  Offset next_offset() const { return base_offset + record_count; }
  size_t size_bytes() const { return kOverheadBytes + (data == nullptr ? 0 : data->size()); }

  // What an entry weighs in windows and limits besides its data.
  static constexpr size_t kOverheadBytes = 64;

  friend bool operator==(const Entry& a, const Entry& b) {
    const auto same = [](const auto& x, const auto& y) {
      return x == y || (x != nullptr && y != nullptr && *x == *y);
    };
    return a.base_offset == b.base_offset && a.record_count == b.record_count &&
           a.epoch == b.epoch && a.kind == b.kind && same(a.data, b.data) &&
           same(a.control, b.control);
  }
};

// The term, and whom this replica voted for in it (nobody: ReplicaKey()). Term 0 has no leader.
struct HardState {
  LeaderEpoch term;
  ReplicaKey vote;
  friend bool operator==(const HardState&, const HardState&) = default;
};

// Stands for everything before end_offset, whose last entry is of `epoch`. {0, 0} is the beginning.
struct SnapshotId {
  Offset end_offset;
  LeaderEpoch epoch;
  friend auto operator<=>(const SnapshotId&, const SnapshotId&) = default;
};
struct SnapshotMeta {
  SnapshotId id;
  VoterSet voters;  // in force at its end
  friend bool operator==(const SnapshotMeta&, const SnapshotMeta&) = default;
};

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_RAFT_TYPES_H_

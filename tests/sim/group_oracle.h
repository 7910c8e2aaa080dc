// -----------------------------------------------------------------------------
// File: tests/sim/group_oracle.h
// -----------------------------------------------------------------------------
// What members of consumer groups were told, and so what every later answer must agree with
//: one assignment for each generation, nothing taken from past
// generations and from members that are gone, committed offsets that never go back.
//
// A committed offset is a register. Every commit writes a value that no other one writes, at some
// point between its sending and its answer; one without an answer of use (closed, timed out) takes
// effect at any time until the process ends, or never. Deletions write "none". An answer to a fetch
// must be the value of a write that no other write, of known success, certainly came behind.
#ifndef WEIR_TESTS_SIM_GROUP_ORACLE_H_
#define WEIR_TESTS_SIM_GROUP_ORACLE_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {

// A member as it speaks to the coordinator.
struct MemberIdentity {
  std::string group;
  std::string member_id;
  int32_t generation = -1;
};

class GroupOracle {
 public:
  struct Counters {
    int64_t generations = 0, commits = 0, fetches = 0, refused = 0, deletions = 0, fenced = 0;
  };
  static constexpr int64_t kNone = -1;  // no committed offset

  GroupOracle(Trace& trace, const Oracle& topics) : trace_(trace), topics_(topics) {}

  // Offsets may expire at any time: that there is none says nothing then.
  void set_expires(bool expires) { expires_ = expires; }

  // --- membership ---------------------------------------------------------------------------

  // JoinGroup, sent at event `sent`, let `now` in; `instance` is empty for a dynamic member.
  void Joined(const MemberIdentity& now, const std::string& instance, uint64_t sent) {
    Group& group = groups_[now.group];
    if (sent <= group.reset_at) return;  // may be of the group that was deleted meanwhile
    if (now.generation > group.newest_told) {
      group.newest_told = now.generation;
      group.told_at = trace_.now();
    }
    if (instance.empty()) return;
    Holder& holder = group.holders[instance];
    // Who asked before the other was answered may have been first.
    if (!holder.member_id.empty() && holder.member_id != now.member_id && holder.told_at < sent) {
      // A generation that is in the log keeps its members through a crash.
      group.gone[holder.member_id] = {trace_.now(), now.generation <= group.newest_synced &&
                                                        !MayBeReset(group, group.synced_at)};
      ++counters_.fenced;
    }
    const bool in_order = holder.told_at < sent;
    holder = {in_order ? now.member_id : "", trace_.now()};
  }

  // LeaveGroup was answered: `member_id` is out.
  void Left(const std::string& group, const std::string& member_id) {
    groups_[group].gone.emplace(member_id, Gone{trace_.now(), false});
  }

  // The leader is about to deal out partitions. Returns the number of the assignment.
  uint64_t NewAssignment() { return ++last_assignment_; }

  // SyncGroup, sent at event `sent`, gave `who`, by the name of `identity`, these partitions of
  // the assignment of this number.
  void Assigned(const MemberIdentity& who, const std::string& identity, uint64_t number,
                const std::set<TopicPartition>& partitions, uint64_t sent) {
    Group& group = groups_[who.group];
    if (sent <= group.reset_at) return;
    if (who.generation > group.newest_synced) {
      group.newest_synced = who.generation;
      group.synced_at = trace_.now();
    }
    for (const TopicPartition& partition : partitions) {
      const auto owner = owners_.emplace(std::pair(number, partition), identity).first;
      if (owner->second == identity) continue;
      trace_.Fail("group ", who.group, ": ", topics_.Name(partition), " was given to ",
                  owner->second, " and to ", identity);
    }
    const auto [at, is_new] =
        group.assignments.emplace(who.generation, Dealt{number, trace_.now()});
    if (is_new) ++counters_.generations;
    if (at->second.number == number) return;
    if (!MayBeReset(group, at->second.at)) {
      trace_.Fail("group ", who.group, ": generation ", who.generation, " has two assignments, ",
                  at->second.number, " and ", number);
    }
    at->second = {number, trace_.now()};
  }

  // A heartbeat or a commit of `who`, sent at event `sent`, was taken.
  void Taken(const MemberIdentity& who, uint64_t sent, const char* what) {
    Group& group = groups_[who.group];
    if (who.generation < 0) return;  // of no member
    if (who.generation < group.newest_told && group.told_at < sent &&
        !MayBeReset(group, group.told_at)) {
      trace_.Fail("group ", who.group, ": ", what, " of generation ", who.generation,
                  " was taken, members are in ", group.newest_told);
    }
    const auto gone = group.gone.find(who.member_id);
    if (gone != group.gone.end() && gone->second.at < sent) {
      trace_.Fail("group ", who.group, ": ", what, " of ", who.member_id,
                  " was taken, whose place is another's");
    }
  }
  // --- committed offsets --------------------------------------------------------------------

  // Before a commit is sent. Returns the offset to commit.
  int64_t CommitSent(const std::string& group, const TopicPartition& partition, bool by_name) {
    const int64_t value = ++last_value_;
    keys_[{group, partition}].push_back(value);
    writes_[value] = {group, partition, by_name, trace_.now()};
    return value;
  }
  void Committed(int64_t value) {
    ++counters_.commits;
    Know(&writes_.at(value));
  }
  // With an error that says that nothing was written.
  void CommitRefused(int64_t value) {
    ++counters_.refused;
    Write& write = writes_.at(value);
    write.refused = true;
    if (write.known_at != 0) {
      trace_.Fail(Name({write.group, write.partition}), ": offset ", value,
                  " was refused after it had been read");
    }
  }

  // Before offsets are deleted: of a partition, or of the whole group. Returns the deletion's name.
  int64_t DeleteSent(const std::string& group, const std::optional<TopicPartition>& partition) {
    const int64_t name = ++last_value_;
    writes_[name] = {group, partition.value_or(TopicPartition()), false, trace_.now()};
    if (partition.has_value()) {
      keys_[{group, *partition}].push_back(name);
    } else {
      groups_[group].deletions.push_back(name);
    }
    writes_[name].deletes = true;
    writes_[name].of_group = !partition.has_value();
    return name;
  }
  void Deleted(int64_t name) {
    ++counters_.deletions;
    Write& write = writes_.at(name);
    Know(&write);
    if (write.of_group) {  // it counts its generations anew
      Group& group = groups_[write.group];
      group.newest_told = group.newest_synced = -1;
      group.assignments.clear();
      group.holders.clear();
      group.reset_at = trace_.now();
    }
  }
  void DeleteRefused(int64_t name) { writes_.at(name).refused = true; }

  // A request sent at `sent` was told that the group does not exist.
  void NoSuchGroup(const std::string& group, uint64_t sent) {
    for (const auto& [key, values] : keys_) {
      if (key.first == group) Fetched(group, key.second, kNone, sent);
    }
  }

  // OffsetFetch sent at event `sent` says `value`.
  void Fetched(const std::string& group, const TopicPartition& partition, int64_t value,
               uint64_t sent) {
    if (topics_.Deletable(partition.topic_id)) return;
    ++counters_.fetches;
    const Key key{group, partition};
    if (value == kNone) {
      CheckNone(key, sent);
    } else {
      CheckValue(key, value, sent);
    }
    RuleOut(key, value, sent);
    LastRead& last = last_read_[key];
    if (last.value != value && last.value != kNone && last.at < sent) {
      overtaken_.emplace(last.value, trace_.now());
    }
    if (last.at < sent) last = {value, trace_.now()};
  }

  // All partitions that somebody committed for, or tried to: the verifier asks for them again.
  std::vector<std::pair<std::string, TopicPartition>> Written() const {
    std::vector<std::pair<std::string, TopicPartition>> written;
    for (const auto& [key, values] : keys_) written.push_back(key);
    return written;
  }

  // --- crashes ------------------------------------------------------------------------------

  // Nothing is under way any more: what was not known to happen has happened or never will.
  void OnQuiet() {
    for (auto& [value, write] : writes_) write.end = std::min(write.end, trace_.now());
  }

  // The process has ended: what was under way has happened or never will. What was told of a
  // generation whose assignment nobody got was in memory only.
  void OnCrash(bool loses_records) {
    OnQuiet();
    for (auto& [id, group] : groups_) {
      group.newest_told = group.newest_synced;
      group.told_at = group.synced_at;
      std::erase_if(group.gone, [](const auto& gone) { return !gone.second.durable; });
      group.holders.clear();
    }
    if (!loses_records) return;
    keys_.clear();
    groups_.clear();
    last_read_.clear();
    overtaken_.clear();
    for (auto& [value, write] : writes_) write.known_at = 0;
    lost_before_ = last_value_;
  }

  const Counters& counters() const { return counters_; }

 private:
  using Key = std::pair<std::string, TopicPartition>;
  static constexpr uint64_t kOpen = std::numeric_limits<uint64_t>::max();

  struct Write {
    std::string group;
    TopicPartition partition;
    bool by_name = false;
    uint64_t sent = 0;
    uint64_t end = kOpen;   // it takes effect before, or never
    uint64_t known_at = 0;  // since when it is known to have taken effect
    bool refused = false;
    bool deletes = false;
    bool of_group = false;  // deletes the group
  };
  struct Dealt {
    uint64_t number = 0;
    uint64_t at = 0;
  };
  struct Gone {
    uint64_t at = 0;
    bool durable = false;
  };
  struct Holder {
    std::string member_id;  // empty: one of several
    uint64_t told_at = 0;
  };
  struct Group {
    int32_t newest_told = -1;
    uint64_t told_at = 0;
    uint64_t reset_at = 0;  // when a client was told of its deletion
    int32_t newest_synced = -1;
    uint64_t synced_at = 0;
    std::map<int32_t, Dealt> assignments;   // by generation
    std::map<std::string, Gone> gone;       // member ids
    std::map<std::string, Holder> holders;  // by instance id
    std::vector<int64_t> deletions;         // of the group
  };
  struct LastRead {
    int64_t value = kNone;
    uint64_t at = 0;
  };

  void Know(Write* write) {
    if (write->known_at == 0) write->known_at = trace_.now();
    write->end = std::min(write->end, trace_.now());
  }

  // A group that was deleted, or that nothing was left of, counts its generations anew.
  bool MayBeReset(const Group& group, uint64_t since) const {
    if (expires_) return true;
    return std::any_of(group.deletions.begin(), group.deletions.end(), [&](int64_t name) {
      const Write& write = writes_.at(name);
      return !write.refused && write.end > since;
    });
  }

  // Calls visit(write) for each write to the key that may have taken effect.
  template <class Visit>
  void ForEachWrite(const Key& key, Visit visit) const {
    for (const int64_t value : keys_.count(key) > 0 ? keys_.at(key) : std::vector<int64_t>()) {
      if (!writes_.at(value).refused) visit(value, writes_.at(value));
    }
    const auto group = groups_.find(key.first);
    if (group == groups_.end()) return;
    for (const int64_t name : group->second.deletions) {
      if (!writes_.at(name).refused) visit(name, writes_.at(name));
    }
  }

  // A write that came certainly behind all that ended by `end`, known before `sent`; 0 if none.
  int64_t Behind(const Key& key, uint64_t end, uint64_t sent, bool commits_only = false) const {
    int64_t behind = 0;
    ForEachWrite(key, [&](int64_t value, const Write& write) {
      if (commits_only && write.deletes) return;
      if (write.known_at != 0 && write.known_at < sent && write.sent > end) behind = value;
    });
    return behind;
  }

  // Writes that would have come behind `value`, and that ended before it was asked for, never
  // happened.
  void RuleOut(const Key& key, int64_t value, uint64_t sent) {
    if (expires_) return;
    uint64_t end = 0;  // of what `value` is
    if (value != kNone) {
      const auto write = writes_.find(value);
      if (write == writes_.end() || write->second.partition != key.second) return;
      end = write->second.end;
    } else {
      if (NameWasDeleted(key)) return;
      ForEachWrite(key, [&](int64_t, const Write& write) {
        if (write.deletes) end = std::max(end, write.end);
      });
    }
    const auto values = keys_.find(key);
    if (values == keys_.end()) return;
    for (const int64_t other : values->second) {
      Write& write = writes_.at(other);
      if (write.known_at == 0 && write.sent > end && write.end < sent) write.refused = true;
    }
  }

  void CheckNone(const Key& key, uint64_t sent) {
    if (expires_) return;
    const int64_t missing = Behind(key, 0, sent, /*commits_only=*/true);
    bool possible = missing == 0;
    ForEachWrite(key, [&](int64_t, const Write& write) {
      possible = possible || (write.deletes && Behind(key, write.end, sent, true) == 0);
    });
    possible = possible || NameWasDeleted(key);
    if (!possible) trace_.Fail(Name(key), ": offset ", missing, " has vanished");
  }

  // Whether a deletion by name may have met the topic's next incarnation, this one.
  bool NameWasDeleted(const Key& key) const {
    const auto from = keys_.lower_bound({key.first, TopicPartition()});
    return std::any_of(from, keys_.end(), [&](const auto& other) {
      if (other.first.first != key.first) return false;
      const TopicPartition& partition = other.first.second;
      if (partition.partition != key.second.partition || partition == key.second) return false;
      if (!topics_.SameName(partition.topic_id, key.second.topic_id)) return false;
      return std::any_of(other.second.begin(), other.second.end(), [&](int64_t value) {
        const Write& write = writes_.at(value);
        return write.deletes && topics_.DeleteAskedBefore(partition.topic_id, write.end);
      });
    });
  }

  void CheckValue(const Key& key, int64_t value, uint64_t sent) {
    const auto found = writes_.find(value);
    if (found == writes_.end() || found->second.deletes || found->second.group != key.first) {
      return trace_.Fail(Name(key), ": offset ", value, " was never committed");
    }
    Write& write = found->second;
    if (write.partition != key.second) {
      // A name may have passed to the topic's next incarnation while the commit was under way.
      if (write.by_name && topics_.DeleteAskedBefore(write.partition.topic_id, write.end) &&
          topics_.SameName(write.partition.topic_id, key.second.topic_id)) {
        return;
      }
      return trace_.Fail(Name(key), ": offset ", value, " was committed for ",
                         Name({write.group, write.partition}));
    }
    if (value <= lost_before_) return;  // may be there or not
    if (write.refused)
      return trace_.Fail(Name(key), ": offset ", value, " had been refused, or not been there");
    const int64_t behind = Behind(key, write.end, sent);
    if (behind != 0) {
      return trace_.Fail(Name(key), ": offset ", value, " though ", behind,
                         writes_.at(behind).deletes ? " deleted it" : " was committed after it");
    }
    const auto overtaken = overtaken_.find(value);
    if (overtaken != overtaken_.end() && overtaken->second < sent) {
      return trace_.Fail(Name(key), ": offset ", value, " came back");
    }
    Know(&write);
  }

  std::string Name(const Key& key) const {
    return absl::StrCat("group ", key.first, ", ", topics_.Name(key.second));
  }

  Trace& trace_;
  const Oracle& topics_;
  bool expires_ = false;
  std::map<std::string, Group> groups_;
  std::map<Key, std::vector<int64_t>> keys_;  // writes, in the order of their sending
  std::map<int64_t, Write> writes_;
  std::map<Key, LastRead> last_read_;
  std::map<int64_t, uint64_t> overtaken_;  // values that were read, and then another one
  std::map<std::pair<uint64_t, TopicPartition>, std::string> owners_;  // by assignment
  uint64_t last_assignment_ = 0;
  int64_t last_value_ = 0;
  int64_t lost_before_ = 0;
  Counters counters_;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_GROUP_ORACLE_H_

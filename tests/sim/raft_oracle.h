// -----------------------------------------------------------------------------
// File: tests/sim/raft_oracle.h
// -----------------------------------------------------------------------------
// What the replicas of a simulated Raft cluster have said and done, and whether that can be. It
// looks at what no replica sees: the disks of all, and what was committed anywhere. The numbers are
// those of the invariants in docs/simulation.md.
#ifndef WEIR_TESTS_SIM_RAFT_ORACLE_H_
#define WEIR_TESTS_SIM_RAFT_ORACLE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/ids.h"
#include "coordination/raft/describe.h"
#include "coordination/raft/memory_storage.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/raft.h"
#include "coordination/raft/types.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {

class RaftOracle {
 public:
  explicit RaftOracle(Trace& trace) : trace_(trace) {}

  void AddDisk(const raft::ReplicaKey& key, const raft::MemoryStorage* disk) {
    disks_[key] = disk;
    lost_.erase(key);
  }
  // From here on nobody has what this replica had.
  void LoseDisk(const raft::ReplicaKey& key) {
    disks_.erase(key);
    lost_.insert(key);
  }
  bool IsLost(const raft::ReplicaKey& key) const { return lost_.count(key) != 0; }

  // 14: what a replica promises is durable, and a vote is given once.
  void OnSend(const raft::Message& message, const raft::Raft& from) {
    const auto disk = disks_.find(message.from);
    if (disk == disks_.end()) return trace_.Fail("14: a lost disk speaks: ", Describe(message));
    const raft::MemoryStorage::Image& durable = disk->second->durable();
    if (const auto* vote = std::get_if<raft::VoteResponse>(&message.body)) {
      if (vote->granted && vote->pre_vote) {
        pre_votes_[{message.to, vote->asked_term}].insert(message.from);
      }
      if (!vote->granted || vote->pre_vote) return;
      if (durable.hard_state.term < message.term ||
          (durable.hard_state.term == message.term && durable.hard_state.vote != message.to)) {
        return trace_.Fail("14: told a vote that is not durable: ", Describe(message));
      }
      const auto [it, first] = votes_.try_emplace({message.from, message.term}, message.to);
      if (it->second != message.to) trace_.Fail("14: a second vote: ", Describe(message));
    } else if (const auto* asked = std::get_if<raft::VoteRequest>(&message.body)) {
      const bool is_durable =
          durable.hard_state == raft::HardState{message.term, message.from} &&
          std::max(durable.log_end, durable.snapshot.id.end_offset) >= asked->end_offset;
      if (!asked->pre_vote && !is_durable) {
        trace_.Fail("14: campaigns with what is not durable: ", Describe(message));
      }
      if (!asked->pre_vote && !asked->by_transfer) CheckPreVotes(message, from);
    } else if (const auto* entries = std::get_if<raft::AppendRequest>(&message.body)) {
      for (const raft::Entry& entry : entries->entries) {
        const auto [it, first] = sent_.try_emplace({entry.epoch, entry.base_offset}, entry);
        if (!(it->second == entry)) {
          trace_.Fail("15: another entry at ", Describe(entry), " than ", Describe(it->second));
        }
      }
    } else if (const auto* append = std::get_if<raft::AppendResponse>(&message.body)) {
      if (append->accepted && durable.log_end < append->end_offset &&
          durable.snapshot.id.end_offset < append->end_offset) {
        trace_.Fail("15: acknowledged what is not durable: ", Describe(message));
      }
    } else if (const auto* alive = std::get_if<raft::HeartbeatResponse>(&message.body)) {
      if (durable.log_end < alive->durable && durable.snapshot.id.end_offset < alive->durable) {
        trace_.Fail("15: acknowledged what is not durable: ", Describe(message));
      }
    } else if (const auto* snapshot = std::get_if<raft::SnapshotResponse>(&message.body)) {
      if (snapshot->installed && durable.log_end < snapshot->id.end_offset &&
          durable.snapshot.id.end_offset < snapshot->id.end_offset) {
        trace_.Fail("17: acknowledged a snapshot that is not durable: ", Describe(message));
      }
    }
  }

  // 14, 15: one leader for each term, with everything that was committed before. A process that
  // starts again is another one.
  void OnLeader(const raft::Raft& raft, uint64_t process) {
    const auto [it, first] = leaders_.try_emplace(raft.term(), raft.self(), process);
    if (it->second != std::make_pair(raft.self(), process)) {
      return trace_.Fail("14: term ", raft.term().value(), " has leaders ",
                         it->second.first.ToString(), " and ", raft.self().ToString());
    }
    if (!first) return;
    const raft::MemoryStorage::Image& disk = disks_.at(raft.self())->written();
    for (const auto& [base, known] : committed_) {
      if (known.term >= raft.term()) continue;  // elected before, and learns it only now
      if (!Has(disk, known.entry)) {
        return trace_.Fail("15: leader ", raft.self().ToString(), " of term ", raft.term().value(),
                           " has not ", Describe(known.entry), ", committed in term ",
                           known.term.value());
      }
    }
  }

  // One entry that a replica takes for committed, in order. Returns the state after it.
  uint64_t OnCommitted(const raft::Raft& raft, const raft::Entry& entry, uint64_t state) {
    const uint64_t after = Advance(state, entry);
    if (entry.base_offset < committed_end_) {
      CheckCommitted(raft, entry);
      const auto known = states_.find(entry.next_offset());
      if (known == states_.end() || known->second != after) {
        trace_.Fail("15: replica ", raft.self().ToString(), " has another state at ",
                    entry.next_offset().value());
      }
      return after;
    }
    if (entry.base_offset != committed_end_) {
      trace_.Fail("15: replica ", raft.self().ToString(), " commits ", Describe(entry), " behind ",
                  committed_end_.value());
      return after;
    }
    CheckOnQuorum(raft, entry);
    CheckVoters(entry);
    if (entry.kind == raft::EntryKind::kData) {
      if (refused_.count(*entry.data) != 0) {
        trace_.Fail("19: committed what was refused: ", Describe(entry));
      }
      if (!data_.insert(*entry.data).second) trace_.Fail("15: twice: ", Describe(entry));
    }
    committed_.emplace(entry.base_offset, Known{entry, raft.term()});
    committed_end_ = entry.next_offset();
    states_[committed_end_] = after;
    return after;
  }

  // 18: the voters in force are those of the last control entry in the log.
  void CheckInForce(const raft::Raft& raft) {
    if (raft.term() < raft.last_epoch()) {
      trace_.Fail("14: replica ", raft.self().ToString(), " is in term ", raft.term().value(),
                  ", its log in ", raft.last_epoch().value());
    }
    const raft::MemoryStorage::Image& disk = disks_.at(raft.self())->written();
    const raft::VoterSet* voters = &raft.snapshot().voters;
    for (auto it = disk.log.rbegin(); it != disk.log.rend(); ++it) {
      if (it->control == nullptr) continue;
      voters = &it->control->voters;
      break;
    }
    if (raft.voters() != *voters) {
      trace_.Fail("18: replica ", raft.self().ToString(), " goes by voters ",
                  Describe(raft.voters()), ", its log says ", Describe(*voters));
    }
  }

  // 14: who leads hears from a quorum; after a change of voters it may find out a little later.
  void CheckHeard(const raft::Raft& raft, MonotonicNs now, int64_t within_ns, int64_t grace_ns) {
    size_t heard = raft.IsVoter() ? 1 : 0;
    for (const raft::Raft::Follower& follower : raft.Followers()) {
      heard += raft.voters().Contains(follower.key) && now - follower.heard <= within_ns ? 1 : 0;
    }
    if (heard >= raft.voters().quorum()) return void(unheard_since_.erase(raft.self()));
    const auto [since, first] = unheard_since_.try_emplace(raft.self(), raft.term(), now);
    if (since->second.first != raft.term()) since->second = {raft.term(), now};
    if (now - since->second.second > grace_ns) {
      trace_.Fail("14: replica ", raft.self().ToString(), " leads, but hears from ", heard, " of ",
                  raft.voters().size());
    }
  }

  // 16: a leader's commit ends with an entry of its own.
  void OnLeaderCommit(const raft::Raft& raft, const raft::Entry& last) {
    if (last.epoch != raft.term()) {
      trace_.Fail("16: leader ", raft.self().ToString(), " of term ", raft.term().value(),
                  " commits up to ", Describe(last));
    }
  }

  // 17: the state in a snapshot is that of the log up to there.
  void OnSnapshot(const raft::Raft& raft, const raft::SnapshotId& id, uint64_t state) {
    const auto known = states_.find(id.end_offset);
    if (known == states_.end() || known->second != state) {
      trace_.Fail("17: replica ", raft.self().ToString(), " has another state in its snapshot ",
                  raft::Describe(id));
    }
  }

  void OnProposalDone(Offset base, const std::string& data) {
    const auto it = committed_.find(base);
    if (it == committed_.end() || it->second.entry.data == nullptr ||
        *it->second.entry.data != data) {
      trace_.Fail("15: told that ", data, " is committed at ", base.value(), ", where it is not");
    }
    told_end_ =
        std::max(told_end_, it == committed_.end() ? Offset(0) : it->second.entry.next_offset());
  }
  void OnRefused(const std::string& data) {
    refused_.insert(data);
    if (data_.count(data) != 0) trace_.Fail("19: refused what is committed: ", data);
  }

  // What a read that begins now must see at least, and what one that ends has seen.
  Offset MustSee() const { return told_end_; }
  void OnReadDone(Offset offset, Offset must_see) {
    if (offset < must_see) {
      trace_.Fail("15: a read at ", offset.value(), " does not see what was told up to ",
                  must_see.value());
    }
    told_end_ = std::max(told_end_, offset);
  }

  size_t committed_entries() const { return committed_.size(); }
  const raft::VoterSet& voters() const { return voters_; }
  void SetFounders(const raft::VoterSet& voters) { voters_ = voters; }

 private:
  struct Known {
    raft::Entry entry;
    LeaderEpoch term;  // in which it was committed
  };

  static bool Has(const raft::MemoryStorage::Image& disk, const raft::Entry& entry) {
    const auto at = std::lower_bound(
        disk.log.begin(), disk.log.end(), entry.base_offset,
        [](const raft::Entry& e, Offset offset) { return e.base_offset < offset; });
    return (at != disk.log.end() && *at == entry) ||
           disk.snapshot.id.end_offset >= entry.next_offset();
  }

  static uint64_t Advance(uint64_t state, const raft::Entry& entry) {
    return HashBytes(state, raft::Describe(entry));
  }

  // 18: whoever campaigns would have been elected, by those who saw no leader.
  void CheckPreVotes(const raft::Message& message, const raft::Raft& raft) {
    std::set<raft::ReplicaKey>& granted = pre_votes_[{message.from, message.term}];
    granted.insert(message.from);
    size_t votes = 0;
    for (const raft::ReplicaKey& voter : raft.voters()) votes += granted.count(voter);
    if (votes < raft.voters().quorum()) {
      trace_.Fail("18: campaigns without pre-votes: ", Describe(message));
    }
  }

  void CheckCommitted(const raft::Raft& raft, const raft::Entry& entry) {
    if (entry.base_offset >= committed_end_) return;
    const auto it = committed_.find(entry.base_offset);
    if (it != committed_.end() && it->second.entry == entry) return;
    trace_.Fail("15: replica ", raft.self().ToString(), " has ", Describe(entry), ", committed is ",
                it == committed_.end() ? "another" : Describe(it->second.entry));
  }

  // 15: it is on the disks of a quorum of those who vote. What was on a lost disk counts: that is
  // what the budget of lost disks is for.
  void CheckOnQuorum(const raft::Raft& raft, const raft::Entry& entry) {
    size_t holders = 0;
    for (const raft::ReplicaKey& voter : raft.voters()) {
      const auto disk = disks_.find(voter);
      if (disk == disks_.end()) {
        ++holders;
        continue;
      }
      holders += Has(disk->second->durable(), entry) ? 1 : 0;
    }
    if (holders < raft.voters().quorum()) {
      trace_.Fail("15: replica ", raft.self().ToString(), " commits ", Describe(entry), ", which ",
                  holders, " of ", raft.voters().size(), " voters have durably");
    }
  }

  // 18: voters come and go one at a time.
  void CheckVoters(const raft::Entry& entry) {
    if (entry.control == nullptr) return;
    const raft::VoterSet& next = entry.control->voters;
    size_t changes = 0;
    for (const raft::ReplicaKey& voter : next) changes += voters_.Contains(voter) ? 0 : 1;
    for (const raft::ReplicaKey& voter : voters_) changes += next.Contains(voter) ? 0 : 1;
    if (changes > 1) {
      trace_.Fail("18: voters ", Describe(voters_), " become ", Describe(next), " at once");
    }
    voters_ = next;
  }

  Trace& trace_;
  std::map<raft::ReplicaKey, const raft::MemoryStorage*> disks_;
  std::set<raft::ReplicaKey> lost_;
  std::map<std::pair<raft::ReplicaKey, LeaderEpoch>, raft::ReplicaKey> votes_;
  std::map<std::pair<raft::ReplicaKey, LeaderEpoch>, std::set<raft::ReplicaKey>> pre_votes_;
  std::map<LeaderEpoch, std::pair<raft::ReplicaKey, uint64_t>> leaders_;
  std::map<std::pair<LeaderEpoch, Offset>, raft::Entry> sent_;
  std::map<raft::ReplicaKey, std::pair<LeaderEpoch, MonotonicNs>> unheard_since_;
  std::map<Offset, Known> committed_;
  std::map<Offset, uint64_t> states_;  // by the end of the entry
  Offset committed_end_;
  Offset told_end_;        // what some client knows to be committed
  raft::VoterSet voters_;  // of the last committed control entry
  std::set<std::string> refused_;
  std::set<std::string> data_;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_RAFT_ORACLE_H_

// -----------------------------------------------------------------------------
// File: tests/interaction/raft_script.h
// -----------------------------------------------------------------------------
// Plays a script with a small Raft cluster and tells what every message and command brings about.
// Node N runs on a disk of its own; its directory id is N too, and N+10 after its disk was lost.
//   cluster V [O]       nodes 1 to V vote, O more follow with empty disks
//   timeout N           node N's clock goes on to what it waits for
//   wait MS             all clocks go on, step by step
//   deliver             all messages on their way, and those that they bring about
//   lose                the messages on their way get lost
//   cut N / heal        nothing goes from or to N / everything goes again
//   propose N TEXT...   each TEXT is an entry; all in one step
//   read N              add N M, remove N M, transfer N M: what N is asked
//   syncs manual|auto   with manual ones nothing becomes durable before `sync N`
//   sync N              what N wrote becomes durable
//   kill N, power N     the process ends; with `power` what is not durable is gone
//   wipe N              the disk is lost; start N then follows with an empty one
//   start N             snapshot N BYTES: of the state now, and the log before it goes
//   gone N              N is told that the process of its leader has ended
//   inject N M TERM     node M gets a heartbeat of TERM that claims to be N's
//   status              what every node has, and how many messages it dropped, by reason
// Threading: one thread.
#ifndef WEIR_TESTS_INTERACTION_RAFT_SCRIPT_H_
#define WEIR_TESTS_INTERACTION_RAFT_SCRIPT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/raft/describe.h"
#include "coordination/raft/events.h"
#include "coordination/raft/memory_storage.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/node.h"
#include "coordination/raft/raft.h"
#include "coordination/raft/types.h"

namespace weir::interaction {

class RaftScript {
 public:
  // Runs one command; returns what happened, a line each.
  std::string Run(absl::string_view command) {
    out_.clear();
    const std::vector<std::string> words = absl::StrSplit(command, ' ', absl::SkipEmpty());
    WEIR_CHECK(!words.empty());
    Command(words);
    return out_.empty() ? "nothing\n" : out_;
  }

 private:
  struct Machine {
    raft::ReplicaKey key;
    raft::MemoryStorage disk;
    std::unique_ptr<raft::Node> node;
    int64_t ahead_ns = 0;
  };

  class Wire final : public raft::Transport {
   public:
    explicit Wire(RaftScript& script) : script_(script) {}
    void Send(raft::Message message) override { script_.mail_.push_back(std::move(message)); }

   private:
    RaftScript& script_;
  };

  void Command(const std::vector<std::string>& words) {
    const std::string& verb = words[0];
    if (verb == "cluster") return Found(Number(words, 1), words.size() > 2 ? Number(words, 2) : 0);
    if (verb == "timeout") return Timeout(Number(words, 1));
    if (verb == "wait") return Wait(Number(words, 1));
    if (verb == "deliver") return Deliver();
    if (verb == "lose") return mail_.clear();
    if (verb == "cut") return void(cut_.insert(Number(words, 1)));
    if (verb == "heal") return cut_.clear();
    if (verb == "syncs") return SetSyncs(words[1] == "manual");
    if (verb == "status") return Status();
    if (verb == "start") return Start(Number(words, 1));
    if (verb == "inject") return Inject(words);
    const int id = Number(words, 1);
    Machine& machine = At(id);
    if (verb == "kill" || verb == "power" || verb == "wipe") return Stop(id, verb);
    WEIR_CHECK(machine.node != nullptr);
    if (verb == "sync") {
      if (machine.disk.sync_in_flight()) machine.disk.CompleteSync();
    } else if (verb == "propose") {
      for (size_t i = 2; i < words.size(); ++i) {
        machine.node->Post(raft::Propose{++tokens_, std::make_shared<const std::string>(words[i])});
      }
    } else if (verb == "read") {
      machine.node->Post(raft::Read{++tokens_});
    } else if (verb == "add") {
      machine.node->Post(raft::AddVoter{++tokens_, At(Number(words, 2)).key});
    } else if (verb == "remove") {
      machine.node->Post(raft::RemoveVoter{++tokens_, KeyToRemove(machine, Number(words, 2))});
    } else if (verb == "gone") {
      const raft::Raft& raft = machine.node->raft();
      machine.node->Post(raft::LeaderGone{raft.term(), raft.leader().id});
    } else if (verb == "transfer") {
      machine.node->Post(raft::TransferLeadership{++tokens_, BrokerId(Number(words, 2))});
    } else if (verb == "snapshot") {
      const auto meta = machine.node->raft().MetaAt(machine.node->raft().commit());
      WEIR_CHECK(meta.has_value());
      machine.disk.SaveSnapshot(*meta, std::string(static_cast<size_t>(Number(words, 2)), 's'));
      machine.node->Post(raft::SnapshotTaken{*meta, meta->id.end_offset});
      absl::StrAppend(&out_, "  snapshot ", raft::Describe(meta->id), "\n");
    } else {
      WEIR_CHECK(!"a command of this name");
    }
    Step(id);
  }

  static int Number(const std::vector<std::string>& words, size_t at) {
    int number = 0;
    WEIR_CHECK(at < words.size() && absl::SimpleAtoi(words[at], &number));
    return number;
  }

  Machine& At(int id) {
    WEIR_CHECK(machines_.count(id) != 0);
    return *machines_[id];
  }

  static raft::ReplicaKey KeyOf(int id, int directory) {
    return {BrokerId(id), Uuid{0, static_cast<uint64_t>(directory)}};
  }

  // The voter of that node, whichever disk it had.
  static raft::ReplicaKey KeyToRemove(const Machine& machine, int id) {
    for (const raft::ReplicaKey& voter : machine.node->raft().voters()) {
      if (voter.id == BrokerId(id)) return voter;
    }
    return KeyOf(id, id);
  }

  void Found(int voters, int observers) {
    std::vector<raft::ReplicaKey> founders;
    for (int id = 1; id <= voters; ++id) founders.push_back(KeyOf(id, id));
    for (int id = 1; id <= voters + observers; ++id) {
      machines_[id] = std::make_unique<Machine>();
      machines_[id]->key = KeyOf(id, id);
      if (id <= voters) {
        raft::MemoryStorage::Found(raft::VoterSet(founders), &machines_[id]->disk);
      }
      Start(id);
    }
  }

  void Start(int id) {
    Machine& machine = At(id);
    raft::RaftConfig config;
    config.cluster_id = "script";
    config.self = machine.key;
    config.snapshot_chunk_bytes = 100;
    machine.disk.set_manual_syncs(manual_);
    auto node = raft::Node::Open(config, machine.disk, wire_, random_, NowOf(machine));
    WEIR_CHECK(node.ok());
    machine.node = *std::move(node);
    Step(id);
  }

  void Stop(int id, const std::string& how) {
    Machine& machine = At(id);
    machine.node.reset();
    if (how == "power") machine.disk.LoseAll();
    if (how == "kill") machine.disk.Kill();
    if (how != "wipe") return;
    machines_[id] = std::make_unique<Machine>();
    machines_[id]->key = KeyOf(id, id + 10);
  }

  void SetSyncs(bool manual) {
    manual_ = manual;
    for (auto& [id, machine] : machines_) machine->disk.set_manual_syncs(manual);
  }

  MonotonicNs NowOf(const Machine& machine) const {
    return MonotonicNs(now_ns_ + machine.ahead_ns);
  }

  void Timeout(int id) {
    Machine& machine = At(id);
    const int64_t behind = machine.node->NextDeadline() - NowOf(machine);
    machine.ahead_ns += std::max<int64_t>(behind, 0);
    Step(id);
  }

  void Wait(int ms) {
    for (int i = 0; i < ms; i += 10) {
      now_ns_ += 10 * kNsPerMs;
      for (auto& [id, machine] : machines_) {
        if (machine->node != nullptr) Step(id);
      }
    }
  }

  void Deliver() {
    for (int i = 0; i < 1000 && !mail_.empty(); ++i) {
      raft::Message message = std::move(mail_.front());
      mail_.pop_front();
      const int from = message.from.id.value();
      int to = message.to.id.value();
      if (message.to.is_none()) to = machines_.begin()->first;  // whom the host knows of
      const bool lost = cut_.count(from) != 0 || cut_.count(to) != 0 || machines_.count(to) == 0 ||
                        At(to).node == nullptr;
      absl::StrAppend(&out_, raft::Describe(message), lost ? " (lost)\n" : "\n");
      if (lost) continue;
      At(to).node->Post(raft::Receive{std::move(message)});
      Step(to);
    }
  }

  void Step(int id) {
    Machine& machine = At(id);
    raft::Effects effects;
    machine.node->Run(NowOf(machine), &effects);
    for (const raft::Effect& effect : effects) {
      absl::StrAppend(&out_, "  ", id, ": ", raft::Describe(effect), "\n");
    }
  }

  void Inject(const std::vector<std::string>& words) {
    raft::Message message{"script", At(Number(words, 1)).key, At(Number(words, 2)).key,
                          LeaderEpoch(Number(words, 3)), raft::Heartbeat{}};
    mail_.push_back(std::move(message));
  }

  void Status() {
    for (const auto& [id, machine] : machines_) {
      absl::StrAppend(&out_, "  ", machine->key.ToString(), ": ");
      if (machine->node == nullptr) {
        absl::StrAppend(&out_, "down\n");
        continue;
      }
      static constexpr absl::string_view kRoles[] = {"follower", "pre-candidate", "candidate",
                                                     "leader"};
      const raft::Raft& raft = machine->node->raft();
      absl::StrAppend(&out_, kRoles[static_cast<size_t>(raft.role())], " of term ",
                      raft.term().value(), ", log ", raft.log_start().value(), " to ",
                      raft.log_end().value(), "@", raft.last_epoch().value(), ", committed ",
                      raft.commit().value(), ", voters ", raft::Describe(raft.voters()),
                      Dropped(raft.dropped()), "\n");
    }
  }

  static std::string Dropped(const raft::DropCounts& dropped) {
    std::string text;
    const auto add = [&](int64_t count, absl::string_view why) {
      if (count != 0) absl::StrAppend(&text, text.empty() ? ", dropped " : " ", count, " ", why);
    };
    add(dropped.wrong_cluster, "wrong-cluster");
    add(dropped.misaddressed, "misaddressed");
    add(dropped.malformed, "malformed");
    add(dropped.stale_term, "stale-term");
    add(dropped.stranger, "stranger");
    add(dropped.disturbing, "disturbing");
    add(dropped.contradicting, "contradicting");
    return text;
  }

  SeededRandom random_{1};
  Wire wire_{*this};
  std::map<int, std::unique_ptr<Machine>> machines_;
  std::deque<raft::Message> mail_;
  std::set<int> cut_;
  bool manual_ = false;
  int64_t now_ns_ = kNsPerMs;
  uint64_t tokens_ = 0;
  std::string out_;
};

}  // namespace weir::interaction

#endif  // WEIR_TESTS_INTERACTION_RAFT_SCRIPT_H_

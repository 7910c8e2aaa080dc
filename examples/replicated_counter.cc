// A counter that three replicas keep, on //coordination/raft alone: additions go through the log,
// each replica adds up what is committed, a read asks the leader first. All run in one process.

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/raft/events.h"
#include "coordination/raft/memory_storage.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/node.h"
#include "coordination/raft/types.h"

namespace {

namespace raft = weir::raft;

class Cluster : public raft::Transport {
 public:
  Cluster() {
    std::vector<raft::ReplicaKey> founders;
    for (int id = 0; id < 3; ++id) {
      founders.push_back({weir::BrokerId(id), weir::Uuid::Random(random_)});
    }
    for (const raft::ReplicaKey& key : founders) {
      Counter& counter = counters_[key.id];
      raft::MemoryStorage::Found(raft::VoterSet(founders), &counter.disk);
      raft::RaftConfig config;
      config.cluster_id = "counter";
      config.self = key;
      auto node = raft::Node::Open(config, counter.disk, *this, random_, now_);
      WEIR_CHECK(node.ok());
      counter.node = *std::move(node);
    }
  }

  void Send(raft::Message message) override { mail_.push_back(std::move(message)); }

  // Adds on whichever replica leads; waits until that is committed.
  void Add(int64_t amount) {
    Ask([&](raft::Node& node, uint64_t token) {
      node.Post(raft::Propose{token, std::make_shared<const std::string>(absl::StrCat(amount))});
    });
  }

  // What was added before is in the sum, whoever led meanwhile.
  int64_t Get() {
    const weir::BrokerId who =
        Ask([](raft::Node& node, uint64_t token) { node.Post(raft::Read{token}); });
    return counters_[who].sum;
  }

  // Takes a replica's process away; its disk stays.
  void Stop(weir::BrokerId id) { counters_[id].node.reset(); }
  weir::BrokerId Leader() const {
    for (const auto& [id, counter] : counters_) {
      if (counter.node != nullptr && counter.node->raft().role() == raft::Role::kLeader) return id;
    }
    return weir::kNoBroker;
  }

 private:
  struct Counter {
    raft::MemoryStorage disk;
    std::unique_ptr<raft::Node> node;
    weir::Offset applied;
    int64_t sum = 0;
  };

  // Repeats a request until a leader has done it. (An addition whose leader fails in between might
  // be done twice: a real service puts an id into it and applies each id once.)
  template <class Post>
  weir::BrokerId Ask(Post post) {
    while (true) {
      const weir::BrokerId leader = Leader();
      if (leader != weir::kNoBroker) {
        done_ = false;
        post(*counters_[leader].node, ++token_);
        for (int i = 0; i < 1000 && !done_ && Leader() == leader; ++i) RunOnce();
        if (done_) return leader;
      }
      RunOnce();
    }
  }

  // A millisecond passes, and every message gets where it goes.
  void RunOnce() {
    now_ += weir::kNsPerMs;
    for (auto& [id, counter] : counters_) Run(counter);
    for (raft::Message& message : std::exchange(mail_, {})) {
      // One to nobody may go to any node that is known; here the others are heard soon enough.
      const auto to = counters_.find(message.to.id);
      if (to == counters_.end() || to->second.node == nullptr) continue;
      to->second.node->Post(raft::Receive{std::move(message)});
      Run(to->second);
    }
  }

  void Run(Counter& counter) {
    if (counter.node == nullptr) return;
    raft::Effects effects;
    counter.node->Run(now_, &effects);
    for (const raft::Effect& effect : effects) {
      if (std::holds_alternative<raft::Committed>(effect)) Apply(counter);
      const auto* done = std::get_if<raft::Done>(&effect);
      if (done != nullptr && done->token == token_ && done->status.ok()) done_ = true;
    }
  }

  static void Apply(Counter& counter) {
    const auto entries = counter.node->raft().ReadCommitted(counter.applied, 1 << 20);
    for (const raft::Entry& entry : entries.value()) {
      int64_t amount = 0;
      if (entry.data != nullptr && absl::SimpleAtoi(*entry.data, &amount)) counter.sum += amount;
      counter.applied = entry.next_offset();
    }
  }

  weir::SystemRandom random_;
  weir::MonotonicNs now_;
  std::map<weir::BrokerId, Counter> counters_;
  std::vector<raft::Message> mail_;
  uint64_t token_ = 0;
  bool done_ = false;
};

}  // namespace

int main() {
  Cluster cluster;
  cluster.Add(40);
  const weir::BrokerId first = cluster.Leader();
  cluster.Stop(first);
  cluster.Add(2);  // by another leader, as soon as the others have one
  std::printf("the leader failed, another one leads, the counter is %lld\n",
              static_cast<long long>(cluster.Get()));
  return cluster.Leader() != first && cluster.Get() == 42 ? 0 : 1;
}

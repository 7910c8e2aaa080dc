// -----------------------------------------------------------------------------
// File: tests/sim/controller_run.h
// -----------------------------------------------------------------------------
// One run of the controller's simulator: brokers join, fall silent, lose records or disks and come
// back; topics come, move and go; leaders ask for ISRs, some of them long deposed; controllers fail
// and others go on from what is committed. controller_oracle.h says what must hold meanwhile. Then
// all is healed, and what can be led is led, in sync and by whom it should be.
#ifndef WEIR_TESTS_SIM_CONTROLLER_RUN_H_
#define WEIR_TESTS_SIM_CONTROLLER_RUN_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/features.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/records.h"
#include "protocol/error_code.h"
#include "tests/sim/controller_directories.h"
#include "tests/sim/controller_oracle.h"
#include "tests/sim/controller_topics.h"
#include "tests/sim/controller_world.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {

struct ControllerOutcome {
  std::string failure;  // empty if all claims held
  uint64_t hash = 0;
  int64_t elections = 0;
  int64_t unclean = 0;
  int64_t failovers = 0;
  int64_t acknowledged = 0;
  int64_t moves = 0;  // reassignments that ended
  int64_t wipes = 0;
  int64_t failed_directories = 0;
  int64_t replaced_directories = 0;
};

class ControllerRun {
 public:
  ControllerRun(uint64_t seed, int64_t steps, bool verbose)
      : random_(seed),
        steps_(steps),
        trace_(verbose),
        elr_(random_.OneIn(2)),
        oracle_(elr_, trace_,
                [this](BrokerId id, const TopicPartition& tp) { return FindReplica(id, tp); }),
        host_(Config(elr_), random_, trace_,
              [this](const auto& before, const auto& after) { oracle_.OnCommit(before, after); }) {
    const int32_t brokers = 3 + static_cast<int32_t>(random_.Below(3));
    for (int32_t id = 1; id <= brokers; ++id) {
      for (uint64_t n = 1 + random_.Below(2); n > 0; --n) {
        const Uuid directory{100, ++directories_};
        brokers_[BrokerId(id)].directories.push_back({directory, directory, false});
      }
    }
    host_.CommitSome(host_.uncommitted());  // the features that the run is about
  }

  ControllerOutcome Go() {
    for (int64_t step = 0; step < steps_ && !trace_.failed(); ++step) {
      Turn();
      if (random_.OneIn(50)) oracle_.CheckImage(host_.pending());
    }
    if (!trace_.failed()) Heal();
    outcome_.failure = trace_.failure();
    outcome_.hash = trace_.hash();
    outcome_.elections = oracle_.elections;
    outcome_.unclean = oracle_.unclean;
    outcome_.moves = oracle_.moves;
    return outcome_;
  }

 private:
  using Partition = metadata::PartitionImage;

  static metadata::ControllerConfig Config(bool elr) {
    metadata::ControllerConfig config;
    config.min_insync_replicas = 2;
    config.leader_imbalance_check_interval_ms = 20'000;
    const auto level = [&](std::string name, int16_t to) {
      metadata::FeatureLevelRecord record;
      record.name = std::move(name);
      record.feature_level = to;
      config.bootstrap_records.push_back(std::move(record));
    };
    level(std::string(metadata::kMetadataVersionFeature), metadata::kMetadataVersionNewest);
    if (elr) level("eligible.leader.replicas.version", 1);
    return config;
  }

  SimReplica* FindReplica(BrokerId id, const TopicPartition& tp) {
    const auto broker = brokers_.find(id);
    if (broker == brokers_.end()) return nullptr;
    const auto replica = broker->second.replicas.find(tp);
    return replica == broker->second.replicas.end() ? nullptr : &replica->second;
  }

  void Turn() {
    host_.Advance(static_cast<int64_t>(random_.Below(300)));
    if (host_.IsTickDue()) host_.Step(metadata::Tick());
    const uint64_t dice = random_.Below(1000);
    auto it = brokers_.begin();
    std::advance(it, random_.Below(brokers_.size()));
    if (dice < 5) {
      ++outcome_.failovers;
      host_.Failover();
    } else if (dice < 10) {
      host_.FailAppend();
    } else if (dice < 200) {
      host_.CommitSome(random_.Below(host_.uncommitted() + 1));
    } else if (dice < 240) {
      TurnTopics(brokers_, random_, &host_);
    } else if (dice < 250) {
      LoseBroker(it->first);
    } else {
      TurnBroker(it->first, &it->second);
    }
  }

  // --- brokers ---------------------------------------------------------------------------------

  // Somebody says that a process has ended: one that has not, perhaps, or the one before it.
  void LoseBroker(BrokerId id) {
    const metadata::BrokerImage* known = host_.pending().FindBroker(id);
    if (known == nullptr || known->fenced) return;
    const bool is_it = random_.OneIn(2);
    host_.Step(metadata::BrokerLost{id, is_it ? known->epoch : known->epoch - 1});
    const bool fenced = host_.pending().FindBroker(id)->fenced;
    if (fenced != is_it) trace_.Fail("broker ", id.value(), " fenced for its end: ", fenced);
  }

  void TurnBroker(BrokerId id, SimBroker* broker) {
    if (!broker->up) {
      if (random_.OneIn(8)) Start(id, broker);
      return;
    }
    switch (random_.Below(100)) {
      case 0:
        return Crash(id, broker);
      case 1:
        broker->reachable = !broker->reachable;
        return;
      case 2:
        broker->leaving = true;
        return;
      case 3:
        if (broker->epoch < 0 || random_.OneIn(2)) return;
        ++outcome_.failed_directories;
        FailDirectory(broker, random_);
        return StopLeadingUnserved(broker);
      default:
        break;
    }
    if (broker->epoch < 0) return Register(id, broker);
    if (broker->reachable || random_.OneIn(20)) {
      if (random_.OneIn(4)) Heartbeat(id, broker);
      if (random_.OneIn(3)) Follow(id, broker);
    } else if (random_.OneIn(10)) {
      broker->reachable = true;
    }
    if (broker->up) Replicate(id, broker);
    if (broker->up && random_.OneIn(4)) TellHomes(id, *broker, random_, &host_);
  }

  void Start(BrokerId id, SimBroker* broker) {
    trace_.Note("start ", id.value());
    broker->up = broker->reachable = true;
    broker->leaving = false;
    ++broker->incarnation;
    broker->epoch = -1;
    for (auto& [tp, replica] : broker->replicas) StopLeading(&replica);
    broker->next = DirectoriesAfterRestart(*broker, wiped_[id], random_, &directories_);
  }

  // The process ends; with some luck nothing is lost.
  void Crash(BrokerId id, SimBroker* broker) {
    broker->up = false;
    if (broker->epoch >= 0) broker->complete_epoch = broker->epoch;
    if (elr_ && random_.OneIn(2) && HasOtherCopies(id)) {
      broker->complete_epoch = -1;
      lossy_[id] = true;
    }
    if (random_.OneIn(6)) wiped_[id] = true;
    trace_.Note("crash ", id.value(), lossy_[id] ? " lossy" : "", wiped_[id] ? " wiped" : "");
  }

  // Whether somebody who loses nothing has all that is acknowledged: the budget of faults.
  bool HasOtherCopies(BrokerId id) {
    for (const auto& [tp, values] : oracle_.acknowledged) {
      bool found = values.empty() || host_.committed()->FindPartition(tp) == nullptr;
      for (auto& [other, broker] : brokers_) {
        const SimReplica* replica = FindReplica(other, tp);
        found = found || (other != id && !lossy_[other] && !wiped_[other] && replica != nullptr &&
                          CommonPrefix(replica->records, values) == values.size());
      }
      if (!found) return false;
    }
    return true;
  }

  void Register(BrokerId id, SimBroker* broker) {
    if (!broker->reachable) return;
    metadata::RegisterBroker event;
    event.registration.broker_id = id.value();
    event.registration.incarnation_id = {static_cast<uint64_t>(id.value()), broker->incarnation};
    event.registration.end_points.emplace_back().name = "PLAINTEXT";
    event.registration.rack.reset();
    event.registration.log_dirs = DirectoriesOf(broker->next, /*offline=*/false);
    event.previous_broker_epoch = broker->complete_epoch;
    const auto response = host_.Ask<metadata::BrokerRegistered>(std::move(event));
    if (response.error != protocol::ErrorCode::kNone) return;
    broker->epoch = response.broker_epoch;
    trace_.Note("registered ", id.value(), " epoch ", broker->epoch);
    // From here on it acts, with what is left.
    for (auto& [tp, replica] : broker->replicas) {
      if (lossy_[id]) replica.records.resize(random_.Below(replica.records.size() + 1));
    }
    outcome_.wipes += wiped_[id];
    outcome_.replaced_directories += TakeOverDirectories(broker);
    lossy_[id] = wiped_[id] = false;
  }

  void Heartbeat(BrokerId id, SimBroker* broker) {
    metadata::BrokerHeartbeat event;
    event.broker = id;
    event.broker_epoch = broker->epoch;
    event.metadata_offset = broker->followed;
    event.want_shut_down = broker->leaving;
    event.offline_log_dirs = DirectoriesOf(broker->directories, /*offline=*/true);
    if (!broker->leaving && random_.OneIn(2)) return host_.Send(event);
    const auto reply = host_.Ask<metadata::BrokerHeartbeatReply>(event);
    if (reply.error != protocol::ErrorCode::kNone) {  // it was taken off
      broker->up = false;
      return;
    }
    oracle_.CheckDirectories(*host_.committed(), id, event.offline_log_dirs);
    if (event.offline_log_dirs.size() == broker->directories.size()) return Crash(id, broker);
    if (!reply.should_shut_down) return;
    for (auto& [tp, replica] : broker->replicas) {
      const Partition* p = host_.committed()->FindPartition(tp);
      if (p != nullptr && p->leader == id) trace_.Fail("a leader was told to shut down");
    }
    trace_.Note("left ", id.value());
    broker->up = false;
    broker->complete_epoch = broker->epoch;
  }

  void StopLeadingUnserved(SimBroker* broker) {
    for (auto& [tp, replica] : broker->replicas) {
      if (!IsServed(*broker, replica)) StopLeading(&replica);
    }
  }
  static void StopLeading(SimReplica* replica) {
    replica->leads = kNoLeaderEpoch;
    replica->followers.clear();
    replica->asked.clear();
  }

  // Catches up with the metadata log, and takes the roles that it says.
  void Follow(BrokerId id, SimBroker* broker) {
    const metadata::MetadataImagePtr before = std::exchange(broker->image, host_.committed());
    broker->followed = host_.committed_offset();
    for (auto it = broker->replicas.begin(); it != broker->replicas.end();) {
      const Partition* p = broker->image->FindPartition(it->first);
      const bool stays =
          p != nullptr && std::count(p->replicas.begin(), p->replicas.end(), id) != 0;
      it = stays ? std::next(it) : broker->replicas.erase(it);
    }
    const metadata::PartitionSet* set = broker->image->PartitionsOf(id);
    if (set == nullptr) return;
    set->ForEach([&](const TopicPartition& tp) {
      const Partition& p = *broker->image->FindPartition(tp);
      SimReplica& replica = broker->replicas[tp];
      const Partition* old = before->FindPartition(tp);
      const Uuid known = KnownHome(p, id);
      if (replica.home.is_zero()) replica.home = HomeFor(*broker, known, random_);
      if (p.leader != id || !IsServed(*broker, replica) || !HasPlace(*broker, known)) {
        return StopLeading(&replica);
      }
      if (replica.leads != p.leader_epoch) {
        StopLeading(&replica);
        replica.leads = p.leader_epoch;
        replica.epoch_start = replica.records.size();
      }
      if (old == nullptr || old->partition_epoch != p.partition_epoch) replica.asked.clear();
    });
  }

  // --- replication -----------------------------------------------------------------------------

  void Replicate(BrokerId id, SimBroker* broker) {
    if (broker->replicas.empty() || broker->epoch < 0) return;
    auto it = broker->replicas.begin();
    std::advance(it, random_.Below(broker->replicas.size()));
    const TopicPartition tp = it->first;
    SimReplica& replica = it->second;
    const Partition* p = broker->image->FindPartition(tp);
    if (p == nullptr || !IsServed(*broker, replica)) return;
    if (!HasPlace(*broker, KnownHome(*p, id))) return;
    if (random_.OneIn(30)) MoveReplica(id, *broker, tp, random_, &host_, &replica);
    if (p->leader == id && replica.leads == p->leader_epoch) {
      if (random_.OneIn(2) && replica.records.size() < 200) replica.records.push_back(++values_);
      Acknowledge(tp, *p, &replica);
      if (random_.OneIn(3)) AskForIsr(id, *broker, tp, *p, &replica);
    } else {
      Fetch(id, *broker, tp, *p, &replica);
    }
  }

  void Fetch(BrokerId id, const SimBroker& broker, const TopicPartition& tp, const Partition& p,
             SimReplica* replica) {
    SimReplica* leader = FindReplica(p.leader, tp);
    if (leader == nullptr || !brokers_[p.leader].up || leader->leads != p.leader_epoch) return;
    if (!IsServed(broker, *replica)) return;
    const size_t common = CommonPrefix(leader->records, replica->records);
    replica->records.resize(common);
    const size_t more = random_.Below(leader->records.size() - common + 1);
    replica->records.insert(replica->records.end(),
                            leader->records.begin() + static_cast<int64_t>(common),
                            leader->records.begin() + static_cast<int64_t>(common + more));
    leader->followers[id] = {replica->records.size(), broker.epoch};
  }

  // Up to where all have it that may be in the ISR, if those are enough.
  void Acknowledge(const TopicPartition& tp, const Partition& p, SimReplica* leader) {
    if (p.isr.size() < std::min<size_t>(2, p.replicas.size())) return;
    std::set<BrokerId> members(p.isr.begin(), p.isr.end());
    members.insert(leader->asked.begin(), leader->asked.end());
    size_t end = leader->records.size();
    for (const BrokerId id : members) {
      if (id != p.leader) end = std::min(end, leader->followers[id].end);
    }
    Values& acked = oracle_.acknowledged[tp];
    if (end <= acked.size() || host_.committed()->FindPartition(tp) == nullptr) return;
    const auto unclean = oracle_.unclean_epochs.find(tp);
    if (unclean != oracle_.unclean_epochs.end() && p.leader_epoch < unclean->second) return;
    if (CommonPrefix(acked, leader->records) < acked.size()) {
      trace_.Fail("1: leader ", p.leader.value(), " acknowledges over what was acknowledged");
    }
    trace_.Note("acknowledged ", host_.committed()->FindTopic(tp.topic_id)->name, "-",
                tp.partition.value(), " up to ", end, " by ", p.leader.value(), " of epoch ",
                p.leader_epoch.value());
    outcome_.acknowledged += static_cast<int64_t>(end - acked.size());
    acked.assign(leader->records.begin(), leader->records.begin() + static_cast<int64_t>(end));
  }

  void AskForIsr(BrokerId id, const SimBroker& broker, const TopicPartition& tp, const Partition& p,
                 SimReplica* leader) {
    metadata::AlterPartition event;
    event.broker = id;
    event.broker_epoch = broker.epoch;
    metadata::AlterPartition::Change change;
    change.partition = tp;
    change.leader_epoch = p.leader_epoch;
    change.partition_epoch = p.partition_epoch;
    // Who joins has what was there when the epoch began, too: a leader before this one may still
    // acknowledge that.
    const size_t needed =
        std::max({oracle_.acknowledged[tp].size(), leader->high_watermark, leader->epoch_start});
    for (const BrokerId member : p.replicas) {
      const auto known = leader->followers.find(member);
      const bool caught_up = known != leader->followers.end() && known->second.end >= needed;
      const bool is_in = std::count(p.isr.begin(), p.isr.end(), member) != 0;
      if (member == id) {
        change.isr.push_back({member, broker.epoch});
      } else if (is_in ? !random_.OneIn(10) : caught_up) {
        change.isr.push_back(
            {member, known == leader->followers.end() ? -1 : known->second.broker_epoch});
      }
    }
    for (const auto& member : change.isr) leader->asked.insert(member.broker);
    event.changes = {std::move(change)};
    if (!broker.reachable || random_.OneIn(2)) return host_.Send(std::move(event));
    // Whatever the answer: an ask before this one may have been taken, so that all who were in one
    // count until the image says who is in sync.
    const Partition* now = host_.pending().FindPartition(tp);
    const bool stale = now == nullptr || now->partition_epoch != p.partition_epoch ||
                       now->leader_epoch != p.leader_epoch;
    const auto response = host_.Ask<metadata::PartitionsAltered>(std::move(event));
    if (stale && response.error == protocol::ErrorCode::kNone &&
        response.results.at(0).error == protocol::ErrorCode::kNone) {
      trace_.Fail("8: leader ", id.value(), " changed an ISR that it does not know");
    }
  }

  // --- the end ---------------------------------------------------------------------------------

  void Heal() {
    for (auto& [id, broker] : brokers_) {
      if (!broker.up) Start(id, &broker);
      broker.reachable = true;  // who is about to leave does so, and comes back
    }
    for (auto& [id, broker] : brokers_) Repair(id, &broker);
    for (int round = 0; round < 120 && !trace_.failed(); ++round) {
      host_.Advance(1000);
      if (host_.IsTickDue()) host_.Step(metadata::Tick());
      host_.CommitSome(host_.uncommitted());
      for (auto& [id, broker] : brokers_) HealBroker(id, &broker);
    }
    if (trace_.failed()) return;
    oracle_.CheckImage(host_.pending());
    for (const auto& [id, broker] : brokers_) {
      const metadata::BrokerImage* image = host_.committed()->FindBroker(id);
      if (image == nullptr || image->fenced) trace_.Fail("27: broker ", id.value(), " is fenced");
    }
    host_.committed()->topics.ForEach([&](const Uuid&, const metadata::TopicImage& topic) {
      topic.partitions.ForEach([&](PartitionIndex index, const Partition& p) {
        const std::string where = absl::StrCat(topic.name, "-", index.value());
        if (p.leader == kNoBroker) {
          const bool lost = p.isr.empty() && p.eligible_leader_replicas.empty();
          if (!lost || topic.name.back() == 'u') trace_.Fail("27: ", where, " has no leader");
          return;
        }
        if (p.leader != p.replicas[0]) trace_.Fail("27: ", where, " is not led by its first");
        if (p.isr.size() != p.replicas.size()) trace_.Fail("27: ", where, "'s ISR is not full");
        if (!p.adding_replicas.empty() || !p.removing_replicas.empty()) {
          trace_.Fail("27: ", where, " moves on and on");
        }
      });
    });
  }

  // A broker of which a directory is offline ends, and finds all of them when it comes back.
  void Repair(BrokerId id, SimBroker* broker) {
    const bool registered = broker->epoch >= 0;
    std::vector<SimDirectory>& now = registered ? broker->directories : broker->next;
    if (DirectoriesOf(now, /*offline=*/true).empty()) return;
    if (registered) {
      broker->complete_epoch = broker->epoch;
      Start(id, broker);
      broker->next = broker->directories;
      for (SimDirectory& d : broker->next) d.was = d.id;
    }
    for (SimDirectory& d : broker->next) d.offline = false;
  }

  void HealBroker(BrokerId id, SimBroker* broker) {
    if (!broker->up) {
      Start(id, broker);
      Repair(id, broker);
    }
    if (broker->epoch < 0) return Register(id, broker);
    Follow(id, broker);
    Heartbeat(id, broker);
    TellHomes(id, *broker, random_, &host_);
    if (!broker->up) return;
    for (auto& [tp, replica] : broker->replicas) {
      const Partition* p = broker->image->FindPartition(tp);
      if (p == nullptr) continue;
      if (p->leader == id) {
        Acknowledge(tp, *p, &replica);
        if (p->isr.size() < p->replicas.size()) AskForIsr(id, *broker, tp, *p, &replica);
      } else {
        for (int i = 0; i < 20; ++i) Fetch(id, *broker, tp, *p, &replica);
      }
    }
  }

  SeededRandom random_;
  const int64_t steps_;
  Trace trace_;
  const bool elr_;
  ControllerOutcome outcome_;
  std::map<BrokerId, SimBroker> brokers_;
  std::map<BrokerId, bool> lossy_, wiped_;  // what its next process will find
  uint64_t directories_ = 0;
  int64_t values_ = 0;
  ControllerOracle oracle_;
  ControllerHost host_;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_CONTROLLER_RUN_H_

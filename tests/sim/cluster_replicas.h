// -----------------------------------------------------------------------------
// File: tests/sim/cluster_replicas.h
// -----------------------------------------------------------------------------
// What must hold of replicas at any time, whatever clients see: of the metadata, each time they
// have changed; of the logs and leaders of the nodes that run, as often as the run looks. The
// numbers are those of docs/simulation.md.
#ifndef WEIR_TESTS_SIM_CLUSTER_REPLICAS_H_
#define WEIR_TESTS_SIM_CLUSTER_REPLICAS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/features.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/image_delta.h"
#include "replication/partition.h"
#include "tests/sim/cluster_world.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {

class ReplicaChecks {
 public:
  using Machine = ClusterWorld::Machine;

  ReplicaChecks(Trace& trace, const Oracle& oracle, bool flush_on_ack)
      : trace_(trace), oracle_(oracle), flush_on_ack_(flush_on_ack) {}

  // The metadata have changed: in several steps, perhaps.
  void OnMetadata(ClusterWorld& world, const metadata::ImageDelta& delta) {
    for (const metadata::TopicDelta& topic : delta.changed_topics) {
      for (const metadata::PartitionDelta& change : topic.partitions) {
        if (change.before == nullptr || change.after == nullptr) continue;
        CheckEpochs(Name(*topic.after, change.partition), *change.before, *change.after);
      }
    }
    delta.to->topics.ForEach([&](const Uuid&, const metadata::TopicImage& topic) {
      for (int32_t i = 0; i < topic.partition_count(); ++i) {
        CheckSets(*delta.to, topic, PartitionIndex(i));
      }
    });
    for (const BrokerId id : delta.changed_brokers) {
      if (IsNewRun(*delta.from, *delta.to, id)) CheckReturned(world, *delta.to, id);
    }
  }

  // What is in memory now agrees with the newest metadata.
  void Look(ClusterWorld& world, const metadata::MetadataImage& image) {
    image.topics.ForEach([&](const Uuid& id, const metadata::TopicImage& topic) {
      for (int32_t i = 0; i < topic.partition_count(); ++i) {
        const TopicPartition partition{id, PartitionIndex(i)};
        if (oracle_.IsLoose(partition)) continue;
        CheckMembers(world, image, topic, partition);
        CheckLeader(world, image, topic, partition);
      }
    });
  }

 private:
  using Brokers = std::vector<BrokerId>;

  static std::string Name(const metadata::TopicImage& topic, PartitionIndex index) {
    return absl::StrCat(topic.name, "-", index.value());
  }
  static bool Has(const Brokers& brokers, BrokerId id) {
    return std::count(brokers.begin(), brokers.end(), id) > 0;
  }
  static size_t MinInsync(const metadata::MetadataImage& image, const std::string& topic) {
    const metadata::ConfigMap* const set =
        image.configs.Find(metadata::ConfigResource{metadata::ConfigResourceType::kTopic, topic});
    if (set == nullptr || set->count("min.insync.replicas") == 0) return 1;
    size_t number = 1;
    (void)absl::SimpleAtoi(set->at("min.insync.replicas"), &number);
    return number;
  }
  static bool IsNewRun(const metadata::MetadataImage& from, const metadata::MetadataImage& to,
                       BrokerId id) {
    const metadata::BrokerImage *before = from.FindBroker(id), *after = to.FindBroker(id);
    return before != nullptr && after != nullptr && before->incarnation_id != after->incarnation_id;
  }

  // --- of the metadata ----------------------------------------------------------------------

  // 8: no change goes back, and who leads anew does so in an epoch of its own.
  void CheckEpochs(const std::string& name, const metadata::PartitionImage& before,
                   const metadata::PartitionImage& after) {
    if (after.partition_epoch <= before.partition_epoch) {
      trace_.Fail(name, " has changed in partition epoch ", after.partition_epoch, " after ",
                  before.partition_epoch);
    }
    const bool moved = after.leader != before.leader;
    if (after.leader_epoch < before.leader_epoch ||
        (moved && after.leader_epoch == before.leader_epoch)) {
      trace_.Fail(name, " is led by ", after.leader.value(), " in epoch ",
                  after.leader_epoch.value(), " after ", before.leader.value(), " in epoch ",
                  before.leader_epoch.value());
    }
  }

  // 11 and 13.
  void CheckSets(const metadata::MetadataImage& image, const metadata::TopicImage& topic,
                 PartitionIndex index) {
    const metadata::PartitionImage& partition = *topic.Find(index);
    const std::string name = Name(topic, index);
    const Brokers& eligible = partition.eligible_leader_replicas;
    for (const BrokerId id : partition.isr) {
      if (Has(eligible, id)) trace_.Fail(name, ": ", id.value(), " is in sync and eligible");
      const metadata::BrokerImage* const broker = image.FindBroker(id);
      const bool may_be_last = image.FeatureLevel(metadata::kElrFeature) == 0 &&
                               partition.isr.size() == 1 && partition.leader == kNoBroker;
      if ((broker == nullptr || broker->fenced) && !may_be_last) {
        trace_.Fail(name, ": ", id.value(), " is in sync and fenced");
      }
    }
    if (!eligible.empty() && partition.isr.size() >= MinInsync(image, topic.name)) {
      trace_.Fail(name, " has eligible leaders though enough are in sync");
    }
    if (partition.leader != kNoBroker && !Has(partition.isr, partition.leader)) {
      trace_.Fail(name, " is led by ", partition.leader.value(), ", which is not in sync");
    }
    // With eligible leader replicas the last leader of all may be elected so too (KIP-966).
    const bool may_be_unclean =
        (oracle_.replication().unclean && topic.name == Oracle::kUncleanTopic) ||
        image.FeatureLevel(metadata::kElrFeature) > 0;
    if (partition.leader_recovery_state != 0 && !may_be_unclean) {
      trace_.Fail(name, " had an unclean election");
    }
  }

  // 9: who ended without a word and had not flushed what it acknowledged, or comes with another
  // disk, has no place of which others depend.
  void CheckReturned(ClusterWorld& world, const metadata::MetadataImage& image, BrokerId id) {
    Machine& machine = world.machine(static_cast<size_t>(id.value() - 1));
    const bool broke_off = std::exchange(machine.broke_off, false);
    if (!broke_off || (flush_on_ack_ && !machine.disk_is_missing)) return;
    image.topics.ForEach([&](const Uuid&, const metadata::TopicImage& topic) {
      for (int32_t i = 0; i < topic.partition_count(); ++i) {
        const metadata::PartitionImage& partition = *topic.Find(PartitionIndex(i));
        const bool is_last = partition.isr == Brokers{id};
        if ((Has(partition.isr, id) && !is_last) || Has(partition.eligible_leader_replicas, id)) {
          trace_.Fail(Name(topic, PartitionIndex(i)), ": ", id.value(),
                      " has kept its place, though it may lack what was acknowledged");
        }
      }
    });
  }

  // --- of the nodes -------------------------------------------------------------------------

  // The partition at a node that runs as the metadata know it; null where it is not open there.
  static const replication::Partition* At(ClusterWorld& world, const metadata::MetadataImage& image,
                                          const TopicPartition& partition, BrokerId id) {
    const Machine& machine = world.machine(static_cast<size_t>(id.value() - 1));
    const metadata::BrokerImage* const broker = image.FindBroker(id);
    if (!machine.node->running() || broker == nullptr || broker->fenced) return nullptr;
    if (broker->incarnation_id != machine.node->core().node().incarnation) return nullptr;
    return ClusterWorld::PartitionAt(machine, partition);
  }

  // 1 and 2: whoever may be elected has what was acknowledged. Not of topics with retention, which
  // is a gap: a follower of a leader that has deleted everything is seen to be cut off at 0 before
  // it begins where that one does (docs/simulation.md).
  void CheckMembers(ClusterWorld& world, const metadata::MetadataImage& image,
                    const metadata::TopicImage& topic, const TopicPartition& id) {
    const Oracle::Topic* const known = oracle_.Find(id.topic_id);
    if (known == nullptr || known->retention) return;
    const metadata::PartitionImage& partition = *topic.Find(id.partition);
    const int64_t floor = oracle_.Floor(id);
    const auto check = [&](const Brokers& members, const char* what) {
      for (const BrokerId member : members) {
        const replication::Partition* const there = At(world, image, id, member);
        if (there == nullptr || !there->log().failed().ok()) continue;
        const int64_t end = there->log().log_end_offset().value();
        if (end >= floor) continue;
        trace_.Fail(Name(topic, id.partition), ": ", member.value(), " is ", what,
                    ", and its log ends at ", end, " where readers know ", floor);
      }
    };
    check(partition.isr, "in sync");
    check(partition.eligible_leader_replicas, "eligible");
  }

  // 4 and 7: of the leader that the metadata name, once it knows of that.
  void CheckLeader(ClusterWorld& world, const metadata::MetadataImage& image,
                   const metadata::TopicImage& topic, const TopicPartition& id) {
    const metadata::PartitionImage& partition = *topic.Find(id.partition);
    if (partition.leader == kNoBroker) return;
    const replication::Partition* const leader = At(world, image, id, partition.leader);
    if (leader == nullptr || !leader->is_leader() ||
        leader->leader_epoch() != partition.leader_epoch) {
      return;
    }
    for (const BrokerId member : partition.isr) {
      if (member == partition.leader || leader->InMaximalIsr(member)) continue;
      trace_.Fail(Name(topic, id.partition), ": the controller has ", member.value(),
                  " in sync, and leader ", partition.leader.value(), " does not wait for it");
    }
    CheckProgress(Name(topic, id.partition), id, *leader, MinInsync(image, topic.name));
  }

  // 7: the high watermark, up to which appends are acknowledged, moves only while enough are in
  // sync: now, or when the run looked last.
  void CheckProgress(const std::string& name, const TopicPartition& id,
                     const replication::Partition& leader, size_t min_insync) {
    Seen& seen = seen_[{id, leader.leader_epoch()}];
    const bool has_enough = leader.isr().size() >= min_insync;
    if (seen.known && leader.high_watermark() > seen.high_watermark && !has_enough &&
        !seen.had_enough) {
      trace_.Fail(name, ": the high watermark moved to ", leader.high_watermark().value(), " with ",
                  leader.isr().size(), " in sync of at least ", min_insync);
    }
    seen = {true, has_enough, leader.high_watermark()};
  }

  struct Seen {
    bool known = false;
    bool had_enough = false;
    Offset high_watermark{0};
  };

  Trace& trace_;
  const Oracle& oracle_;
  const bool flush_on_ack_;
  std::map<std::pair<TopicPartition, LeaderEpoch>, Seen> seen_;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_CLUSTER_REPLICAS_H_

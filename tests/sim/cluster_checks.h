// -----------------------------------------------------------------------------
// File: tests/sim/cluster_checks.h
// -----------------------------------------------------------------------------
// What the whole-cluster simulator sees that clients do not: whether the nodes have come together,
// who leads the controllers, and which disk may be lost without anything that counts.
#ifndef WEIR_TESTS_SIM_CLUSTER_CHECKS_H_
#define WEIR_TESTS_SIM_CLUSTER_CHECKS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/features.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/image_delta.h"
#include "coordination/raft/raft.h"
#include "protocol/record_batch.h"
#include "replication/partition.h"
#include "server/controller_driver.h"
#include "server/metadata_log.h"
#include "server/partition_table.h"
#include "server/shard.h"
#include "tests/sim/cluster_replicas.h"
#include "tests/sim/cluster_world.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim_actor.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {

class ClusterChecks {
 public:
  using Machine = ClusterWorld::Machine;

  explicit ClusterChecks(Trace& trace) : trace_(trace) {}

  // Whenever something has happened.
  void Look(ClusterWorld& world) {
    for (Machine& machine : world.machines()) {
      if (machine.ended_badly && IsBack(world, machine)) machine.ended_badly = false;
    }
    for (Machine& machine : world.machines()) {
      const server::MetadataLog* const log = LogOf(machine);
      if (log == nullptr || log->raft().role() != raft::Role::kLeader) continue;
      const auto [at, is_new] = leaders_.emplace(log->raft().term(), log->raft().self());
      if (at->second != log->raft().self()) {
        trace_.Fail("two controllers lead in term ", log->raft().term().value());
      }
    }
  }

  // Of the partitions, as the log of the metadata has them now.
  void TellLeaders(ClusterWorld& world, BrokerMap* brokers, ReplicaChecks* replicas) {
    const metadata::MetadataImagePtr image = NewestImage(world);
    if (image->highest_offset <= told_->highest_offset) return;
    const metadata::ImageDelta delta = metadata::Compare(told_, image);
    trace_.Note("metadata to ", image->highest_offset.value(), ": ", Describe(delta));
    replicas->OnMetadata(world, delta);
    for (Machine& machine : world.machines()) {
      if (machine.disk_is_missing && IsRegistered(*image, machine)) machine.disk_is_missing = false;
    }
    told_ = image;
    image->topics.ForEach([&](const Uuid& id, const metadata::TopicImage& topic) {
      for (int32_t i = 0; i < topic.partition_count(); ++i) {
        const PartitionIndex index(i);
        const metadata::PartitionImage& partition = *topic.Find(index);
        brokers->SetTrueLeader({id, index}, partition.leader.value(),
                               partition.leader_epoch.value());
      }
    });
  }

  // As TellLeaders had them last.
  const metadata::MetadataImage& told() const { return *told_; }

  // What keeps the cluster from being as it should when nothing is wrong; empty: nothing does.
  std::string Complaint(ClusterWorld& world) {
    const Machine* leader = nullptr;
    for (Machine& machine : world.machines()) {
      if (!machine.node->running()) return absl::StrCat("node ", machine.id, " does not run");
      if (!machine.node->ready()) return absl::StrCat("node ", machine.id, " is not ready");
      if (ClusterWorld::DriverOf(machine).is_active()) {
        if (leader != nullptr) return "two nodes have active controllers";
        leader = &machine;
      }
    }
    if (leader == nullptr) return "no controller is active";
    if (HasDecayed(world)) return "what has decayed is not mended";
    for (Machine& machine : world.machines()) {
      const std::string complaint = ComplaintOf(machine, *leader);
      if (!complaint.empty()) return absl::StrCat("node ", machine.id, " ", complaint);
    }
    return ComplaintOf(*LogOf(*leader)->image());
  }

  // Whether a node has lost its disk, and what it had still counts: nothing else may go wrong now.
  static bool IsDiskMissing(ClusterWorld& world) {
    return std::any_of(world.machines().begin(), world.machines().end(),
                       [](const Machine& machine) { return machine.disk_is_missing; });
  }

  // Whether somebody that ended badly is not back in sync yet.
  static bool HasEndedBadly(ClusterWorld& world) {
    return std::any_of(world.machines().begin(), world.machines().end(),
                       [](const Machine& machine) { return machine.ended_badly; });
  }
  // Whether there are eligible leader replicas: if not, a partition's last replica in sync stays
  // that, also when it is the one that ended badly.
  static bool KeepsEligible(ClusterWorld& world) {
    return NewestImage(world)->FeatureLevel(metadata::kElrFeature) > 0;
  }
  // Whether a partition of those for which `may_be` is true has no replica left that counts.
  template <class MayBe>
  static bool IsGivenUp(ClusterWorld& world, MayBe may_be) {
    bool is_any = false;
    NewestImage(world)->topics.ForEach([&](const Uuid& id, const metadata::TopicImage& topic) {
      for (int32_t i = 0; i < topic.partition_count(); ++i) {
        const metadata::PartitionImage& partition = *topic.Find(PartitionIndex(i));
        is_any = is_any || (partition.leader == kNoBroker && partition.isr.empty() &&
                            partition.eligible_leader_replicas.empty() &&
                            may_be(TopicPartition{id, PartitionIndex(i)}));
      }
    });
    return is_any;
  }

  // Whether nothing is lost if this node ends badly: all others are there, and in sync.
  bool MayEndBadly(ClusterWorld& world, const Machine& machine) {
    return !machine.is_broker || MayLoseReplicas(world, machine);
  }

  // Whether the node may come back with another disk: no vote depends on it, and others are in sync
  // everywhere.
  bool MayLoseDisk(ClusterWorld& world, const Machine& machine) {
    return (!machine.is_controller || MayLoseVoter(world, machine)) &&
           (!machine.is_broker || MayLoseReplicas(world, machine));
  }

  // Whether a byte of a log has changed that nobody has noticed yet: nothing else may go wrong now.
  bool HasDecayed(ClusterWorld& world) {
    bool is_any = false;
    for (Machine& machine : world.machines()) {
      if (!machine.decayed.empty() && IsWhole(machine, machine.decayed)) {
        trace_.Note(machine.decayed, " of node ", machine.id, " is mended");
        machine.decayed.clear();
      }
      is_any = is_any || !machine.decayed.empty();
    }
    return is_any;
  }
  // Changes a byte of a partition's log, of those that are under a CRC. False where there is none.
  bool Decay(ClusterWorld& world, Machine& machine, Random& random) {
    std::vector<std::string> files;
    const metadata::MetadataImagePtr image = NewestImage(world);
    image->topics.ForEach([&](const Uuid&, const metadata::TopicImage& topic) {
      for (int32_t i = 0; i < topic.partition_count(); ++i) {
        if (absl::StartsWith(topic.name, "__")) continue;
        const auto& replicas = topic.Find(PartitionIndex(i))->replicas;
        if (std::count(replicas.begin(), replicas.end(), BrokerId(machine.id)) == 0) continue;
        for (std::string& file : LogFilesOf(machine, absl::StrCat(topic.name, "-", i))) {
          if (IsWhole(machine, file) && !machine.node->disk().Content(file).empty()) {
            files.push_back(std::move(file));
          }
        }
      }
    });
    if (files.empty()) return false;
    std::sort(files.begin(), files.end());
    machine.decayed = files[random.Below(files.size())];
    const std::string content = machine.node->disk().Content(machine.decayed);
    constexpr size_t kFirst = protocol::record_batch_at::kCrc;
    const uint64_t near = random.Below(content.size());
    size_t begin = 0, size = 0;  // of the batch there
    (void)ForEachBatch(content, [&](size_t at, const protocol::RecordBatchView& batch) {
      if (at > near) return;
      begin = at;
      size = static_cast<size_t>(batch.size_bytes());
    });
    const auto position = static_cast<int64_t>(begin + kFirst + random.Below(size - kFirst));
    trace_.Note("byte ", position, " of ", machine.decayed, " at ", machine.id, " decays");
    machine.node->disk().Corrupt(machine.decayed, position);
    return true;
  }

  // When nothing is written any more: replicas have the same bytes.
  void CompareReplicas(ClusterWorld& world, const Oracle& oracle) {
    const metadata::MetadataImagePtr image = NewestImage(world);
    for (const auto& [id, topic] : oracle.topics()) {
      const metadata::TopicImage* const there = image->FindTopic(id);
      if (there == nullptr || topic.compacted || topic.internal) continue;
      for (int32_t i = 0; i < there->partition_count(); ++i) {
        const metadata::PartitionImage& partition = *there->Find(PartitionIndex(i));
        const std::string name = absl::StrCat(topic.name, "-", i);
        // What lies before it, of other times perhaps, is no part of the logs.
        const int64_t start = LatestStart(world, {id, PartitionIndex(i)}, partition.replicas);
        std::map<int64_t, uint64_t> first;
        for (const BrokerId replica : partition.replicas) {
          const auto batches =
              BatchesOf(world.machine(static_cast<size_t>(replica.value() - 1)), name);
          if (replica == partition.replicas.front()) {
            first = batches;
          } else {
            if (topic.retention && (first.empty() || batches.empty())) continue;
            Compare(name, start, partition.replicas.front(), first, replica, batches);
          }
        }
      }
    }
  }

 private:
  static metadata::MetadataImagePtr NewestImage(ClusterWorld& world) {
    metadata::MetadataImagePtr newest = metadata::EmptyImage();
    for (Machine& machine : world.machines()) {
      const server::MetadataLog* const log = LogOf(machine);
      if (log != nullptr && log->image()->highest_offset > newest->highest_offset) {
        newest = log->image();
      }
    }
    return newest;
  }

  // Registered anew, unfenced and in sync wherever it has a replica.
  static bool IsBack(ClusterWorld& world, const Machine& machine) {
    if (!machine.node->running()) return false;
    if (!machine.is_broker) return machine.node->ready();
    const metadata::MetadataImagePtr image = NewestImage(world);
    if (!IsRegistered(*image, machine) || image->FindBroker(BrokerId(machine.id))->fenced) {
      return false;
    }
    return EachReplicaOf(*image, machine, [&](const metadata::PartitionImage& partition) {
      return std::count(partition.isr.begin(), partition.isr.end(), BrokerId(machine.id)) > 0;
    });
  }
  // As the process that runs; of a controller, that it runs.
  static bool IsRegistered(const metadata::MetadataImage& image, const Machine& machine) {
    if (!machine.node->running() || !machine.is_broker) return machine.node->running();
    const metadata::BrokerImage* const broker = image.FindBroker(BrokerId(machine.id));
    return broker != nullptr && broker->incarnation_id == machine.node->core().node().incarnation;
  }

  // Whether `holds` for all partitions that have a replica there.
  template <class Holds>
  static bool EachReplicaOf(const metadata::MetadataImage& image, const Machine& machine,
                            Holds holds) {
    bool all = true;
    image.topics.ForEach([&](const Uuid&, const metadata::TopicImage& topic) {
      for (int32_t i = 0; i < topic.partition_count(); ++i) {
        const metadata::PartitionImage& partition = *topic.Find(PartitionIndex(i));
        if (std::count(partition.replicas.begin(), partition.replicas.end(), BrokerId(machine.id)) >
            0) {
          all = all && holds(partition);
        }
      }
    });
    return all;
  }

  static bool MayLoseReplicas(ClusterWorld& world, const Machine& machine) {
    const metadata::MetadataImagePtr image = NewestImage(world);
    for (Machine& other : world.machines()) {
      if (other.ended_badly || !ClusterWorld::Runs(other) || other.leaves) return false;
      if (!IsRegistered(*image, other)) return false;
    }
    if (world.fabric().HasCuts()) return false;
    return EachReplicaOf(*image, machine, [](const metadata::PartitionImage& partition) {
      return partition.replicas.size() > 1 && partition.isr.size() == partition.replicas.size() &&
             partition.adding_replicas.empty() && partition.removing_replicas.empty();
    });
  }

  // Paths, in the order of their offsets; none where there is no folder for the partition.
  static std::vector<std::string> LogFilesOf(Machine& machine, const std::string& name) {
    std::string folder = absl::StrCat("/data-too/", name);
    if (!machine.node->disk().Exists(folder)) folder = absl::StrCat("/data/", name);
    const absl::StatusOr<std::vector<std::string>> files = machine.node->disk().List(folder);
    std::vector<std::string> paths;
    if (!files.ok()) return paths;
    for (const std::string& file : *files) {
      if (absl::EndsWith(file, ".log")) paths.push_back(absl::StrCat(folder, "/", file));
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }
  // Whether it is gone, or all of its batches are as they were made.
  static bool IsWhole(Machine& machine, const std::string& file) {
    if (!machine.node->disk().Exists(file)) return true;
    bool is_whole = true;
    const absl::Status read = ForEachBatch(
        machine.node->disk().Content(file), [&](size_t, const protocol::RecordBatchView& batch) {
          is_whole = is_whole && batch.magic() == protocol::kRecordBatchMagic && batch.CrcIsValid();
        });
    return read.ok() && is_whole;
  }
  // With where it begins, up to the first that cannot be read.
  template <class Visit>
  static absl::Status ForEachBatch(absl::string_view segment, Visit visit) {
    for (size_t at = 0; at < segment.size();) {
      const auto batch = protocol::RecordBatchView::Parse(segment.substr(at));
      if (!batch.ok()) return batch.status();
      visit(at, *batch);
      at += static_cast<size_t>(batch->size_bytes());
    }
    return absl::OkStatus();
  }

  // What lies on the disk of a replica: a hash of each batch, by offset.
  std::map<int64_t, uint64_t> BatchesOf(Machine& machine, const std::string& name) {
    std::map<int64_t, uint64_t> batches;
    const std::vector<std::string> files = LogFilesOf(machine, name);
    if (files.empty()) trace_.Fail("node ", machine.id, " has no log of ", name);
    for (const std::string& file : files) {
      const absl::Status read = ForEachBatch(
          machine.node->disk().Content(file), [&](size_t, const protocol::RecordBatchView& batch) {
            batches[batch.base_offset().value()] = HashBytes(kHashStart, batch.bytes());
          });
      if (read.ok()) continue;
      trace_.Fail("node ", machine.id, ": ", file, ": ", read.message());
      return batches;
    }
    return batches;
  }

  // Where the last of the replicas' logs starts.
  static int64_t LatestStart(ClusterWorld& world, const TopicPartition& partition,
                             const std::vector<BrokerId>& replicas) {
    Offset start{0};
    for (const BrokerId id : replicas) {
      const Machine& machine = world.machine(static_cast<size_t>(id.value() - 1));
      const replication::Partition* const there = ClusterWorld::PartitionAt(machine, partition);
      if (there != nullptr) start = std::max(start, there->log().log_start_offset());
    }
    return start.value();
  }

  void Compare(const std::string& name, int64_t start, BrokerId a,
               const std::map<int64_t, uint64_t>& first, BrokerId b,
               const std::map<int64_t, uint64_t>& second) {
    const auto complain = [&](int64_t offset) {
      trace_.Fail(name, ": replicas ", a.value(), " and ", b.value(), " differ at offset ", offset);
    };
    // One may have deleted more of what is old than the other.
    int64_t from = start;
    if (!first.empty()) from = std::max(from, first.begin()->first);
    if (!second.empty()) from = std::max(from, second.begin()->first);
    auto at = first.lower_bound(from), other = second.lower_bound(from);
    for (; at != first.end() && other != second.end(); ++at, ++other) {
      if (*at != *other) return complain(std::min(at->first, other->first));
    }
    if (at != first.end()) complain(at->first);
    if (other != second.end()) complain(other->first);
  }

  static bool MayLoseVoter(ClusterWorld& world, const Machine& machine) {
    size_t controllers = 0;
    const server::MetadataLog* leading = nullptr;
    for (Machine& other : world.machines()) {
      if (!other.is_controller) continue;
      ++controllers;
      const server::MetadataLog* const log = LogOf(other);
      if (log == nullptr || !log->raft().IsVoter()) return false;
      if (log->raft().role() == raft::Role::kLeader && other.id != machine.id) leading = log;
    }
    if (controllers < 3 || leading == nullptr) return false;
    for (const raft::Raft::Follower& follower : leading->raft().Followers()) {
      const bool votes = leading->raft().voters().Contains(follower.key);
      if (votes && follower.match < leading->raft().log_end()) return false;
    }
    return leading->raft().durable_end() == leading->raft().log_end();
  }

  // Null while the node is down or of no cluster.
  static const server::MetadataLog* LogOf(const Machine& machine) {
    if (!machine.node->running() || machine.node->core().node().cluster_id.empty()) return nullptr;
    return &ClusterWorld::DriverOf(machine).log();
  }

  static std::string ComplaintOf(const Machine& machine, const Machine& leader) {
    const server::MetadataLog& log = *LogOf(machine);
    const server::MetadataLog& leading = *LogOf(leader);
    if (log.raft().leader().id.value() != leader.id) {
      return absl::StrCat("follows ", log.raft().leader().id.value(), ", not ", leader.id);
    }
    // If the leader ends between the two steps of a replacement, it is an operator's to finish.
    if (machine.is_controller && !machine.was_wiped &&
        !leading.raft().voters().Contains(log.raft().self())) {
      return "has no vote";
    }
    if (log.applied_end() != leading.raft().log_end()) return "is behind with the metadata";
    // A snapshot stands for control records as well, which an image that grew does not count.
    const metadata::MetadataState& state = *log.image();
    if (state != *leading.image() || log.image()->transaction != leading.image()->transaction) {
      return absl::StrCat("has other metadata than the active controller: ",
                          Describe(metadata::Compare(leading.image(), log.image())));
    }
    if (!machine.is_broker) return "";
    for (const server::Shard* shard : machine.node->core().node().shards) {
      if (shard->image()->highest_offset != log.image()->highest_offset) {
        return absl::StrCat("has shard ", shard->id().value(), " behind with the metadata");
      }
    }
    for (server::Shard* shard : machine.node->core().node().shards) {
      const int64_t uncommitted = shard->partitions().uncommitted();
      if (uncommitted > 0)
        return absl::StrCat("knows ", uncommitted, " records not to be committed");
    }
    const metadata::BrokerImage* const self = log.image()->FindBroker(BrokerId(machine.id));
    if (self == nullptr) return "is not registered";
    if (self->fenced) return "is fenced";
    if (self->in_controlled_shutdown) return "is in controlled shutdown";
    return "";
  }

  // Of the partitions.
  static std::string ComplaintOf(const metadata::MetadataImage& image) {
    std::string complaint;
    image.topics.ForEach([&](const Uuid&, const metadata::TopicImage& topic) {
      for (int32_t i = 0; i < topic.partition_count() && complaint.empty(); ++i) {
        const metadata::PartitionImage& partition = *topic.Find(PartitionIndex(i));
        const std::string name = absl::StrCat(topic.name, "-", i);
        if (partition.leader == kNoBroker) {
          complaint = absl::StrCat(name, " has no leader: ", Describe(partition));
        } else if (partition.isr.size() < partition.replicas.size()) {
          complaint = absl::StrCat(name, " is not in sync: ", Describe(partition));
        } else if (partition.leader != partition.replicas.front()) {
          complaint = absl::StrCat(name, " is not led by its first: ", Describe(partition));
        }
      }
    });
    if (complaint.empty() && !image.reassigning.empty()) complaint = "a reassignment is under way";
    return complaint;
  }

  static std::string Describe(const metadata::ImageDelta& delta) {
    std::vector<std::string> parts;
    for (const auto* topic : delta.deleted_topics) parts.push_back("lacks " + topic->name);
    for (const auto* topic : delta.created_topics) parts.push_back("has " + topic->name);
    for (const metadata::TopicDelta& topic : delta.changed_topics) {
      for (const metadata::PartitionDelta& change : topic.partitions) {
        const auto tell = [](const metadata::PartitionImage* partition) {
          return partition == nullptr ? std::string("none") : Describe(*partition);
        };
        parts.push_back(absl::StrCat(topic.after->name, "-", change.partition.value(), ": ",
                                     tell(change.after), " instead of ", tell(change.before)));
      }
    }
    for (const metadata::ConfigResource& config : delta.changed_configs) {
      parts.push_back(absl::StrCat("configs of '", config.name, "'"));
    }
    for (const BrokerId id : delta.changed_brokers) {
      parts.push_back(absl::StrCat("broker ", id.value()));
    }
    for (const std::string& feature : delta.changed_features) parts.push_back(feature);
    return parts.empty() ? "nothing that brokers heed" : absl::StrJoin(parts, "; ");
  }

  static std::string Describe(const metadata::PartitionImage& partition) {
    const auto list = [](const std::vector<BrokerId>& brokers) {
      return absl::StrJoin(brokers, ",", [](std::string* out, BrokerId broker) {
        absl::StrAppend(out, broker.value());
      });
    };
    return absl::StrCat(
        "leader ", partition.leader.value(), " epoch ", partition.leader_epoch.value(),
        " replicas ", list(partition.replicas), " isr ", list(partition.isr), " elr ",
        list(partition.eligible_leader_replicas), " last known ", list(partition.last_known_elr));
  }

  Trace& trace_;
  std::map<LeaderEpoch, raft::ReplicaKey> leaders_;
  metadata::MetadataImagePtr told_ = metadata::EmptyImage();
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_CLUSTER_CHECKS_H_

// -----------------------------------------------------------------------------
// File: tests/sim/controller_oracle.h
// -----------------------------------------------------------------------------
// What must hold of every image that is committed, and of every election: numbers are those of the
// invariants in docs/simulation.md.
#ifndef WEIR_TESTS_SIM_CONTROLLER_ORACLE_H_
#define WEIR_TESTS_SIM_CONTROLLER_ORACLE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/image_delta.h"
#include "coordination/metadata/partition_set.h"
#include "coordination/metadata/snapshot.h"
#include "protocol/record_batch.h"
#include "tests/sim/controller_world.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {

class ControllerOracle {
 public:
  // Finds the records of a replica; null where the broker has none.
  using FindReplica = std::function<SimReplica*(BrokerId, const TopicPartition&)>;

  ControllerOracle(bool elr, Trace& trace, FindReplica find)
      : elr_(elr), trace_(trace), find_(std::move(find)) {}

  // Acknowledged to clients.
  std::map<TopicPartition, Values> acknowledged;
  std::map<TopicPartition, LeaderEpoch> unclean_epochs;  // of the last unclean election
  int64_t elections = 0;
  int64_t unclean = 0;
  int64_t moves = 0;

  void OnCommit(const metadata::MetadataImagePtr& before, const metadata::MetadataImagePtr& after) {
    const metadata::ImageDelta delta = Compare(before, after);
    for (const metadata::TopicDelta& topic : delta.changed_topics) {
      for (const metadata::PartitionDelta& p : topic.partitions) {
        if (p.after == nullptr) {
          trace_.Fail("a partition vanished");
        } else {
          OnPartition(*after, {topic.after->id, p.partition}, topic.after->name, p.before,
                      *p.after);
        }
      }
    }
    for (const BrokerId id : delta.changed_brokers) CheckBroker(*after, id);
  }

  // The controller has heard that these directories of the broker are offline.
  void CheckDirectories(const metadata::MetadataImage& image, BrokerId id,
                        const std::vector<Uuid>& offline) {
    const metadata::BrokerImage* broker = image.FindBroker(id);
    if (broker == nullptr || broker->fenced) return;
    for (const Uuid& directory : broker->directories) {
      if (std::find(offline.begin(), offline.end(), directory) != offline.end()) {
        trace_.Fail("11: an offline directory of broker ", id.value(), " counts");
      }
    }
  }

  void CheckImage(const metadata::MetadataImage& image) {
    CheckIndexes(image);
    CheckSnapshot(image);
  }

  // The sets that an image keeps are what its topics say.
  void CheckIndexes(const metadata::MetadataImage& image) {
    std::map<BrokerId, std::vector<TopicPartition>> of;
    size_t leaderless = 0, unbalanced = 0, reassigning = 0;
    image.topics.ForEach([&](const Uuid& id, const metadata::TopicImage& topic) {
      topic.partitions.ForEach([&](PartitionIndex index, const metadata::PartitionImage& p) {
        const TopicPartition tp{id, index};
        for (const BrokerId replica : p.replicas) of[replica].push_back(tp);
        const bool none = p.leader == kNoBroker;
        const bool other = !none && p.leader != p.replicas[0];
        const bool moves = !p.adding_replicas.empty() || !p.removing_replicas.empty();
        leaderless += none;
        unbalanced += other;
        reassigning += moves;
        if (image.leaderless.Contains(tp) != none || image.unbalanced.Contains(tp) != other ||
            image.reassigning.Contains(tp) != moves) {
          trace_.Fail("a set does not say what the partition is");
        }
      });
    });
    if (image.leaderless.List().size() != leaderless ||
        image.unbalanced.List().size() != unbalanced ||
        image.reassigning.List().size() != reassigning || image.partitions_of.size() != of.size()) {
      trace_.Fail("a set has partitions that are not");
    }
    for (auto& [broker, partitions] : of) {
      const metadata::PartitionSet* set = image.PartitionsOf(broker);
      std::vector<TopicPartition> listed = set == nullptr ? partitions : set->List();
      std::sort(listed.begin(), listed.end());
      std::sort(partitions.begin(), partitions.end());
      if (set == nullptr || listed != partitions) trace_.Fail("broker ", broker.value(), "'s set");
    }
  }

  // A snapshot gives the image back, with batches of a few records too.
  void CheckSnapshot(const metadata::MetadataImage& image) {
    metadata::SnapshotReader reader;
    absl::Status status =
        WriteSnapshot(image, {.batch_records_max = 7}, [&](const std::string& batch) {
          return reader.Add(*protocol::RecordBatchView::Parse(batch));
        });
    if (!status.ok()) trace_.Fail("15: a snapshot is refused: ", status.message());
    const auto read = std::move(reader).Finish(image.highest_offset + 1, image.highest_epoch);
    if (!read.ok() || !(**read == image)) trace_.Fail("15: a snapshot gives another image");
  }

 private:
  static std::string Tell(const std::vector<BrokerId>& ids) {
    std::string text;
    for (const BrokerId id : ids) absl::StrAppend(&text, id.value());
    return text;
  }
  static std::string Tell(const std::vector<Uuid>& directories) {
    std::string text;
    for (const Uuid& id : directories) absl::StrAppend(&text, " ", id.low);
    return text;
  }
  static std::string Tell(const metadata::PartitionImage& p) {
    return absl::StrCat("leader ", p.leader.value(), " of epoch ", p.leader_epoch.value(),
                        ", replicas ", Tell(p.replicas), " isr ", Tell(p.isr), " elr ",
                        Tell(p.eligible_leader_replicas), " last ", Tell(p.last_known_elr),
                        " adding ", Tell(p.adding_replicas), " removing ",
                        Tell(p.removing_replicas), " recovery ", int{p.leader_recovery_state},
                        " directories", Tell(p.directories), " epoch ", p.partition_epoch);
  }

  static bool Has(const std::vector<BrokerId>& ids, BrokerId id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  }

  void OnPartition(const metadata::MetadataImage& image, const TopicPartition& tp,
                   const std::string& name, const metadata::PartitionImage* before,
                   const metadata::PartitionImage& after) {
    const std::string where = absl::StrCat(name, "-", tp.partition.value());
    trace_.Note(where, " ", Tell(after));
    CheckForm(image, where, after);
    if (before == nullptr) return;
    if (after.partition_epoch <= before->partition_epoch) {
      trace_.Fail("8: ", where, " goes back to partition epoch ", after.partition_epoch);
    }
    if (after.leader_epoch < before->leader_epoch) trace_.Fail("8: ", where, "'s leader epoch");
    if (after.leader != before->leader && after.leader_epoch == before->leader_epoch) {
      trace_.Fail("8: ", where, " has two leaders in an epoch");
    }
    if (!elr_ && after.isr.empty() && !before->isr.empty() &&
        after.directories == before->directories && !MayBeGone(*before)) {
      trace_.Fail("9: ", where, " forgets who had everything");  // no disk was replaced
    }
    for (const BrokerId id : after.isr) {
      if (SimReplica* replica = find_(id, tp)) replica->wiped = false;
      if (Has(before->isr, id)) continue;
      const metadata::BrokerImage* broker = image.FindBroker(id);
      if (broker != nullptr && broker->fenced) {
        trace_.Fail("11: fenced broker ", id.value(), " enters the ISR of ", where);
      }
    }
    if (after.adding_replicas.empty()) {
      for (const BrokerId id : before->adding_replicas) {
        if (Has(after.replicas, id) && !Has(after.isr, id)) {
          trace_.Fail("12: the move of ", where, " ends without ", id.value());
        }
      }
    }
    moves += !(before->adding_replicas.empty() && before->removing_replicas.empty()) &&
             after.adding_replicas.empty() && after.removing_replicas.empty();
    if (after.leader != kNoBroker && after.leader_epoch != before->leader_epoch) {
      OnElection(image, tp, where, *before, after);
    }
  }

  // Whether nobody knows in which directory a member of the ISR was.
  static bool MayBeGone(const metadata::PartitionImage& p) {
    for (size_t i = 0; i < p.replicas.size(); ++i) {
      const Uuid& directory = p.directories[i];
      if (!Has(p.isr, p.replicas[i])) continue;
      if (directory == metadata::kDirectoryUnassigned) return true;
      if (directory == metadata::kDirectoryMigrating) return true;
    }
    return false;
  }

  void CheckForm(const metadata::MetadataImage& image, const std::string& where,
                 const metadata::PartitionImage& p) {
    const std::set<BrokerId> replicas(p.replicas.begin(), p.replicas.end());
    if (replicas.size() != p.replicas.size()) trace_.Fail(where, " names a replica twice");
    if (p.directories.size() != p.replicas.size()) trace_.Fail(where, "'s directories");
    for (const auto* list :
         {&p.isr, &p.eligible_leader_replicas, &p.adding_replicas, &p.removing_replicas}) {
      for (const BrokerId id : *list) {
        if (replicas.count(id) == 0) trace_.Fail(where, ": ", id.value(), " is no replica");
      }
    }
    for (const BrokerId id : p.isr) {
      if (Has(p.eligible_leader_replicas, id)) trace_.Fail("11: ", where, " ISR and ELR overlap");
      const bool last = !elr_ && p.isr.size() == 1 && p.leader == kNoBroker;
      const metadata::BrokerImage* broker = image.FindBroker(id);
      if (!last && broker == nullptr) trace_.Fail("11: ", where, " ISR of a broker that is not");
    }
    for (const BrokerId id : p.isr) CheckServed(image, where, p, id);
    if (p.leader != kNoBroker && !Has(p.isr, p.leader)) {
      trace_.Fail("11: ", where, " is led from outside the ISR");
    }
    if (!elr_ && !p.eligible_leader_replicas.empty()) trace_.Fail("11: ", where, " has ELR");
    if (elr_ && p.isr.size() >= MinIsr(p) && !p.eligible_leader_replicas.empty()) {
      trace_.Fail("11: ", where, " has ELR beside an ISR of ", p.isr.size());
    }
  }

  // Nobody leads, or is in an ISR, from a directory that its broker has not; but for the last
  // member without ELR, which does not lead.
  void CheckServed(const metadata::MetadataImage& image, const std::string& where,
                   const metadata::PartitionImage& p, BrokerId id) {
    const metadata::BrokerImage* broker = image.FindBroker(id);
    if (broker == nullptr) return;
    if (!elr_ && p.isr.size() == 1 && p.leader == kNoBroker) return;
    const Uuid directory =
        p.directories[std::find(p.replicas.begin(), p.replicas.end(), id) - p.replicas.begin()];
    if (directory == metadata::kDirectoryUnassigned || directory == metadata::kDirectoryMigrating) {
      return;
    }
    const auto& all = broker->directories;
    if (std::find(all.begin(), all.end(), directory) != all.end()) return;
    trace_.Fail("11: ", where, "'s replica on ", id.value(), " is in a directory that is offline");
  }

  // A fenced broker leads nothing and is in no ISR, but for the last member without ELR.
  void CheckBroker(const metadata::MetadataImage& image, BrokerId id) {
    const metadata::BrokerImage* broker = image.FindBroker(id);
    const metadata::PartitionSet* set = image.PartitionsOf(id);
    if (set == nullptr) return;
    set->ForEach([&](const TopicPartition& tp) {
      const metadata::PartitionImage& p = *image.FindPartition(tp);
      if (Has(p.isr, id)) CheckServed(image, image.FindTopic(tp.topic_id)->name, p, id);
      if (broker != nullptr && !broker->fenced) return;
      if (p.leader == id) trace_.Fail("11: fenced broker ", id.value(), " leads");
      if (Has(p.isr, id) && (elr_ || p.isr.size() > 1)) {
        trace_.Fail("11: fenced broker ", id.value(), " is in an ISR");
      }
    });
  }

  void OnElection(const metadata::MetadataImage& image, const TopicPartition& tp,
                  const std::string& where, const metadata::PartitionImage& before,
                  const metadata::PartitionImage& after) {
    ++elections;
    // The end of a reassignment may give the partition to the replica that ended it. One that is
    // taken back when none of its replicas are left may elect uncleanly, and says so.
    const bool moved = after.leader_recovery_state == 0 &&
                       !(before.adding_replicas.empty() && before.removing_replicas.empty()) &&
                       after.adding_replicas.empty() && after.removing_replicas.empty() &&
                       std::all_of(before.isr.begin(), before.isr.end(), [&](BrokerId id) {
                         return Has(before.removing_replicas, id) || Has(after.isr, id);
                       });
    const bool known = Has(before.isr, after.leader) ||
                       Has(before.eligible_leader_replicas, after.leader) ||
                       (moved && before.leader != kNoBroker);
    const bool is_unclean = !known;
    if (is_unclean && after.leader_recovery_state != 1) {
      trace_.Fail("13: ", where, " had an unclean election without a word");
    }
    SimReplica* replica = find_(after.leader, tp);
    const Values records = replica == nullptr ? Values() : replica->records;
    Values& acked = acknowledged[tp];
    const size_t common = CommonPrefix(records, acked);
    if (!is_unclean) {
      if (common < acked.size()) {
        trace_.Fail("1: ", where, "'s leader ", after.leader.value(), " of epoch ",
                    after.leader_epoch.value(), " has ", common, " of ", acked.size());
      }
      return;
    }
    ++unclean;
    const bool last_leader =
        before.isr.empty() && before.last_known_elr == std::vector<BrokerId>{after.leader};
    if (!last_leader && !IsUncleanAllowed(image, tp)) {
      trace_.Fail("13: ", where, " had an unclean election");
    }
    if (last_leader && !IsUncleanAllowed(image, tp) && replica != nullptr && replica->wiped) {
      trace_.Fail("9: ", where, ": a wiped disk leads");
    }
    acked.resize(common);  // what is lost was reported
    unclean_epochs[tp] = after.leader_epoch;
  }

  // Topics whose names end so.
  static bool IsUncleanAllowed(const metadata::MetadataImage& image, const TopicPartition& tp) {
    return image.FindTopic(tp.topic_id)->name.back() == 'u';
  }
  static size_t MinIsr(const metadata::PartitionImage& p) {
    return std::min<size_t>(2, p.replicas.size());
  }

  const bool elr_;
  Trace& trace_;
  const FindReplica find_;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_CONTROLLER_ORACLE_H_

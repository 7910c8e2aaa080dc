// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/elections.h
// -----------------------------------------------------------------------------
// Which partitions change, and how, when a broker comes, goes or loses a disk, and when somebody
// asks for other leaders (KIP-183, KIP-460). Looks only at the partitions of that broker.
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_ELECTIONS_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_ELECTIONS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/sort.h"
#include "base/uuid.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/internal/partition_change.h"
#include "coordination/metadata/internal/topic_rules.h"
#include "coordination/metadata/partition_set.h"
#include "coordination/metadata/records.h"
#include "protocol/api/elect_leaders.h"
#include "protocol/error_code.h"

namespace weir::metadata::metadata_internal {

// Plans against an image; appends what is to change to `records`.
class ElectionPlanner {
 public:
  using Records = std::vector<MetadataRecord>;

  ElectionPlanner(const MetadataState& image, const ControllerConfig& config)
      : image_(image), config_(config) {}

  bool LeadsAny(BrokerId broker) const {
    bool leads = false;
    ForEachOf(broker, [&](const TopicPartition&, const PartitionImage& p) {
      leads = leads || p.leader == broker;
    });
    return leads;
  }

  // `broker` goes, and what it has stays where it is: fenced, shutting down or taken off.
  void PlanLoss(BrokerId broker, Records* records) {
    ForEachOf(broker, [&](const TopicPartition& tp, const PartitionImage& p) {
      if (!Has(p.isr, broker) && p.leader != broker) return;
      Add(Leaving(tp, p, broker), records);
    });
  }

  // `broker` goes and comes back later as another process, with these directories. What it had is
  // lost when none of the directories before is left (a wiped disk never votes). One that is
  // missing among several may come back: its replicas stay where they are, and lead nothing until
  // it does or they begin anew elsewhere (PlanAssignments). Unless it is `complete`, the rest may
  // lack records too.
  void PlanRestart(BrokerId broker, const std::vector<Uuid>& directories, bool complete,
                   Records* records) {
    const BrokerImage* before = image_.FindBroker(broker);
    ForEachOf(broker, [&](const TopicPartition& tp, const PartitionImage& p) {
      PartitionChange change = Leaving(tp, p, broker);
      switch (FateOf(*DirectoryOf(p, broker), before, directories)) {
        case Fate::kWiped:
          change.Lost(broker, /*all=*/true).SetDirectory(broker, DefaultDirectory(directories));
          break;
        case Fate::kUnknown:
          change.Lost(broker, /*all=*/true);
          break;
        case Fate::kMissing:
          if (RulesFor(tp).elr) change.Lost(broker, /*all=*/false);
          break;
        case Fate::kThere:
          if (!complete && RulesFor(tp).elr) change.Lost(broker, /*all=*/false);
          // Nobody was asked yet, and there is one place.
          if (directories.size() == 1 && *DirectoryOf(p, broker) == kDirectoryMigrating) {
            change.SetDirectory(broker, directories.front());
          }
          break;
      }
      Add(std::move(change), records);
    });
  }

  // Only these directories of `broker` are left (KIP-858): replicas in others are not served.
  void PlanDirectoryLoss(BrokerId broker, const std::vector<Uuid>& left, Records* records) {
    ForEachOf(broker, [&](const TopicPartition& tp, const PartitionImage& p) {
      if (!Has(p.isr, broker) && p.leader != broker) return;
      const Uuid& directory = *DirectoryOf(p, broker);
      const bool stays = IsReservedDirectory(directory) ? directory != kDirectoryLost
                                                        : HasDirectory(left, directory);
      if (!stays) Add(Leaving(tp, p, broker), records);
    });
  }

  // Elects leaders for partitions that have none, `max` of them at most.
  void PlanLeaderless(size_t max, Records* records) {
    image_.leaderless.ForEach([&](const TopicPartition& tp) {
      if (records->size() >= max) return;
      Add(Of(tp, *image_.FindPartition(tp)), records);
    });
  }
  // The same where `broker`, which is active again, has a replica.
  void PlanReturn(BrokerId broker, Records* records) {
    image_.leaderless.ForEach([&](const TopicPartition& tp) {
      const PartitionImage& p = *image_.FindPartition(tp);
      if (Has(p.replicas, broker)) Add(Of(tp, p), records);
    });
  }

  // Gives leadership back to first replicas that are in sync, `max` of them at most.
  void PlanPreferred(size_t max, Records* records) {
    image_.unbalanced.ForEach([&](const TopicPartition& tp) {
      if (records->size() >= max) return;
      Add(Of(tp, *image_.FindPartition(tp)).Elect(PartitionChange::Election::kPreferred), records);
    });
  }

  protocol::ElectLeadersResponse Plan(const protocol::ElectLeadersRequest& request,
                                      Records* records) {
    protocol::ElectLeadersResponse response;
    if (request.election_type != kPreferred && request.election_type != kUnclean) {
      response.error_code = static_cast<int16_t>(protocol::ErrorCode::kInvalidRequest);
      return response;
    }
    if (!request.topic_partitions.has_value()) {
      PlanAll(request.election_type, &response, records);
      return response;
    }
    std::vector<TopicPartition> elected;  // once each
    for (const auto& asked : *request.topic_partitions) {
      auto& results = response.replica_election_results.emplace_back();
      results.topic = asked.topic;
      for (const int32_t index : asked.partitions) {
        const TopicImage* topic = image_.FindTopic(asked.topic);
        const PartitionImage* p = topic == nullptr ? nullptr : topic->Find(PartitionIndex(index));
        const TopicPartition tp{topic == nullptr ? Uuid() : topic->id, PartitionIndex(index)};
        protocol::ErrorCode error = protocol::ErrorCode::kUnknownTopicOrPartition;
        if (std::find(elected.begin(), elected.end(), tp) != elected.end()) {
          error = protocol::ErrorCode::kNone;
        } else if (p != nullptr) {
          error = PlanElection(tp, *p, request.election_type, records);
          if (error == protocol::ErrorCode::kNone) elected.push_back(tp);
        }
        AddResult(index, error, &results);
      }
    }
    return response;
  }

  // Where a broker's replicas are; those in a directory that is not online leave the ISR. What a
  // broker says is lost may lack records that it acknowledged: it is not eligible either. Only the
  // last that counts is not given up: what cannot be read now may be another time, and of several
  // brokers that say so at once none knows of the others. Nothing can be copied out of a directory
  // that is not online: a replica that goes on elsewhere has begun anew.
  std::vector<protocol::ErrorCode> PlanAssignments(const AssignReplicasToDirs& event,
                                                   Records* records) {
    std::vector<protocol::ErrorCode> errors;
    std::set<TopicPartition> planned;
    for (const AssignReplicasToDirs::Assignment& assignment : event.assignments) {
      const TopicPartition& tp = assignment.partition;
      const PartitionImage* p = image_.FindPartition(tp);
      protocol::ErrorCode& error = errors.emplace_back(protocol::ErrorCode::kNone);
      if (image_.FindTopic(tp.topic_id) == nullptr) {
        error = protocol::ErrorCode::kUnknownTopicId;
      } else if (p == nullptr) {
        error = protocol::ErrorCode::kUnknownTopicOrPartition;
      } else if (!Has(p->replicas, event.broker)) {
        error = protocol::ErrorCode::kNotLeaderOrFollower;
      } else if (!planned.insert(tp).second) {
        error = protocol::ErrorCode::kInvalidRequest;
      } else if (assignment.directory == kDirectoryLost && !p->OthersCount(event.broker)) {
        error = protocol::ErrorCode::kIneligibleReplica;
      } else {
        const BrokerImage& broker = *image_.FindBroker(event.broker);
        const bool online = broker.HasOnline(assignment.directory);
        const bool anew = online && !broker.HasOnline(*DirectoryOf(*p, event.broker));
        PartitionChange change = online && !anew ? Of(tp, *p) : Leaving(tp, *p, event.broker);
        if (anew) change.Lost(event.broker, /*all=*/true);
        if (assignment.directory == kDirectoryLost) change.Lost(event.broker, /*all=*/false);
        change.SetDirectory(event.broker, assignment.directory);
        Add(std::move(change), records);
      }
    }
    return errors;
  }

  // A change of the partition that changes nothing yet but may elect a leader.
  PartitionChange Of(const TopicPartition& tp, const PartitionImage& p) {
    return PartitionChange(image_, RulesFor(tp), tp, p);
  }
  const TopicRules& RulesFor(const TopicPartition& tp) {
    if (tp.topic_id != rules_of_) {
      rules_of_ = tp.topic_id;
      rules_ = RulesOf(image_, config_, image_.FindTopic(tp.topic_id)->name);
    }
    return rules_;
  }

  // False if there was nothing to change.
  static bool Add(PartitionChange change, Records* records) {
    std::optional<PartitionChangeRecord> record = change.Build();
    if (!record.has_value()) return false;
    records->push_back(*std::move(record));
    return true;
  }

 private:
  static constexpr int8_t kPreferred = 0;  // election types of the protocol
  static constexpr int8_t kUnclean = 1;

  template <class Visit>
  void ForEachOf(BrokerId broker, const Visit& visit) const {
    const PartitionSet* set = image_.PartitionsOf(broker);
    if (set == nullptr) return;
    set->ForEach([&](const TopicPartition& tp) { visit(tp, *image_.FindPartition(tp)); });
  }

  PartitionChange Leaving(const TopicPartition& tp, const PartitionImage& p, BrokerId broker) {
    PartitionChange change = Of(tp, p);
    change.SetIsr(Without(p.isr, {broker})).Exclude(broker);
    return change;
  }

  static const Uuid* DirectoryOf(const PartitionImage& p, BrokerId broker) {
    for (size_t i = 0; i < p.replicas.size(); ++i) {
      if (p.replicas[i] == broker) return &p.directories[i];
    }
    return nullptr;
  }

  // What became of a replica whose broker has come back with the directories `now`.
  enum class Fate { kThere, kMissing, kUnknown, kWiped };
  static Fate FateOf(const Uuid& directory, const BrokerImage* before,
                     const std::vector<Uuid>& now) {
    if (directory == kDirectoryLost) return Fate::kWiped;
    const bool known = !IsReservedDirectory(directory);
    if (known && HasDirectory(now, directory)) return Fate::kThere;
    const auto has = [&](const Uuid& id) { return HasDirectory(now, id); };
    if (before == nullptr || before->directories.empty()) {
      return known ? Fate::kWiped : Fate::kThere;
    }
    const std::vector<Uuid>& was = before->directories;
    if (std::none_of(was.begin(), was.end(), has)) return Fate::kWiped;
    if (known) return Fate::kMissing;
    // A broker of several directories appends to nothing before its place is known.
    if (directory == kDirectoryUnassigned) return Fate::kThere;
    // It was on the way from one to another: perhaps one that is missing, or has been replaced.
    const bool same = was.size() == now.size() && std::all_of(was.begin(), was.end(), has);
    return same ? Fate::kThere : Fate::kUnknown;
  }

  void PlanAll(int8_t type, protocol::ElectLeadersResponse* response, Records* records) {
    std::vector<const TopicImage*> topics;
    image_.topics.ForEach([&](const Uuid&, const TopicImage& topic) { topics.push_back(&topic); });
    Sort(topics, [](const auto* a, const auto* b) { return a->name < b->name; });
    for (const TopicImage* topic : topics) {
      protocol::ElectLeadersResponse::ReplicaElectionResult results;
      results.topic = topic->name;
      for (int32_t index = 0; index < topic->partition_count(); ++index) {
        const PartitionImage* p = topic->Find(PartitionIndex(index));
        if (p == nullptr) continue;
        const protocol::ErrorCode error =
            PlanElection({topic->id, PartitionIndex(index)}, *p, type, records);
        if (error != protocol::ErrorCode::kElectionNotNeeded) AddResult(index, error, &results);
      }
      if (!results.partition_result.empty()) {
        response->replica_election_results.push_back(std::move(results));
      }
    }
  }

  protocol::ErrorCode PlanElection(const TopicPartition& tp, const PartitionImage& p, int8_t type,
                                   Records* records) {
    using Election = PartitionChange::Election;
    const bool preferred = type == kPreferred;
    if (preferred ? p.leader == p.replicas[0] : p.leader != kNoBroker) {
      return protocol::ErrorCode::kElectionNotNeeded;
    }
    PartitionChange change = Of(tp, p);
    const std::optional<PartitionChangeRecord> record =
        change.Elect(preferred ? Election::kPreferred : Election::kUnclean).Build();
    if (record.has_value()) records->push_back(*record);
    if (record.has_value() && record->leader >= 0) return protocol::ErrorCode::kNone;
    return preferred ? protocol::ErrorCode::kPreferredLeaderNotAvailable
                     : protocol::ErrorCode::kEligibleLeadersNotAvailable;
  }

  static void AddResult(int32_t index, protocol::ErrorCode error,
                        protocol::ElectLeadersResponse::ReplicaElectionResult* results) {
    auto& result = results->partition_result.emplace_back();
    result.partition_id = index;
    result.error_code = static_cast<int16_t>(error);
    if (error == protocol::ErrorCode::kNone) {
      result.error_message.reset();
    } else {
      result.error_message = std::string(protocol::ErrorMessage(error));
    }
  }

  const MetadataState& image_;
  const ControllerConfig& config_;
  Uuid rules_of_;
  TopicRules rules_;  // of that topic
};

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_ELECTIONS_H_

// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/election_configs.h
// -----------------------------------------------------------------------------
// What a change of settings means for partitions: which replicas are eligible to lead depends on
// min.insync.replicas, who may lead in the end on unclean.leader.election.enable.
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_ELECTION_CONFIGS_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_ELECTION_CONFIGS_H_

#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "base/check.h"
#include "base/ids.h"
#include "coordination/metadata/apply.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/internal/elections.h"
#include "coordination/metadata/internal/topic_rules.h"
#include "coordination/metadata/records.h"

namespace weir::metadata::metadata_internal {

class ElectionConfigs {
 public:
  // `records`, which outlive this, change settings.
  explicit ElectionConfigs(const std::vector<MetadataRecord>& records) : records_(records) {
    for (const MetadataRecord& record : records) {
      const auto* config = std::get_if<ConfigRecord>(&record);
      if (config == nullptr) continue;
      if (config->name == kUncleanElection) unclean_election = true;
      if (config->name == kMinInsyncReplicas) {
        min_insync_replicas = true;
        topics_.insert(config->resource_name);  // empty for the default of all
      }
    }
  }

  bool unclean_election = false;
  bool min_insync_replicas = false;

  // What changes of eligible leader replicas once the settings hold. It must be in the log before
  // them: with a lower minimum the high watermark may pass what an eligible replica has.
  std::vector<MetadataRecord> PlanEligible(const MetadataImage& image,
                                           const ControllerConfig& config) const {
    absl::StatusOr<MetadataImagePtr> after =
        Apply(image, records_, image.highest_offset + 1, image.highest_epoch);
    WEIR_CHECK(after.ok());  // settings contradict nothing
    std::vector<MetadataRecord> changes;
    ElectionPlanner elections(**after, config);
    (*after)->topics.ForEach([&](const Uuid& id, const TopicImage& topic) {
      if (topics_.count(topic.name) == 0 && topics_.count("") == 0) return;
      topic.partitions.ForEach([&](PartitionIndex index, const PartitionImage& p) {
        if (p.eligible_leader_replicas.empty()) return;
        ElectionPlanner::Add(elections.Of({id, index}, p), &changes);
      });
    });
    return changes;
  }

 private:
  const std::vector<MetadataRecord>& records_;
  std::set<std::string> topics_;
};

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_ELECTION_CONFIGS_H_

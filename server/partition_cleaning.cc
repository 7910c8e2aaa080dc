// What a partition table does for server/log_cleaner.h.

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/status_macros.h"
#include "log/cleaner.h"
#include "log/cleaning_plan.h"
#include "log/log.h"
#include "replication/partition.h"
#include "server/logger.h"
#include "server/partition_table.h"

namespace weir::server {

std::vector<DirtyLog> PartitionTable::DirtyLogs() const {
  std::vector<DirtyLog> dirty;
  const TimestampMs now_ms = clock_.WallMs();
  for (Hosted* hosted : Sorted()) {
    if (hosted->partition == nullptr || !hosted->settings.compacts) continue;
    log::Log& log = hosted->partition->log();
    const absl::StatusOr<log::Dirt> dirt =
        log.MeasureDirt(now_ms, hosted->partition->last_stable_offset());
    if (dirt.ok() && dirt->IsWorthCleaning(log.config()))
      dirty.push_back({hosted->id, dirt->ratio()});
  }
  return dirty;
}

absl::StatusOr<log::CleaningPlan> PartitionTable::PlanCleaning(const TopicPartition& id) {
  Hosted* hosted = Find(id);
  if (hosted == nullptr || hosted->partition == nullptr || !hosted->settings.compacts) {
    return absl::NotFoundError("no compacted partition");
  }
  return hosted->partition->log().PlanCleaning(clock_.WallMs(),
                                               hosted->partition->last_stable_offset());
}

absl::Status PartitionTable::TakeCleaned(const TopicPartition& id,
                                         const log::CleanedSegment& cleaned) {
  Hosted* hosted = Find(id);
  if (hosted == nullptr || hosted->partition == nullptr) {
    return absl::NotFoundError("the partition is gone");
  }
  const absl::Status taken = hosted->partition->log().ReplaceSegments(cleaned, clock_.WallMs());
  if (!taken.ok() && !absl::IsAborted(taken)) Step(hosted, replication::Tick{});  // it tells
  return taken;
}

void PartitionTable::FinishCleaning(const TopicPartition& id, const log::Cleaning& cleaning) {
  Hosted* hosted = Find(id);
  if (hosted == nullptr || hosted->partition == nullptr) return;
  hosted->partition->log().FinishCleaning(cleaning.generation(), cleaning.cleaned_to());
  const log::CleaningStats& stats = cleaning.stats();
  node_.logger->Info(hosted->topic, "-", id.partition.value(), ": compacted up to offset ",
                     cleaning.cleaned_to().value(), ", ", stats.keys, " keys, kept ",
                     stats.records_kept, " of ", stats.records_read, " records");
  if (stats.keyless_records == 0) return;
  node_.logger->Warning(hosted->topic, "-", id.partition.value(), ": compaction dropped ",
                        stats.keyless_records, " records without a key");
}

}  // namespace weir::server

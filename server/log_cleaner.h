// -----------------------------------------------------------------------------
// File: server/log_cleaner.h
// -----------------------------------------------------------------------------
// Compaction of the partitions of one shard (log/cleaner.h): the shard plans, a worker writes in
// steps, the shard puts what was written in place. Which log is next is decided for the whole node
// by server/cleaner_schedule.h.
// Threading: one per shard, on its thread. A cleaning belongs to its worker during a step and to
// the shard between two.
// Errors: a log that cannot be cleaned is reported once and left alone until the node starts again.
#ifndef WEIR_SERVER_LOG_CLEANER_H_
#define WEIR_SERVER_LOG_CLEANER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "server/event_loop.h"
#include "server/node.h"
#include "server/reply.h"
#include "server/worker.h"

namespace weir::log {
enum class CleanStep;
}

namespace weir::server {

class PartitionTable;

// The log of a shard that needs cleaning most.
struct DirtiestLog {
  TopicPartition partition;
  double ratio = 0;  // of dirty bytes; 0: there is none
};

// Whether the log is cleaner than it was.
struct CleaningEnd {
  bool cleaned = false;
};

class LogCleaner {
 public:
  // All outlive the cleaner.
  LogCleaner(const Node& node, PartitionTable& partitions, EventLoop& loop, Random& random);
  ~LogCleaner();

  DirtiestLog Dirtiest() const;

  // Cleans a partition's log on `worker`, which does nothing else until the reply.
  void Start(const TopicPartition& partition, Worker& worker, Reply<CleaningEnd> reply);

  // Ends the cleaning of partitions that go away: when it returns no worker touches their files.
  void Abort(const std::vector<TopicPartition>& partitions);

  size_t running() const { return jobs_.size(); }

 private:
  struct Job;
  using JobPtr = std::shared_ptr<Job>;

  void TakeStep(const JobPtr& job);
  void OnStep(const JobPtr& job, const absl::StatusOr<log::CleanStep>& step, int64_t bytes);
  void Fail(const JobPtr& job, const absl::Status& status);
  void End(const JobPtr& job, bool cleaned);
  int64_t PauseNs(int64_t bytes) const;

  const Node& node_;
  PartitionTable& partitions_;
  EventLoop& loop_;
  Random& random_;
  absl::flat_hash_map<TopicPartition, JobPtr> jobs_;
  absl::flat_hash_set<TopicPartition> uncleanable_;
  absl::flat_hash_map<TopicPartition, MonotonicNs> not_before_;  // after what may pass
};

}  // namespace weir::server

#endif  // WEIR_SERVER_LOG_CLEANER_H_

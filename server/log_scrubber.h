// -----------------------------------------------------------------------------
// File: server/log_scrubber.h
// -----------------------------------------------------------------------------
// Reads what the partitions of one shard have on disk, slowly, one after the other, and compares
// the CRC of every batch: disks forget, and a replica that nobody reads from would not be missed
// until it leads. What is wrong twice is damage: Shard::OnDamage.
// Threading: the shard's thread; the worker reads and compares.
// Limits: weir.scrub.bytes.per.second for all shards together; a piece at a time.
#ifndef WEIR_SERVER_LOG_SCRUBBER_H_
#define WEIR_SERVER_LOG_SCRUBBER_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "log/log_types.h"
#include "server/timers.h"
#include "server/worker.h"

namespace weir::server {

class Shard;

// OK when the slice is whole batches whose CRCs are right. kDataLoss where it is not; other errors
// are the file's.
absl::Status CheckBatches(const log::LogSlice& slice);

class LogScrubber {
 public:
  // The shard outlives it.
  explicit LogScrubber(Shard& shard) : shard_(shard) {}
  ~LogScrubber();
  LogScrubber(const LogScrubber&) = delete;
  LogScrubber& operator=(const LogScrubber&) = delete;

  // Begins. The worker outlives the scrubber, and does nothing any more when that ends.
  void Start(Worker& worker);

 private:
  void Schedule(int64_t delay_ns);
  void Next();
  void OnChecked(const TopicPartition& id, const log::LogSlice& slice, const absl::Status& checked);
  int64_t PauseAfter(int64_t bytes) const;

  Shard& shard_;
  Worker* worker_ = nullptr;
  TimerId timer_;
  std::vector<TopicPartition> left_;  // of this round, the next one last
  Offset from_{0};                    // of the next
};

}  // namespace weir::server

#endif  // WEIR_SERVER_LOG_SCRUBBER_H_

// -----------------------------------------------------------------------------
// File: server/recovery.h
// -----------------------------------------------------------------------------
// Opens the logs of every partition of a node before its event loops run: on several threads, as
// num.recovery.threads.per.data.dir says, and telling how far it is. With one thread everything is
// done on the caller's, in the order of the image, which is how the simulator runs it.
// Threading: RecoverLogs while no loop runs; it returns when its threads have ended.
// Errors: a log that cannot be opened leaves its partition offline; kResourceExhausted when the
//   process may not have as many files open as there are segments.
#ifndef WEIR_SERVER_RECOVERY_H_
#define WEIR_SERVER_RECOVERY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "coordination/metadata/image.h"
#include "server/node.h"

namespace weir::server {

class Shard;

// When to say how many of the logs are open: at most once a second.
class RecoveryProgress {
 public:
  RecoveryProgress(size_t total, MonotonicNs start) : total_(total), start_(start), told_(start) {}

  // One more is open. A line for the log, if it is time for one.
  std::optional<std::string> Done(MonotonicNs now);

 private:
  static constexpr int64_t kIntervalNs = 1'000 * kNsPerMs;

  const size_t total_;
  const MonotonicNs start_;
  MonotonicNs told_;
  size_t done_ = 0;
};

// Each log goes to the table of the shard that owns the partition, for when that follows `image`.
absl::Status RecoverLogs(Node& node, absl::Span<const std::unique_ptr<Shard>> shards,
                         const metadata::MetadataImagePtr& image, Clock& clock);

}  // namespace weir::server

#endif  // WEIR_SERVER_RECOVERY_H_

// -----------------------------------------------------------------------------
// File: replication/internal/pending_appends.h
// -----------------------------------------------------------------------------
// The appends that are written and wait for their acknowledgement.
// Threading: one thread.
#ifndef WEIR_REPLICATION_INTERNAL_PENDING_APPENDS_H_
#define WEIR_REPLICATION_INTERNAL_PENDING_APPENDS_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "protocol/error_code.h"
#include "replication/partition_events.h"

namespace weir::replication::replication_internal {

class PendingAppends {
 public:
  void Add(AppendDone done, Offset end, int16_t acks, MonotonicNs deadline) {
    waiting_.push_back({std::move(done), end, acks, deadline});
  }

  // Answers those that are as safe as they asked for: acks=1 on this broker, acks=all below the
  // high watermark.
  void Complete(Offset own_safe_end, Offset high_watermark, Effects* effects) {
    std::erase_if(waiting_, [&](Waiting& waiting) {
      const Offset reached = waiting.acks == kAcksAll ? high_watermark : own_safe_end;
      if (reached < waiting.end) return false;
      effects->push_back(std::move(waiting.done));
      return true;
    });
  }
  // Answers those of acks=all.
  void RefuseAcksAll(protocol::ErrorCode error, Effects* effects) {
    std::erase_if(waiting_, [&](Waiting& waiting) {
      if (waiting.acks != kAcksAll) return false;
      Refuse(error, &waiting, effects);
      return true;
    });
  }
  void RefuseAll(protocol::ErrorCode error, Effects* effects) {
    for (Waiting& waiting : waiting_) Refuse(error, &waiting, effects);
    waiting_.clear();
  }
  void Expire(MonotonicNs now, Effects* effects) {
    std::erase_if(waiting_, [&](Waiting& waiting) {
      if (waiting.deadline > now) return false;
      Refuse(protocol::ErrorCode::kRequestTimedOut, &waiting, effects);
      return true;
    });
  }

  std::optional<MonotonicNs> NextDeadline() const {
    std::optional<MonotonicNs> next;
    for (const Waiting& waiting : waiting_) {
      if (!next.has_value() || waiting.deadline < *next) next = waiting.deadline;
    }
    return next;
  }

 private:
  struct Waiting {
    AppendDone done;
    Offset end;  // behind the batch
    int16_t acks;
    MonotonicNs deadline;
  };

  static void Refuse(protocol::ErrorCode error, Waiting* waiting, Effects* effects) {
    waiting->done.error = error;
    effects->push_back(std::move(waiting->done));
  }

  std::vector<Waiting> waiting_;
};

}  // namespace weir::replication::replication_internal

#endif  // WEIR_REPLICATION_INTERNAL_PENDING_APPENDS_H_

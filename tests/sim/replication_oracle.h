// -----------------------------------------------------------------------------
// File: tests/sim/replication_oracle.h
// -----------------------------------------------------------------------------
// What must hold of a replicated partition, whatever happens to its brokers: the batches that were
// below a leader's high watermark, once and for all (the true high watermark), and what producers
// were told. Numbers in messages are those of FAULTS.md's invariants.
#ifndef WEIR_TESTS_SIM_REPLICATION_ORACLE_H_
#define WEIR_TESTS_SIM_REPLICATION_ORACLE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "log/log.h"
#include "log/log_types.h"
#include "log/test_batches.h"
#include "protocol/record_batch.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {

// A batch in a log; its timestamp is unique among all that producers send.
struct SeenBatch {
  Offset base{0};
  Offset next{0};
  LeaderEpoch epoch;
  uint32_t crc = 0;
  TimestampMs id = 0;
  ProducerId producer;
  int32_t sequence = -1;
  friend bool operator==(const SeenBatch&, const SeenBatch&) = default;
};

inline std::string Text(const SeenBatch& b) {
  return absl::StrCat("batch ", b.id, " at ", b.base.value(), "-", b.next.value() - 1, " epoch ",
                      b.epoch.value());
}

// The batches in `bytes`.
inline std::vector<SeenBatch> BatchesIn(absl::string_view bytes) {
  std::vector<SeenBatch> batches;
  while (!bytes.empty()) {
    const auto batch = protocol::RecordBatchView::Parse(bytes);
    if (!batch.ok()) break;
    batches.push_back({batch->base_offset(), batch->next_offset(), batch->leader_epoch(),
                       batch->crc(), batch->base_timestamp(), batch->producer_id(),
                       batch->base_sequence()});
    bytes.remove_prefix(static_cast<size_t>(batch->size_bytes()));
  }
  return batches;
}

// Those of a log from `from` to `end`.
inline absl::StatusOr<std::vector<SeenBatch>> BatchesOf(log::Log& log, Offset from, Offset end) {
  std::vector<SeenBatch> batches;
  for (Offset at = std::max(from, log.log_start_offset()); at < end;) {
    auto slice = log.Read(at, 1 << 20, end, /*at_least_one_batch=*/true);
    if (!slice.ok()) return std::move(slice).status();
    if (slice->empty()) break;
    for (const SeenBatch& batch : BatchesIn(log::SliceBytes(*slice))) batches.push_back(batch);
    at = slice->next_offset;
  }
  return batches;
}

class ReplicationOracle {
 public:
  explicit ReplicationOracle(Trace* trace) : trace_(*trace) {}

  // The true high watermark.
  Offset end() const { return end_; }
  // Records may be lost from now on: an unclean election.
  void Forgive() { forgiven_ = true; }
  bool forgiven() const { return forgiven_; }
  // Records up to there are deleted.
  void Deleted(Offset to) { deleted_to_ = std::max(deleted_to_, to); }

  // A leader's high watermark has come to `to`.
  void Advance(log::Log& log, Offset to, absl::string_view who) {
    if (forgiven_ || to <= end_) return;
    const auto batches = BatchesOf(log, end_, to);
    if (!batches.ok()) {
      trace_.Fail(who, ": its committed records cannot be read: ", batches.status().message());
      return;
    }
    for (const SeenBatch& batch : *batches) {
      if (batch.base >= end_) committed_[batch.base] = batch;
    }
    end_ = to;
  }

  // That `batches`, in the order of some log, are what is committed, as far as that goes.
  void Check(const std::vector<SeenBatch>& batches, absl::string_view who) {
    if (forgiven_) return;
    for (const SeenBatch& batch : batches) {
      if (batch.base >= end_) break;
      // A log may not know yet, or not any more, that what it has there is deleted.
      if (batch.base < deleted_to_) continue;
      const auto found = committed_.find(batch.base);
      if (found == committed_.end() || !(found->second == batch)) {
        trace_.Fail(who, " has ", Text(batch), ", committed is ",
                    found == committed_.end() ? "none there" : Text(found->second),
                    " (invariants 3, 6)");
        return;
      }
    }
  }
  // That a log has all that is committed.
  void CheckAll(log::Log& log, absl::string_view who) {
    if (forgiven_) return;
    if (log.log_end_offset() < end_) {
      trace_.Fail(who, " ends at ", log.log_end_offset().value(), ", committed is up to ",
                  end_.value(), " (invariants 1, 2)");
      return;
    }
    const auto batches = BatchesOf(log, Offset(0), end_);
    if (!batches.ok()) {
      trace_.Fail(who, " cannot be read: ", batches.status().message());
      return;
    }
    Check(*batches, who);
    size_t expected = 0;
    for (const auto& [base, batch] : committed_) expected += batch.next > log.log_start_offset();
    if (batches->size() != expected) {
      trace_.Fail(who, " has ", batches->size(), " of ", expected,
                  " committed batches (invariants 1, 2)");
    }
  }

  // A producer was told that its batch is at `base`; with acks=all that it is committed.
  void Acknowledged(TimestampMs id, Offset base, bool all, absl::string_view who) {
    if (forgiven_ || !all) return;
    ++acknowledged_;
    const auto found = committed_.find(base);
    if (found == committed_.end() || found->second.id != id) {
      trace_.Fail(who, " acknowledged batch ", id, " at ", base.value(), ", committed there is ",
                  found == committed_.end() ? "nothing" : Text(found->second), " (invariant 7)");
    }
  }
  // No producer's batch is there twice, nor out of order.
  void CheckProducers() {
    std::map<ProducerId, int32_t> last;
    for (const auto& [base, batch] : committed_) {
      // Of a producer whose records are all deleted nothing is known, as with Kafka.
      if (batch.producer == kNoProducerId || base < deleted_to_) continue;
      const auto known = last.find(batch.producer);
      if (known != last.end() && batch.sequence <= known->second && !forgiven_) {
        trace_.Fail("producer ", batch.producer.value(), ": ", Text(batch), " with sequence ",
                    batch.sequence, " behind ", known->second, " (invariant 20)");
      }
      last[batch.producer] = batch.sequence;
    }
  }
  int64_t acknowledged() const { return acknowledged_; }

 private:
  Trace& trace_;
  std::map<Offset, SeenBatch> committed_;  // by base offset
  Offset end_{0};
  Offset deleted_to_{0};
  bool forgiven_ = false;
  int64_t acknowledged_ = 0;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_REPLICATION_ORACLE_H_

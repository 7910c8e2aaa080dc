// -----------------------------------------------------------------------------
// File: tests/sim/compaction_oracle.h
// -----------------------------------------------------------------------------
// What clients know of compacted partitions. Each record carries an id of its own in a header,
// since compaction takes batches apart. What must hold: an offset keeps its record and a record its
// offset, and who reads a partition from its start to its end finds of each key the last record
// that was known, or a later one; or nothing, if the key was deleted delete.retention.ms ago.
#ifndef WEIR_TESTS_SIM_COMPACTION_ORACLE_H_
#define WEIR_TESTS_SIM_COMPACTION_ORACLE_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {

class CompactionOracle {
 public:
  static constexpr int64_t kDeleteRetentionMs = 2'000;

  explicit CompactionOracle(Trace& trace) : trace_(trace) {}

  // The broker's wall clock may have jumped: how long ago a deletion was is not known.
  void OnClockJump() { clock_jumps_ = true; }

  int64_t NewId() { return ++last_id_; }

  // A batch is on its way, of records with ids.
  void Sent(const TopicPartition& partition, const protocol::RecordBatchView& batch,
            MonotonicNs now) {
    protocol::RecordIterator it(batch.records(), batch.record_count());
    for (protocol::Record record; it.Next(&record);) {
      const int64_t id = IdOf(record);
      WEIR_CHECK(id > 0 && record.key.has_value());
      const std::string key(*record.key);
      records_[id] = {partition, key};
      if (!record.value.has_value()) partitions_[partition].deletions[key].emplace(id, now);
    }
  }

  // Produce was answered: the records of a batch that was sent are at `base` and behind.
  void Acknowledged(const TopicPartition& partition, int64_t base, int64_t first_id,
                    int32_t records) {
    for (int32_t i = 0; i < records; ++i) Place(partition, base + i, first_id + i, "acknowledged");
  }

  // A batch that was read.
  void Read(const TopicPartition& partition, const protocol::RecordBatchView& batch) {
    protocol::RecordIterator it(batch.records(), batch.record_count());
    for (protocol::Record record; it.Next(&record);) {
      const int64_t offset = record.OffsetIn(batch).value();
      const int64_t id = IdOf(record);
      const auto known = records_.find(id);
      if (known == records_.end() || known->second.partition != partition ||
          record.key != absl::string_view(known->second.key)) {
        return trace_.Fail(Name(partition), ": record ", id, " at ", offset,
                           " was never sent there");
      }
      Place(partition, offset, id, "read");
      if (reading_ == partition) last_read_[known->second.key] = offset;
    }
    if (!it.status().ok()) trace_.Fail(Name(partition), ": ", it.status().message());
  }

  // Somebody reads all of a partition now.
  void StartReading(const TopicPartition& partition, MonotonicNs now) {
    reading_ = partition;
    reading_since_ = now;
    last_read_.clear();
  }
  void EndReading(const TopicPartition& partition, MonotonicNs now) {
    if (reading_ != partition) return;
    reading_ = TopicPartition();
    // He was too slow to hear of every deletion.
    if (now - reading_since_ > kDeleteRetentionMs * kNsPerMs) return;
    const Model& model = partitions_[partition];
    for (const auto& [key, last] : model.last) {
      const auto read = last_read_.find(key);
      if (read == last_read_.end()) {
        if (!MayBeDeleted(model, key, last, now)) {
          trace_.Fail(Name(partition), ": key ", key, " of offset ", last, " is gone");
        }
      } else if (read->second < last) {
        trace_.Fail(Name(partition), ": the last of key ", key, " is at ", read->second,
                    ", it was at ", last);
      }
    }
  }

  // Records that were acknowledged may be gone.
  void OnLoss() {
    for (auto& [partition, model] : partitions_) {
      model.ids.clear();
      model.offsets.clear();
      model.last.clear();
    }
  }

 private:
  struct SentRecord {
    TopicPartition partition;
    std::string key;
  };
  struct Model {
    std::map<int64_t, int64_t> ids;      // by offset
    std::map<int64_t, int64_t> offsets;  // by id
    std::map<std::string, int64_t> last;
    std::map<std::string, std::map<int64_t, MonotonicNs>> deletions;  // by id, when they were sent
  };

  static int64_t IdOf(const protocol::Record& record) {
    protocol::RecordHeaderIterator headers = record.headers();
    protocol::RecordHeader header;
    int64_t id = 0;
    if (!headers.Next(&header) || !header.value.has_value() ||
        !absl::SimpleAtoi(*header.value, &id)) {
      return 0;
    }
    return id;
  }

  void Place(const TopicPartition& partition, int64_t offset, int64_t id, const char* how) {
    Model& model = partitions_[partition];
    const auto [at, is_new] = model.ids.emplace(offset, id);
    if (at->second != id) {
      trace_.Fail(Name(partition), ": offset ", offset, " was record ", at->second, " and is ", id,
                  ", ", how);
    }
    const auto [place, is_first] = model.offsets.emplace(id, offset);
    if (place->second != offset) {
      trace_.Fail(Name(partition), ": record ", id, " is at ", place->second, " and at ", offset);
    }
    int64_t& last = model.last.emplace(records_[id].key, offset).first->second;
    last = std::max(last, offset);
  }

  // Whether nothing need be left of a key whose last known record is at `last`: a deletion was sent
  // long enough ago that is there or behind, or of which nobody knows where it was written.
  bool MayBeDeleted(const Model& model, const std::string& key, int64_t last,
                    MonotonicNs now) const {
    const auto deletions = model.deletions.find(key);
    if (deletions == model.deletions.end()) return false;
    for (const auto& [id, sent] : deletions->second) {
      const auto place = model.offsets.find(id);
      if (place != model.offsets.end() && place->second < last) continue;
      if (clock_jumps_ || now - sent >= kDeleteRetentionMs * kNsPerMs) return true;
    }
    return false;
  }

  static std::string Name(const TopicPartition& partition) {
    return absl::StrCat("compacted ", partition.topic_id.ToString(), "-",
                        partition.partition.value());
  }

  Trace& trace_;
  bool clock_jumps_ = false;
  int64_t last_id_ = 0;
  std::map<int64_t, SentRecord> records_;
  std::map<TopicPartition, Model> partitions_;
  TopicPartition reading_;
  MonotonicNs reading_since_;
  std::map<std::string, int64_t> last_read_;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_COMPACTION_ORACLE_H_

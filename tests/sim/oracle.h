// -----------------------------------------------------------------------------
// File: tests/sim/oracle.h
// -----------------------------------------------------------------------------
// What clients were told so far, and so what the broker must stick to: which batch is at which
// offset, how far a partition reached, which topics there are, which producer ids are taken.
// A claim is compared with answers to requests that were sent after it was made; answers under way
// may be older.
#ifndef WEIR_TESTS_SIM_ORACLE_H_
#define WEIR_TESTS_SIM_ORACLE_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "protocol/api/metadata.h"
#include "protocol/record_batch.h"
#include "tests/sim/compaction_oracle.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {

// A batch's identity: its bytes but for what the leader sets.
inline uint64_t BatchHash(const protocol::RecordBatchView& batch) {
  return HashBytes(kHashStart, batch.checked_bytes());
}

class Oracle {
 public:
  struct Topic {
    Uuid id;
    std::string name;
    int32_t partitions = 0;
    bool retention = false;     // old records may go
    bool compacted = false;     // all but the last of a key may go
    bool internal = false;      // the broker's own
    uint64_t created = 0;       // when a client knew of it
    uint64_t delete_asked = 0;  // 0: never
    uint64_t deleted = 0;       // when a client was told so; 0: never
  };
  // How topics are created, of clusters.
  struct Replication {
    int16_t factor = 1;
    int16_t min_insync = 1;
    bool unclean = false;   // kUncleanTopic may lose what its leader does not have
    bool eligible = false;  // eligible leader replicas are on (KIP-966)
  };
  struct Counters {
    int64_t acknowledged = 0, batches_read = 0, ids = 0, creations = 0, deletions = 0;
  };

  // `lossy`: the flush policy lets power loss take acknowledged records.
  Oracle(Trace& trace, bool lossy) : trace_(trace), lossy_(lossy), compaction_(trace) {}

  const Replication& replication() const { return replication_; }
  // Of a cluster.
  void set_replication(const Replication& replication) {
    replication_ = replication;
    in_cluster_ = true;
  }

  // --- topics -------------------------------------------------------------------------------

  const std::map<Uuid, Topic>& topics() const { return topics_; }
  const Topic* Find(const Uuid& id) const {
    const auto found = topics_.find(id);
    return found == topics_.end() ? nullptr : &found->second;
  }
  bool Deletable(const Uuid& id) const {
    const Topic* topic = Find(id);
    return topic == nullptr || topic->delete_asked != 0;
  }
  bool DeleteAskedBefore(const Uuid& id, uint64_t event) const {
    const Topic* topic = Find(id);
    return topic != nullptr && topic->delete_asked != 0 && topic->delete_asked < event;
  }
  // Whether there was another topic of its name: a broker that lags answers by name for that one.
  bool IsNameReused(const Uuid& id) const {
    return std::any_of(topics_.begin(), topics_.end(), [&](const auto& topic) {
      return topic.first != id && SameName(topic.first, id);
    });
  }
  bool SameName(const Uuid& a, const Uuid& b) const {
    return Find(a) != nullptr && Find(b) != nullptr && Find(a)->name == Find(b)->name;
  }
  // Topics of clients that nobody asked to delete.
  std::vector<const Topic*> Live() const {
    std::vector<const Topic*> live;
    for (const auto& [id, topic] : topics_) {
      if (topic.delete_asked == 0 && !topic.internal) live.push_back(&topic);
    }
    return live;
  }

  void Created(const Uuid& id, const std::string& name, int32_t partitions) {
    if (id.is_zero()) return trace_.Fail("topic ", name, " was created without an id");
    if (Find(id) != nullptr) return;
    for (const Topic* topic : Live()) {
      if (topic->name == name) {
        trace_.Fail("topic ", name, " exists twice: ", topic->id.ToString(), ", ", id.ToString());
      }
    }
    Topic& topic = topics_[id];
    topic.id = id;
    topic.name = name;
    topic.partitions = partitions;
    topic.retention = name == kRetentionTopic;
    topic.compacted = name == kCompactedTopic;
    topic.internal = name.substr(0, 2) == "__";
    topic.created = trace_.now();
    ++counters_.creations;
  }
  void DeleteAsked(const Uuid& id) {
    Topic& topic = topics_.at(id);
    if (topic.delete_asked == 0) topic.delete_asked = trace_.now();
  }
  void Deleted(const Uuid& id) {
    Topic& topic = topics_.at(id);
    if (topic.deleted == 0) topic.deleted = trace_.now();
    ++counters_.deletions;
  }

  // Whether brokers may be behind with the metadata of what clients were told by another.
  bool brokers_lag() const { return brokers_lag_; }
  void set_brokers_lag(bool lag) { brokers_lag_ = lag; }

  // Whether a log has decayed somewhere: who reads of it finds that out by the CRC, and asks again.
  void set_may_be_broken(bool broken) { may_be_broken_ = broken; }

  // An answer about all topics, to a request of event `sent`.
  void OnMetadata(const protocol::MetadataResponse& response, uint64_t sent) {
    std::set<Uuid> seen;
    for (const auto& topic : response.topics) {
      const std::string name = topic.name.value_or("");
      if (topic.error_code != 0) {
        trace_.Fail("metadata: error ", topic.error_code, " for topic ", name);
        continue;
      }
      seen.insert(topic.topic_id);
      const Topic* known = Find(topic.topic_id);
      if (!brokers_lag_ && known != nullptr && known->deleted != 0 && known->deleted < sent) {
        trace_.Fail("metadata: topic ", name, " is there after its deletion was acknowledged");
      }
      if (known == nullptr) {
        Created(topic.topic_id, name, static_cast<int32_t>(topic.partitions.size()));
      } else if (known->name != name ||
                 known->partitions != static_cast<int32_t>(topic.partitions.size())) {
        trace_.Fail("metadata: topic ", name, " has ", topic.partitions.size(),
                    " partitions, expected ", known->name, " with ", known->partitions);
      }
    }
    if (brokers_lag_) return;
    for (const auto& [id, topic] : topics_) {
      if (topic.delete_asked == 0 && topic.created < sent && seen.count(id) == 0) {
        trace_.Fail("metadata: topic ", topic.name, " is missing, though it was created");
      }
    }
  }

  void OnProducerId(int64_t id) {
    ++counters_.ids;
    if (!producer_ids_.insert(id).second) trace_.Fail("producer id ", id, " was given out twice");
  }

  // --- records ------------------------------------------------------------------------------

  // `first_id`: of the first record, where the partition is compacted.
  void Sent(const TopicPartition& partition, const protocol::RecordBatchView& batch,
            int64_t first_id, MonotonicNs now) {
    sent_[BatchHash(batch)] = {partition, batch.record_count(), batch.has_producer_id(), first_id};
    if (first_id > 0) compaction_.Sent(partition, batch, now);
  }
  CompactionOracle& compaction() { return compaction_; }
  bool IsCompacted(const TopicPartition& partition) const {
    const Topic* topic = Find(partition.topic_id);
    return topic != nullptr && topic->compacted;
  }

  // The offset behind everything that clients know to be readable: requests sent from now on must
  // find it so.
  int64_t Floor(const TopicPartition& partition) const {
    const auto found = partitions_.find(partition);
    return found == partitions_.end() ? 0 : found->second.floor;
  }

  // Whether nothing is claimed of the partition's records: its leaders may be elected uncleanly, or
  // machines lost power that had not flushed, which shows when such a one leads, and later.
  bool IsLoose(const TopicPartition& partition) const {
    if (lost_power_ && in_cluster_) return true;
    const Topic* topic = Find(partition.topic_id);
    return replication_.unclean && topic != nullptr && topic->name == kUncleanTopic;
  }
  bool MayLose(const TopicPartition& partition) const { return lost_power_ || IsLoose(partition); }

  // Produce was answered: the batch of this hash is at `base`. `by_all`: all in sync have it, and
  // readers see it; else only the leader's disk says so, and in a cluster another may lead already.
  void Acknowledged(const TopicPartition& partition, int64_t base, uint64_t hash, bool by_all) {
    ++counters_.acknowledged;
    if ((!by_all && brokers_lag_) || IsLoose(partition)) return;
    if (const SentBatch& sent = sent_.at(hash); sent.first_id > 0) {
      compaction_.Acknowledged(partition, base, sent.first_id, sent.records);
    } else {
      Place(partition, base, hash, "acknowledged");
    }
    if (by_all) Raise(partition, base + sent_.at(hash).records);
  }

  // Fetch from `from` was answered with `bytes`; the claims of when it was sent are in `floor`.
  // Returns the offset to read on from.
  int64_t OnRecords(const TopicPartition& partition, int64_t from, int64_t high_watermark,
                    int64_t floor, absl::string_view bytes) {
    // A leader learns how far its predecessor was from those in sync; until then it shows less.
    const bool may_be_behind = brokers_lag_;
    OnEnd(partition, high_watermark, may_be_behind ? 0 : floor, "high watermark");
    int64_t next = from;
    bool first = true;
    while (!bytes.empty()) {
      const absl::StatusOr<protocol::RecordBatchView> batch =
          protocol::RecordBatchView::Parse(bytes);
      if (!batch.ok() || !batch->CrcIsValid()) {
        if (may_be_broken_) return next;
        trace_.Fail(Name(partition), ": broken batch at offset ", next);
        return next;
      }
      bytes.remove_prefix(static_cast<size_t>(batch->size_bytes()));
      const int64_t base = batch->base_offset().value(), end = batch->next_offset().value();
      const bool compacted = IsCompacted(partition);
      const bool in_place = first ? end > from && (compacted || base <= from)
                                  : base == next || (compacted && base > next);
      if (!in_place) {
        trace_.Fail(Name(partition), ": batch of offsets ", base, " to ", end - 1, ", expected ",
                    next);
      }
      if (end > high_watermark) {
        trace_.Fail(Name(partition), ": read up to ", end, ", high watermark ", high_watermark);
      }
      ++counters_.batches_read;
      if (compacted && !IsLoose(partition)) {
        compaction_.Read(partition, *batch);
      } else if (!compacted) {
        Place(partition, base, BatchHash(*batch), "read");
      }
      CheckOrder(partition, *batch);
      next = end;
      first = false;
    }
    return next;
  }

  // A high watermark or a log end that a request got which was sent when `floor` was known.
  void OnEnd(const TopicPartition& partition, int64_t end, int64_t floor, absl::string_view what) {
    if (end < floor) {
      trace_.Fail(Name(partition), ": ", what, " ", end, " after readers knew ", floor);
    }
    Raise(partition, end);
  }

  // --- crashes ------------------------------------------------------------------------------

  bool lossy() const { return lossy_; }
  // Whether a batch that was acknowledged may be gone: the policy allows it and power was lost.
  bool lost_power() const { return lost_power_; }
  void OnPowerLoss() {
    if (!lossy_) return;
    lost_power_ = true;
    partitions_.clear();
    compaction_.OnLoss();
  }

  std::string Name(const TopicPartition& partition) const {
    const Topic* topic = Find(partition.topic_id);
    return absl::StrCat(topic == nullptr ? "?" : topic->name, "-", partition.partition.value());
  }
  const Counters& counters() const { return counters_; }
  static constexpr char kUncleanTopic[] = "t1";
  static constexpr char kRetentionTopic[] = "t3";
  static constexpr char kCompactedTopic[] = "t2";

 private:
  struct SentBatch {
    TopicPartition partition;
    int32_t records = 0;
    bool idempotent = false;
    int64_t first_id = 0;  // of its records, where they have ids
  };
  struct Model {
    std::map<int64_t, uint64_t> batches;  // by base offset
    std::map<uint64_t, int64_t> places;   // of idempotent producers' batches
    std::map<std::pair<int64_t, int16_t>, std::map<int64_t, int32_t>> sequences;
    int64_t floor = 0;
  };

  // A replica that begins where its leader's log does now hears nothing of who wrote what is
  // deleted, as in Kafka: when it leads, a batch of those may be taken again.
  bool MayForgetProducers(const TopicPartition& partition) const {
    const Topic* topic = Find(partition.topic_id);
    return replication_.factor > 1 && topic != nullptr && topic->retention;
  }

  void Raise(const TopicPartition& partition, int64_t end) {
    if (IsLoose(partition)) return;
    int64_t& floor = partitions_[partition].floor;
    if (end > floor) trace_.Note("  ", Name(partition), " is known to ", end);
    floor = std::max(floor, end);
  }

  void Place(const TopicPartition& partition, int64_t base, uint64_t hash, const char* how) {
    const auto sent = sent_.find(hash);
    if (sent == sent_.end() || sent->second.partition != partition) {
      return trace_.Fail(
          Name(partition), ": the batch ", how, " at ", base,
          sent == sent_.end() ? " was never sent" : " was sent to another partition");
    }
    if (IsLoose(partition)) return;
    Model& model = partitions_[partition];
    const auto [at, is_new] = model.batches.emplace(base, hash);
    if (!is_new) {
      if (at->second != hash) trace_.Fail(Name(partition), ": offset ", base, " changed, ", how);
      return;
    }
    if (at != model.batches.begin()) {
      const auto before = std::prev(at);
      if (before->first + sent_.at(before->second).records > base) {
        trace_.Fail(Name(partition), ": offset ", base, " overlaps the batch at ", before->first);
      }
    }
    if (const auto behind = std::next(at); behind != model.batches.end()) {
      if (base + sent->second.records > behind->first) {
        trace_.Fail(Name(partition), ": offset ", base, " overlaps the batch at ", behind->first);
      }
    }
    if (MayForgetProducers(partition)) return;
    if (sent->second.idempotent && !model.places.emplace(hash, base).second) {
      trace_.Fail(Name(partition), ": the batch at ", base, " is also at ", model.places[hash]);
    }
  }

  // One producer's sequences rise with the offsets.
  void CheckOrder(const TopicPartition& partition, const protocol::RecordBatchView& batch) {
    if (!batch.has_producer_id() || IsLoose(partition) || MayForgetProducers(partition)) return;
    auto& sequences = partitions_[partition]
                          .sequences[{batch.producer_id().value(), batch.producer_epoch().value()}];
    const auto at = sequences.emplace(batch.base_offset().value(), batch.base_sequence()).first;
    const bool below = at == sequences.begin() || std::prev(at)->second < at->second;
    const bool above = std::next(at) == sequences.end() || at->second < std::next(at)->second;
    if (!below || !above) {
      trace_.Fail(Name(partition), ": sequence ", batch.base_sequence(), " is out of order at ",
                  batch.base_offset().value());
    }
  }

  Trace& trace_;
  const bool lossy_;
  bool lost_power_ = false;
  bool in_cluster_ = false, brokers_lag_ = false, may_be_broken_ = false;
  Replication replication_;
  CompactionOracle compaction_;
  std::map<Uuid, Topic> topics_;
  std::set<int64_t> producer_ids_;
  std::map<uint64_t, SentBatch> sent_;
  std::map<TopicPartition, Model> partitions_;
  Counters counters_;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_ORACLE_H_

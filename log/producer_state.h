// -----------------------------------------------------------------------------
// File: log/producer_state.h
// -----------------------------------------------------------------------------
// What a log knows of its producers (KIP-98, KIP-360): per producer id its epoch and its last five
// batches, by which a retried batch is recognized and a lost one noticed, and its transaction. A
// pure table; log/log.h feeds it and stores its snapshots (`.snapshot`; format:
// docs/formats/segment.md).
//
// A transaction is open from its first batch until its marker, COMMIT or ABORT. Once it has ended
// it still counts as unstable until its marker is below the high watermark: until then a truncation
// can take the marker back. Of those that ended, a snapshot says nothing.
// Errors: kDataLoss from Decode. Limits: about 250 bytes a producer; Expire bounds them by time.
#ifndef WEIR_LOG_PRODUCER_STATE_H_
#define WEIR_LOG_PRODUCER_STATE_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "base/ids.h"
#include "base/sort.h"
#include "log/append_terms.h"
#include "log/transaction_index.h"
#include "log/transaction_marker.h"
#include "protocol/record_batch.h"

namespace weir::log {

// A batch that a producer had appended.
struct ProducerBatch {
  int32_t last_sequence = protocol::kNoSequence;
  int32_t offset_delta = 0;  // last offset - first offset; also last sequence - first sequence
  Offset last_offset = kNoOffset;
  TimestampMs timestamp = kNoTimestamp;

  Offset first_offset() const { return last_offset - offset_delta; }
  int32_t first_sequence() const { return protocol::AdvanceSequence(last_sequence, -offset_delta); }
  friend bool operator==(const ProducerBatch&, const ProducerBatch&) = default;
};

struct ProducerEntry {
  static constexpr int kBatchesMax = 5;  // Kafka's max.in.flight.requests.per.connection limit

  ProducerEpoch epoch = kNoProducerEpoch;
  int8_t batch_count = 0;
  int32_t coordinator_epoch = -1;
  TimestampMs last_timestamp = kNoTimestamp;
  Offset transaction_first_offset = kNoOffset;       // of the open transaction
  std::array<ProducerBatch, kBatchesMax> batches{};  // oldest first

  const ProducerBatch* last_batch() const {
    return batch_count == 0 ? nullptr : &batches[static_cast<size_t>(batch_count) - 1];
  }
  void Add(const ProducerBatch& batch) {
    if (batch_count == kBatchesMax) {
      std::copy(batches.begin() + 1, batches.end(), batches.begin());
      --batch_count;
    }
    batches[static_cast<size_t>(batch_count++)] = batch;
  }
  friend bool operator==(const ProducerEntry&, const ProducerEntry&) = default;
};

// A transaction that its marker ended.
struct EndedTransaction {
  ProducerId producer_id = kNoProducerId;
  Offset first_offset = kNoOffset;
  Offset last_offset = kNoOffset;  // of the marker
  bool aborted = false;
};

enum class ProducerVerdict {
  kAccept,
  kDuplicate,
  kOutOfOrderSequence,
  kInvalidProducerEpoch,
  kInvalidTransactionState,  // the batch is of no open transaction, or of none while one is open
  kCoordinatorFenced,        // the marker is of a coordinator that was replaced
  kBehindRefused,            // an earlier batch of the producer had no room: see NoteRefused
};

class ProducerState {
 public:
  // What to answer to a batch, which has `marker` if it is a control batch. For kDuplicate
  // *original is the batch that it repeats.
  ProducerVerdict Check(const protocol::RecordBatchHeader& batch,
                        const std::optional<TransactionMarker>& marker, const AppendTerms& terms,
                        ProducerBatch* original) const {
    static const ProducerEntry kUnknown;
    const auto found = entries_.find(batch.producer_id());
    const ProducerEntry& entry = found == entries_.end() ? kUnknown : found->second;
    if (marker.has_value()) return CheckMarker(batch, *marker, terms, entry);
    const bool checks_sequence = terms.origin == AppendOrigin::kClient && entry.epoch.value() >= 0;
    if (checks_sequence && Repeats(batch, entry, original)) return ProducerVerdict::kDuplicate;
    if (batch.producer_epoch() < entry.epoch) return ProducerVerdict::kInvalidProducerEpoch;
    // A transaction of an older epoch says nothing about the batches of a newer one.
    const bool is_open =
        entry.transaction_first_offset != kNoOffset && batch.producer_epoch() == entry.epoch;
    if (is_open ? !batch.is_transactional()
                : batch.is_transactional() && !terms.transaction_verified) {
      return ProducerVerdict::kInvalidTransactionState;
    }
    if (terms.origin == AppendOrigin::kClient && IsBehindRefused(batch)) {
      return ProducerVerdict::kBehindRefused;
    }
    return checks_sequence ? CheckSequence(batch, entry) : ProducerVerdict::kAccept;
  }

  // The disk had no room for this batch, which Check lets in. What its producer has sent behind it
  // is no gap then: it is refused as this one was, until this one comes again or an epoch begins. A
  // producer that is told of a gap begins an epoch, and sends again what it has no answer to.
  void NoteRefused(const protocol::RecordBatchHeader& batch) {
    const bool is_full = refused_.size() >= kRefusedMax;
    if (is_full && !refused_.contains(batch.producer_id()))
      refused_.clear();  // they are told of a gap
    refused_[batch.producer_id()] = {batch.producer_epoch(), batch.base_sequence()};
  }

  // Takes note of a batch that is in the log; its header has the offsets it got. The transaction
  // that it ended, if it did.
  std::optional<EndedTransaction> Update(const protocol::RecordBatchHeader& batch,
                                         const std::optional<TransactionMarker>& marker) {
    if (!batch.has_producer_id()) return std::nullopt;
    if (batch.is_control() && !marker.has_value()) return std::nullopt;
    const ProducerId id = batch.producer_id();
    refused_.erase(id);
    ProducerEntry& entry = entries_[id];
    if (batch.producer_epoch() > entry.epoch) {
      entry.epoch = batch.producer_epoch();
      entry.batch_count = 0;
    }
    entry.last_timestamp = batch.max_timestamp();
    if (marker.has_value()) return End(id, *marker, batch.base_offset(), &entry);
    entry.Add({batch.last_sequence(), batch.last_offset_delta(), batch.last_offset(),
               batch.max_timestamp()});
    // Compaction leaves batches without records, of transactions that are over.
    if (batch.is_transactional() && entry.transaction_first_offset == kNoOffset &&
        batch.record_count() > 0) {
      entry.transaction_first_offset = batch.base_offset();
      open_.emplace(batch.base_offset(), id);
    }
    return std::nullopt;
  }

  const ProducerEntry* Find(ProducerId id) const {
    const auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : &found->second;
  }
  // Puts back what Find answered before an Update that came to nothing.
  void Restore(ProducerId id, const std::optional<ProducerEntry>& entry) {
    const auto found = entries_.find(id);
    if (found != entries_.end()) open_.erase({found->second.transaction_first_offset, id});
    if (entry.has_value()) {
      entries_[id] = *entry;
      NoteOpen(id, *entry);
    } else {
      entries_.erase(id);
    }
  }
  // Of transactions whose markers, at `offset` or behind, came to nothing.
  void ForgetEndedFrom(Offset offset) {
    std::erase_if(ended_, [offset](const auto& ended) { return ended.second >= offset; });
  }

  // The high watermark is at `offset`: what ended before it is stable.
  void ForgetEndedBefore(Offset offset) {
    std::erase_if(ended_, [offset](const auto& ended) { return ended.second < offset; });
  }
  // Of the transactions that ended, those count as not stable yet of which `before` says so, the
  // state of the same log before it was cut off at `end`.
  void TakeEndedOf(const ProducerState& before, Offset end) {
    ended_.clear();
    for (const auto& [first, last] : before.ended_) {
      if (last < end) ended_.emplace(first, last);
    }
  }

  // The index entry of a transaction that Update has just told to be aborted.
  AbortedTransaction IndexEntry(const EndedTransaction& ended) const {
    const Offset next = open_.empty() ? ended.last_offset + 1 : FirstOpenOffset();
    return {ended.producer_id, ended.first_offset, ended.last_offset, next};
  }

  // The first offset of the oldest transaction that is open or not yet stable, or kNoOffset.
  Offset FirstUnstableOffset() const {
    if (ended_.empty()) return FirstOpenOffset();
    const Offset ended = ended_.begin()->first;
    return open_.empty() ? ended : std::min(ended, FirstOpenOffset());
  }
  // Of the oldest open transaction, or kNoOffset.
  Offset FirstOpenOffset() const { return open_.empty() ? kNoOffset : open_.begin()->first; }

  // Forgets producers whose last batch is older than `expiration_ms` and who have no open
  // transaction.
  void Expire(TimestampMs now_ms, int64_t expiration_ms) {
    for (auto it = entries_.begin(); it != entries_.end();) {
      const bool expired = it->second.transaction_first_offset == kNoOffset &&
                           it->second.last_timestamp <= now_ms - expiration_ms;
      if (expired) {
        entries_.erase(it++);
      } else {
        ++it;
      }
    }
  }

  // Every producer, in ascending order of their ids.
  std::vector<std::pair<ProducerId, ProducerEntry>> Sorted() const {
    std::vector<std::pair<ProducerId, ProducerEntry>> all(entries_.begin(), entries_.end());
    Sort(all, [](const auto& a, const auto& b) { return a.first < b.first; });
    return all;
  }

  void Clear() {
    entries_.clear();
    open_.clear();
    ended_.clear();
    refused_.clear();
  }
  size_t size() const { return entries_.size(); }

  // Kafka's snapshot, schema version 1, producers in ascending order of their ids. Of each
  // producer only the last batch is kept, as Kafka does.
  std::string Encode() const {
    std::vector<ProducerId> ids;
    ids.reserve(entries_.size());
    for (const auto& [id, entry] : entries_) ids.push_back(id);
    Sort(ids);
    std::string bytes(kHeaderBytes + ids.size() * kEntryBytes, '\0');
    StoreBig16(bytes.data(), kVersion);
    StoreBig32(&bytes[kCountAt], static_cast<uint32_t>(ids.size()));
    char* to = &bytes[kHeaderBytes];
    for (const ProducerId id : ids) {
      EncodeEntry(id, entries_.find(id)->second, to);
      to += kEntryBytes;
    }
    StoreBig32(&bytes[kCrcAt], Crc32c(absl::string_view(bytes).substr(kCountAt)));
    return bytes;
  }

  static absl::StatusOr<ProducerState> Decode(absl::string_view bytes) {
    if (bytes.size() < kHeaderBytes || LoadBig16(bytes.data()) != kVersion) {
      return absl::DataLossError(absl::StrCat("producer snapshot: expected version ", kVersion,
                                              " and at least ", kHeaderBytes, " bytes, came ",
                                              bytes.size(), " bytes"));
    }
    const uint32_t crc = Crc32c(bytes.substr(kCountAt));
    const uint64_t count = LoadBig32(bytes.data() + kCountAt);
    if (crc != LoadBig32(bytes.data() + kCrcAt) ||
        kHeaderBytes + count * kEntryBytes != bytes.size()) {
      return absl::DataLossError(absl::StrCat(
          "producer snapshot: expected CRC ", LoadBig32(bytes.data() + kCrcAt), " over ", count,
          " producers, came CRC ", crc, " in ", bytes.size(), " bytes"));
    }
    ProducerState state;
    state.entries_.reserve(count);
    for (uint64_t i = 0; i < count; ++i) {
      DecodeEntry(bytes.data() + kHeaderBytes + i * kEntryBytes, &state.entries_);
    }
    for (const auto& [id, entry] : state.entries_) state.NoteOpen(id, entry);
    return state;
  }

 private:
  using Entries = absl::flat_hash_map<ProducerId, ProducerEntry>;

  // A batch that the producer had appended: the same epoch, first and last sequence.
  static bool Repeats(const protocol::RecordBatchHeader& batch, const ProducerEntry& entry,
                      ProducerBatch* original) {
    if (batch.producer_epoch() != entry.epoch) return false;
    for (int i = 0; i < entry.batch_count; ++i) {
      const ProducerBatch& known = entry.batches[static_cast<size_t>(i)];
      if (known.last_sequence == batch.last_sequence() &&
          known.first_sequence() == batch.base_sequence()) {
        *original = known;
        return true;
      }
    }
    return false;
  }

  bool IsBehindRefused(const protocol::RecordBatchHeader& batch) const {
    const auto found = refused_.find(batch.producer_id());
    return found != refused_.end() && found->second.epoch == batch.producer_epoch() &&
           found->second.sequence != batch.base_sequence();
  }

  static ProducerVerdict CheckSequence(const protocol::RecordBatchHeader& batch,
                                       const ProducerEntry& entry) {
    // After a marker of this epoch, or in a snapshot of an empty producer, no sequence is known.
    const bool knows_last = batch.producer_epoch() == entry.epoch && entry.batch_count > 0;
    const int32_t expected =
        knows_last ? protocol::AdvanceSequence(entry.last_batch()->last_sequence, 1) : 0;
    return batch.base_sequence() == expected ? ProducerVerdict::kAccept
                                             : ProducerVerdict::kOutOfOrderSequence;
  }

  static ProducerVerdict CheckMarker(const protocol::RecordBatchHeader& batch,
                                     const TransactionMarker& marker, const AppendTerms& terms,
                                     const ProducerEntry& entry) {
    const ProducerEpoch epoch = batch.producer_epoch();
    // With an epoch for each transaction, the present one's marker can only be repeated.
    const bool is_late = terms.transaction_version >= 2 && epoch == entry.epoch &&
                         entry.transaction_first_offset != kNoOffset;
    if (epoch < entry.epoch || is_late) return ProducerVerdict::kInvalidProducerEpoch;
    return marker.coordinator_epoch < entry.coordinator_epoch ? ProducerVerdict::kCoordinatorFenced
                                                              : ProducerVerdict::kAccept;
  }

  std::optional<EndedTransaction> End(ProducerId id, const TransactionMarker& marker, Offset at,
                                      ProducerEntry* entry) {
    if (marker.coordinator_epoch >= 0) entry->coordinator_epoch = marker.coordinator_epoch;
    const Offset first = entry->transaction_first_offset;
    if (first == kNoOffset) return std::nullopt;  // it had no batch here
    entry->transaction_first_offset = kNoOffset;
    open_.erase({first, id});
    ended_[first] = at;
    return EndedTransaction{id, first, at, marker.aborts};
  }

  void NoteOpen(ProducerId id, const ProducerEntry& entry) {
    if (entry.transaction_first_offset != kNoOffset) {
      open_.emplace(entry.transaction_first_offset, id);
    }
  }

  static constexpr uint16_t kVersion = 1;
  static constexpr size_t kCrcAt = 2;
  static constexpr size_t kCountAt = 6;
  static constexpr size_t kHeaderBytes = 10;
  static constexpr size_t kEntryBytes = 46;

  static void EncodeEntry(ProducerId id, const ProducerEntry& entry, char* to) {
    const ProducerBatch none;
    const ProducerBatch& last = entry.batch_count == 0 ? none : *entry.last_batch();
    StoreBig64(to, static_cast<uint64_t>(id.value()));
    StoreBig16(to + 8, static_cast<uint16_t>(entry.epoch.value()));
    StoreBig32(to + 10, static_cast<uint32_t>(last.last_sequence));
    StoreBig64(to + 14, static_cast<uint64_t>(last.last_offset.value()));
    StoreBig32(to + 22, static_cast<uint32_t>(last.offset_delta));
    StoreBig64(to + 26, static_cast<uint64_t>(entry.last_timestamp));
    StoreBig32(to + 34, static_cast<uint32_t>(entry.coordinator_epoch));
    StoreBig64(to + 38, static_cast<uint64_t>(entry.transaction_first_offset.value()));
  }

  static void DecodeEntry(const char* from, Entries* entries) {
    ProducerEntry& entry = (*entries)[ProducerId(static_cast<int64_t>(LoadBig64(from)))];
    entry = ProducerEntry();
    entry.epoch = ProducerEpoch(static_cast<int16_t>(LoadBig16(from + 8)));
    entry.last_timestamp = static_cast<TimestampMs>(LoadBig64(from + 26));
    entry.coordinator_epoch = static_cast<int32_t>(LoadBig32(from + 34));
    entry.transaction_first_offset = Offset(static_cast<int64_t>(LoadBig64(from + 38)));
    if (entry.transaction_first_offset.value() < 0) entry.transaction_first_offset = kNoOffset;
    const Offset last_offset(static_cast<int64_t>(LoadBig64(from + 14)));
    if (last_offset.value() >= 0) {
      entry.Add({static_cast<int32_t>(LoadBig32(from + 10)),
                 static_cast<int32_t>(LoadBig32(from + 22)), last_offset, entry.last_timestamp});
    }
  }

  struct Refused {
    ProducerEpoch epoch;
    int32_t sequence;
  };
  static constexpr size_t kRefusedMax = 1000;

  Entries entries_;
  absl::flat_hash_map<ProducerId, Refused> refused_;
  std::set<std::pair<Offset, ProducerId>> open_;  // transactions, by their first offsets
  // First offsets of transactions that ended, and their markers', which are not yet known to be
  // below the high watermark.
  std::map<Offset, Offset> ended_;
};

}  // namespace weir::log

#endif  // WEIR_LOG_PRODUCER_STATE_H_

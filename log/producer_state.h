// -----------------------------------------------------------------------------
// File: log/producer_state.h
// -----------------------------------------------------------------------------
// What a log knows of idempotent producers (KIP-98, KIP-360): per producer id its epoch and its
// last five batches, by which a retried batch is recognized and a lost one noticed. A pure table;
// log/log.h feeds it and stores its snapshots (`.snapshot`; format: docs/formats/segment.md).
// Transactions: the first offset of an open one is kept; markers end it. The coordinator epoch is
// carried through snapshots unchanged.
// Errors: kDataLoss from Decode. Limits: about 250 bytes a producer; Expire bounds them by time.
#ifndef WEIR_LOG_PRODUCER_STATE_H_
#define WEIR_LOG_PRODUCER_STATE_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
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

enum class ProducerVerdict { kAccept, kDuplicate, kOutOfOrderSequence, kInvalidProducerEpoch };

class ProducerState {
 public:
  // What to answer to a client's batch. For kDuplicate *original is the batch that it repeats.
  ProducerVerdict Check(const protocol::RecordBatchHeader& batch, ProducerBatch* original) const {
    const auto found = entries_.find(batch.producer_id());
    if (found == entries_.end()) return ProducerVerdict::kAccept;
    const ProducerEntry& entry = found->second;
    const ProducerEpoch epoch = batch.producer_epoch();
    if (epoch < entry.epoch) return ProducerVerdict::kInvalidProducerEpoch;
    if (batch.is_control()) return ProducerVerdict::kAccept;
    if (epoch != entry.epoch) {
      return batch.base_sequence() == 0 || entry.epoch == kNoProducerEpoch
                 ? ProducerVerdict::kAccept
                 : ProducerVerdict::kOutOfOrderSequence;
    }
    for (int i = 0; i < entry.batch_count; ++i) {
      const ProducerBatch& known = entry.batches[static_cast<size_t>(i)];
      if (known.last_sequence == batch.last_sequence() &&
          known.first_sequence() == batch.base_sequence()) {
        *original = known;
        return ProducerVerdict::kDuplicate;
      }
    }
    // After a marker of this epoch, or in a snapshot of an empty producer, no sequence is known.
    const int32_t expected = entry.batch_count == 0
                                 ? 0
                                 : protocol::AdvanceSequence(entry.last_batch()->last_sequence, 1);
    return batch.base_sequence() == expected ? ProducerVerdict::kAccept
                                             : ProducerVerdict::kOutOfOrderSequence;
  }

  // Takes note of a batch that is in the log; its header has the offsets it got.
  void Update(const protocol::RecordBatchHeader& batch) {
    if (!batch.has_producer_id()) return;
    ProducerEntry& entry = entries_[batch.producer_id()];
    if (batch.producer_epoch() > entry.epoch) {
      entry.epoch = batch.producer_epoch();
      entry.batch_count = 0;
    }
    entry.last_timestamp = batch.max_timestamp();
    if (batch.is_control()) {
      entry.transaction_first_offset = kNoOffset;
      return;
    }
    entry.Add({batch.last_sequence(), batch.last_offset_delta(), batch.last_offset(),
               batch.max_timestamp()});
    if (batch.is_transactional() && entry.transaction_first_offset == kNoOffset) {
      entry.transaction_first_offset = batch.base_offset();
    }
  }

  const ProducerEntry* Find(ProducerId id) const {
    const auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : &found->second;
  }
  // Puts back what Find answered before an Update that came to nothing.
  void Restore(ProducerId id, const std::optional<ProducerEntry>& entry) {
    if (entry.has_value()) {
      entries_[id] = *entry;
    } else {
      entries_.erase(id);
    }
  }

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

  // The first offset of the oldest open transaction, or kNoOffset.
  Offset FirstUnstableOffset() const {
    Offset first = kNoOffset;
    for (const auto& [id, entry] : entries_) {
      const Offset offset = entry.transaction_first_offset;
      if (offset != kNoOffset && (first == kNoOffset || offset < first)) first = offset;
    }
    return first;
  }

  // Every producer, in ascending order of their ids.
  std::vector<std::pair<ProducerId, ProducerEntry>> Sorted() const {
    std::vector<std::pair<ProducerId, ProducerEntry>> all(entries_.begin(), entries_.end());
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    return all;
  }

  void Clear() { entries_.clear(); }
  size_t size() const { return entries_.size(); }

  // Kafka's snapshot, schema version 1, producers in ascending order of their ids. Of each
  // producer only the last batch is kept, as Kafka does.
  std::string Encode() const {
    std::vector<ProducerId> ids;
    ids.reserve(entries_.size());
    for (const auto& [id, entry] : entries_) ids.push_back(id);
    std::sort(ids.begin(), ids.end());
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
    return state;
  }

 private:
  using Entries = absl::flat_hash_map<ProducerId, ProducerEntry>;

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

  Entries entries_;
};

}  // namespace weir::log

#endif  // WEIR_LOG_PRODUCER_STATE_H_

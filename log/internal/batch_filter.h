// -----------------------------------------------------------------------------
// File: log/internal/batch_filter.h
// -----------------------------------------------------------------------------
// What becomes of one batch when its log is cleaned. The rules are those of Apache Kafka
// (docs/formats/compaction.md): a record goes when a later one has its key; a tombstone, or the
// marker of a transaction of which nothing is left, goes once the batch's delete horizon is over,
// which is set when the cleaner meets it first (KIP-534); data of aborted transactions and records
// without a key go at once. A batch of which nothing goes stays as it is, byte for byte.
// Threading: one thread.
// Errors: kDataLoss for a batch that cannot be decoded, kFailedPrecondition for one that cannot be
// written again; messages name its offsets.
// Limits: memory for the records of a batch, decompressed and compressed (kDecompressedBytesMax).
#ifndef WEIR_LOG_INTERNAL_BATCH_FILTER_H_
#define WEIR_LOG_INTERNAL_BATCH_FILTER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/endian.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/varint.h"
#include "log/cleaning_plan.h"
#include "log/internal/cleaned_transactions.h"
#include "log/offset_map.h"
#include "log/transaction_index.h"
#include "log/transaction_marker.h"
#include "protocol/compression.h"
#include "protocol/compression_batch.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "protocol/record_codec.h"

namespace weir::log::log_internal {

class BatchFilter {
 public:
  struct Counters {
    int64_t records_read = 0;
    int64_t records_kept = 0;
    int64_t keyless_records = 0;
  };

  // The plan outlives the filter.
  explicit BatchFilter(const CleaningPlan& plan) : plan_(plan), transactions_(plan.aborted) {
    for (const LastRecord& last : plan.producers) last_of_.emplace(last.producer_id, last);
  }

  // Takes the keys of a batch into `map`. False when they may not all fit; none was taken then.
  absl::StatusOr<bool> Map(const protocol::RecordBatchView& batch, OffsetMap* map) {
    if (batch.is_control() || transactions_.AbortedOf(batch) != nullptr) return true;
    if (map->size() > 0 && map->size() + batch.record_count() > map->capacity()) return false;
    absl::Status full;
    WEIR_RETURN_IF_ERROR(Visit(batch, [&](const protocol::Record& record) {
      if (!record.key.has_value() || !full.ok()) return;
      if (map->Put(*record.key, record.OffsetIn(batch))) return;
      full = absl::FailedPreconditionError(
          absl::StrCat(Name(batch), ": expected at most ", map->capacity(),
                       " keys, as the dedupe buffer holds, came more"));
    }));
    WEIR_RETURN_IF_ERROR(full);
    return true;
  }

  // The batch as it is to be written: its own bytes, or others that are valid until the next call;
  // empty when it goes. What is at `mapped_to` or behind, of which `map` knows nothing, stays. With
  // `keep` the batch stays even if none of its records does. It may grow, when a delete horizon is
  // set, up to `bytes_max`.
  absl::StatusOr<absl::string_view> Filter(const protocol::RecordBatchView& batch,
                                           const OffsetMap& map, Offset mapped_to, bool keep,
                                           int64_t bytes_max) {
    aborted_.reset();
    keep = keep || IsLastOfItsProducer(batch);
    const bool is_open = batch.base_offset() >= mapped_to;
    if (batch.is_control()) return FilterMarker(batch, is_open, keep, bytes_max);
    transactions_.OnData(batch);
    if (is_open) return Kept(batch);
    if (transactions_.AbortedOf(batch) != nullptr) {
      counters_.records_read += batch.record_count();
      return Emptied(batch, keep);
    }
    return FilterData(batch, map, keep, bytes_max);
  }

  // The aborted transaction that the batch of the last call ends, if readers have to know of it.
  const std::optional<AbortedTransaction>& aborted() const { return aborted_; }

  // To go back to where they were taken.
  struct State {
    CleanedTransactions::Open open;
    Counters counters;
  };
  State Save() const { return {transactions_.open(), counters_}; }
  void Restore(State state) {
    transactions_.set_open(std::move(state.open));
    counters_ = state.counters;
  }

  const Counters& counters() const { return counters_; }

 private:
  static constexpr size_t kBufferKeptBytesMax = 4 << 20;

  static std::string Name(const protocol::RecordBatchHeader& batch) {
    return absl::StrCat("batch of offsets ", batch.base_offset().value(), " to ",
                        batch.last_offset().value());
  }

  // What its producer's next sequence, or epoch, is checked against.
  bool IsLastOfItsProducer(const protocol::RecordBatchHeader& batch) const {
    if (!batch.has_producer_id()) return false;
    const auto found = last_of_.find(batch.producer_id());
    if (found == last_of_.end()) return false;
    const LastRecord& last = found->second;
    if (last.last_offset != kNoOffset) return batch.last_offset() == last.last_offset;
    return batch.is_control() && batch.producer_epoch() == last.epoch;
  }

  bool HorizonIsOver(const protocol::RecordBatchHeader& batch) const {
    return batch.has_delete_horizon() && batch.base_timestamp() <= plan_.now_ms;
  }
  TimestampMs NewHorizon() const {
    const int64_t room = std::numeric_limits<int64_t>::max() - plan_.now_ms;
    return plan_.now_ms + std::min(plan_.config.delete_retention_ms, room);
  }

  absl::string_view Kept(const protocol::RecordBatchView& batch) {
    counters_.records_read += batch.record_count();
    counters_.records_kept += batch.record_count();
    return batch.bytes();
  }

  absl::StatusOr<absl::string_view> FilterMarker(const protocol::RecordBatchView& batch,
                                                 bool is_open, bool keep, int64_t bytes_max) {
    if (!MarkerOf(batch).has_value()) return Kept(batch);
    const bool nothing_left = transactions_.OnMarker(batch);
    if (is_open || !nothing_left) {
      const AbortedTransaction* aborted = transactions_.AbortedOf(batch);
      if (aborted != nullptr && aborted->last_offset == batch.base_offset()) aborted_ = *aborted;
      return Kept(batch);
    }
    if (batch.record_count() == 0 || HorizonIsOver(batch)) {
      counters_.records_read += batch.record_count();
      return Emptied(batch, keep);
    }
    if (batch.has_delete_horizon()) return Kept(batch);
    WEIR_RETURN_IF_ERROR(VisitAndKeep(batch, [](const protocol::Record&) { return true; }));
    counters_.records_kept += static_cast<int64_t>(kept_.size());
    return WithHorizon(batch, bytes_max);
  }

  absl::StatusOr<absl::string_view> FilterData(const protocol::RecordBatchView& batch,
                                               const OffsetMap& map, bool keep, int64_t bytes_max) {
    bool has_tombstones = false;
    const bool horizon_is_over = HorizonIsOver(batch);
    WEIR_RETURN_IF_ERROR(VisitAndKeep(batch, [&](const protocol::Record& record) {
      if (!record.key.has_value()) {
        ++counters_.keyless_records;
        return false;
      }
      if (map.Get(*record.key) > record.OffsetIn(batch)) return false;
      if (record.value.has_value()) return true;
      if (horizon_is_over) return false;
      has_tombstones = true;
      return true;
    }));
    counters_.records_kept += static_cast<int64_t>(kept_.size());
    if (kept_.empty()) return Emptied(batch, keep);
    if (has_tombstones && !batch.has_delete_horizon()) return WithHorizon(batch, bytes_max);
    if (KeptAll(batch)) return batch.bytes();
    return Rewritten(batch, std::nullopt);
  }

  bool KeptAll(const protocol::RecordBatchHeader& batch) const {
    return kept_.size() == static_cast<size_t>(batch.record_count());
  }

  // What is kept of the batch, with a delete horizon. Where there is no room for that the batch
  // gets one another time: its tombstones stay until then.
  absl::StatusOr<absl::string_view> WithHorizon(const protocol::RecordBatchView& batch,
                                                int64_t bytes_max) {
    const absl::StatusOr<absl::string_view> bytes = Rewritten(batch, NewHorizon());
    if (bytes.ok() && static_cast<int64_t>(bytes->size()) <= bytes_max) return bytes;
    if (!bytes.ok() && !absl::IsFailedPrecondition(bytes.status())) return bytes;
    if (KeptAll(batch)) return batch.bytes();
    return Rewritten(batch, std::nullopt);
  }

  // The header alone, as the last word on offsets and sequences; or nothing.
  absl::string_view Emptied(const protocol::RecordBatchView& batch, bool keep) {
    if (!keep) return absl::string_view();
    if (batch.record_count() == 0 && batch.size_bytes() == protocol::kRecordBatchHeaderBytes) {
      return batch.bytes();
    }
    namespace at = protocol::record_batch_at;
    const absl::string_view header = batch.bytes().substr(0, at::kRecords);
    out_.assign(header.data(), header.size());
    const int kept_bits = protocol::record_batch_attribute::kLogAppendTime |
                          protocol::record_batch_attribute::kTransactional |
                          protocol::record_batch_attribute::kControl;
    SetHeader(static_cast<int16_t>(batch.attributes() & kept_bits), batch.max_timestamp(),
              batch.max_timestamp(), 0);
    return out_;
  }

  // A batch of the records in kept_, with a delete horizon where one is given.
  absl::StatusOr<absl::string_view> Rewritten(const protocol::RecordBatchView& batch,
                                              std::optional<TimestampMs> horizon) {
    const TimestampMs base = horizon.value_or(batch.base_timestamp());
    payload_.clear();
    TimestampMs max_timestamp = kNoTimestamp;
    for (const protocol::Record& record : kept_) {
      const TimestampMs timestamp = record.TimestampIn(batch);
      max_timestamp = std::max(max_timestamp, timestamp);
      if (horizon.has_value()) {
        AppendRecord(record, static_cast<int64_t>(static_cast<uint64_t>(timestamp) -
                                                  static_cast<uint64_t>(base)));
      } else {
        payload_.append(record.bytes.data(), record.bytes.size());
      }
    }
    const absl::string_view header = batch.bytes().substr(0, protocol::record_batch_at::kRecords);
    out_.assign(header.data(), header.size());
    if (batch.codec() == protocol::Codec::kNone) {
      out_.append(payload_);
    } else {
      const absl::Status compressed =
          compressor_.Compress(batch.codec(), payload_, std::nullopt, &compressed_);
      if (!compressed.ok()) return Unwritable(batch, compressed.message());
      out_.append(compressed_);
    }
    if (out_.size() > static_cast<size_t>(kRecordBatchBytesMax)) {
      return Unwritable(batch,
                        absl::StrCat("expected at most ", kRecordBatchBytesMax,
                                     " bytes without the records that go, came ", out_.size()));
    }
    const int horizon_bit =
        horizon.has_value() ? protocol::record_batch_attribute::kDeleteHorizon : 0;
    if (batch.timestamp_type() == protocol::TimestampType::kLogAppendTime) {
      max_timestamp = batch.max_timestamp();
    }
    SetHeader(static_cast<int16_t>(batch.attributes() | horizon_bit), base, max_timestamp,
              static_cast<int32_t>(kept_.size()));
    Trim();
    return absl::string_view(out_);
  }

  static absl::Status Unwritable(const protocol::RecordBatchHeader& batch, absl::string_view what) {
    return absl::FailedPreconditionError(absl::StrCat(Name(batch), ": ", what));
  }

  // `record` with another distance from the batch's time.
  void AppendRecord(const protocol::Record& record, int64_t timestamp_delta) {
    const char* at = record.bytes.data();
    const char* const end = at + record.bytes.size();
    int32_t size = 0;
    int64_t old_delta = 0;
    at = GetVarint(at, end, &size) + 1;  // behind the attributes
    at = GetVarlong(at, end, &old_delta);
    const auto rest = static_cast<size_t>(end - at);
    const size_t body = 1 + VarlongSize(timestamp_delta) + rest;
    char buffer[kVarint32BytesMax + 1 + kVarint64BytesMax];
    char* to = PutVarint(buffer, static_cast<int32_t>(body));
    *to++ = static_cast<char>(record.attributes);
    to = PutVarlong(to, timestamp_delta);
    payload_.append(buffer, static_cast<size_t>(to - buffer));
    payload_.append(at, rest);
  }

  // Completes the header in out_, which otherwise stays as it was.
  void SetHeader(int16_t attributes, TimestampMs base, TimestampMs max, int32_t count) {
    namespace at = protocol::record_batch_at;
    char* const to = out_.data();
    StoreBig32(to + at::kLength,
               static_cast<uint32_t>(out_.size() -
                                     static_cast<size_t>(protocol::kRecordBatchPrefixBytes)));
    StoreBig16(to + at::kAttributes, static_cast<uint16_t>(attributes));
    StoreBig64(to + at::kBaseTimestamp, static_cast<uint64_t>(base));
    StoreBig64(to + at::kMaxTimestamp, static_cast<uint64_t>(max));
    StoreBig32(to + at::kRecordCount, static_cast<uint32_t>(count));
    protocol::SealCrc(to);
  }

  // Calls `visit` for every record; they live until the next batch is decoded.
  template <class Visitor>
  absl::Status Visit(const protocol::RecordBatchView& batch, Visitor visit) {
    absl::string_view records;
    const absl::Status decoded = protocol::DecompressRecords(
        decompressor_, batch, protocol::DecompressionLimits(), &decompressed_, &records);
    if (!decoded.ok()) {
      return absl::DataLossError(absl::StrCat(Name(batch), ": ", decoded.message()));
    }
    protocol::RecordIterator it(records, batch.record_count());
    int64_t last = -1;
    for (protocol::Record record; it.Next(&record);) {
      if (record.offset_delta <= last || record.offset_delta > batch.last_offset_delta()) {
        return absl::DataLossError(absl::StrCat(
            Name(batch), ": expected a record at a distance of ", last + 1, " to ",
            batch.last_offset_delta(), " from its first, came one at ", record.offset_delta));
      }
      last = record.offset_delta;
      visit(record);
    }
    if (it.status().ok()) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat(Name(batch), ": ", it.status().message()));
  }

  // Puts into kept_ the records that `keeps` says.
  template <class Predicate>
  absl::Status VisitAndKeep(const protocol::RecordBatchView& batch, Predicate keeps) {
    kept_.clear();
    return Visit(batch, [&](const protocol::Record& record) {
      ++counters_.records_read;
      if (keeps(record)) kept_.push_back(record);
    });
  }

  void Trim() {
    for (std::string* buffer : {&payload_, &compressed_}) {
      if (buffer->capacity() > kBufferKeptBytesMax) std::string().swap(*buffer);
    }
  }

  const CleaningPlan& plan_;
  CleanedTransactions transactions_;
  absl::flat_hash_map<ProducerId, LastRecord> last_of_;
  Counters counters_;
  std::optional<AbortedTransaction> aborted_;
  protocol::Decompressor decompressor_;
  protocol::Compressor compressor_;
  std::vector<protocol::Record> kept_;  // of the batch that is looked at
  std::string decompressed_;
  std::string payload_;
  std::string compressed_;
  std::string out_;
};

}  // namespace weir::log::log_internal

#endif  // WEIR_LOG_INTERNAL_BATCH_FILTER_H_

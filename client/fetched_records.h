// -----------------------------------------------------------------------------
// File: client/fetched_records.h
// -----------------------------------------------------------------------------
// What a Fetch brought of one partition, made into records batch by batch: decompressed, checked,
// without control records, and with read_committed without those of aborted transactions (KIP-98).
// Threading: one thread; pure.
// Errors: kDataLoss for bytes that are no batches or have a wrong CRC, with the offset; the place
// in the data then stays before the bad batch.
// Limits: those of protocol/compression.h.
#ifndef WEIR_CLIENT_FETCHED_RECORDS_H_
#define WEIR_CLIENT_FETCHED_RECORDS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/sort.h"
#include "base/status_macros.h"
#include "protocol/compression.h"
#include "protocol/compression_batch.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "protocol/record_codec.h"

namespace weir::client {

// Its views live as long as the ConsumedRecords it is in.
struct ConsumerRecord {
  absl::string_view topic;
  int32_t partition = 0;
  Offset offset = kNoOffset;
  TimestampMs timestamp = kNoTimestamp;
  protocol::TimestampType timestamp_type = protocol::TimestampType::kCreateTime;
  std::optional<absl::string_view> key;
  std::optional<absl::string_view> value;
  std::vector<protocol::RecordHeader> headers;
};

// Records, and the memory that they point into.
struct ConsumedRecords {
  std::vector<ConsumerRecord> records;
  std::vector<std::shared_ptr<const std::string>> memory;

  bool empty() const { return records.empty(); }
  size_t size() const { return records.size(); }
  auto begin() const { return records.begin(); }
  auto end() const { return records.end(); }
};

class FetchedRecords {
 public:
  struct Aborted {
    int64_t producer_id = 0;
    int64_t first_offset = 0;
  };

  FetchedRecords() = default;
  // `bytes` are record batches, the last perhaps cut; records below `from` are not wanted.
  FetchedRecords(std::string bytes, Offset from, std::vector<Aborted> aborted, bool read_committed,
                 bool check_crcs)
      : bytes_(std::make_shared<const std::string>(std::move(bytes))),
        next_(from),
        aborted_(std::move(aborted)),
        read_committed_(read_committed),
        check_crcs_(check_crcs) {
    Sort(aborted_,
         [](const Aborted& a, const Aborted& b) { return a.first_offset < b.first_offset; });
  }

  // Whether a whole batch is left.
  bool has_more() const {
    if (bytes_ == nullptr) return false;
    const auto header = protocol::RecordBatchHeader::Parse(rest());
    return header.ok() ? static_cast<uint64_t>(header->size_bytes()) <= rest().size()
                       : rest().size() >= static_cast<size_t>(protocol::kRecordBatchHeaderBytes);
  }
  // The offset behind what was returned or passed over.
  Offset next() const { return next_; }
  // Of the leader that wrote the batch before it, -1 before the first.
  int32_t leader_epoch() const { return leader_epoch_; }

  // Adds the records of the next batch to *out, which may be none.
  absl::Status NextBatch(const std::shared_ptr<const std::string>& topic, int32_t partition,
                         protocol::Decompressor& decompressor, ConsumedRecords* out) {
    WEIR_ASSIGN_OR_RETURN(const protocol::RecordBatchView batch,
                          protocol::RecordBatchView::Parse(rest()));
    if (batch.magic() != protocol::kRecordBatchMagic || (check_crcs_ && !batch.CrcIsValid())) {
      return absl::DataLossError(absl::StrCat(*topic, "-", partition, ": the batch at offset ",
                                              batch.base_offset().value(),
                                              " is damaged (magic or CRC)"));
    }
    const size_t before = out->records.size();
    const absl::Status status = Read(batch, topic, partition, decompressor, out);
    if (!status.ok()) {
      out->records.resize(before);
      return status;
    }
    at_ += static_cast<size_t>(batch.size_bytes());
    next_ = std::max(next_, batch.next_offset());
    leader_epoch_ = batch.leader_epoch().value();
    return absl::OkStatus();
  }

 private:
  absl::string_view rest() const { return absl::string_view(*bytes_).substr(at_); }

  // Whether the batch belongs to a transaction that was aborted.
  bool IsAborted(const protocol::RecordBatchView& batch) {
    if (!read_committed_) return false;
    while (next_aborted_ < aborted_.size() &&
           aborted_[next_aborted_].first_offset <= batch.last_offset().value()) {
      open_aborted_.insert(aborted_[next_aborted_++].producer_id);
    }
    return batch.is_transactional() && open_aborted_.contains(batch.producer_id().value());
  }

  absl::Status Read(const protocol::RecordBatchView& batch,
                    const std::shared_ptr<const std::string>& topic, int32_t partition,
                    protocol::Decompressor& decompressor, ConsumedRecords* out) {
    const bool aborted = IsAborted(batch);
    if (batch.is_control()) {
      if (IsAbortMarker(batch)) open_aborted_.erase(batch.producer_id().value());
      return absl::OkStatus();
    }
    if (aborted || batch.next_offset() <= next_) return absl::OkStatus();
    auto memory = bytes_;
    absl::string_view records = batch.records();
    if (batch.codec() != protocol::Codec::kNone) {
      auto scratch = std::make_shared<std::string>();
      WEIR_RETURN_IF_ERROR(
          protocol::DecompressRecords(decompressor, batch, {}, scratch.get(), &records));
      memory = scratch;
    }
    protocol::RecordIterator it(records, batch.record_count());
    protocol::Record record;
    while (it.Next(&record)) {
      if (record.OffsetIn(batch) < next_) continue;
      ConsumerRecord made{*topic,
                          partition,
                          record.OffsetIn(batch),
                          record.TimestampIn(batch),
                          batch.timestamp_type(),
                          record.key,
                          record.value,
                          {}};
      protocol::RecordHeaderIterator headers = record.headers();
      protocol::RecordHeader header;
      while (headers.Next(&header)) made.headers.push_back(header);
      WEIR_RETURN_IF_ERROR(headers.status());
      out->records.push_back(std::move(made));
    }
    WEIR_RETURN_IF_ERROR(it.status());
    for (const auto& kept : {topic, memory}) {
      if (out->memory.empty() || out->memory.back() != kept) out->memory.push_back(kept);
    }
    return absl::OkStatus();
  }

  static bool IsAbortMarker(const protocol::RecordBatchView& batch) {
    protocol::RecordIterator it(batch.records(), batch.record_count());
    protocol::Record record;
    return it.Next(&record) && protocol::GetControlType(record) == protocol::ControlType::kAbort;
  }

  std::shared_ptr<const std::string> bytes_;
  size_t at_ = 0;
  Offset next_ = kNoOffset;
  int32_t leader_epoch_ = -1;
  std::vector<Aborted> aborted_;  // in the order of their first offsets
  size_t next_aborted_ = 0;
  std::set<int64_t> open_aborted_;  // producers within an aborted transaction
  bool read_committed_ = false;
  bool check_crcs_ = true;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_FETCHED_RECORDS_H_

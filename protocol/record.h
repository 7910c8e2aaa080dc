// -----------------------------------------------------------------------------
// File: protocol/record.h
// -----------------------------------------------------------------------------
// Walks the records of a batch: its payload when it has no codec, or what Decompress made of it.
//
// Format (all numbers zig-zag varints): length, attributes i8, timestamp delta (64 bits), offset
// delta, key length or -1, key, value length or -1, value, header count, then per header a key
// length, key, value length or -1, value. The length counts what follows it.
// Errors: kDataLoss, with the number and the place of the record. Every length is checked against
// the bytes of its record; nothing is allocated. Headers are walked only on demand.
// Ownership: records borrow the payload.
#ifndef WEIR_PROTOCOL_RECORD_H_
#define WEIR_PROTOCOL_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/endian.h"
#include "base/ids.h"
#include "base/varint.h"
#include "protocol/record_batch.h"

namespace weir::protocol {

struct RecordHeader {
  absl::string_view key;
  std::optional<absl::string_view> value;  // empty where null
};

namespace record_internal {

// A varint length and that many bytes of [from, end); -1 is null where `nullable`. Returns the
// place behind, or null.
inline const char* GetBytes(const char* from, const char* end, bool nullable,
                            std::optional<absl::string_view>* bytes) {
  int32_t size = 0;
  from = GetVarint(from, end, &size);
  if (from == nullptr) return nullptr;
  if (size == -1 && nullable) {
    bytes->reset();
    return from;
  }
  if (size < 0 || size > end - from) return nullptr;
  *bytes = absl::string_view(from, static_cast<size_t>(size));
  return from + size;
}

}  // namespace record_internal

// The headers of one record, in order; keys may repeat.
class RecordHeaderIterator {
 public:
  RecordHeaderIterator(absl::string_view bytes, int32_t count)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()), left_(count) {}

  // False at the end and at an error: ask status().
  bool Next(RecordHeader* header) {
    if (left_ == 0) {
      if (at_ != end_) Fail("bytes behind the last header");
      return false;
    }
    --left_;
    std::optional<absl::string_view> key;
    const char* at = record_internal::GetBytes(at_, end_, /*nullable=*/false, &key);
    if (at != nullptr) {
      at = record_internal::GetBytes(at, end_, /*nullable=*/true, &header->value);
    }
    if (at == nullptr) return Fail("a header that does not fit its record");
    header->key = *key;
    at_ = at;
    return true;
  }

  const absl::Status& status() const { return status_; }

 private:
  [[gnu::cold, gnu::noinline]] bool Fail(const char* what) {
    status_ = absl::DataLossError(absl::StrCat("record headers: ", what, ", with ", end_ - at_,
                                               " bytes and ", left_, " headers to come"));
    left_ = 0;
    at_ = end_;
    return false;
  }

  const char* at_;
  const char* end_;
  int32_t left_;
  absl::Status status_;
};

struct Record {
  int8_t attributes = 0;  // no bit has a meaning yet
  int64_t timestamp_delta = 0;
  int32_t offset_delta = 0;
  std::optional<absl::string_view> key;    // empty where null
  std::optional<absl::string_view> value;  // empty where null: a tombstone
  int32_t header_count = 0;
  absl::string_view header_bytes;  // not looked at yet: see headers()
  absl::string_view bytes;         // the whole record, its length included

  RecordHeaderIterator headers() const { return RecordHeaderIterator(header_bytes, header_count); }

  // Whether the headers fit the record exactly.
  absl::Status CheckHeaders() const {
    RecordHeaderIterator it = headers();
    RecordHeader header;
    while (it.Next(&header)) {
    }
    return it.status();
  }

  Offset OffsetIn(const RecordBatchHeader& batch) const {
    return Offset(static_cast<int64_t>(static_cast<uint64_t>(batch.base_offset().value()) +
                                       static_cast<uint64_t>(int64_t{offset_delta})));
  }
  // Under log-append time every record has the time of the batch. Wraps instead of overflowing.
  TimestampMs TimestampIn(const RecordBatchHeader& batch) const {
    if (batch.timestamp_type() == TimestampType::kLogAppendTime) return batch.max_timestamp();
    return static_cast<TimestampMs>(static_cast<uint64_t>(batch.base_timestamp()) +
                                    static_cast<uint64_t>(timestamp_delta));
  }
};

class RecordIterator {
 public:
  // `payload` are uncompressed records, `count` how many the batch says there are.
  RecordIterator(absl::string_view payload, int32_t count)
      : begin_(payload.data()),
        at_(payload.data()),
        end_(payload.data() + payload.size()),
        count_(count) {}

  // False at the end and at an error: ask status(). It is an error when the payload has fewer or
  // more records than the batch says.
  bool Next(Record* record) {
    if (index_ >= count_) {
      if (at_ != end_ || count_ < 0) Fail("bytes behind the last record");
      return false;
    }
    int32_t size = 0;
    const char* at = GetVarint(at_, end_, &size);
    if (at == nullptr) return Fail(at_ == end_ ? "no more bytes" : "a length that is no varint");
    if (size < 0 || size > end_ - at) return Fail("a length beyond the payload");
    const char* const end = at + size;
    if (!ParseBody(at, end, record)) return Fail("a field that does not fit the record's length");
    record->bytes = absl::string_view(at_, static_cast<size_t>(end - at_));
    at_ = end;
    ++index_;
    return true;
  }

  const absl::Status& status() const { return status_; }
  int32_t records_read() const { return index_; }

 private:
  static bool ParseBody(const char* at, const char* end, Record* record) {
    if (at == end) return false;
    record->attributes = static_cast<int8_t>(*at++);
    at = GetVarlong(at, end, &record->timestamp_delta);
    if (at == nullptr) return false;
    at = GetVarint(at, end, &record->offset_delta);
    if (at == nullptr) return false;
    at = record_internal::GetBytes(at, end, /*nullable=*/true, &record->key);
    if (at == nullptr) return false;
    at = record_internal::GetBytes(at, end, /*nullable=*/true, &record->value);
    if (at == nullptr) return false;
    at = GetVarint(at, end, &record->header_count);
    if (at == nullptr) return false;
    // A header takes two bytes at least; without headers nothing may follow.
    const int64_t left = end - at;
    if (record->header_count < 0 || record->header_count > left / 2) return false;
    if (record->header_count == 0 && left != 0) return false;
    record->header_bytes = absl::string_view(at, static_cast<size_t>(left));
    return true;
  }

  [[gnu::cold, gnu::noinline]] bool Fail(const char* what) {
    status_ = absl::DataLossError(absl::StrCat("record ", index_, " of ", count_, " at byte ",
                                               at_ - begin_, " of ", end_ - begin_, ": ", what));
    count_ = index_;
    at_ = end_;
    return false;
  }

  const char* begin_;
  const char* at_;
  const char* end_;
  int32_t count_;
  int32_t index_ = 0;
  absl::Status status_;
};

// Control batches: what the key of a control record says (Kafka's ControlRecordType).
enum class ControlType : int16_t {
  kAbort = 0,
  kCommit = 1,
  kLeaderChange = 2,
  kSnapshotHeader = 3,
  kSnapshotFooter = 4,
  kRaftVersion = 5,
  kRaftVoters = 6,
};

// Of a record of a control batch. Types that are not named above come back as they are: readers
// skip what they do not know.
inline std::optional<ControlType> GetControlType(const Record& record) {
  // Version and type, each i16; later versions may append.
  if (!record.key.has_value() || record.key->size() < 4) return std::nullopt;
  if (static_cast<int16_t>(LoadBig16(record.key->data())) < 0) return std::nullopt;
  return static_cast<ControlType>(LoadBig16(record.key->data() + 2));
}

// The value of an ABORT or COMMIT record (Kafka's EndTxnMarker): version i16, epoch of the
// transaction's coordinator i32; later versions may append.
inline constexpr size_t kEndTxnMarkerBytes = 6;
inline void StoreEndTxnMarker(int32_t coordinator_epoch, char* at) {
  StoreBig16(at, 0);
  StoreBig32(at + 2, static_cast<uint32_t>(coordinator_epoch));
}
// Nothing when there is no such value.
inline std::optional<int32_t> CoordinatorEpochOf(const Record& marker) {
  if (!marker.value.has_value() || marker.value->size() < kEndTxnMarkerBytes) return std::nullopt;
  return static_cast<int32_t>(LoadBig32(marker.value->data() + 2));
}

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_RECORD_H_

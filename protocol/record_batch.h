// -----------------------------------------------------------------------------
// File: protocol/record_batch.h
// -----------------------------------------------------------------------------
// Views over Kafka's record batch, version 2 (KIP-98), and the patches that a leader makes in
// place. Nothing here decompresses: records are read by protocol/record.h.
//
// Format: 61 bytes of header, big-endian, then the records, compressed as one piece or not at all:
//   at  0 base offset i64      at 17 crc u32                at 43 producer id i64
//   at  8 length i32           at 21 attributes i16         at 51 producer epoch i16
//   at 12 leader epoch i32     at 23 last offset delta i32  at 53 base sequence i32
//   at 16 magic i8 (2)         at 27 base timestamp i64     at 57 record count i32
//                              at 35 max timestamp i64
// The length counts from the leader epoch on; the CRC-32C covers attributes and everything behind.
// Attributes: bits 0-2 codec, 3 log-append time, 4 transactional, 5 control, 6 delete horizon.
//
// Only sizes are checked by Parse: every other field is what the peer or the disk says, magic and
// CRC included, until RecordBatchValidator or the caller has looked at it.
// Ownership: views borrow the bytes.
#ifndef WEIR_PROTOCOL_RECORD_BATCH_H_
#define WEIR_PROTOCOL_RECORD_BATCH_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "protocol/record_codec.h"

namespace weir::protocol {

inline constexpr int8_t kRecordBatchMagic = 2;
inline constexpr int64_t kRecordBatchHeaderBytes = 61;
inline constexpr int64_t kRecordBatchPrefixBytes = 12;  // what the length field does not count
inline constexpr int32_t kNoSequence = -1;

enum class TimestampType : int8_t { kCreateTime = 0, kLogAppendTime = 1 };

// Where the fields are; for code that patches or dumps bytes.
namespace record_batch_at {
inline constexpr size_t kBaseOffset = 0;
inline constexpr size_t kLength = 8;
inline constexpr size_t kLeaderEpoch = 12;
inline constexpr size_t kMagic = 16;
inline constexpr size_t kCrc = 17;
inline constexpr size_t kAttributes = 21;
inline constexpr size_t kLastOffsetDelta = 23;
inline constexpr size_t kBaseTimestamp = 27;
inline constexpr size_t kMaxTimestamp = 35;
inline constexpr size_t kProducerId = 43;
inline constexpr size_t kProducerEpoch = 51;
inline constexpr size_t kBaseSequence = 53;
inline constexpr size_t kRecordCount = 57;
inline constexpr size_t kRecords = 61;
}  // namespace record_batch_at

namespace record_batch_attribute {
inline constexpr int16_t kCodecMask = 0x07;
inline constexpr int16_t kLogAppendTime = 0x08;
inline constexpr int16_t kTransactional = 0x10;
inline constexpr int16_t kControl = 0x20;
inline constexpr int16_t kDeleteHorizon = 0x40;
}  // namespace record_batch_attribute

// A producer's sequence number `count` steps after `sequence`: it wraps from 2^31-1 to 0.
constexpr int32_t AdvanceSequence(int32_t sequence, int32_t count) {
  constexpr int64_t kSequences = int64_t{1} << 31;
  return static_cast<int32_t>((int64_t{sequence} + count + kSequences) % kSequences);
}

// The 61 bytes of header alone, as a scan of a segment reads them.
class RecordBatchHeader {
 public:
  // Needs the first 61 bytes of a batch and that its length is at least the rest of the header.
  static absl::StatusOr<RecordBatchHeader> Parse(absl::string_view bytes) {
    if (bytes.size() < static_cast<size_t>(kRecordBatchHeaderBytes)) {
      return absl::DataLossError(absl::StrCat("record batch: expected a header of ",
                                              kRecordBatchHeaderBytes, " bytes, came ",
                                              bytes.size()));
    }
    const RecordBatchHeader header(bytes.data());
    if (header.size_bytes() < kRecordBatchHeaderBytes) {
      return absl::DataLossError(absl::StrCat("record batch: expected a length of at least ",
                                              kRecordBatchHeaderBytes - kRecordBatchPrefixBytes,
                                              ", came ",
                                              header.size_bytes() - kRecordBatchPrefixBytes));
    }
    return header;
  }

  Offset base_offset() const { return Offset(I64(record_batch_at::kBaseOffset)); }
  // Of the whole batch: 12 + its length field.
  int64_t size_bytes() const {
    return kRecordBatchPrefixBytes + int64_t{I32(record_batch_at::kLength)};
  }
  LeaderEpoch leader_epoch() const { return LeaderEpoch(I32(record_batch_at::kLeaderEpoch)); }
  int8_t magic() const { return static_cast<int8_t>(at_[record_batch_at::kMagic]); }
  uint32_t crc() const { return LoadBig32(at_ + record_batch_at::kCrc); }
  int16_t attributes() const { return I16(record_batch_at::kAttributes); }
  int32_t last_offset_delta() const { return I32(record_batch_at::kLastOffsetDelta); }
  TimestampMs base_timestamp() const { return I64(record_batch_at::kBaseTimestamp); }
  TimestampMs max_timestamp() const { return I64(record_batch_at::kMaxTimestamp); }
  ProducerId producer_id() const { return ProducerId(I64(record_batch_at::kProducerId)); }
  ProducerEpoch producer_epoch() const {
    return ProducerEpoch(I16(record_batch_at::kProducerEpoch));
  }
  int32_t base_sequence() const { return I32(record_batch_at::kBaseSequence); }
  int32_t record_count() const { return I32(record_batch_at::kRecordCount); }

  // Derived. Offsets wrap instead of overflowing, whatever the header says.
  Offset last_offset() const { return OffsetAfterBase(last_offset_delta()); }
  Offset next_offset() const { return OffsetAfterBase(int64_t{last_offset_delta()} + 1); }
  int32_t last_sequence() const {
    return base_sequence() == kNoSequence ? kNoSequence
                                          : AdvanceSequence(base_sequence(), last_offset_delta());
  }
  bool has_producer_id() const { return producer_id() != kNoProducerId; }
  Codec codec() const {
    return static_cast<Codec>(attributes() & record_batch_attribute::kCodecMask);
  }
  TimestampType timestamp_type() const {
    return Has(record_batch_attribute::kLogAppendTime) ? TimestampType::kLogAppendTime
                                                       : TimestampType::kCreateTime;
  }
  bool is_transactional() const { return Has(record_batch_attribute::kTransactional); }
  bool is_control() const { return Has(record_batch_attribute::kControl); }
  // Then base_timestamp() is the time from which the cleaner may drop tombstones (KIP-534).
  bool has_delete_horizon() const { return Has(record_batch_attribute::kDeleteHorizon); }

 protected:
  explicit RecordBatchHeader(const char* at) : at_(at) {}

  const char* at_;

 private:
  int16_t I16(size_t at) const { return static_cast<int16_t>(LoadBig16(at_ + at)); }
  int32_t I32(size_t at) const { return static_cast<int32_t>(LoadBig32(at_ + at)); }
  int64_t I64(size_t at) const { return static_cast<int64_t>(LoadBig64(at_ + at)); }
  bool Has(int16_t bit) const { return (attributes() & bit) != 0; }
  Offset OffsetAfterBase(int64_t delta) const {
    return Offset(static_cast<int64_t>(static_cast<uint64_t>(base_offset().value()) +
                                       static_cast<uint64_t>(delta)));
  }
};

// A whole batch.
class RecordBatchView : public RecordBatchHeader {
 public:
  // The batch that `bytes` starts with; more may follow it. kDataLoss when it is not whole.
  static absl::StatusOr<RecordBatchView> Parse(absl::string_view bytes) {
    WEIR_ASSIGN_OR_RETURN(const RecordBatchHeader header, RecordBatchHeader::Parse(bytes));
    if (static_cast<uint64_t>(header.size_bytes()) > bytes.size()) {
      return absl::DataLossError(absl::StrCat("record batch: expected ", header.size_bytes(),
                                              " bytes, came ", bytes.size()));
    }
    return RecordBatchView(bytes.data());
  }

  absl::string_view bytes() const {
    return absl::string_view(at_, static_cast<size_t>(size_bytes()));
  }
  // What follows the header: records, or one compressed piece.
  absl::string_view records() const { return bytes().substr(record_batch_at::kRecords); }
  // What the CRC covers.
  absl::string_view checked_bytes() const { return bytes().substr(record_batch_at::kAttributes); }
  uint32_t ComputeCrc() const { return Crc32c(checked_bytes()); }
  bool CrcIsValid() const { return ComputeCrc() == crc(); }

 private:
  explicit RecordBatchView(const char* at) : RecordBatchHeader(at) {}
};

// Patches. `batch` is a whole batch that RecordBatchView::Parse accepts.

// Outside what the CRC covers.
inline void SetBaseOffset(char* batch, Offset offset) {
  StoreBig64(batch + record_batch_at::kBaseOffset, static_cast<uint64_t>(offset.value()));
}
inline void SetLeaderEpoch(char* batch, LeaderEpoch epoch) {
  StoreBig32(batch + record_batch_at::kLeaderEpoch, static_cast<uint32_t>(epoch.value()));
}

// Makes the CRC fit the rest.
inline void SealCrc(char* batch) {
  const size_t size =
      static_cast<size_t>(kRecordBatchPrefixBytes) + LoadBig32(batch + record_batch_at::kLength);
  StoreBig32(batch + record_batch_at::kCrc,
             Crc32c(absl::string_view(batch + record_batch_at::kAttributes,
                                      size - record_batch_at::kAttributes)));
}

// Who wrote the batch, with what sequence number its records begin; the CRC covers them.
inline void SetProducer(char* batch, ProducerId id, ProducerEpoch epoch, int32_t base_sequence) {
  StoreBig64(batch + record_batch_at::kProducerId, static_cast<uint64_t>(id.value()));
  StoreBig16(batch + record_batch_at::kProducerEpoch, static_cast<uint16_t>(epoch.value()));
  StoreBig32(batch + record_batch_at::kBaseSequence, static_cast<uint32_t>(base_sequence));
  SealCrc(batch);
}

// For a batch whose records were found to have another maximum than its header says.
inline void SetMaxTimestamp(char* batch, TimestampMs max) {
  StoreBig64(batch + record_batch_at::kMaxTimestamp, static_cast<uint64_t>(max));
  SealCrc(batch);
}

// Gives every record the time `now`: readers ignore the records' own times from then on. Computes
// the CRC anew, so check the one that came before.
inline void SetLogAppendTime(char* batch, TimestampMs now) {
  const uint16_t attributes = LoadBig16(batch + record_batch_at::kAttributes);
  StoreBig16(batch + record_batch_at::kAttributes,
             static_cast<uint16_t>(attributes | record_batch_attribute::kLogAppendTime));
  StoreBig64(batch + record_batch_at::kMaxTimestamp, static_cast<uint64_t>(now));
  SealCrc(batch);
}

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_RECORD_BATCH_H_

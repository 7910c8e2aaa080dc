// -----------------------------------------------------------------------------
// File: protocol/record_batch_builder.h
// -----------------------------------------------------------------------------
// Writes one uncompressed record batch of version 2, byte for byte as Apache Kafka's own builder
// does. To compress it, hand it to CompressBatch (protocol/compression_batch.h).
// Format: protocol/record_batch.h and protocol/record.h.
// Threading: one thread. A builder may be used again after Build.
// Errors: kResourceExhausted when a record does not fit any more (the batch is unchanged: build
// and start the next), kInvalidArgument for a record that no batch can hold.
// Limits: RecordBatchOptions::bytes_max, 2^31-1 records.
#ifndef WEIR_PROTOCOL_RECORD_BATCH_BUILDER_H_
#define WEIR_PROTOCOL_RECORD_BATCH_BUILDER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/varint.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"

namespace weir::protocol {

struct RecordBatchOptions {
  Offset base_offset{0};
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  // Under kLogAppendTime the batch's maximum timestamp is log_append_time.
  TimestampType timestamp_type = TimestampType::kCreateTime;
  TimestampMs log_append_time = kNoTimestamp;
  ProducerId producer_id = kNoProducerId;
  ProducerEpoch producer_epoch = kNoProducerEpoch;
  int32_t base_sequence = kNoSequence;
  bool is_transactional = false;
  bool is_control = false;
  int64_t bytes_max = kRecordBatchBytesMax;  // of the whole batch
};

struct RecordToAppend {
  TimestampMs timestamp = kNoTimestamp;
  std::optional<absl::string_view> key;
  std::optional<absl::string_view> value;
  absl::Span<const RecordHeader> headers;
};

class RecordBatchBuilder {
 public:
  explicit RecordBatchBuilder(RecordBatchOptions options = {}) { Reset(options); }

  // Drops what was appended.
  void Reset(const RecordBatchOptions& options) {
    options_ = options;
    bytes_.assign(static_cast<size_t>(kRecordBatchHeaderBytes), '\0');
    record_count_ = 0;
    next_offset_delta_ = 0;
    max_timestamp_ = kNoTimestamp;
  }

  // The record takes the offset behind the last one.
  absl::Status Append(const RecordToAppend& record) {
    return AppendAt(options_.base_offset + next_offset_delta_, record);
  }

  // For compaction, which leaves gaps: `offset` is above the last one's.
  absl::Status AppendAt(Offset offset, const RecordToAppend& record) {
    const int64_t delta = offset - options_.base_offset;
    if (delta < next_offset_delta_ || delta > std::numeric_limits<int32_t>::max()) {
      return absl::InvalidArgumentError(
          absl::StrCat("record batch: expected an offset of ",
                       (options_.base_offset + next_offset_delta_).value(),
                       " or up to 2^31-1 above the base, came ", offset.value()));
    }
    const int64_t body = BodyBytes(record, static_cast<int32_t>(delta));
    const int64_t room = std::min<int64_t>(options_.bytes_max, kRecordBatchBytesMax) - size_bytes();
    if (body + static_cast<int64_t>(kVarint32BytesMax) > room &&
        body + static_cast<int64_t>(UvarintSize(static_cast<uint64_t>(body) << 1)) > room) {
      return absl::ResourceExhaustedError(
          absl::StrCat("record batch: a record of ", body, " bytes, expected at most ", room));
    }
    if (record_count_ == 0) base_timestamp_ = record.timestamp;
    Write(record, static_cast<int32_t>(delta), static_cast<int32_t>(body));
    ++record_count_;
    next_offset_delta_ = delta + 1;
    max_timestamp_ = std::max(max_timestamp_, record.timestamp);
    return absl::OkStatus();
  }

  // A record of a control batch (options: is_control). `value` is the body that its type defines.
  absl::Status AppendControl(TimestampMs timestamp, ControlType type, absl::string_view value) {
    WEIR_CHECK(options_.is_control);
    char key[4];
    StoreBig16(key, 0);
    StoreBig16(key + 2, static_cast<uint16_t>(type));
    RecordToAppend record;
    record.timestamp = timestamp;
    record.key = absl::string_view(key, sizeof(key));
    record.value = value;
    return Append(record);
  }

  // The end of a transaction: ABORT or COMMIT by the coordinator of this epoch.
  absl::Status AppendEndTransaction(TimestampMs timestamp, ControlType type,
                                    int32_t coordinator_epoch) {
    WEIR_CHECK(type == ControlType::kAbort || type == ControlType::kCommit);
    char value[kEndTxnMarkerBytes];
    StoreEndTxnMarker(coordinator_epoch, value);
    return AppendControl(timestamp, type, absl::string_view(value, sizeof(value)));
  }

  int32_t record_count() const { return record_count_; }
  bool empty() const { return record_count_ == 0; }
  // Of the batch as it stands.
  int64_t size_bytes() const { return static_cast<int64_t>(bytes_.size()); }

  // The batch, sealed with its CRC; needs one record at least. The builder is then empty, with the
  // same options but the base offset (and base sequence, if any) behind this batch.
  std::string Build() {
    WEIR_CHECK(record_count_ > 0);
    WriteHeader(bytes_.data());
    std::string built = std::move(bytes_);
    RecordBatchOptions next = options_;
    next.base_offset += next_offset_delta_;
    if (next.base_sequence != kNoSequence) {
      next.base_sequence =
          AdvanceSequence(AdvanceSequence(next.base_sequence, LastOffsetDelta()), 1);
    }
    Reset(next);
    return built;
  }

 private:
  static int64_t BytesFieldSize(const std::optional<absl::string_view>& bytes) {
    if (!bytes.has_value()) return 1;
    const int64_t size = static_cast<int64_t>(bytes->size());
    return size + static_cast<int64_t>(UvarintSize(static_cast<uint64_t>(size) << 1));
  }

  // Deltas wrap when two timestamps are more than 2^63 apart; readers wrap back.
  int64_t TimestampDelta(const RecordToAppend& record) const {
    const TimestampMs base = record_count_ == 0 ? record.timestamp : base_timestamp_;
    return static_cast<int64_t>(static_cast<uint64_t>(record.timestamp) -
                                static_cast<uint64_t>(base));
  }

  int64_t BodyBytes(const RecordToAppend& record, int32_t delta) const {
    int64_t size =
        1 + static_cast<int64_t>(VarlongSize(TimestampDelta(record)) + VarintSize(delta));
    size += BytesFieldSize(record.key) + BytesFieldSize(record.value);
    size += static_cast<int64_t>(UvarintSize(uint64_t{record.headers.size()} << 1));
    for (const RecordHeader& header : record.headers) {
      size += BytesFieldSize(header.key) + BytesFieldSize(header.value);
    }
    return size;
  }

  static char* PutBytes(char* to, const std::optional<absl::string_view>& bytes) {
    if (!bytes.has_value()) return PutVarint(to, -1);
    to = PutVarint(to, static_cast<int32_t>(bytes->size()));
    return std::copy(bytes->begin(), bytes->end(), to);
  }

  void Write(const RecordToAppend& record, int32_t delta, int32_t body) {
    const size_t before = bytes_.size();
    bytes_.resize(before + VarintSize(body) + static_cast<size_t>(body));
    char* to = PutVarint(bytes_.data() + before, body);
    *to++ = 0;  // attributes
    to = PutVarlong(to, TimestampDelta(record));
    to = PutVarint(to, delta);
    to = PutBytes(to, record.key);
    to = PutBytes(to, record.value);
    to = PutVarint(to, static_cast<int32_t>(record.headers.size()));
    for (const RecordHeader& header : record.headers) {
      to = PutBytes(to, header.key);
      to = PutBytes(to, header.value);
    }
    WEIR_CHECK(to == bytes_.data() + bytes_.size());
  }

  int32_t LastOffsetDelta() const { return static_cast<int32_t>(next_offset_delta_ - 1); }

  int16_t Attributes() const {
    int attributes = 0;
    if (options_.timestamp_type == TimestampType::kLogAppendTime) {
      attributes |= record_batch_attribute::kLogAppendTime;
    }
    if (options_.is_transactional) attributes |= record_batch_attribute::kTransactional;
    if (options_.is_control) attributes |= record_batch_attribute::kControl;
    return static_cast<int16_t>(attributes);
  }

  void WriteHeader(char* at) {
    namespace field = record_batch_at;
    SetBaseOffset(at, options_.base_offset);
    StoreBig32(at + field::kLength, static_cast<uint32_t>(size_bytes() - kRecordBatchPrefixBytes));
    SetLeaderEpoch(at, options_.leader_epoch);
    at[field::kMagic] = kRecordBatchMagic;
    StoreBig16(at + field::kAttributes, static_cast<uint16_t>(Attributes()));
    StoreBig32(at + field::kLastOffsetDelta, static_cast<uint32_t>(LastOffsetDelta()));
    StoreBig64(at + field::kBaseTimestamp, static_cast<uint64_t>(base_timestamp_));
    StoreBig64(at + field::kMaxTimestamp,
               static_cast<uint64_t>(options_.timestamp_type == TimestampType::kLogAppendTime
                                         ? options_.log_append_time
                                         : max_timestamp_));
    StoreBig64(at + field::kProducerId, static_cast<uint64_t>(options_.producer_id.value()));
    StoreBig16(at + field::kProducerEpoch, static_cast<uint16_t>(options_.producer_epoch.value()));
    StoreBig32(at + field::kBaseSequence, static_cast<uint32_t>(options_.base_sequence));
    StoreBig32(at + field::kRecordCount, static_cast<uint32_t>(record_count_));
    SealCrc(at);
  }

  RecordBatchOptions options_;
  std::string bytes_;
  int32_t record_count_ = 0;
  int64_t next_offset_delta_ = 0;
  TimestampMs base_timestamp_ = kNoTimestamp;
  TimestampMs max_timestamp_ = kNoTimestamp;
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_RECORD_BATCH_BUILDER_H_

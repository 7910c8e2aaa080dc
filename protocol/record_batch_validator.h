// -----------------------------------------------------------------------------
// File: protocol/record_batch_validator.h
// -----------------------------------------------------------------------------
// What a broker checks in the records of one partition of a Produce request before it appends them.
// The rules and the error codes are Apache Kafka 4.2's; where Weir is stricter, it says so.
//   no records, several batches, magic other than 2          INVALID_RECORD
//   lengths that lie, CRC, an unknown codec                  CORRUPT_MESSAGE
//   larger than max.message.bytes                            MESSAGE_TOO_LARGE
//   zstd before Produce v7                                   UNSUPPORTED_COMPRESSION_TYPE
//   control batch, count != last offset delta + 1,
//     sequence without producer id or the reverse            INVALID_RECORD
//   record framing, count, offset deltas (stricter)          INVALID_RECORD
//   no key on a compacted topic                              INVALID_RECORD, each record named
//   log-append time set by a client, timestamps out of
//     bounds, negative ones but -1 (stricter)                INVALID_TIMESTAMP, each record named
// Decision: uncompressed batches have their records walked; compressed ones are decoded only under
// ValidationMode::kFull, or when the topic is compacted, keeps another codec or bounds how old
// records are. That none is
// too far in the future (message.timestamp.after.max.ms, an hour unless set) is checked by the
// header's latest timestamp: Kafka's default would else have every compressed batch decoded.
// Threading: one thread per validator. It keeps a Decompressor and its buffer from call to call.
// Limits: DecompressionLimits; kRecordErrorsMax errors are listed.
#ifndef WEIR_PROTOCOL_RECORD_BATCH_VALIDATOR_H_
#define WEIR_PROTOCOL_RECORD_BATCH_VALIDATOR_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "protocol/compression.h"
#include "protocol/compression_batch.h"
#include "protocol/error_code.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "protocol/record_codec.h"

namespace weir::protocol {

inline constexpr size_t kRecordErrorsMax = 100;

enum class ValidationMode : int8_t {
  kFast,  // weir.batch.validation=fast: compressed batches are decoded only where a rule needs it
  kFull,  // weir.batch.validation=full: every batch is decoded
};

// What the topic and the request say. Bounds are in milliseconds before and after `now`.
struct ValidationRules {
  ValidationMode mode = ValidationMode::kFast;
  int16_t produce_version = 13;
  int32_t message_bytes_max = 1048588;  // max.message.bytes
  bool is_compacted = false;
  TimestampType timestamp_type = TimestampType::kCreateTime;  // message.timestamp.type
  int64_t timestamp_before_max_ms = std::numeric_limits<int64_t>::max();
  int64_t timestamp_after_max_ms = std::numeric_limits<int64_t>::max();
  std::optional<Codec> codec;  // compression.type; none: as it was sent
  DecompressionLimits decompression;
};

struct RecordError {
  int32_t index = 0;  // in the batch
  std::string message;
};

struct ValidationResult {
  ErrorCode error = ErrorCode::kNone;
  std::string message;                     // what was expected and what came; empty without error
  std::vector<RecordError> record_errors;  // the first kRecordErrorsMax
  // Of the records, where they were walked and the topic keeps create time: when it is not the
  // header's, the broker writes it there (SetMaxTimestamp), as Kafka does.
  std::optional<TimestampMs> max_timestamp;
  // The codec that it came in is not ValidationRules::codec: all of it was checked, and it is to be
  // brought to that one (protocol/record_batch_recompressor.h).
  bool needs_recompression = false;

  bool ok() const { return error == ErrorCode::kNone; }
};

class RecordBatchValidator {
 public:
  // `bytes` is the whole records field of one partition; `now` the broker's clock.
  ValidationResult Validate(absl::string_view bytes, const ValidationRules& rules,
                            TimestampMs now) {
    ValidationResult result;
    if (std::optional<RecordBatchView> batch = CheckFrame(bytes, rules, &result)) {
      if (!CheckHeader(*batch, rules, &result)) return result;
      result.needs_recompression = rules.codec.value_or(batch->codec()) != batch->codec();
      if (result.needs_recompression || NeedsRecords(*batch, rules)) {
        CheckRecords(*batch, rules, now, &result);
      } else {
        CheckLatest(*batch, rules, now, &result);
      }
    }
    return result;
  }

 private:
  [[gnu::cold, gnu::noinline]] static bool Fail(ErrorCode error, std::string message,
                                                ValidationResult* result) {
    result->error = error;
    result->message = std::move(message);
    return false;
  }

  // One whole batch of magic 2 and nothing else.
  static std::optional<RecordBatchView> CheckFrame(absl::string_view bytes,
                                                   const ValidationRules& rules,
                                                   ValidationResult* result) {
    if (bytes.empty()) {
      Fail(ErrorCode::kInvalidRecord, "expected one record batch, came none", result);
      return std::nullopt;
    }
    // Message sets of magic 0 and 1 have the magic at the same place, but shorter headers.
    if (bytes.size() > record_batch_at::kMagic) {
      const int magic = static_cast<int8_t>(bytes[record_batch_at::kMagic]);
      if (magic != kRecordBatchMagic) {
        Fail(ErrorCode::kInvalidRecord, absl::StrCat("expected magic 2, came ", magic), result);
        return std::nullopt;
      }
    }
    absl::StatusOr<RecordBatchView> batch = RecordBatchView::Parse(bytes);
    if (!batch.ok()) {
      Fail(ErrorCode::kCorruptMessage, std::string(batch.status().message()), result);
      return std::nullopt;
    }
    if (batch->size_bytes() != static_cast<int64_t>(bytes.size())) {
      Fail(ErrorCode::kInvalidRecord,
           absl::StrCat("expected one record batch, of ", batch->size_bytes(), " bytes, came ",
                        bytes.size()),
           result);
      return std::nullopt;
    }
    if (batch->size_bytes() > rules.message_bytes_max) {
      Fail(ErrorCode::kMessageTooLarge,
           absl::StrCat("expected a record batch of at most ", rules.message_bytes_max,
                        " bytes (max.message.bytes), came ", batch->size_bytes()),
           result);
      return std::nullopt;
    }
    return *batch;
  }

  static bool CheckHeader(const RecordBatchView& batch, const ValidationRules& rules,
                          ValidationResult* result) {
    if (const uint32_t crc = batch.ComputeCrc(); crc != batch.crc()) {
      return Fail(ErrorCode::kCorruptMessage,
                  absl::StrCat("expected CRC ", absl::Hex(crc), ", came ", absl::Hex(batch.crc())),
                  result);
    }
    if (!IsKnown(batch.codec())) {
      return Fail(ErrorCode::kCorruptMessage,
                  absl::StrCat("expected codec 0 to 4, came ", static_cast<int>(batch.codec())),
                  result);
    }
    if (batch.codec() == Codec::kZstd && rules.produce_version < 7) {
      return Fail(ErrorCode::kUnsupportedCompressionType,
                  absl::StrCat("zstd needs Produce version 7, came ", rules.produce_version),
                  result);
    }
    if (batch.is_control() || batch.has_delete_horizon()) {
      return Fail(ErrorCode::kInvalidRecord, "control batches and delete horizons are the broker's",
                  result);
    }
    if (batch.record_count() <= 0 ||
        int64_t{batch.last_offset_delta()} + 1 != batch.record_count()) {
      return Fail(ErrorCode::kInvalidRecord,
                  absl::StrCat("expected as many records as offsets, came ", batch.record_count(),
                               " records and a last offset delta of ", batch.last_offset_delta()),
                  result);
    }
    if (batch.timestamp_type() == TimestampType::kLogAppendTime) {
      return Fail(ErrorCode::kInvalidTimestamp, "producers may not set log-append time", result);
    }
    return CheckProducer(batch, result);
  }

  // Either none of producer id, epoch and sequence, or all of them.
  static bool CheckProducer(const RecordBatchView& batch, ValidationResult* result) {
    const auto came = [&batch] {
      return absl::StrCat("producer id ", batch.producer_id().value(), ", epoch ",
                          batch.producer_epoch().value(), ", sequence ", batch.base_sequence(),
                          batch.is_transactional() ? ", transactional" : "");
    };
    if (!batch.has_producer_id()) {
      if (batch.base_sequence() == kNoSequence && !batch.is_transactional()) return true;
      return Fail(ErrorCode::kInvalidRecord, absl::StrCat("expected a producer id, came ", came()),
                  result);
    }
    if (batch.producer_id().value() < 0 || batch.producer_epoch().value() < 0 ||
        batch.base_sequence() < 0) {
      return Fail(ErrorCode::kInvalidRecord,
                  absl::StrCat("expected no negative number, came ", came()), result);
    }
    return true;
  }

  // How old a record is cannot be told from the header, which has the latest timestamp.
  static bool NeedsRecords(const RecordBatchView& batch, const ValidationRules& rules) {
    const bool bounds_age = rules.timestamp_type == TimestampType::kCreateTime &&
                            rules.timestamp_before_max_ms != std::numeric_limits<int64_t>::max();
    return batch.codec() == Codec::kNone || rules.mode == ValidationMode::kFull ||
           rules.is_compacted || bounds_age;
  }

  // Of a batch whose records stay compressed: the latest timestamp, as the header gives it.
  static void CheckLatest(const RecordBatchView& batch, const ValidationRules& rules,
                          TimestampMs now, ValidationResult* result) {
    if (rules.timestamp_type != TimestampType::kCreateTime) return;
    CheckTimestamp(batch.max_timestamp(), batch.last_offset_delta(), rules, now, result);
  }

  void CheckRecords(const RecordBatchView& batch, const ValidationRules& rules, TimestampMs now,
                    ValidationResult* result) {
    absl::string_view records;
    const absl::Status decoded =
        DecompressRecords(decompressor_, batch, rules.decompression, &scratch_, &records);
    if (!decoded.ok()) {
      const bool too_large = decoded.code() == absl::StatusCode::kResourceExhausted;
      Fail(too_large ? ErrorCode::kMessageTooLarge : ErrorCode::kCorruptMessage,
           std::string(decoded.message()), result);
    } else {
      WalkRecords(batch, records, rules, now, result);
    }
    if (scratch_.capacity() > kScratchKeptBytesMax) std::string().swap(scratch_);
  }

  static void WalkRecords(const RecordBatchView& batch, absl::string_view records,
                          const ValidationRules& rules, TimestampMs now, ValidationResult* result) {
    TimestampMs max_timestamp = kNoTimestamp;
    RecordIterator it(records, batch.record_count());
    for (Record record; it.Next(&record);) {
      const int32_t index = it.records_read() - 1;
      const absl::Status headers = record.CheckHeaders();
      if (!headers.ok() || record.offset_delta != index) {
        Fail(ErrorCode::kInvalidRecord,
             absl::StrCat("record ", index, ": ",
                          headers.ok() ? absl::StrCat("expected its index as offset delta, came ",
                                                      record.offset_delta)
                                       : std::string(headers.message())),
             result);
        result->record_errors.clear();
        return;
      }
      if (rules.is_compacted && !record.key.has_value()) {
        Note(ErrorCode::kInvalidRecord, index, "a compacted topic needs a key", result);
      } else if (rules.timestamp_type == TimestampType::kCreateTime) {
        CheckTimestamp(record.TimestampIn(batch), index, rules, now, result);
      }
      max_timestamp = std::max(max_timestamp, record.TimestampIn(batch));
    }
    if (!it.status().ok()) {
      result->record_errors.clear();
      Fail(ErrorCode::kInvalidRecord, std::string(it.status().message()), result);
    } else if (rules.timestamp_type == TimestampType::kCreateTime) {
      result->max_timestamp = max_timestamp;
    }
  }

  static void CheckTimestamp(TimestampMs timestamp, int32_t index, const ValidationRules& rules,
                             TimestampMs now, ValidationResult* result) {
    if (timestamp == kNoTimestamp) return;
    // Both are not negative from here on, so that their difference does not overflow.
    const bool in_bounds =
        timestamp >= 0 &&
        std::max<TimestampMs>(now, 0) - timestamp <= rules.timestamp_before_max_ms &&
        timestamp - std::max<TimestampMs>(now, 0) <= rules.timestamp_after_max_ms;
    if (in_bounds) return;
    Note(ErrorCode::kInvalidTimestamp, index,
         absl::StrCat("expected a timestamp at most ", rules.timestamp_before_max_ms,
                      " ms before and ", rules.timestamp_after_max_ms, " ms after ", now, ", came ",
                      timestamp),
         result);
  }

  // One record is refused, and with it the batch. A bad timestamp decides the code of the batch.
  [[gnu::cold, gnu::noinline]] static void Note(ErrorCode error, int32_t index, std::string message,
                                                ValidationResult* result) {
    if (result->ok()) result->message = absl::StrCat("record ", index, ": ", message);
    if (result->error != ErrorCode::kInvalidTimestamp) result->error = error;
    if (result->record_errors.size() < kRecordErrorsMax) {
      result->record_errors.push_back({index, std::move(message)});
    }
  }

  static constexpr size_t kScratchKeptBytesMax = 4 << 20;

  Decompressor decompressor_;
  std::string scratch_;
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_RECORD_BATCH_VALIDATOR_H_

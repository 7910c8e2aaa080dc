// -----------------------------------------------------------------------------
// File: log/record_reader.h
// -----------------------------------------------------------------------------
// Reads a log record by record, whatever the codecs of its batches. A target of its own: the log
// itself decompresses nothing. Control records are left out.
// Threading: as log/log_reader.h.
// Errors: as there; kDataLoss also for records that cannot be decoded, kResourceExhausted for those
// that decode to too much: no call after that goes on.
// Limits: protocol::DecompressionLimits for each batch.
#ifndef WEIR_LOG_RECORD_READER_H_
#define WEIR_LOG_RECORD_READER_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "log/log.h"
#include "log/log_reader.h"
#include "protocol/compression.h"
#include "protocol/compression_batch.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"

namespace weir::log {

// Borrowed from the reader: valid until its next call.
struct LogRecord {
  Offset offset;
  TimestampMs timestamp = kNoTimestamp;
  std::optional<absl::string_view> key;    // empty where null
  std::optional<absl::string_view> value;  // empty where null: a tombstone
  protocol::RecordHeaderIterator headers{absl::string_view(), 0};
};

class RecordReader {
 public:
  // From the first record at `from` or behind. The log outlives the reader.
  RecordReader(Log& log, Offset from) : batches_(log, from), from_(from) {}

  // The next record below the log's end, or nothing (yet: more may be appended).
  absl::StatusOr<std::optional<LogRecord>> Next() {
    WEIR_RETURN_IF_ERROR(failed_);
    protocol::Record record;
    while (true) {
      while (records_.Next(&record)) {
        const Offset offset = record.OffsetIn(*batch_);
        if (offset < from_) continue;
        return std::optional<LogRecord>(LogRecord{offset, record.TimestampIn(*batch_), record.key,
                                                  record.value, record.headers()});
      }
      if (!records_.status().ok()) return Fail(records_.status());
      WEIR_ASSIGN_OR_RETURN(batch_, batches_.Next());
      if (!batch_.has_value()) return std::optional<LogRecord>();
      if (batch_->is_control()) continue;
      absl::string_view records;
      if (const absl::Status decoded =
              protocol::DecompressRecords(decompressor_, *batch_, {}, &payload_, &records);
          !decoded.ok()) {
        return Fail(decoded);
      }
      records_ = protocol::RecordIterator(records, batch_->record_count());
    }
  }

 private:
  absl::Status Fail(const absl::Status& status) {
    failed_ = absl::Status(
        status.code(),
        absl::StrCat("batch at offset ", batch_->base_offset().value(), ": ", status.message()));
    return failed_;
  }

  LogReader batches_;
  const Offset from_;
  std::optional<protocol::RecordBatchView> batch_;
  protocol::Decompressor decompressor_;
  std::string payload_;
  protocol::RecordIterator records_{absl::string_view(), 0};
  absl::Status failed_;
};

}  // namespace weir::log

#endif  // WEIR_LOG_RECORD_READER_H_

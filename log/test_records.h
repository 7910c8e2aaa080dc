// -----------------------------------------------------------------------------
// File: log/test_records.h
// -----------------------------------------------------------------------------
// Records with keys on their way into a log and out of it, for the tests of the cleaner.
#ifndef WEIR_LOG_TEST_RECORDS_H_
#define WEIR_LOG_TEST_RECORDS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/ids.h"
#include "log/log.h"
#include "log/test_batches.h"
#include "protocol/compression.h"
#include "protocol/compression_batch.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"
#include "protocol/record_codec.h"

namespace weir::log {

using Text = std::optional<std::string>;

struct KeyedRecord {
  Text key;
  Text value;
};

// A batch of the records, from `options.base_offset` on.
inline std::string MakeKeyedBatch(const std::vector<KeyedRecord>& records,
                                  const protocol::RecordBatchOptions& options = {},
                                  TimestampMs timestamp = 1000,
                                  protocol::Codec codec = protocol::Codec::kNone,
                                  std::optional<int> level = std::nullopt) {
  protocol::RecordBatchBuilder builder(options);
  for (const KeyedRecord& keyed : records) {
    protocol::RecordToAppend record;
    record.timestamp = timestamp++;
    if (keyed.key.has_value()) record.key = *keyed.key;
    if (keyed.value.has_value()) record.value = *keyed.value;
    WEIR_CHECK(builder.Append(record).ok());
  }
  std::string batch = builder.Build();
  if (codec == protocol::Codec::kNone) return batch;
  protocol::Compressor compressor;
  std::string compressed;
  WEIR_CHECK(protocol::CompressBatch(compressor, *protocol::RecordBatchView::Parse(batch), codec,
                                     level, &compressed)
                 .ok());
  return compressed;
}

// Appends one batch as leader of epoch 0 and tells what became of it.
inline BatchToAppend AppendTo(Log& log, std::string* batch, TimestampMs now_ms = 1000) {
  BatchToAppend append;
  append.bytes = absl::MakeSpan(batch->data(), batch->size());
  log.Append(absl::MakeSpan(&append, 1), LeaderEpoch(0), now_ms);
  return append;
}

struct FoundBatch {
  std::string bytes;
  protocol::RecordBatchView view() const { return *protocol::RecordBatchView::Parse(bytes); }
};

// Every batch that readers see, in order. Checks that offsets ascend.
inline std::vector<FoundBatch> ReadBatches(Log& log) {
  std::vector<FoundBatch> batches;
  Offset next = log.log_start_offset();
  while (next < log.log_end_offset()) {
    const auto slice = log.Read(next, int64_t{1} << 30, log.log_end_offset(), true);
    WEIR_CHECK(slice.ok());
    if (slice->empty()) break;
    const std::string bytes = SliceBytes(*slice);
    for (absl::string_view rest = bytes; !rest.empty();) {
      const auto batch = protocol::RecordBatchView::Parse(rest);
      WEIR_CHECK(batch.ok() && batch->CrcIsValid());
      if (!batches.empty()) {
        WEIR_CHECK(batch->base_offset() > batches.back().view().last_offset());
      }
      batches.push_back({std::string(batch->bytes())});
      rest.remove_prefix(static_cast<size_t>(batch->size_bytes()));
    }
    next = slice->next_offset;
  }
  return batches;
}

struct FoundRecordOf {
  int64_t offset = 0;
  Text key;
  Text value;
  TimestampMs timestamp = 0;
  friend bool operator==(const FoundRecordOf&, const FoundRecordOf&) = default;
};

// The records of data batches.
inline std::vector<FoundRecordOf> ReadRecords(Log& log) {
  std::vector<FoundRecordOf> found;
  protocol::Decompressor decompressor;
  for (const FoundBatch& one : ReadBatches(log)) {
    const protocol::RecordBatchView batch = one.view();
    if (batch.is_control()) continue;
    std::string scratch;
    absl::string_view payload;
    WEIR_CHECK(protocol::DecompressRecords(decompressor, batch, protocol::DecompressionLimits(),
                                           &scratch, &payload)
                   .ok());
    protocol::RecordIterator it(payload, batch.record_count());
    for (protocol::Record record; it.Next(&record);) {
      FoundRecordOf of{record.OffsetIn(batch).value(), std::nullopt, std::nullopt,
                       record.TimestampIn(batch)};
      if (record.key.has_value()) of.key = std::string(*record.key);
      if (record.value.has_value()) of.value = std::string(*record.value);
      found.push_back(std::move(of));
    }
    WEIR_CHECK(it.status().ok());
  }
  return found;
}

// "3:a=x 5:b=- " for a record at offset 3 and a tombstone at 5.
inline std::string Told(const std::vector<FoundRecordOf>& records) {
  std::string told;
  for (const FoundRecordOf& record : records) {
    absl::StrAppend(&told, record.offset, ":", record.key.value_or("?"), "=",
                    record.value.value_or("-"), " ");
  }
  return told;
}

}  // namespace weir::log

#endif  // WEIR_LOG_TEST_RECORDS_H_

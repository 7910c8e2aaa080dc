// -----------------------------------------------------------------------------
// File: log/test_batches.h
// -----------------------------------------------------------------------------
// Record batches and a log to put them in, for the tests of this package.
#ifndef WEIR_LOG_TEST_BATCHES_H_
#define WEIR_LOG_TEST_BATCHES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/endian.h"
#include "base/ids.h"
#include "base/varint.h"
#include "log/log_types.h"
#include "protocol/record_batch.h"

namespace weir::log {

struct TestBatch {
  int records = 1;
  size_t value_bytes = 10;
  TimestampMs timestamp = 1000;  // of the first record; each next is later by timestamp_step
  int64_t timestamp_step = 0;
  ProducerId producer = kNoProducerId;
  int16_t epoch = 0;
  int32_t sequence = -1;
  int16_t attributes = 0;
  Offset base_offset{0};
  char fill = 'v';
};

// An uncompressed batch with a valid CRC.
inline std::string MakeBatch(const TestBatch& spec) {
  std::string bytes(61, '\0');
  TimestampMs max_timestamp = spec.timestamp;
  for (int i = 0; i < spec.records; ++i) {
    const int64_t delta = i * spec.timestamp_step;
    max_timestamp = std::max(max_timestamp, spec.timestamp + delta);
    char buffer[32];
    std::string record(1, '\0');  // attributes
    record.append(buffer, PutVarlong(buffer, delta));
    record.append(buffer, PutVarint(buffer, i));
    record.append(buffer, PutVarint(buffer, -1));  // no key
    record.append(buffer, PutVarint(buffer, static_cast<int32_t>(spec.value_bytes)));
    record.append(spec.value_bytes, spec.fill);
    record.append(buffer, PutVarint(buffer, 0));  // no headers
    bytes.append(buffer, PutVarint(buffer, static_cast<int32_t>(record.size())));
    bytes.append(record);
  }
  namespace at = protocol::record_batch_at;
  char* const to = bytes.data();
  StoreBig64(to + at::kBaseOffset, static_cast<uint64_t>(spec.base_offset.value()));
  StoreBig32(to + at::kLength, static_cast<uint32_t>(bytes.size() - 12));
  to[at::kMagic] = 2;
  StoreBig16(to + at::kAttributes, static_cast<uint16_t>(spec.attributes));
  StoreBig32(to + at::kLastOffsetDelta, static_cast<uint32_t>(spec.records - 1));
  StoreBig64(to + at::kBaseTimestamp, static_cast<uint64_t>(spec.timestamp));
  StoreBig64(to + at::kMaxTimestamp, static_cast<uint64_t>(max_timestamp));
  StoreBig64(to + at::kProducerId, static_cast<uint64_t>(spec.producer.value()));
  StoreBig16(to + at::kProducerEpoch,
             static_cast<uint16_t>(spec.producer == kNoProducerId ? -1 : spec.epoch));
  StoreBig32(to + at::kBaseSequence, static_cast<uint32_t>(spec.sequence));
  StoreBig32(to + at::kRecordCount, static_cast<uint32_t>(spec.records));
  protocol::SealCrc(to);
  return bytes;
}

// A marker that ends a producer's transaction.
struct TestMarker {
  ProducerId producer{0};
  int16_t epoch = 0;
  bool aborts = false;
  int32_t coordinator_epoch = 0;
  TimestampMs timestamp = 1000;
  Offset base_offset{0};
};

inline std::string MakeMarker(const TestMarker& spec) {
  constexpr int16_t kAttributes =
      protocol::record_batch_attribute::kTransactional | protocol::record_batch_attribute::kControl;
  std::string bytes = MakeBatch({.records = 0,
                                 .timestamp = spec.timestamp,
                                 .producer = spec.producer,
                                 .epoch = spec.epoch,
                                 .attributes = kAttributes,
                                 .base_offset = spec.base_offset});
  // A length; attributes, deltas; a key of version and type; a value of version and epoch; headers.
  std::string record(3, '\0');
  record.append("\x08\0\0\0", 4).push_back(spec.aborts ? 0 : 1);
  record.append("\x0c\0\0", 3).append(4, '\0').push_back('\0');
  StoreBig32(&record[record.size() - 5], static_cast<uint32_t>(spec.coordinator_epoch));
  bytes.push_back(static_cast<char>(2 * record.size()));
  bytes.append(record);
  namespace at = protocol::record_batch_at;
  StoreBig32(&bytes[at::kLength], static_cast<uint32_t>(bytes.size() - 12));
  StoreBig32(&bytes[at::kLastOffsetDelta], 0);
  StoreBig32(&bytes[at::kRecordCount], 1);
  protocol::SealCrc(bytes.data());
  return bytes;
}

// The bytes of a slice.
inline std::string SliceBytes(const LogSlice& slice) {
  if (slice.empty()) return "";
  std::string bytes(static_cast<size_t>(slice.size_bytes), '\0');
  const auto got = slice.file->ReadAt(slice.position, absl::MakeSpan(bytes.data(), bytes.size()));
  bytes.resize(got.ok() ? *got : 0);
  return bytes;
}

}  // namespace weir::log

#endif  // WEIR_LOG_TEST_BATCHES_H_

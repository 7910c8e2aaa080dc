// -----------------------------------------------------------------------------
// File: tests/golden/batches.h
// -----------------------------------------------------------------------------
// The records that GenerateBatches.java writes, built here: 300 stock orders with null keys, null
// values and headers among them.
#ifndef WEIR_TESTS_GOLDEN_BATCHES_H_
#define WEIR_TESTS_GOLDEN_BATCHES_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/ids.h"
#include "protocol/record.h"
#include "protocol/record_batch_builder.h"

namespace weir::golden {

struct SampleRecord {
  TimestampMs timestamp = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;

  friend bool operator==(const SampleRecord&, const SampleRecord&) = default;
};

inline constexpr int64_t kSampleBaseOffset = 1234567890123;
inline constexpr int kSampleRecords = 300;

inline SampleRecord SampleRecordAt(int i) {
  SampleRecord record;
  record.timestamp = 1700000000000 + (i % 3 == 0 ? -i : i * 1000);
  if (i % 7 != 0) record.key = absl::StrCat("investor-", i % 40);
  if (i % 11 != 0) {
    record.value = absl::StrCat("{\"order_id\":", i, ",\"asset_id\":\"A", i % 13,
                                "\",\"shares\":", i * 37 % 1000, ",\"price\":", i * 7919 % 100000,
                                ",\"side\":\"", i % 2 == 0 ? "BUY" : "SELL", "\"}");
  }
  if (i % 5 == 0) record.headers.emplace_back("trace", absl::StrCat("t-", i));
  if (i % 10 == 0) record.headers.emplace_back("", std::nullopt);
  return record;
}

// Uncompressed. `idempotent` is transactional too, and its sequence wraps.
inline std::string SampleBatch(bool idempotent) {
  protocol::RecordBatchOptions options;
  options.base_offset = Offset(kSampleBaseOffset);
  options.leader_epoch = LeaderEpoch(77);
  if (idempotent) {
    options.producer_id = ProducerId(4711);
    options.producer_epoch = ProducerEpoch(12);
    options.base_sequence = std::numeric_limits<int32_t>::max() - 10;
    options.is_transactional = true;
  }
  protocol::RecordBatchBuilder builder(options);
  for (int i = 0; i < kSampleRecords; ++i) {
    const SampleRecord sample = SampleRecordAt(i);
    std::vector<protocol::RecordHeader> headers;
    for (const auto& [key, value] : sample.headers) headers.push_back({key, value});
    protocol::RecordToAppend record;
    record.timestamp = sample.timestamp;
    record.key = sample.key;
    record.value = sample.value;
    record.headers = headers;
    WEIR_CHECK(builder.Append(record).ok());
  }
  return builder.Build();
}

}  // namespace weir::golden

#endif  // WEIR_TESTS_GOLDEN_BATCHES_H_

// Any bytes, taken for record batches: walking them, decompressing them and validating them ends in
// records or an error, and what the validator accepts in full is what it says it is, in any codec.
//
// bazel test //tests/fuzz:record_batch_fuzz_test           runs and damages the corpus
// bazel build --config=fuzz //tests/fuzz:record_batch_fuzz and then, in the repository's root,
// bazel-bin/tests/fuzz/record_batch_fuzz FOLDER tests/fuzz/corpus/record_batch   searches, with
//   libFuzzer, and keeps what it finds in FOLDER
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/endian.h"
#include "protocol/compression.h"
#include "protocol/compression_batch.h"
#include "protocol/error_code.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_recompressor.h"
#include "protocol/record_batch_validator.h"
#include "protocol/record_codec.h"

namespace weir::protocol {
namespace {

constexpr DecompressionLimits kLimits{.output_bytes_max = 1 << 20};
constexpr TimestampMs kNow = 1'700'000'000'000;

// Gives the first batch the length that is there and a CRC that fits, so that what lies behind
// these checks is reached.
std::string Mended(std::string bytes) {
  if (bytes.size() < static_cast<size_t>(kRecordBatchHeaderBytes)) return bytes;
  bytes[record_batch_at::kMagic] = static_cast<char>(kRecordBatchMagic);
  StoreBig32(bytes.data() + record_batch_at::kLength,
             static_cast<uint32_t>(bytes.size() - static_cast<size_t>(kRecordBatchPrefixBytes)));
  SealCrc(bytes.data());
  return bytes;
}

// Reads all records; whether they are as many as `count` and fill `payload`.
bool Iterate(absl::string_view payload, int32_t count) {
  RecordIterator it(payload, count);
  Record record;
  size_t bytes = 0;
  while (it.Next(&record)) {
    bytes += record.bytes.size();
    WEIR_CHECK(bytes <= payload.size());
    RecordHeaderIterator headers = record.headers();
    RecordHeader header;
    int32_t headers_read = 0;
    while (headers.Next(&header)) ++headers_read;
    WEIR_CHECK(headers.status().ok() ? headers_read == record.header_count
                                     : !record.CheckHeaders().ok());
    GetControlType(record);
  }
  WEIR_CHECK(it.records_read() <= count || count < 0);
  if (!it.status().ok()) return false;
  WEIR_CHECK(it.records_read() == count && bytes == payload.size());
  return true;
}

// Batch behind batch, as far as they go.
void Walk(absl::string_view bytes) {
  Decompressor decompressor;
  std::string scratch;
  for (int n = 0; n < 8; ++n) {
    const absl::StatusOr<RecordBatchView> batch = RecordBatchView::Parse(bytes);
    if (!batch.ok()) {
      WEIR_CHECK(absl::IsDataLoss(batch.status()));
      return;
    }
    WEIR_CHECK(batch->size_bytes() >= kRecordBatchHeaderBytes);
    absl::string_view records;
    if (DecompressRecords(decompressor, *batch, kLimits, &scratch, &records).ok()) {
      WEIR_CHECK(records.size() <= kLimits.output_bytes_max || batch->codec() == Codec::kNone);
      Iterate(records, batch->record_count());
    }
    bytes.remove_prefix(batch->bytes().size());
  }
}

void Validate(absl::string_view bytes, bool compacted, Codec to) {
  RecordBatchValidator validator;
  ValidationRules rules;
  rules.is_compacted = compacted;
  rules.decompression = kLimits;
  const ValidationResult fast = validator.Validate(bytes, rules, kNow);
  rules.mode = ValidationMode::kFull;
  const ValidationResult full = validator.Validate(bytes, rules, kNow);
  WEIR_CHECK(fast.ok() == fast.message.empty() && full.ok() == full.message.empty());
  WEIR_CHECK(fast.ok() || !full.ok());  // full checks more
  if (!full.ok()) return;
  const absl::StatusOr<RecordBatchView> batch = RecordBatchView::Parse(bytes);
  WEIR_CHECK(batch.ok() && batch->CrcIsValid() && batch->bytes().size() == bytes.size());
  Decompressor decompressor;
  std::string scratch, again_scratch;
  absl::string_view records, again_records;
  WEIR_CHECK(DecompressRecords(decompressor, *batch, kLimits, &scratch, &records).ok());
  WEIR_CHECK(Iterate(records, batch->record_count()));
  std::string recompressed;
  RecordBatchRecompressor recompressor;
  const absl::Status status =
      recompressor.Recompress(*batch, to, std::nullopt, kLimits, &recompressed);
  WEIR_CHECK(status.ok());
  const absl::StatusOr<RecordBatchView> again = RecordBatchView::Parse(recompressed);
  WEIR_CHECK(again.ok() && again->CrcIsValid() && again->codec() == to);
  WEIR_CHECK(DecompressRecords(decompressor, *again, kLimits, &again_scratch, &again_records).ok());
  WEIR_CHECK(records == again_records);
}

}  // namespace
}  // namespace weir::protocol

// The first byte says whether the batch is mended, whether its topic is compacted, and which codec
// it is brought to; the rest is the batch.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::protocol;  // NOLINT: everything above
  if (size < 1) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 1) != 0) bytes = Mended(std::move(bytes));
  Walk(bytes);
  Validate(bytes, (data[0] & 2) != 0, static_cast<Codec>((data[0] >> 2) % 5));
  return 0;
}

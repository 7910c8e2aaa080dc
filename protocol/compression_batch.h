// -----------------------------------------------------------------------------
// File: protocol/compression_batch.h
// -----------------------------------------------------------------------------
// Whole record batches to and from their compressed form. The header stays as it is but for the
// codec, the length and the CRC; the records are compressed as one piece.
// Errors: as protocol/compression.h.
#ifndef WEIR_PROTOCOL_COMPRESSION_BATCH_H_
#define WEIR_PROTOCOL_COMPRESSION_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/status_macros.h"
#include "protocol/compression.h"
#include "protocol/record_batch.h"
#include "protocol/record_codec.h"

namespace weir::protocol {

// Compresses an uncompressed `batch`, as RecordBatchBuilder builds it, into *out.
inline absl::Status CompressBatch(Compressor& compressor, const RecordBatchView& batch, Codec codec,
                                  std::optional<int> level, std::string* out) {
  WEIR_CHECK(batch.codec() == Codec::kNone);
  std::string payload;
  WEIR_RETURN_IF_ERROR(compressor.Compress(codec, batch.records(), level, &payload));
  const absl::string_view header = batch.bytes().substr(0, record_batch_at::kRecords);
  out->assign(header.data(), header.size());
  out->append(payload);
  char* const at = out->data();
  StoreBig32(at + record_batch_at::kLength,
             static_cast<uint32_t>(out->size() - static_cast<size_t>(kRecordBatchPrefixBytes)));
  StoreBig16(at + record_batch_at::kAttributes,
             static_cast<uint16_t>(batch.attributes() | static_cast<int16_t>(codec)));
  SealCrc(at);
  return absl::OkStatus();
}

// The records of `batch`, for RecordIterator. They are `scratch`, or, where there is no codec, the
// batch's own bytes.
inline absl::Status DecompressRecords(Decompressor& decompressor, const RecordBatchView& batch,
                                      const DecompressionLimits& limits, std::string* scratch,
                                      absl::string_view* records) {
  if (batch.codec() == Codec::kNone) {
    *records = batch.records();
    return absl::OkStatus();
  }
  WEIR_RETURN_IF_ERROR(decompressor.Decompress(batch.codec(), batch.records(), limits, scratch));
  *records = *scratch;
  return absl::OkStatus();
}

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_COMPRESSION_BATCH_H_

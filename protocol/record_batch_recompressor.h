// -----------------------------------------------------------------------------
// File: protocol/record_batch_recompressor.h
// -----------------------------------------------------------------------------
// Brings a record batch to the codec that its topic keeps (compression.type). The records stay as
// they are, byte for byte; codec, length and CRC of the header follow.
// Threading: one thread per recompressor, which keeps the libraries' contexts and a buffer.
// Errors: as protocol/compression.h.
// Limits: DecompressionLimits.
#ifndef WEIR_PROTOCOL_RECORD_BATCH_RECOMPRESSOR_H_
#define WEIR_PROTOCOL_RECORD_BATCH_RECOMPRESSOR_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/endian.h"
#include "base/status_macros.h"
#include "protocol/compression.h"
#include "protocol/compression_batch.h"
#include "protocol/record_batch.h"
#include "protocol/record_codec.h"

namespace weir::protocol {

class RecordBatchRecompressor {
 public:
  // Replaces *out by `batch`, one that was validated, with `codec`. Without a level, the codec's
  // usual one.
  absl::Status Recompress(const RecordBatchView& batch, Codec codec, std::optional<int> level,
                          const DecompressionLimits& limits, std::string* out) {
    absl::string_view records;
    WEIR_RETURN_IF_ERROR(DecompressRecords(decompressor_, batch, limits, &decompressed_, &records));
    const absl::Status compressed = compressor_.Compress(codec, records, level, &compressed_);
    if (compressed.ok()) Assemble(batch, codec, out);
    for (std::string* buffer : {&decompressed_, &compressed_}) {
      if (buffer->capacity() > kBufferKeptBytesMax) std::string().swap(*buffer);
    }
    return compressed;
  }

 private:
  static constexpr size_t kBufferKeptBytesMax = 4 << 20;

  void Assemble(const RecordBatchView& batch, Codec codec, std::string* out) const {
    const absl::string_view header = batch.bytes().substr(0, record_batch_at::kRecords);
    out->assign(header.data(), header.size());
    out->append(compressed_);
    char* const at = out->data();
    StoreBig32(at + record_batch_at::kLength,
               static_cast<uint32_t>(out->size() - static_cast<size_t>(kRecordBatchPrefixBytes)));
    const int rest = batch.attributes() & ~record_batch_attribute::kCodecMask;
    StoreBig16(at + record_batch_at::kAttributes,
               static_cast<uint16_t>(rest | static_cast<int8_t>(codec)));
    SealCrc(at);
  }

  Compressor compressor_;
  Decompressor decompressor_;
  std::string decompressed_;
  std::string compressed_;
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_RECORD_BATCH_RECOMPRESSOR_H_

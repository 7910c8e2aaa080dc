// -----------------------------------------------------------------------------
// File: protocol/compression.h
// -----------------------------------------------------------------------------
// The codecs of record batches: none, gzip, snappy, lz4 and zstd, by their own libraries.
// Threading: a Compressor or Decompressor serves one thread at a time; it keeps the libraries'
// contexts from call to call.
// Errors: kDataLoss for input that is malformed, ends early or has something behind its end;
// kResourceExhausted for more output than the limits allow; kInvalidArgument for an unknown codec
// or a level out of range. After an error *out is empty.
// Limits: DecompressionLimits; inputs of at most kRecordBatchBytesMax.
#ifndef WEIR_PROTOCOL_COMPRESSION_H_
#define WEIR_PROTOCOL_COMPRESSION_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"
#include "protocol/internal/bounded_output.h"
#include "protocol/internal/gzip.h"
#include "protocol/internal/lz4.h"
#include "protocol/internal/snappy.h"
#include "protocol/internal/zstd.h"
#include "protocol/record_codec.h"

namespace weir::protocol {

// How much may come out: at most output_bytes_max, and at most ratio_max times the input as soon as
// it is more than ratio_free_bytes. Honest batches of equal records reach ratios of ten thousand
// with zstd, but then they are small; gzip ends at 1032, lz4 at 255, snappy at 22.
struct DecompressionLimits {
  size_t output_bytes_max = kDecompressedBytesMax;
  size_t ratio_max = 1032;
  size_t ratio_free_bytes = 16 << 20;

  size_t OutputBytesMaxFor(size_t input_bytes) const {
    return std::min(output_bytes_max, std::max(ratio_free_bytes, input_bytes * ratio_max));
  }
};

class Compressor {
 public:
  // Replaces *out by the compressed form of `in`. Without a level, the codec's usual one.
  absl::Status Compress(Codec codec, absl::string_view in, std::optional<int> level,
                        std::string* out) {
    const absl::Status status = Run(codec, in, level, out);
    if (!status.ok()) out->clear();
    return status;
  }

 private:
  absl::Status Run(Codec codec, absl::string_view in, std::optional<int> level, std::string* out) {
    if (in.size() > kDecompressedBytesMax) {
      return absl::InvalidArgumentError(absl::StrCat(
          "compress: expected at most ", kDecompressedBytesMax, " bytes, came ", in.size()));
    }
    switch (codec) {
      case Codec::kNone:
        out->assign(in.data(), in.size());
        return absl::OkStatus();
      case Codec::kGzip:
        return gzip_.Compress(in, level, out);
      case Codec::kSnappy:
        compression_internal::SnappyCompress(in, out);
        return absl::OkStatus();
      case Codec::kLz4:
        return lz4_.Compress(in, level, out);
      case Codec::kZstd:
        return zstd_.Compress(in, level, out);
    }
    return absl::InvalidArgumentError(
        absl::StrCat("compress: unknown codec ", int{+static_cast<int8_t>(codec)}));
  }

  compression_internal::GzipCompressor gzip_;
  compression_internal::Lz4Compressor lz4_;
  compression_internal::ZstdCompressor zstd_;
};

class Decompressor {
 public:
  // Replaces *out by what `in` decompresses to.
  absl::Status Decompress(Codec codec, absl::string_view in, const DecompressionLimits& limits,
                          std::string* out) {
    const absl::Status status = Run(codec, in, limits, out);
    if (!status.ok()) out->clear();
    return status;
  }

 private:
  absl::Status Run(Codec codec, absl::string_view in, const DecompressionLimits& limits,
                   std::string* out) {
    if (in.size() > static_cast<size_t>(kRecordBatchBytesMax)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "decompress: expected at most ", kRecordBatchBytesMax, " bytes, came ", in.size()));
    }
    const size_t bytes_max = limits.OutputBytesMaxFor(in.size());
    if (codec == Codec::kNone) {
      if (in.size() > bytes_max) {
        return absl::ResourceExhaustedError(
            absl::StrCat("decompress: expected at most ", bytes_max, " bytes, came ", in.size()));
      }
      out->assign(in.data(), in.size());
      return absl::OkStatus();
    }
    if (!IsKnown(codec)) {
      return absl::InvalidArgumentError(
          absl::StrCat("decompress: unknown codec ", int{+static_cast<int8_t>(codec)}));
    }
    compression_internal::BoundedOutput bounded(out, bytes_max, in.size() * 3);
    const absl::Status status = Stream(codec, in, &bounded);
    if (status.ok()) bounded.Finish();
    return status;
  }

  absl::Status Stream(Codec codec, absl::string_view in, compression_internal::BoundedOutput* out) {
    if (codec == Codec::kGzip) return gzip_.Decompress(in, out);
    if (codec == Codec::kSnappy) return compression_internal::SnappyDecompress(in, out);
    if (codec == Codec::kLz4) return lz4_.Decompress(in, out);
    return zstd_.Decompress(in, out);
  }

  compression_internal::GzipDecompressor gzip_;
  compression_internal::Lz4Decompressor lz4_;
  compression_internal::ZstdDecompressor zstd_;
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_COMPRESSION_H_

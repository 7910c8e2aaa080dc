// -----------------------------------------------------------------------------
// File: protocol/record_codec.h
// -----------------------------------------------------------------------------
// Which compression a record batch's payload has: bits 0 to 2 of its attributes.
#ifndef WEIR_PROTOCOL_RECORD_CODEC_H_
#define WEIR_PROTOCOL_RECORD_CODEC_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace weir::protocol {

// Values 5 to 7 fit the bits but are no codec: see IsKnown.
enum class Codec : int8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };

constexpr bool IsKnown(Codec codec) { return codec >= Codec::kNone && codec <= Codec::kZstd; }

// The spelling of Kafka's compression.type, or "unknown".
constexpr absl::string_view CodecName(Codec codec) {
  switch (codec) {
    case Codec::kNone:
      return "none";
    case Codec::kGzip:
      return "gzip";
    case Codec::kSnappy:
      return "snappy";
    case Codec::kLz4:
      return "lz4";
    case Codec::kZstd:
      return "zstd";
  }
  return "unknown";
}

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_RECORD_CODEC_H_

// -----------------------------------------------------------------------------
// File: protocol/internal/snappy.h
// -----------------------------------------------------------------------------
// Snappy in the two shapes that Kafka clients send: the framing of xerial's snappy-java (the Java
// client and most others), and one raw block (some others). We write the former.
// Format (xerial): 82 'SNAPPY' 00, version i32, compatible version i32, then blocks, each an i32
// length and raw snappy of at most 32 KiB. The header may come again between blocks, where streams
// were concatenated. All big-endian.
#ifndef WEIR_PROTOCOL_INTERNAL_SNAPPY_H_
#define WEIR_PROTOCOL_INTERNAL_SNAPPY_H_

#include <snappy.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/endian.h"
#include "base/status_macros.h"
#include "protocol/internal/bounded_output.h"

namespace weir::protocol::compression_internal {

inline constexpr absl::string_view kXerialMagic("\x82SNAPPY\0", 8);
inline constexpr absl::string_view kXerialHeader("\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16);
inline constexpr size_t kXerialBlockBytes = 32 << 10;

inline void SnappyCompress(absl::string_view in, std::string* out) {
  const size_t blocks = (in.size() + kXerialBlockBytes - 1) / kXerialBlockBytes;
  out->resize(kXerialHeader.size() +
              blocks * (4 + ::snappy::MaxCompressedLength(kXerialBlockBytes)));
  char* to = std::copy(kXerialHeader.begin(), kXerialHeader.end(), out->data());
  for (; !in.empty(); in.remove_prefix(std::min(in.size(), kXerialBlockBytes))) {
    size_t size = 0;
    ::snappy::RawCompress(in.data(), std::min(in.size(), kXerialBlockBytes), to + 4, &size);
    StoreBig32(to, static_cast<uint32_t>(size));
    to += 4 + size;
  }
  out->resize(static_cast<size_t>(to - out->data()));
}

inline absl::Status SnappyDecompressBlock(absl::string_view in, BoundedOutput* out) {
  size_t size = 0;
  if (!::snappy::GetUncompressedLength(in.data(), in.size(), &size)) {
    return absl::DataLossError("snappy: the length of a block is malformed");
  }
  // The densest element is a copy of 64 bytes in 3: a header that promises more is lying, and would
  // cost memory before the lie is found out.
  if (size / 22 > in.size()) {
    return absl::DataLossError(absl::StrCat("snappy: a block of ", in.size(),
                                            " bytes cannot hold the ", size, " it announces"));
  }
  if (size == 0) {
    return in.size() == 1 ? absl::OkStatus()
                          : absl::DataLossError("snappy: bytes behind an empty block");
  }
  const absl::Span<char> room = out->RoomFor(size);
  if (room.empty()) return out->TooMuch();
  if (!::snappy::RawUncompress(in.data(), in.size(), room.data())) {
    return absl::DataLossError("snappy: a block is malformed");
  }
  return out->Commit(size);
}

inline absl::Status SnappyDecompress(absl::string_view in, BoundedOutput* out) {
  if (!absl::StartsWith(in, kXerialMagic)) return SnappyDecompressBlock(in, out);
  const size_t in_bytes = in.size();
  while (!in.empty()) {
    if (absl::StartsWith(in, kXerialMagic)) {
      if (in.size() < kXerialHeader.size()) {
        return absl::DataLossError("snappy: the input ends in a header");
      }
      const int32_t compatible = static_cast<int32_t>(LoadBig32(in.data() + 12));
      if (compatible != 1) {
        return absl::DataLossError(
            absl::StrCat("snappy: expected framing compatible with version 1, came ", compatible));
      }
      in.remove_prefix(kXerialHeader.size());
      continue;
    }
    const uint32_t size = in.size() < 4 ? 0 : LoadBig32(in.data());
    if (size == 0 || size > in.size() - 4) {
      return absl::DataLossError(
          absl::StrCat("snappy: no whole block at byte ", in_bytes - in.size(), " of ", in_bytes));
    }
    WEIR_RETURN_IF_ERROR(SnappyDecompressBlock(in.substr(4, size), out));
    in.remove_prefix(4 + size_t{size});
  }
  return absl::OkStatus();
}

}  // namespace weir::protocol::compression_internal

#endif  // WEIR_PROTOCOL_INTERNAL_SNAPPY_H_

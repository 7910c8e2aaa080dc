// -----------------------------------------------------------------------------
// File: protocol/internal/lz4.h
// -----------------------------------------------------------------------------
// The LZ4 frame format (KIP-57). We write what Kafka's Java client can read: independent blocks of
// at most 64 KiB, no dictionary. We read whatever the frame format allows.
#ifndef WEIR_PROTOCOL_INTERNAL_LZ4_H_
#define WEIR_PROTOCOL_INTERNAL_LZ4_H_

#include <lz4frame.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "protocol/internal/bounded_output.h"

namespace weir::protocol::compression_internal {

class Lz4Compressor {
 public:
  Lz4Compressor() = default;
  Lz4Compressor(const Lz4Compressor&) = delete;
  Lz4Compressor& operator=(const Lz4Compressor&) = delete;
  ~Lz4Compressor() { LZ4F_freeCompressionContext(context_); }

  // Levels as Kafka's compression.lz4.level: 1 to 17. None is the fast compressor.
  absl::Status Compress(absl::string_view in, std::optional<int> level, std::string* out) {
    if (level.has_value() && (*level < 1 || *level > 17)) {
      return absl::InvalidArgumentError(
          absl::StrCat("lz4: expected a level of 1 to 17, came ", *level));
    }
    if (context_ == nullptr &&
        LZ4F_isError(LZ4F_createCompressionContext(&context_, LZ4F_VERSION))) {
      return absl::ResourceExhaustedError("lz4: no memory for a compressor");
    }
    LZ4F_preferences_t preferences = {};
    preferences.frameInfo.blockSizeID = LZ4F_max64KB;
    preferences.frameInfo.blockMode = LZ4F_blockIndependent;
    preferences.compressionLevel =
        level.has_value() ? std::min(*level, LZ4F_compressionLevel_max()) : 0;
    preferences.autoFlush = 1;
    out->resize(LZ4F_HEADER_SIZE_MAX + LZ4F_compressBound(in.size(), &preferences));
    char* to = out->data();
    char* const end = to + out->size();
    const auto left = [&] { return static_cast<size_t>(end - to); };
    // Errors cannot happen with the room that the bound gives.
    const auto advance = [&to](size_t result) {
      WEIR_CHECK(!LZ4F_isError(result));
      to += result;
    };
    advance(LZ4F_compressBegin(context_, to, left(), &preferences));
    advance(LZ4F_compressUpdate(context_, to, left(), in.data(), in.size(), nullptr));
    advance(LZ4F_compressEnd(context_, to, left(), nullptr));
    out->resize(static_cast<size_t>(to - out->data()));
    return absl::OkStatus();
  }

 private:
  LZ4F_cctx* context_ = nullptr;
};

class Lz4Decompressor {
 public:
  Lz4Decompressor() = default;
  Lz4Decompressor(const Lz4Decompressor&) = delete;
  Lz4Decompressor& operator=(const Lz4Decompressor&) = delete;
  ~Lz4Decompressor() { LZ4F_freeDecompressionContext(context_); }

  // One frame or several behind each other; whatever else follows is an error.
  absl::Status Decompress(absl::string_view in, BoundedOutput* out) {
    if (context_ == nullptr &&
        LZ4F_isError(LZ4F_createDecompressionContext(&context_, LZ4F_VERSION))) {
      return absl::ResourceExhaustedError("lz4: no memory for a decompressor");
    }
    LZ4F_resetDecompressionContext(context_);
    const size_t in_bytes = in.size();
    bool frame_ended = false;
    while (!frame_ended || !in.empty()) {
      const absl::Span<char> room = out->Room();
      size_t written = room.size();
      size_t read = in.size();
      const size_t result =
          LZ4F_decompress(context_, room.data(), &written, in.data(), &read, nullptr);
      if (LZ4F_isError(result)) {
        return absl::DataLossError(absl::StrCat("lz4: ", LZ4F_getErrorName(result), " at byte ",
                                                in_bytes - in.size(), " of ", in_bytes));
      }
      WEIR_RETURN_IF_ERROR(out->Commit(written));
      in.remove_prefix(read);
      frame_ended = result == 0;
      if (!frame_ended && read == 0 && written == 0) {
        return absl::DataLossError(
            absl::StrCat("lz4: the input ends early, after ", in_bytes, " bytes"));
      }
    }
    return absl::OkStatus();
  }

 private:
  LZ4F_dctx* context_ = nullptr;
};

}  // namespace weir::protocol::compression_internal

#endif  // WEIR_PROTOCOL_INTERNAL_LZ4_H_

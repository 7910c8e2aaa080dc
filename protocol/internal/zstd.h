// -----------------------------------------------------------------------------
// File: protocol/internal/zstd.h
// -----------------------------------------------------------------------------
// Zstandard frames (KIP-110, RFC 8878).
// Limits: windows of at most 128 MiB, which the Java client's highest level (22) needs. The memory
// of a window is touched only as far as bytes are decoded into it, and is given back after the call
// when it is large.
#ifndef WEIR_PROTOCOL_INTERNAL_ZSTD_H_
#define WEIR_PROTOCOL_INTERNAL_ZSTD_H_

#include <zstd.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "protocol/internal/bounded_output.h"

namespace weir::protocol::compression_internal {

inline constexpr int kZstdWindowLogMax = 27;
inline constexpr size_t kZstdKeptContextBytesMax = 16 << 20;

struct ZstdFree {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

class ZstdCompressor {
 public:
  // Levels as Kafka's compression.zstd.level: -131072 to 22; none is 3.
  absl::Status Compress(absl::string_view in, std::optional<int> level, std::string* out) {
    if (level.has_value() && (*level < ZSTD_minCLevel() || *level > ZSTD_maxCLevel())) {
      return absl::InvalidArgumentError(absl::StrCat("zstd: expected a level of ", ZSTD_minCLevel(),
                                                     " to ", ZSTD_maxCLevel(), ", came ", *level));
    }
    if (context_ == nullptr) context_.reset(ZSTD_createCCtx());
    if (context_ == nullptr) return absl::ResourceExhaustedError("zstd: no memory");
    out->resize(ZSTD_compressBound(in.size()));
    const size_t size =
        ZSTD_compressCCtx(context_.get(), out->data(), out->size(), in.data(), in.size(),
                          level.has_value() ? *level : ZSTD_CLEVEL_DEFAULT);
    if (ZSTD_sizeof_CCtx(context_.get()) > kZstdKeptContextBytesMax) context_.reset();
    if (ZSTD_isError(size)) {
      return absl::ResourceExhaustedError(absl::StrCat("zstd: ", ZSTD_getErrorName(size)));
    }
    out->resize(size);
    return absl::OkStatus();
  }

 private:
  std::unique_ptr<ZSTD_CCtx, ZstdFree> context_;
};

class ZstdDecompressor {
 public:
  // One frame or several behind each other; whatever else follows is an error.
  absl::Status Decompress(absl::string_view in, BoundedOutput* out) {
    if (context_ == nullptr) {
      context_.reset(ZSTD_createDCtx());
      if (context_ == nullptr) return absl::ResourceExhaustedError("zstd: no memory");
      ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kZstdWindowLogMax);
    }
    const absl::Status status = Stream(in, out);
    if (ZSTD_sizeof_DCtx(context_.get()) > kZstdKeptContextBytesMax) context_.reset();
    return status;
  }

 private:
  absl::Status Stream(absl::string_view in, BoundedOutput* out) {
    ZSTD_DCtx_reset(context_.get(), ZSTD_reset_session_only);
    ZSTD_inBuffer input = {in.data(), in.size(), 0};
    bool frame_ended = false;
    while (!frame_ended || input.pos < input.size) {
      const absl::Span<char> room = out->Room();
      ZSTD_outBuffer output = {room.data(), room.size(), 0};
      const size_t read_before = input.pos;
      const size_t result = ZSTD_decompressStream(context_.get(), &output, &input);
      if (ZSTD_isError(result)) {
        return absl::DataLossError(absl::StrCat("zstd: ", ZSTD_getErrorName(result), " at byte ",
                                                input.pos, " of ", input.size));
      }
      WEIR_RETURN_IF_ERROR(out->Commit(output.pos));
      frame_ended = result == 0;
      if (!frame_ended && input.pos == read_before && output.pos == 0) {
        return absl::DataLossError(
            absl::StrCat("zstd: the input ends early, after ", input.size, " bytes"));
      }
    }
    return absl::OkStatus();
  }

  std::unique_ptr<ZSTD_DCtx, ZstdFree> context_;
};

}  // namespace weir::protocol::compression_internal

#endif  // WEIR_PROTOCOL_INTERNAL_ZSTD_H_

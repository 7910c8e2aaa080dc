// -----------------------------------------------------------------------------
// File: protocol/internal/gzip.h
// -----------------------------------------------------------------------------
// gzip (RFC 1952) through zlib, with contexts that are kept from call to call.
#ifndef WEIR_PROTOCOL_INTERNAL_GZIP_H_
#define WEIR_PROTOCOL_INTERNAL_GZIP_H_

#include <zlib.h>

#include <cstddef>
#include <limits>
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

inline constexpr int kGzipWindowBits = 15 + 16;  // 32 KiB, and the gzip envelope

class GzipCompressor {
 public:
  GzipCompressor() = default;
  GzipCompressor(const GzipCompressor&) = delete;
  GzipCompressor& operator=(const GzipCompressor&) = delete;
  ~GzipCompressor() {
    if (level_.has_value()) deflateEnd(&stream_);
  }

  absl::Status Compress(absl::string_view in, std::optional<int> level, std::string* out) {
    if (level.has_value() && (*level < -1 || *level > 9)) {
      return absl::InvalidArgumentError(
          absl::StrCat("gzip: expected a level of -1 or 1 to 9, came ", *level));
    }
    WEIR_RETURN_IF_ERROR(Prepare(level.value_or(Z_DEFAULT_COMPRESSION)));
    out->resize(deflateBound(&stream_, static_cast<uLong>(in.size())));
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out->data());
    stream_.avail_out = static_cast<uInt>(out->size());
    WEIR_CHECK(deflate(&stream_, Z_FINISH) == Z_STREAM_END);  // by deflateBound
    out->resize(out->size() - stream_.avail_out);
    return absl::OkStatus();
  }

 private:
  absl::Status Prepare(int level) {
    if (level_ == level) {
      deflateReset(&stream_);
      return absl::OkStatus();
    }
    if (level_.has_value()) deflateEnd(&stream_);
    level_.reset();
    stream_ = {};
    constexpr int kDefaultMemoryLevel = 8;
    if (deflateInit2(&stream_, level, Z_DEFLATED, kGzipWindowBits, kDefaultMemoryLevel,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
      return absl::ResourceExhaustedError("gzip: no memory for a compressor");
    }
    level_ = level;
    return absl::OkStatus();
  }

  z_stream stream_ = {};
  std::optional<int> level_;  // of the stream, once there is one
};

class GzipDecompressor {
 public:
  GzipDecompressor() = default;
  GzipDecompressor(const GzipDecompressor&) = delete;
  GzipDecompressor& operator=(const GzipDecompressor&) = delete;
  ~GzipDecompressor() {
    if (ready_) inflateEnd(&stream_);
  }

  // One member or several behind each other; whatever else follows is an error.
  absl::Status Decompress(absl::string_view in, BoundedOutput* out) {
    if (!ready_) {
      if (inflateInit2(&stream_, kGzipWindowBits) != Z_OK) {
        return absl::ResourceExhaustedError("gzip: no memory for a decompressor");
      }
      ready_ = true;
    }
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    do {
      inflateReset(&stream_);
      WEIR_RETURN_IF_ERROR(OneMember(in.size(), out));
    } while (stream_.avail_in > 0);
    return absl::OkStatus();
  }

 private:
  absl::Status OneMember(size_t in_bytes, BoundedOutput* out) {
    for (;;) {
      const absl::Span<char> room = out->Room();
      stream_.next_out = reinterpret_cast<Bytef*>(room.data());
      stream_.avail_out = static_cast<uInt>(room.size());
      const int result = inflate(&stream_, Z_NO_FLUSH);
      WEIR_RETURN_IF_ERROR(out->Commit(room.size() - stream_.avail_out));
      if (result == Z_STREAM_END) return absl::OkStatus();
      if (result != Z_OK) {
        return absl::DataLossError(
            absl::StrCat("gzip: ", result == Z_BUF_ERROR ? "the input ends early" : "malformed",
                         " at byte ", in_bytes - stream_.avail_in, " of ", in_bytes));
      }
    }
  }

  z_stream stream_ = {};
  bool ready_ = false;
};

}  // namespace weir::protocol::compression_internal

#endif  // WEIR_PROTOCOL_INTERNAL_GZIP_H_

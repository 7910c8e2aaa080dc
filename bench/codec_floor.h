// -----------------------------------------------------------------------------
// File: bench/codec_floor.h
// -----------------------------------------------------------------------------
// The libraries' own calls, one piece at a time into a buffer that is large enough, with contexts
// that are kept: what our codecs are measured against. Snappy has raw blocks here, without framing.
#ifndef WEIR_BENCH_CODEC_FLOOR_H_
#define WEIR_BENCH_CODEC_FLOOR_H_

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "base/check.h"
#include "protocol/record_codec.h"

namespace weir::bench {

class RawCodec {
 public:
  explicit RawCodec(protocol::Codec codec) : codec_(codec) {
    constexpr int kGzip = 15 + 16;
    WEIR_CHECK(deflateInit2(&deflate_, -1, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    WEIR_CHECK(inflateInit2(&inflate_, kGzip) == Z_OK);
    WEIR_CHECK(!LZ4F_isError(LZ4F_createDecompressionContext(&lz4_, LZ4F_VERSION)));
  }
  RawCodec(const RawCodec&) = delete;
  RawCodec& operator=(const RawCodec&) = delete;
  ~RawCodec() {
    deflateEnd(&deflate_);
    inflateEnd(&inflate_);
    LZ4F_freeDecompressionContext(lz4_);
    ZSTD_freeCCtx(zstd_compressor_);
    ZSTD_freeDCtx(zstd_decompressor_);
  }

  // Both return how many bytes they wrote to the start of *out, whose size is the room.
  size_t Compress(absl::string_view in, std::string* out) {
    switch (codec_) {
      case protocol::Codec::kGzip:
        deflateReset(&deflate_);
        return Run(&deflate_, deflate, in, out);
      case protocol::Codec::kSnappy: {
        size_t size = 0;
        snappy::RawCompress(in.data(), in.size(), out->data(), &size);
        return size;
      }
      case protocol::Codec::kLz4: {
        LZ4F_preferences_t preferences = {};
        preferences.frameInfo.blockSizeID = LZ4F_max64KB;
        preferences.frameInfo.blockMode = LZ4F_blockIndependent;
        return LZ4F_compressFrame(out->data(), out->size(), in.data(), in.size(), &preferences);
      }
      default:
        return ZSTD_compressCCtx(zstd_compressor_, out->data(), out->size(), in.data(), in.size(),
                                 ZSTD_CLEVEL_DEFAULT);
    }
  }

  size_t Decompress(absl::string_view in, std::string* out) {
    switch (codec_) {
      case protocol::Codec::kGzip:
        inflateReset(&inflate_);
        return Run(&inflate_, inflate, in, out);
      case protocol::Codec::kSnappy: {
        size_t size = 0;
        WEIR_CHECK(snappy::GetUncompressedLength(in.data(), in.size(), &size));
        WEIR_CHECK(snappy::RawUncompress(in.data(), in.size(), out->data()));
        return size;
      }
      case protocol::Codec::kLz4: {
        size_t written = out->size(), read = in.size();
        WEIR_CHECK(LZ4F_decompress(lz4_, out->data(), &written, in.data(), &read, nullptr) == 0);
        return written;
      }
      default:
        return ZSTD_decompressDCtx(zstd_decompressor_, out->data(), out->size(), in.data(),
                                   in.size());
    }
  }

 private:
  static size_t Run(z_stream* stream, int (*step)(z_stream*, int), absl::string_view in,
                    std::string* out) {
    stream->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream->avail_in = static_cast<uInt>(in.size());
    stream->next_out = reinterpret_cast<Bytef*>(out->data());
    stream->avail_out = static_cast<uInt>(out->size());
    WEIR_CHECK(step(stream, Z_FINISH) == Z_STREAM_END);
    return out->size() - stream->avail_out;
  }

  protocol::Codec codec_;
  z_stream deflate_ = {};
  z_stream inflate_ = {};
  LZ4F_dctx* lz4_ = nullptr;
  ZSTD_CCtx* zstd_compressor_ = ZSTD_createCCtx();
  ZSTD_DCtx* zstd_decompressor_ = ZSTD_createDCtx();
};

}  // namespace weir::bench

#endif  // WEIR_BENCH_CODEC_FLOOR_H_

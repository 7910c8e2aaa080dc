#include "protocol/record_batch_recompressor.h"

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "base/ids.h"
#include "gtest/gtest.h"
#include "protocol/compression.h"
#include "protocol/compression_batch.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"
#include "protocol/record_codec.h"

namespace weir::protocol {
namespace {

constexpr Codec kCodecs[] = {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd};

std::string BatchOf(const std::string& value, Codec codec) {
  RecordBatchOptions options;
  options.producer_id = ProducerId(7);
  options.producer_epoch = ProducerEpoch(2);
  options.base_sequence = 40;
  RecordBatchBuilder builder(options);
  EXPECT_TRUE(builder.Append({1'700'000'000'000, "k", value, {}}).ok());
  EXPECT_TRUE(builder.Append({1'700'000'000'009, std::nullopt, "2", {}}).ok());
  const std::string plain = builder.Build();
  if (codec == Codec::kNone) return plain;
  Compressor compressor;
  std::string packed;
  EXPECT_TRUE(
      CompressBatch(compressor, *RecordBatchView::Parse(plain), codec, std::nullopt, &packed).ok());
  return packed;
}

TEST(RecordBatchRecompressor, KeepsRecordsAndHeaderFromEveryCodecToEveryOther) {
  RecordBatchRecompressor recompressor;
  Decompressor decompressor;
  const std::string plain = BatchOf("value", Codec::kNone);
  for (const Codec from : kCodecs) {
    const std::string batch = BatchOf("value", from);
    for (const Codec to : kCodecs) {
      std::string out;
      ASSERT_TRUE(
          recompressor.Recompress(*RecordBatchView::Parse(batch), to, std::nullopt, {}, &out).ok());
      const auto view = RecordBatchView::Parse(out);
      ASSERT_TRUE(view.ok()) << view.status();
      EXPECT_EQ(view->size_bytes(), static_cast<int64_t>(out.size()));
      EXPECT_EQ(view->codec(), to);
      EXPECT_TRUE(view->CrcIsValid());
      std::string back = out;
      if (to != Codec::kNone) {
        ASSERT_TRUE(recompressor.Recompress(*view, Codec::kNone, std::nullopt, {}, &back).ok());
      }
      EXPECT_EQ(back, plain);
    }
  }
}

TEST(RecordBatchRecompressor, TakesTheLevelThatItIsTold) {
  std::string value;
  for (int i = 0; i < 20'000; ++i) value += std::to_string(i * 7919 % 1000);
  const std::string batch = BatchOf(value, Codec::kNone);
  RecordBatchRecompressor recompressor;
  for (const Codec codec : {Codec::kGzip, Codec::kLz4, Codec::kZstd}) {
    std::string quick, small;
    const auto view = RecordBatchView::Parse(batch);
    ASSERT_TRUE(recompressor.Recompress(*view, codec, 1, {}, &quick).ok());
    ASSERT_TRUE(recompressor.Recompress(*view, codec, 9, {}, &small).ok());
    EXPECT_NE(small, quick) << CodecName(codec);
  }
}

TEST(RecordBatchRecompressor, RefusesWhatUnpacksToTooMuch) {
  const std::string bomb = BatchOf(std::string(100'000, 'x'), Codec::kZstd);
  DecompressionLimits limits;
  limits.output_bytes_max = 50'000;
  std::string out;
  EXPECT_EQ(RecordBatchRecompressor()
                .Recompress(*RecordBatchView::Parse(bomb), Codec::kGzip, std::nullopt, limits, &out)
                .code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace weir::protocol

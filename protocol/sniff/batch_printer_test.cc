#include "protocol/sniff/batch_printer.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "gtest/gtest.h"
#include "protocol/compression.h"
#include "protocol/compression_batch.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"
#include "protocol/record_codec.h"

namespace weir::protocol {
namespace {

std::string Batch(Codec codec) {
  RecordBatchOptions options;
  options.base_offset = Offset(41);
  RecordBatchBuilder builder(options);
  const RecordHeader header{"h", absl::string_view("1")};
  RecordToAppend record{1000, "key", "a \"value\"", absl::MakeConstSpan(&header, 1)};
  EXPECT_TRUE(builder.Append(record).ok());
  EXPECT_TRUE(builder.Append({2000, std::nullopt, std::nullopt, {}}).ok());
  const std::string batch = builder.Build();
  if (codec == Codec::kNone) return batch;
  Compressor compressor;
  std::string compressed;
  EXPECT_TRUE(
      CompressBatch(compressor, *RecordBatchView::Parse(batch), codec, std::nullopt, &compressed)
          .ok());
  return compressed;
}

std::string Printed(absl::string_view batches, bool json, bool records, size_t max = 100'000) {
  std::string out;
  BatchPrinter(records).Print(batches, json, max, &out);
  return out;
}

TEST(BatchPrinterTest, Text) {
  const std::string text = Printed(Batch(Codec::kNone) + Batch(Codec::kZstd), false, false);
  EXPECT_NE(text.find("[offsets=41..42 codec=none count=2 bytes="), std::string::npos) << text;
  EXPECT_NE(text.find(", [offsets=41..42 codec=zstd count=2 "), std::string::npos) << text;
  EXPECT_EQ(text.find("producer"), std::string::npos) << text;
  EXPECT_EQ(text.find("CRC"), std::string::npos) << text;
}

TEST(BatchPrinterTest, Records) {
  for (const Codec codec : {Codec::kNone, Codec::kGzip, Codec::kLz4}) {
    const std::string text = Printed(Batch(codec), false, true);
    EXPECT_NE(text.find("{41 time=1000 key='key' value='a \\\"value\\\"' headers='h':'1'}"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("{42 time=2000 key=null value=null}"), std::string::npos) << text;
  }
}

TEST(BatchPrinterTest, Json) {
  const std::string text = Printed(Batch(Codec::kSnappy), true, true);
  EXPECT_NE(text.find("\"baseOffset\":41,\"lastOffset\":42,\"codec\":\"snappy\",\"count\":2"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\"records\":[{\"offset\":41,\"timestamp\":1000,\"key\":\"key\",\"value\":"
                      "\"a \\\"value\\\"\",\"headers\":[{\"key\":\"h\",\"value\":\"1\"}]},"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\"crcIsValid\":true"), std::string::npos) << text;
}

TEST(BatchPrinterTest, WhatCannotBeRead) {
  std::string batch = Batch(Codec::kNone);
  batch.back() ^= 1;
  EXPECT_NE(Printed(batch, false, true).find("wrong CRC"), std::string::npos);
  EXPECT_NE(Printed(batch, true, true).find("\"crcIsValid\":false"), std::string::npos);
  batch[record_batch_at::kMagic] = 1;
  EXPECT_NE(Printed(batch, false, true).find("a message set of magic 1"), std::string::npos);
  const std::string cut = Printed(Batch(Codec::kNone).substr(0, 70), false, true);
  EXPECT_NE(cut.find("<70 bytes: [70 bytes (record batch: expected "), std::string::npos) << cut;
  std::string zipped = Batch(Codec::kGzip);
  zipped[61] = static_cast<char>(zipped[61] ^ 0x55);
  EXPECT_NE(Printed(zipped, true, true).find("\"problem\":"), std::string::npos);
}

TEST(BatchPrinterTest, EndsEarly) {
  std::string many;
  for (int i = 0; i < 1000; ++i) many += Batch(Codec::kNone);
  EXPECT_LT(Printed(many, false, true, 500).size(), 1000);
  const std::string json = Printed(many, true, true, 500);
  EXPECT_LT(json.size(), 1500);
  EXPECT_NE(json.find("],\"isCut\":true}"), std::string::npos) << json;
}

}  // namespace
}  // namespace weir::protocol

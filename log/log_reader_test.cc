#include "log/log_reader.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "gtest/gtest.h"
#include "log/checkpoint_file.h"
#include "log/file.h"
#include "log/log.h"
#include "log/memory_file.h"
#include "log/record_reader.h"
#include "log/test_batches.h"
#include "protocol/compression.h"
#include "protocol/compression_batch.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"
#include "protocol/record_codec.h"

namespace weir::log {
namespace {

class LogReaderTest : public ::testing::Test {
 protected:
  LogReaderTest() {
    LogConfig config;
    config.segment_bytes = 1000;
    auto opened = Log::Open(files_, "/data/t-0", config, {}, 1000);
    log_ = std::move(opened).value();
  }

  void Append(std::string bytes) {
    BatchToAppend batch{absl::MakeSpan(bytes)};
    batch.terms.origin = AppendOrigin::kController;  // control batches of any kind
    log_->Append(absl::MakeSpan(&batch, 1), LeaderEpoch(1), 1000);
    ASSERT_TRUE(batch.status.ok()) << batch.status;
  }

  // The values "0", "1", ... as far as they are new, keyed, one in three without a key.
  std::string Batch(int records, protocol::Codec codec) {
    protocol::RecordBatchBuilder builder;
    for (int i = 0; i < records; ++i, ++values_) {
      const std::string value = absl::StrCat(values_);
      const protocol::RecordHeader header{"kind", "test"};
      protocol::RecordToAppend record{5000 + values_, std::nullopt, value, {&header, 1}};
      const std::string key = absl::StrCat("k", values_);
      if (values_ % 3 != 0) record.key = key;
      EXPECT_TRUE(builder.Append(record).ok());
    }
    std::string bytes = builder.Build();
    if (codec == protocol::Codec::kNone) return bytes;
    std::string packed;
    EXPECT_TRUE(protocol::CompressBatch(compressor_, *protocol::RecordBatchView::Parse(bytes),
                                        codec, std::nullopt, &packed)
                    .ok());
    return packed;
  }

  static std::vector<int64_t> Bases(LogReader& reader, std::optional<Offset> bound = std::nullopt) {
    std::vector<int64_t> bases;
    while (true) {
      const auto batch = reader.Next(bound);
      EXPECT_TRUE(batch.ok()) << batch.status();
      if (!batch.ok() || !batch->has_value()) return bases;
      bases.push_back((*batch)->base_offset().value());
    }
  }

  void FlipByte(const std::string& path, int64_t position) {
    std::string content = *ReadWholeFile(files_, path);
    content[static_cast<size_t>(position)] ^= 1;
    auto file = *files_.Open(path, OpenMode::kReadWrite);
    ASSERT_TRUE(file->Truncate(0).ok());
    ASSERT_TRUE(file->Append({content}).ok());
  }

  MemoryFileSystem files_;
  std::unique_ptr<Log> log_;
  protocol::Compressor compressor_;
  int values_ = 0;
};

TEST_F(LogReaderTest, ReadsBatchesAcrossSegments) {
  std::vector<int64_t> expected;
  for (int i = 0; i < 40; ++i) {
    expected.push_back(log_->log_end_offset().value());
    Append(MakeBatch({.records = 1 + i % 3}));
  }
  ASSERT_GT(log_->segments(), 2u);
  LogReader reader(*log_, Offset(0));
  EXPECT_EQ(Bases(reader), expected);
  EXPECT_EQ(reader.next_offset(), log_->log_end_offset());
}

TEST_F(LogReaderTest, StartsWithTheBatchThatHoldsTheOffset) {
  Append(MakeBatch({.records = 5}));
  Append(MakeBatch({.records = 5}));
  LogReader reader(*log_, Offset(7));
  EXPECT_EQ(Bases(reader), (std::vector<int64_t>{5}));
}

TEST_F(LogReaderTest, GoesOnWhenMoreIsAppended) {
  LogReader reader(*log_, Offset(0));
  EXPECT_EQ(Bases(reader), (std::vector<int64_t>{}));
  Append(MakeBatch({.records = 2}));
  EXPECT_EQ(Bases(reader), (std::vector<int64_t>{0}));
  Append(MakeBatch({.records = 2}));
  EXPECT_EQ(Bases(reader), (std::vector<int64_t>{2}));
}

TEST_F(LogReaderTest, EndsBelowTheBound) {
  for (int i = 0; i < 4; ++i) Append(MakeBatch({.records = 2}));
  LogReader reader(*log_, Offset(0));
  EXPECT_EQ(Bases(reader, Offset(5)), (std::vector<int64_t>{0, 2}));
  EXPECT_EQ(Bases(reader, Offset(6)), (std::vector<int64_t>{4}));
}

TEST_F(LogReaderTest, WhatIsBeforeTheStartOfTheLogIsOutOfRange) {
  for (int i = 0; i < 4; ++i) Append(MakeBatch({.records = 2}));
  ASSERT_TRUE(log_->AdvanceLogStart(Offset(4)).ok());
  LogReader reader(*log_, Offset(2));
  EXPECT_EQ(reader.Next().status().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(LogReaderTest, ADamagedBatchIsAnErrorThatNamesIt) {
  Append(MakeBatch({.records = 2}));
  const int64_t second = log_->size_bytes();
  Append(MakeBatch({.records = 2}));
  FlipByte("/data/t-0/00000000000000000000.log", second + 70);
  LogReader reader(*log_, Offset(0));
  ASSERT_TRUE(reader.Next().ok());
  for (int again = 0; again < 2; ++again) {
    const absl::Status status = reader.Next().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_NE(status.message().find("/data/t-0, at offset 2: expected a batch with CRC"),
              std::string::npos)
        << status;
  }
}

TEST_F(LogReaderTest, RecordsOfAllCodecsInOrder) {
  for (const protocol::Codec codec :
       {protocol::Codec::kNone, protocol::Codec::kGzip, protocol::Codec::kSnappy,
        protocol::Codec::kLz4, protocol::Codec::kZstd}) {
    Append(Batch(30, codec));
  }
  RecordReader reader(*log_, Offset(17));
  for (int i = 17; i < 150; ++i) {
    auto record = reader.Next();
    ASSERT_TRUE(record.ok()) << record.status();
    ASSERT_TRUE(record->has_value());
    EXPECT_EQ((*record)->offset, Offset(i));
    EXPECT_EQ((*record)->timestamp, 5000 + i);
    EXPECT_EQ((*record)->value, absl::StrCat(i));
    EXPECT_EQ((*record)->key.value_or(""), i % 3 == 0 ? "" : absl::StrCat("k", i));
    protocol::RecordHeader header;
    ASSERT_TRUE((*record)->headers.Next(&header));
    EXPECT_EQ(header.key, "kind");
  }
  EXPECT_FALSE((*reader.Next()).has_value());
}

TEST_F(LogReaderTest, ControlRecordsAreLeftOut) {
  Append(Batch(2, protocol::Codec::kNone));
  Append(MakeBatch({.records = 1, .attributes = 0x20}));
  Append(Batch(1, protocol::Codec::kNone));
  RecordReader reader(*log_, Offset(0));
  std::vector<int64_t> offsets;
  for (auto record = reader.Next(); record.ok() && record->has_value(); record = reader.Next()) {
    offsets.push_back((*record)->offset.value());
  }
  EXPECT_EQ(offsets, (std::vector<int64_t>{0, 1, 3}));
}

TEST_F(LogReaderTest, RecordsThatCannotBeDecodedEndTheReading) {
  std::string bytes = Batch(3, protocol::Codec::kGzip);
  bytes.back() ^= 1;  // gzip's own check of the size
  protocol::SealCrc(bytes.data());
  Append(bytes);
  Append(Batch(1, protocol::Codec::kNone));
  RecordReader reader(*log_, Offset(0));
  for (int again = 0; again < 2; ++again) {
    const absl::Status status = reader.Next().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_NE(status.message().find("batch at offset 0"), std::string::npos) << status;
  }
}

}  // namespace
}  // namespace weir::log

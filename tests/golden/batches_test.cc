// Record batches that Apache Kafka 4.2.0's Java client wrote (GenerateBatches.java says how) against
// our builder, iterator, validator and codecs.
#include "tests/golden/batches.h"

#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "gtest/gtest.h"
#include "protocol/compression.h"
#include "protocol/compression_batch.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"
#include "protocol/record_batch_validator.h"
#include "protocol/record_codec.h"

namespace weir::golden {
namespace {

using protocol::Codec;

std::string Golden(absl::string_view name) {
  std::ifstream file(absl::StrCat("tests/golden/batches/", name, ".bin"), std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

SampleRecord Owned(const protocol::Record& record, const protocol::RecordBatchView& batch) {
  SampleRecord owned;
  owned.timestamp = record.TimestampIn(batch);
  if (record.key.has_value()) owned.key = std::string(*record.key);
  if (record.value.has_value()) owned.value = std::string(*record.value);
  protocol::RecordHeaderIterator headers = record.headers();
  for (protocol::RecordHeader header; headers.Next(&header);) {
    std::optional<std::string> value;
    if (header.value.has_value()) value = std::string(*header.value);
    owned.headers.emplace_back(std::string(header.key), value);
  }
  EXPECT_TRUE(headers.status().ok()) << headers.status();
  return owned;
}

TEST(GoldenBatches, OurUncompressedBatchesAreByteEqual) {
  EXPECT_TRUE(SampleBatch(/*idempotent=*/false) == Golden("none"));
  EXPECT_TRUE(SampleBatch(/*idempotent=*/true) == Golden("idempotent"));
}

TEST(GoldenBatches, OurCommitMarkerIsByteEqual) {
  protocol::RecordBatchOptions options;
  options.base_offset = Offset(kSampleBaseOffset);
  options.leader_epoch = LeaderEpoch(77);
  options.producer_id = ProducerId(4711);
  options.producer_epoch = ProducerEpoch(12);
  options.is_transactional = true;
  options.is_control = true;
  protocol::RecordBatchBuilder builder(options);
  ASSERT_TRUE(builder.AppendEndTransaction(1700000000000, protocol::ControlType::kCommit, 5).ok());
  EXPECT_TRUE(builder.Build() == Golden("commit_marker"));
}

TEST(GoldenBatches, EveryCodecOfKafkaDecodesToTheSameRecords) {
  for (const Codec codec :
       {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    SCOPED_TRACE(protocol::CodecName(codec));
    const std::string bytes = Golden(protocol::CodecName(codec));
    const auto batch = protocol::RecordBatchView::Parse(bytes);
    ASSERT_TRUE(batch.ok()) << batch.status();
    EXPECT_EQ(batch->codec(), codec);
    protocol::Decompressor decompressor;
    std::string scratch;
    absl::string_view records;
    const auto decoded = protocol::DecompressRecords(decompressor, *batch, {}, &scratch, &records);
    ASSERT_TRUE(decoded.ok()) << decoded;
    protocol::RecordIterator it(records, batch->record_count());
    int count = 0;
    for (protocol::Record record; it.Next(&record); ++count) {
      ASSERT_TRUE(Owned(record, *batch) == SampleRecordAt(count)) << count;
      ASSERT_EQ(record.OffsetIn(*batch), Offset(kSampleBaseOffset + count));
    }
    EXPECT_TRUE(it.status().ok()) << it.status();
    EXPECT_EQ(count, kSampleRecords);
  }
}

TEST(GoldenBatches, TheValidatorAcceptsWhatKafkaWrites) {
  protocol::RecordBatchValidator validator;
  protocol::ValidationRules rules;
  rules.mode = protocol::ValidationMode::kFull;
  for (const absl::string_view name : {"none", "idempotent", "gzip", "snappy", "lz4", "zstd"}) {
    const std::string bytes = Golden(name);
    const protocol::ValidationResult result = validator.Validate(bytes, rules, 1700000000000);
    EXPECT_TRUE(result.ok()) << name << ": " << result.message;
    EXPECT_EQ(result.max_timestamp, protocol::RecordBatchView::Parse(bytes)->max_timestamp());
  }
  EXPECT_FALSE(validator.Validate(Golden("commit_marker"), rules, 1700000000000).ok());
}

}  // namespace
}  // namespace weir::golden

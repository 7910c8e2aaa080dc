#include "protocol/record_batch_validator.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/endian.h"
#include "base/ids.h"
#include "base/random.h"
#include "gtest/gtest.h"
#include "protocol/compression.h"
#include "protocol/compression_batch.h"
#include "protocol/error_code.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"
#include "protocol/record_codec.h"

namespace weir::protocol {
namespace {

constexpr TimestampMs kNow = 1'700'000'000'000;

std::string ThreeRecords(const RecordBatchOptions& options = {}) {
  RecordBatchBuilder builder(options);
  EXPECT_TRUE(builder.Append({kNow, "a", "1", {}}).ok());
  EXPECT_TRUE(builder.Append({kNow + 5, std::nullopt, "2", {}}).ok());
  EXPECT_TRUE(builder.Append({kNow - 5, "c", std::nullopt, {}}).ok());
  return builder.Build();
}

std::string Packed(const std::string& batch, Codec codec) {
  Compressor compressor;
  std::string packed;
  EXPECT_TRUE(
      CompressBatch(compressor, *RecordBatchView::Parse(batch), codec, std::nullopt, &packed).ok());
  return packed;
}

ValidationResult Check(const std::string& bytes, const ValidationRules& rules = {}) {
  return RecordBatchValidator().Validate(bytes, rules, kNow);
}

// The error of three records after `change`, sealed anew.
ErrorCode ErrorAfter(const std::function<void(char*)>& change, const ValidationRules& rules = {}) {
  std::string bytes = ThreeRecords();
  change(bytes.data());
  SealCrc(bytes.data());
  const ValidationResult result = Check(bytes, rules);
  EXPECT_EQ(result.ok(), result.message.empty());
  return result.error;
}

TEST(RecordBatchValidator, AcceptsEveryCodecInBothModes) {
  for (const Codec codec :
       {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    for (const ValidationMode mode : {ValidationMode::kFast, ValidationMode::kFull}) {
      ValidationRules rules;
      rules.mode = mode;
      const std::string batch = ThreeRecords();
      const ValidationResult result =
          Check(codec == Codec::kNone ? batch : Packed(batch, codec), rules);
      EXPECT_TRUE(result.ok()) << result.message;
      EXPECT_EQ(result.max_timestamp.has_value(),
                codec == Codec::kNone || mode == ValidationMode::kFull);
      EXPECT_EQ(result.max_timestamp.value_or(kNow + 5), kNow + 5);
    }
  }
}

TEST(RecordBatchValidator, WantsExactlyOneWholeBatch) {
  EXPECT_EQ(Check("").error, ErrorCode::kInvalidRecord);
  const std::string batch = ThreeRecords();
  EXPECT_EQ(Check(batch + batch).error, ErrorCode::kInvalidRecord);
  EXPECT_EQ(Check(batch + "x").error, ErrorCode::kInvalidRecord);
  for (size_t size = 1; size < batch.size(); ++size) {
    EXPECT_EQ(Check(batch.substr(0, size)).error, ErrorCode::kCorruptMessage) << size;
  }
  ValidationRules rules;
  rules.message_bytes_max = static_cast<int32_t>(batch.size());
  EXPECT_TRUE(Check(batch, rules).ok());
  --rules.message_bytes_max;
  EXPECT_EQ(Check(batch, rules).error, ErrorCode::kMessageTooLarge);
}

TEST(RecordBatchValidator, RefusesEveryFlippedBit) {
  const std::string batch = ThreeRecords();
  for (size_t bit = 8 * 8; bit < batch.size() * 8; ++bit) {
    if (bit / 8 >= 12 && bit / 8 < 16) continue;  // the leader epoch, which the broker sets
    std::string flipped = batch;
    flipped[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    EXPECT_FALSE(Check(flipped).ok()) << bit;
  }
}

TEST(RecordBatchValidator, HeaderRules) {
  EXPECT_EQ(ErrorAfter([](char*) {}), ErrorCode::kNone);
  for (const char magic : {'\0', '\1', '\3', '\xff'}) {
    EXPECT_EQ(ErrorAfter([&](char* b) { b[16] = magic; }), ErrorCode::kInvalidRecord);
  }
  EXPECT_EQ(ErrorAfter([](char* b) { b[22] = 5; }), ErrorCode::kCorruptMessage);    // codec
  EXPECT_EQ(ErrorAfter([](char* b) { b[22] = 8; }), ErrorCode::kInvalidTimestamp);  // append time
  EXPECT_EQ(ErrorAfter([](char* b) { b[22] = 32; }), ErrorCode::kInvalidRecord);    // control
  EXPECT_EQ(ErrorAfter([](char* b) { b[22] = 16; }), ErrorCode::kInvalidRecord);    // transactional
  EXPECT_EQ(ErrorAfter([](char* b) { StoreBig32(b + 23, 3); }), ErrorCode::kInvalidRecord);
  EXPECT_EQ(ErrorAfter([](char* b) { StoreBig32(b + 57, 2); }), ErrorCode::kInvalidRecord);
  for (const uint32_t count : {0u, 2u, 4u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
    EXPECT_EQ(ErrorAfter([&](char* b) {
                StoreBig32(b + 23, count - 1);
                StoreBig32(b + 57, count);
              }),
              ErrorCode::kInvalidRecord)
        << count;
  }
}

TEST(RecordBatchValidator, ProducerFieldsComeTogether) {
  const auto error = [](int64_t id, int16_t epoch, int32_t sequence) {
    RecordBatchOptions options;
    options.producer_id = ProducerId(id);
    options.producer_epoch = ProducerEpoch(epoch);
    options.base_sequence = sequence;
    return Check(ThreeRecords(options)).error;
  };
  EXPECT_EQ(error(7, 0, 0), ErrorCode::kNone);
  EXPECT_EQ(error(7, 0, std::numeric_limits<int32_t>::max()), ErrorCode::kNone);
  EXPECT_EQ(error(7, 0, -1), ErrorCode::kInvalidRecord);
  EXPECT_EQ(error(7, -1, 0), ErrorCode::kInvalidRecord);
  EXPECT_EQ(error(-2, 0, 0), ErrorCode::kInvalidRecord);
  EXPECT_EQ(error(-1, -1, 5), ErrorCode::kInvalidRecord);
}

TEST(RecordBatchValidator, ZstdNeedsProduce7) {
  const std::string batch = Packed(ThreeRecords(), Codec::kZstd);
  ValidationRules rules;
  rules.produce_version = 6;
  EXPECT_EQ(Check(batch, rules).error, ErrorCode::kUnsupportedCompressionType);
  rules.produce_version = 7;
  EXPECT_TRUE(Check(batch, rules).ok());
}

TEST(RecordBatchValidator, CompactedTopicsNeedKeys) {
  ValidationRules rules;
  rules.is_compacted = true;
  for (const std::string& batch : {ThreeRecords(), Packed(ThreeRecords(), Codec::kLz4)}) {
    const ValidationResult result = Check(batch, rules);
    EXPECT_EQ(result.error, ErrorCode::kInvalidRecord);
    ASSERT_EQ(result.record_errors.size(), 1u);
    EXPECT_EQ(result.record_errors[0].index, 1);
  }
}

TEST(RecordBatchValidator, TimestampBounds) {
  ValidationRules rules;
  rules.timestamp_before_max_ms = 5;
  rules.timestamp_after_max_ms = 5;
  EXPECT_TRUE(Check(ThreeRecords(), rules).ok());
  rules.timestamp_after_max_ms = 4;
  ValidationResult result = Check(Packed(ThreeRecords(), Codec::kGzip), rules);
  EXPECT_EQ(result.error, ErrorCode::kInvalidTimestamp);
  ASSERT_EQ(result.record_errors.size(), 1u);
  EXPECT_EQ(result.record_errors[0].index, 1);
  rules.timestamp_before_max_ms = 4;
  EXPECT_EQ(Check(ThreeRecords(), rules).record_errors.size(), 2u);
  rules.timestamp_type = TimestampType::kLogAppendTime;  // then the broker's clock decides
  EXPECT_TRUE(Check(ThreeRecords(), rules).ok());
}

TEST(RecordBatchValidator, TheHeaderTellsOfTheFutureOfACompressedBatch) {
  std::string batch = Packed(ThreeRecords(), Codec::kLz4);
  batch.back() ^= 1;  // nobody could decode it
  SealCrc(batch.data());
  ValidationRules rules;
  rules.timestamp_after_max_ms = 5;
  EXPECT_TRUE(Check(batch, rules).ok());
  rules.timestamp_after_max_ms = 4;
  EXPECT_EQ(Check(batch, rules).error, ErrorCode::kInvalidTimestamp);
  rules.timestamp_type = TimestampType::kLogAppendTime;
  EXPECT_TRUE(Check(batch, rules).ok());
}

TEST(RecordBatchValidator, NegativeTimestampsAreRefusedButMinusOne) {
  const auto error = [](TimestampMs timestamp) {
    RecordBatchBuilder builder;
    EXPECT_TRUE(builder.Append({timestamp, "k", "v", {}}).ok());
    return Check(builder.Build()).error;
  };
  EXPECT_EQ(error(-1), ErrorCode::kNone);
  EXPECT_EQ(error(0), ErrorCode::kNone);
  EXPECT_EQ(error(-2), ErrorCode::kInvalidTimestamp);
  EXPECT_EQ(error(std::numeric_limits<int64_t>::min()), ErrorCode::kInvalidTimestamp);
  EXPECT_EQ(error(std::numeric_limits<int64_t>::max()), ErrorCode::kNone);
}

TEST(RecordBatchValidator, BadInnerRecordsShowOnlyUnderFullMode) {
  std::string batch = ThreeRecords();
  batch[61 + 3] = 2;  // the offset delta of record 0
  SealCrc(batch.data());
  EXPECT_EQ(Check(batch).error, ErrorCode::kInvalidRecord);
  const std::string packed = Packed(batch, Codec::kSnappy);
  EXPECT_TRUE(Check(packed).ok());
  ValidationRules rules;
  rules.mode = ValidationMode::kFull;
  EXPECT_EQ(Check(packed, rules).error, ErrorCode::kInvalidRecord);
}

TEST(RecordBatchValidator, BombsEndAtTheLimit) {
  RecordBatchBuilder builder;
  ASSERT_TRUE(builder.Append({kNow, "k", std::string(1 << 20, 'x'), {}}).ok());
  const std::string batch = Packed(builder.Build(), Codec::kZstd);
  ValidationRules rules;
  rules.mode = ValidationMode::kFull;
  rules.decompression.output_bytes_max = 1 << 19;
  EXPECT_EQ(Check(batch, rules).error, ErrorCode::kMessageTooLarge);
}

// Mutations behind a valid CRC, so that every later rule meets hostile input.
TEST(RecordBatchValidator, SurvivesMutations) {
  SeededRandom random(11);
  std::vector<std::string> seeds = {ThreeRecords()};
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    seeds.push_back(Packed(seeds[0], codec));
  }
  ValidationRules rules;
  rules.mode = ValidationMode::kFull;
  rules.is_compacted = true;
  rules.decompression.output_bytes_max = 1 << 20;
  RecordBatchValidator validator;
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = seeds[random.Below(seeds.size())];
    for (uint64_t flips = 1 + random.Below(4); flips > 0; --flips) {
      const size_t at = 16 + random.Below(bytes.size() - 16);
      bytes[at] = static_cast<char>(random.OneIn(3) ? 0xff : random.NextU64());
    }
    bytes[16] = 2;
    if (random.OneIn(8)) {
      bytes.resize(61 + random.Below(bytes.size() - 60));
      StoreBig32(bytes.data() + 8, static_cast<uint32_t>(bytes.size() - 12));
    }
    SealCrc(bytes.data());
    refused += validator.Validate(bytes, rules, kNow).ok() ? 0 : 1;
  }
  EXPECT_GT(refused, 15'000);
}

}  // namespace
}  // namespace weir::protocol

#include "protocol/record.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/varint.h"
#include "gtest/gtest.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"

namespace weir::protocol {
namespace {

std::string Varint(int32_t value) {
  char bytes[kVarint32BytesMax];
  return std::string(bytes, static_cast<size_t>(PutVarint(bytes, value) - bytes));
}

// A record with this body (attributes and all), behind its length.
std::string Framed(const std::string& body) {
  return Varint(static_cast<int32_t>(body.size())) + body;
}

absl::Status Walk(const std::string& payload, int32_t count) {
  RecordIterator it(payload, count);
  Record record;
  while (it.Next(&record)) {
    const absl::Status headers = record.CheckHeaders();
    if (!headers.ok()) return headers;
  }
  return it.status();
}

TEST(RecordBatchBuilder, WritesWhatTheIteratorReads) {
  RecordBatchOptions options;
  options.base_offset = Offset(100);
  options.producer_id = ProducerId(9);
  options.producer_epoch = ProducerEpoch(1);
  options.base_sequence = std::numeric_limits<int32_t>::max() - 1;
  RecordBatchBuilder builder(options);
  const std::vector<RecordHeader> headers = {{"h1", "v1"}, {"", std::nullopt}, {"h1", ""}};
  ASSERT_TRUE(builder.Append({1000, "key", "value", headers}).ok());
  ASSERT_TRUE(builder.Append({900, std::nullopt, std::nullopt, {}}).ok());
  ASSERT_TRUE(builder.Append({1100, "", "", {}}).ok());
  const int64_t size_before = builder.size_bytes();
  const std::string bytes = builder.Build();
  EXPECT_EQ(size_before, static_cast<int64_t>(bytes.size()));

  const auto batch = RecordBatchView::Parse(bytes);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_TRUE(batch->CrcIsValid());
  EXPECT_EQ(batch->base_timestamp(), 1000);
  EXPECT_EQ(batch->max_timestamp(), 1100);
  EXPECT_EQ(batch->record_count(), 3);
  EXPECT_EQ(batch->last_offset(), Offset(102));
  EXPECT_EQ(batch->last_sequence(), 0);

  RecordIterator it(batch->records(), batch->record_count());
  Record record;
  ASSERT_TRUE(it.Next(&record));
  EXPECT_EQ(record.key, "key");
  EXPECT_EQ(record.value, "value");
  EXPECT_EQ(record.OffsetIn(*batch), Offset(100));
  EXPECT_EQ(record.TimestampIn(*batch), 1000);
  RecordHeaderIterator header_it = record.headers();
  RecordHeader header;
  for (const RecordHeader& expected : headers) {
    ASSERT_TRUE(header_it.Next(&header));
    EXPECT_EQ(header.key, expected.key);
    EXPECT_EQ(header.value, expected.value);
  }
  EXPECT_FALSE(header_it.Next(&header));
  EXPECT_TRUE(header_it.status().ok());
  ASSERT_TRUE(it.Next(&record));
  EXPECT_FALSE(record.key.has_value());
  EXPECT_FALSE(record.value.has_value());
  EXPECT_EQ(record.TimestampIn(*batch), 900);
  ASSERT_TRUE(it.Next(&record));
  EXPECT_EQ(record.key, "");
  EXPECT_EQ(record.value, "");
  EXPECT_EQ(record.OffsetIn(*batch), Offset(102));
  EXPECT_FALSE(it.Next(&record));
  EXPECT_TRUE(it.status().ok()) << it.status();

  // The next batch goes on where this one ended.
  ASSERT_TRUE(builder.Append({1200, "k", "v", {}}).ok());
  const std::string next_bytes = builder.Build();
  const auto next = RecordBatchView::Parse(next_bytes);
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(next->base_offset(), Offset(103));
  EXPECT_EQ(next->base_sequence(), 1);
}

TEST(RecordBatchBuilder, KeepsToItsBound) {
  RecordBatchOptions options;
  options.bytes_max = 200;
  RecordBatchBuilder builder(options);
  const std::string value(20, 'v');
  int appended = 0;
  while (builder.Append({0, "k", value, {}}).ok()) ++appended;
  EXPECT_EQ(appended, 4);  // 28 bytes each: 61 + 4 * 28 = 173
  const absl::Status full = builder.Append({0, "k", value, {}});
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  const std::string bytes = builder.Build();
  EXPECT_EQ(bytes.size(), 173u);
  EXPECT_TRUE(Walk(bytes.substr(61), 4).ok());
  EXPECT_TRUE(builder.empty());
}

TEST(RecordBatchBuilder, KeepsGapsForCompaction) {
  RecordBatchBuilder builder;
  ASSERT_TRUE(builder.AppendAt(Offset(3), {0, "a", "1", {}}).ok());
  ASSERT_TRUE(builder.AppendAt(Offset(7), {0, "b", "2", {}}).ok());
  EXPECT_EQ(builder.AppendAt(Offset(7), {0, "c", "3", {}}).code(),
            absl::StatusCode::kInvalidArgument);
  const std::string bytes = builder.Build();
  const auto batch = RecordBatchView::Parse(bytes);
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(batch->record_count(), 2);
  EXPECT_EQ(batch->last_offset(), Offset(7));
}

TEST(RecordBatchBuilder, WritesControlRecords) {
  RecordBatchOptions options;
  options.is_control = true;
  options.is_transactional = true;
  RecordBatchBuilder builder(options);
  ASSERT_TRUE(builder.AppendEndTransaction(5, ControlType::kCommit, 3).ok());
  const std::string bytes = builder.Build();
  const auto batch = RecordBatchView::Parse(bytes);
  ASSERT_TRUE(batch.ok());
  EXPECT_TRUE(batch->is_control());
  RecordIterator it(batch->records(), 1);
  Record record;
  ASSERT_TRUE(it.Next(&record));
  EXPECT_EQ(GetControlType(record), ControlType::kCommit);
  EXPECT_EQ(record.value, absl::string_view("\0\0\0\0\0\3", 6));
}

TEST(RecordIterator, ExtremeTimestampsWrapBack) {
  RecordBatchBuilder builder;
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  ASSERT_TRUE(builder.Append({kMin, "a", "", {}}).ok());
  ASSERT_TRUE(builder.Append({kMax, "b", "", {}}).ok());
  const std::string bytes = builder.Build();
  const auto batch = RecordBatchView::Parse(bytes);
  ASSERT_TRUE(batch.ok());
  RecordIterator it(batch->records(), 2);
  Record record;
  ASSERT_TRUE(it.Next(&record));
  EXPECT_EQ(record.TimestampIn(*batch), kMin);
  ASSERT_TRUE(it.Next(&record));
  EXPECT_EQ(record.TimestampIn(*batch), kMax);
}

TEST(RecordIterator, RefusesLengthsThatLie) {
  // attributes, timestamp delta, offset delta, null key, null value, no headers
  const std::string good = std::string("\0\0\0\1\1\0", 6);
  EXPECT_TRUE(Walk(Framed(good), 1).ok());
  constexpr int32_t kMax = std::numeric_limits<int32_t>::max();
  const std::string bad_bodies[] = {
      "",
      good.substr(0, 5),
      good + "x",                                                      // bytes behind the record
      std::string("\0\0\0", 3) + Varint(-2) + std::string("\1\0", 2),  // key length -2
      std::string("\0\0\0", 3) + Varint(kMax) + std::string("\1\0", 2),
      std::string("\0\0\0\1", 4) + Varint(1) + std::string("\0", 1),  // value takes the headers
      std::string("\0\0\0\1\1", 5) + Varint(-1),                      // header count -1
      std::string("\0\0\0\1\1", 5) + Varint(kMax),
      std::string("\0\0\0\1\1", 5) + Varint(1) + Varint(-1) + Varint(-1),  // null header key
      std::string("\0\0\0\1\1", 5) + Varint(1) + Varint(0) + Varint(1),    // header value missing
      std::string("\0\0\0\1\1", 5) + Varint(1) + Varint(0) + Varint(0) + "x",
      std::string("\0\0\0", 3) + std::string(6, '\xff'),  // varint without end
  };
  for (const std::string& body : bad_bodies) {
    const absl::Status status = Walk(Framed(body), 1);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << testing::PrintToString(body);
  }
  const std::string payload = Framed(good) + Framed(good);
  for (const int32_t count : {-1, 0, 1, 3, kMax}) {
    EXPECT_EQ(Walk(payload, count).code(), absl::StatusCode::kDataLoss) << count;
  }
  for (size_t size = 1; size < payload.size(); ++size) {
    EXPECT_FALSE(Walk(payload.substr(0, size), 2).ok()) << size;
  }
  EXPECT_FALSE(Walk(Varint(-1), 1).ok());
  EXPECT_TRUE(Walk("", 0).ok());
}

}  // namespace
}  // namespace weir::protocol

#include "protocol/record_batch.h"

#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "base/endian.h"
#include "base/ids.h"
#include "gtest/gtest.h"

namespace weir::protocol {
namespace {

// A header with a different value in every field, and five bytes of payload.
std::string SampleBatch() {
  std::string batch(66, '\0');
  char* at = batch.data();
  StoreBig64(at + 0, 1000);
  StoreBig32(at + 8, 54);
  StoreBig32(at + 12, 7);
  at[16] = 2;
  StoreBig16(at + 21, 0x14);  // zstd, transactional
  StoreBig32(at + 23, 4);
  StoreBig64(at + 27, 111);
  StoreBig64(at + 35, 222);
  StoreBig64(at + 43, 333);
  StoreBig16(at + 51, 44);
  StoreBig32(at + 53, 55);
  StoreBig32(at + 57, 5);
  batch.replace(61, 5, "abcde");
  SealCrc(at);
  return batch;
}

TEST(RecordBatchView, ReadsEveryField) {
  const std::string bytes = SampleBatch() + "the next batch";
  const auto batch = RecordBatchView::Parse(bytes);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->base_offset(), Offset(1000));
  EXPECT_EQ(batch->last_offset(), Offset(1004));
  EXPECT_EQ(batch->next_offset(), Offset(1005));
  EXPECT_EQ(batch->size_bytes(), 66);
  EXPECT_EQ(batch->leader_epoch(), LeaderEpoch(7));
  EXPECT_EQ(batch->magic(), 2);
  EXPECT_EQ(batch->codec(), Codec::kZstd);
  EXPECT_EQ(batch->timestamp_type(), TimestampType::kCreateTime);
  EXPECT_TRUE(batch->is_transactional());
  EXPECT_FALSE(batch->is_control());
  EXPECT_FALSE(batch->has_delete_horizon());
  EXPECT_EQ(batch->base_timestamp(), 111);
  EXPECT_EQ(batch->max_timestamp(), 222);
  EXPECT_EQ(batch->producer_id(), ProducerId(333));
  EXPECT_EQ(batch->producer_epoch(), ProducerEpoch(44));
  EXPECT_EQ(batch->base_sequence(), 55);
  EXPECT_EQ(batch->last_sequence(), 59);
  EXPECT_EQ(batch->record_count(), 5);
  EXPECT_EQ(batch->records(), "abcde");
  EXPECT_EQ(batch->bytes().size(), 66u);
  EXPECT_TRUE(batch->CrcIsValid());
}

TEST(RecordBatchView, RefusesWhatIsNotWhole) {
  const std::string bytes = SampleBatch();
  for (size_t size = 0; size < bytes.size(); ++size) {
    // A buffer of its own, so that a sanitizer sees a read past the end.
    const std::string cut = bytes.substr(0, size);
    const auto batch = RecordBatchView::Parse(cut);
    ASSERT_EQ(batch.status().code(), absl::StatusCode::kDataLoss) << size;
    EXPECT_EQ(RecordBatchHeader::Parse(cut).ok(), size >= 61) << size;
  }
}

TEST(RecordBatchView, RefusesLengthsThatLie) {
  for (const int32_t length :
       {-1, 0, 48, 55, std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::min()}) {
    std::string bytes = SampleBatch();
    StoreBig32(bytes.data() + 8, static_cast<uint32_t>(length));
    EXPECT_EQ(RecordBatchView::Parse(bytes).status().code(), absl::StatusCode::kDataLoss) << length;
  }
}

TEST(RecordBatchView, DerivedOffsetsDoNotOverflow) {
  std::string bytes = SampleBatch();
  StoreBig64(bytes.data(), static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
  const auto batch = RecordBatchView::Parse(bytes);
  ASSERT_TRUE(batch.ok());
  EXPECT_LT(batch->last_offset(), Offset(0));
}

TEST(RecordBatchView, CrcSeesEveryByteBehindIt) {
  for (size_t at = 0; at < 66; ++at) {
    std::string bytes = SampleBatch();
    if (at >= 8 && at < 12) continue;  // the length: Parse's business
    bytes[at] ^= 1;
    const auto batch = RecordBatchView::Parse(bytes);
    ASSERT_TRUE(batch.ok());
    EXPECT_EQ(batch->CrcIsValid(), at < 17) << at;
  }
}

TEST(RecordBatchPatch, OffsetAndEpochLieOutsideTheCrc) {
  std::string bytes = SampleBatch();
  SetBaseOffset(bytes.data(), Offset(int64_t{1} << 40));
  SetLeaderEpoch(bytes.data(), LeaderEpoch(9));
  const auto batch = RecordBatchView::Parse(bytes);
  ASSERT_TRUE(batch.ok());
  EXPECT_TRUE(batch->CrcIsValid());
  EXPECT_EQ(batch->base_offset(), Offset(int64_t{1} << 40));
  EXPECT_EQ(batch->leader_epoch(), LeaderEpoch(9));
}

TEST(RecordBatchPatch, LogAppendTimeKeepsTheOtherAttributesAndReseals) {
  std::string bytes = SampleBatch();
  SetLogAppendTime(bytes.data(), 987654321);
  const auto batch = RecordBatchView::Parse(bytes);
  ASSERT_TRUE(batch.ok());
  EXPECT_TRUE(batch->CrcIsValid());
  EXPECT_EQ(batch->timestamp_type(), TimestampType::kLogAppendTime);
  EXPECT_EQ(batch->codec(), Codec::kZstd);
  EXPECT_TRUE(batch->is_transactional());
  EXPECT_EQ(batch->base_timestamp(), 111);
  EXPECT_EQ(batch->max_timestamp(), 987654321);
}

TEST(Sequence, WrapsToZero) {
  constexpr int32_t kMax = std::numeric_limits<int32_t>::max();
  EXPECT_EQ(AdvanceSequence(kMax, 1), 0);
  EXPECT_EQ(AdvanceSequence(kMax - 1, 3), 1);
  EXPECT_EQ(AdvanceSequence(0, kMax), kMax);
  EXPECT_EQ(AdvanceSequence(5, -5), 0);
}

}  // namespace
}  // namespace weir::protocol

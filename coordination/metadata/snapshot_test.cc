#include "coordination/metadata/snapshot.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/apply.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/metadata_batch.h"
#include "coordination/metadata/records.h"
#include "coordination/metadata/test_image.h"
#include "gtest/gtest.h"
#include "protocol/record_batch.h"

namespace weir::metadata {
namespace {

std::vector<std::string> Batches(const MetadataImage& image, const SnapshotOptions& options = {}) {
  std::vector<std::string> batches;
  const absl::Status status = WriteSnapshot(image, options, [&](std::string batch) {
    batches.push_back(std::move(batch));
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  return batches;
}

protocol::RecordBatchView View(absl::string_view batch) {
  const auto view = protocol::RecordBatchView::Parse(batch);
  EXPECT_TRUE(view.ok()) << view.status();
  return *view;
}

absl::StatusOr<MetadataImagePtr> Read(const std::vector<std::string>& batches, Offset end,
                                      LeaderEpoch epoch) {
  SnapshotReader reader;
  for (const std::string& batch : batches) {
    if (absl::Status status = reader.Add(View(batch)); !status.ok()) return status;
  }
  return std::move(reader).Finish(end, epoch);
}

std::string Batch(std::vector<MetadataRecord> records, Offset base = Offset(0)) {
  return EncodeMetadataBatch(records, base, LeaderEpoch(1), 5).value();
}

TEST(SnapshotTest, AnImageComesBackWithItsPlaceInTheLog) {
  const MetadataImagePtr image = TestImage();
  const auto read = Read(Batches(*image), image->highest_offset + 1, image->highest_epoch);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(**read == *image);
}

TEST(SnapshotTest, AnEmptyLogHasASnapshotWithoutBatches) {
  EXPECT_TRUE(Batches(*EmptyImage()).empty());
  EXPECT_TRUE(**Read({}, Offset(0), LeaderEpoch(0)) == *EmptyImage());
  EXPECT_EQ((*Read({}, Offset(7), LeaderEpoch(2)))->highest_offset, Offset(6));
}

TEST(SnapshotTest, HowRecordsAreBatchedDoesNotMatter) {
  const MetadataImagePtr image = TestImage();
  const int64_t records = static_cast<int64_t>(TestImageRecords().size());
  for (const int32_t most : {1, 2, 3, 7, 1000}) {
    const std::vector<std::string> batches = Batches(*image, {.batch_records_max = most});
    EXPECT_EQ(batches.size(), (records + most - 1) / most);
    Offset next(0);
    for (const std::string& batch : batches) {
      EXPECT_LE(View(batch).record_count(), most);
      EXPECT_EQ(View(batch).base_offset(), next);
      EXPECT_EQ(View(batch).leader_epoch(), image->highest_epoch);
      next = View(batch).last_offset() + 1;
    }
    EXPECT_EQ(next, Offset(records));
    EXPECT_TRUE(**Read(batches, image->highest_offset + 1, image->highest_epoch) == *image);
  }
}

TEST(SnapshotTest, ABatchHasAboutSoManyBytesAndALargerRecordOneOfItsOwn) {
  std::vector<MetadataRecord> records;
  for (int i = 0; i < 40; ++i) {
    records.push_back(ConfigRecord{
        2, "orders", absl::StrCat("key", 100 + i), std::string(i == 20 ? 5000 : 90, 'v'), {}});
  }
  const MetadataImagePtr image = *Apply(*EmptyImage(), records, Offset(0), LeaderEpoch(0));
  int large = 0;
  const std::vector<std::string> batches = Batches(*image, {.now_ms = 5, .batch_bytes = 1000});
  for (const std::string& batch : batches) {
    if (batch.size() > 1032) {
      ++large;
      EXPECT_EQ(View(batch).record_count(), 1);
    } else if (batch.size() < 800) {  // before the large one, and the last
      EXPECT_TRUE(&batch == &batches.back() || (&batch)[1].size() > 5000);
    }
    EXPECT_EQ(View(batch).max_timestamp(), 5);
  }
  EXPECT_EQ(large, 1);
  EXPECT_TRUE(**Read(batches, Offset(40), LeaderEpoch(0)) == *image);
}

TEST(SnapshotTest, AnErrorOfTheSinkEndsIt) {
  int batches = 0;
  const absl::Status status =
      WriteSnapshot(*TestImage(), {.batch_records_max = 3}, [&](std::string) {
        return ++batches == 2 ? absl::UnavailableError("disk") : absl::OkStatus();
      });
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_EQ(batches, 2);
}

TEST(SnapshotTest, AnOpenTransactionHasNoSnapshot) {
  const MetadataImagePtr before = TestImage();
  const std::vector<MetadataRecord> begin = {BeginTransactionRecord(),
                                             TopicRecord{"new", Uuid{6, 6}, {}}};
  const MetadataImagePtr open = *Apply(*before, begin, before->highest_offset + 1, LeaderEpoch(4));
  const absl::Status refused =
      WriteSnapshot(*open, {}, [](std::string) { return absl::InternalError("called"); });
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_TRUE(
      absl::StrContains(refused.message(),
                        absl::StrCat("at offset ", before->highest_offset.value() + 1, " is open")))
      << refused;
  // Nor has anybody else written one.
  EXPECT_TRUE(absl::IsDataLoss(Read({Batch(begin)}, Offset(9), LeaderEpoch(1)).status()));
  const std::vector<MetadataRecord> end = {EndTransactionRecord()};
  const MetadataImagePtr after = *Apply(*open, end, open->highest_offset + 1, LeaderEpoch(4));
  EXPECT_TRUE(**Read(Batches(*after), after->highest_offset + 1, LeaderEpoch(4)) == *after);
}

TEST(SnapshotTest, RefusesWhatIsNoSnapshot) {
  PartitionRecord orphan;
  orphan.topic_id = kTestOrders;
  orphan.partition_id = 0;
  orphan.replicas = {1};
  const absl::Status status =
      Read({Batch({NoOpRecord()}), Batch({NoOpRecord(), orphan}, Offset(1))}, Offset(9),
           LeaderEpoch(1))
          .status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_TRUE(absl::StrContains(status.message(), "at offset 2: there is no topic")) << status;

  const std::vector<std::string> batches = Batches(*TestImage());
  ASSERT_EQ(batches.size(), 1);
  EXPECT_TRUE(absl::IsDataLoss(Read({batches[0], batches[0]}, Offset(9), LeaderEpoch(1)).status()));
  for (size_t at = 21; at < batches[0].size(); at += 3) {  // the CRC is at 17
    std::string damaged = batches[0];
    damaged[at] ^= 1;
    EXPECT_TRUE(absl::IsDataLoss(Read({damaged}, Offset(9), LeaderEpoch(1)).status())) << at;
  }
  const MetadataRecord newer = FeatureLevelRecord{"metadata.version", 999, {}};
  EXPECT_TRUE(absl::IsUnimplemented(Read({Batch({newer})}, Offset(9), LeaderEpoch(1)).status()));
}

}  // namespace
}  // namespace weir::metadata

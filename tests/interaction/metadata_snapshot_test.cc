// The cluster metadata's image (coordination/metadata) in the snapshot files of its log
// (coordination/raft), which know nothing of each other.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/snapshot.h"
#include "coordination/metadata/test_image.h"
#include "coordination/raft/log_storage.h"
#include "coordination/raft/snapshot_file.h"
#include "coordination/raft/types.h"
#include "gtest/gtest.h"
#include "log/file.h"
#include "log/memory_file.h"
#include "protocol/record_batch.h"

namespace weir {
namespace {

constexpr char kFolder[] = "data/__cluster_metadata-0";

raft::VoterSet Voters() { return raft::VoterSet({{BrokerId(1), Uuid{5, 1}}}); }

raft::SnapshotMeta MetaOf(const metadata::MetadataImage& image) {
  return {{image.highest_offset + 1, image.highest_epoch}, Voters()};
}

std::vector<std::string> BatchesOf(const metadata::MetadataImage& image, int32_t records_max) {
  std::vector<std::string> batches;
  const absl::Status status = WriteSnapshot(
      image, {.now_ms = 1000, .batch_records_max = records_max}, [&](std::string batch) {
        batches.push_back(std::move(batch));
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
  return batches;
}

absl::StatusOr<metadata::MetadataImagePtr> Load(log::FileSystem& fs, const std::string& path,
                                                const raft::SnapshotId& id) {
  metadata::SnapshotReader reader;
  const auto contents = raft::VisitSnapshotFile(
      fs, path, [&](const protocol::RecordBatchView& batch) { return reader.Add(batch); });
  if (!contents.ok()) return contents.status();
  return std::move(reader).Finish(id.end_offset, id.epoch);
}

TEST(MetadataSnapshotTest, AnImageSurvivesItsFile) {
  for (const int32_t records_max : {1, 5, 1000}) {
    const metadata::MetadataImagePtr image = metadata::TestImage();
    const raft::SnapshotMeta meta = MetaOf(*image);
    log::MemoryFileSystem fs;
    ASSERT_TRUE(raft::LogStorage::Found(fs, kFolder, Voters()).ok());
    {
      raft::LogStorage storage(fs, kFolder);
      ASSERT_TRUE(storage.Load().ok());
      const absl::Status saved =
          storage.SaveSnapshot(meta, TimestampMs(1000), BatchesOf(*image, records_max));
      ASSERT_TRUE(saved.ok()) << saved;
    }
    raft::LogStorage storage(fs, kFolder);
    const auto recovered = storage.Load();
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    EXPECT_EQ(recovered->snapshot, meta);
    const auto loaded = Load(fs, storage.PathOf(meta.id), meta.id);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_TRUE(**loaded == *image);
  }
}

TEST(MetadataSnapshotTest, TheSnapshotOfAFounderIsAnEmptyImage) {
  log::MemoryFileSystem fs;
  ASSERT_TRUE(raft::LogStorage::Found(fs, kFolder, Voters()).ok());
  raft::LogStorage storage(fs, kFolder);
  ASSERT_TRUE(storage.Load().ok());
  const auto loaded = Load(fs, storage.PathOf({}), {});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(**loaded == *metadata::EmptyImage());
}

// A writer that gives up leaves nothing that anybody would take for a snapshot.
TEST(MetadataSnapshotTest, AFileThatWasNotFinishedIsNone) {
  const metadata::MetadataImagePtr image = metadata::TestImage();
  const raft::SnapshotMeta meta = MetaOf(*image);
  log::MemoryFileSystem fs;
  ASSERT_TRUE(raft::LogStorage::Found(fs, kFolder, Voters()).ok());
  {
    auto writer = raft::SnapshotWriter::Create(fs, kFolder, meta, TimestampMs(1000));
    ASSERT_TRUE(writer.ok());
    int batches = 0;
    const absl::Status stopped =
        WriteSnapshot(*image, {.batch_records_max = 4}, [&](std::string batch) {
          if (++batches == 3) return absl::CancelledError("enough");
          return writer->Append(std::move(batch));
        });
    EXPECT_TRUE(absl::IsCancelled(stopped));
  }
  raft::LogStorage storage(fs, kFolder);
  const auto recovered = storage.Load();
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->snapshot.id, raft::SnapshotId());
  EXPECT_FALSE(fs.Exists(storage.PathOf(meta.id)));
}

// What the records say is checked too, not just what stands around them.
TEST(MetadataSnapshotTest, ABatchThatIsMissingIsNoticed) {
  const metadata::MetadataImagePtr image = metadata::TestImage();
  const raft::SnapshotMeta meta = MetaOf(*image);
  std::vector<std::string> batches = BatchesOf(*image, 1);
  log::MemoryFileSystem fs;
  ASSERT_TRUE(raft::LogStorage::Found(fs, kFolder, Voters()).ok());
  raft::LogStorage storage(fs, kFolder);
  ASSERT_TRUE(storage.Load().ok());
  std::vector<std::string> without;
  for (const std::string& batch : batches) {
    if (!absl::StrContains(batch, "_trades")) without.push_back(batch);
  }
  ASSERT_EQ(without.size(), batches.size() - 1);
  ASSERT_TRUE(storage.SaveSnapshot(meta, TimestampMs(1000), without).ok());
  const absl::Status refused = Load(fs, storage.PathOf(meta.id), meta.id).status();
  EXPECT_TRUE(absl::IsDataLoss(refused)) << refused;
  EXPECT_TRUE(absl::StrContains(refused.message(), "there is no topic with id")) << refused;
}

}  // namespace
}  // namespace weir

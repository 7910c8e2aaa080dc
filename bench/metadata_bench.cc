// Snapshots of cluster metadata with 100,000 partitions of three replicas on ten brokers:
//   SnapshotWrite/partitions_per_topic   from the image to a durable file
//     floor: CRC-32C, write and fdatasync of the same batches
//   SnapshotLoad/partitions_per_topic    from the file, whose pages are cached, to the image
//     floor: reading the file and CRC-32C of it
// items_per_second are partitions; `file_bytes` and `memory_bytes` are those of a partition with
// its share of all else.
#include <malloc.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "bench/floor.h"
#include "bench/temp_folder.h"
#include "bench/write_floor.h"
#include "benchmark/benchmark.h"
#include "coordination/metadata/apply.h"
#include "coordination/metadata/features.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/records.h"
#include "coordination/metadata/snapshot.h"
#include "coordination/raft/snapshot_file.h"
#include "coordination/raft/types.h"
#include "log/file.h"
#include "log/posix_file.h"

namespace weir::bench {
namespace {

constexpr int kPartitions = 100'000;
constexpr int32_t kBrokers = 10;
const raft::SnapshotId kId{Offset(200'000), LeaderEpoch(7)};

Uuid DirectoryOf(int32_t broker) { return {0xd12ec7, static_cast<uint64_t>(broker)}; }

void AddBrokers(std::vector<metadata::MetadataRecord>* records) {
  for (int32_t id = 1; id <= kBrokers; ++id) {
    metadata::RegisterBrokerRecord r;
    r.broker_id = id;
    r.incarnation_id = {1, static_cast<uint64_t>(id)};
    r.end_points = {{"PLAINTEXT", absl::StrCat("broker-", id, ".example"), 9092, 0, {}}};
    r.fenced = false;
    r.log_dirs = {DirectoryOf(id)};
    records->push_back(std::move(r));
  }
}

metadata::MetadataImagePtr MakeImage(int partitions_per_topic) {
  std::vector<metadata::MetadataRecord> records;
  records.push_back(metadata::FeatureLevelRecord{
      std::string(metadata::kMetadataVersionFeature), metadata::kMetadataVersionNewest, {}});
  AddBrokers(&records);
  for (int i = 0; i < kPartitions; ++i) {
    const int topic = i / partitions_per_topic;
    const Uuid id{0x1234567 + static_cast<uint64_t>(topic) * 0x9e3779b97f4a7c15, 1};
    if (i % partitions_per_topic == 0) {
      records.push_back(metadata::TopicRecord{absl::StrCat("orders-of-region-", topic), id, {}});
    }
    metadata::PartitionRecord r;
    r.topic_id = id;
    r.partition_id = i % partitions_per_topic;
    for (int32_t n = 0; n < 3; ++n) {
      r.replicas.push_back(1 + (i + n) % kBrokers);
      r.directories.push_back(DirectoryOf(r.replicas.back()));
    }
    r.isr = r.replicas;
    r.leader = r.replicas[0];
    r.leader_epoch = i % 100;
    r.partition_epoch = i % 1000;
    records.push_back(std::move(r));
  }
  auto image = metadata::Apply(*metadata::EmptyImage(), records, Offset(0), kId.epoch);
  WEIR_CHECK(image.ok());
  return *std::move(image);
}

// Returns its path.
std::string Save(log::FileSystem& files, const std::string& folder,
                 const metadata::MetadataImage& image) {
  auto writer = raft::SnapshotWriter::Create(files, folder, {kId, {}}, TimestampMs(1000));
  WEIR_CHECK(writer.ok());
  const absl::Status written = WriteSnapshot(
      image, {.now_ms = 1000}, [&](std::string batch) { return writer->Append(std::move(batch)); });
  WEIR_CHECK(written.ok());
  WEIR_CHECK(writer->Finish().ok());
  return absl::StrCat(folder, "/", raft::SnapshotFileName(kId));
}

metadata::MetadataImagePtr Load(log::FileSystem& files, const std::string& path) {
  metadata::SnapshotReader reader;
  const auto visited =
      raft::VisitSnapshotFile(files, path, [&](const auto& batch) { return reader.Add(batch); });
  WEIR_CHECK(visited.ok());
  auto image = std::move(reader).Finish(kId.end_offset, kId.epoch);
  WEIR_CHECK(image.ok());
  return *std::move(image);
}

int64_t SizeOf(log::FileSystem& files, const std::string& path) {
  return (*files.Open(path, log::OpenMode::kRead))->size_bytes();
}

// Of allocations, the large ones that have pages of their own included.
size_t AllocatedBytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

void CountPartitions(benchmark::State& state, int64_t file_bytes) {
  state.SetItemsProcessed(state.iterations() * kPartitions);
  state.counters["file_bytes"] = static_cast<double>(file_bytes) / kPartitions;
}

void SnapshotWrite(benchmark::State& state) {
  TempFolder folder;
  log::PosixFileSystem files;
  const metadata::MetadataImagePtr image = MakeImage(static_cast<int>(state.range(0)));
  std::vector<std::string> batches;
  const absl::Status written = WriteSnapshot(*image, {}, [&](std::string batch) {
    batches.push_back(std::move(batch));
    return absl::OkStatus();
  });
  WEIR_CHECK(written.ok());
  const int64_t bytes = SizeOf(files, Save(files, folder.path(), *image));
  WriteFloor floor;
  RunAgainstFloor(
      state, 1, 1, [&](size_t) { Save(files, folder.path(), *image); },
      [&](size_t) {
        for (const std::string& batch : batches) floor.Append(batch);
        floor.Sync();
      },
      [&](size_t) { return bytes; });
  CountPartitions(state, bytes);
  state.counters["fsync"] = 1;
}

void SnapshotLoad(benchmark::State& state) {
  TempFolder folder;
  log::PosixFileSystem files;
  const std::string path = Save(files, folder.path(), *MakeImage(static_cast<int>(state.range(0))));
  const int64_t bytes = SizeOf(files, path);
  const size_t before = AllocatedBytes();
  metadata::MetadataImagePtr image = Load(files, path);
  const size_t memory = AllocatedBytes() - before;
  image.reset();
  std::string buffer(1 << 20, '\0');
  uint32_t sum = 0;
  RunAgainstFloor(
      state, 1, 1, [&](size_t) { image = Load(files, path); },
      [&](size_t) {
        const auto file = files.Open(path, log::OpenMode::kRead);
        WEIR_CHECK(file.ok());
        for (int64_t at = 0; at < bytes;) {
          const auto got = (*file)->ReadAt(at, absl::MakeSpan(buffer.data(), buffer.size()));
          WEIR_CHECK(got.ok() && *got > 0);
          sum ^= Crc32c(absl::string_view(buffer.data(), *got));
          at += static_cast<int64_t>(*got);
        }
      },
      [&](size_t) { return bytes; }, /*settle_ours=*/[&] { image.reset(); });
  benchmark::DoNotOptimize(sum);
  CountPartitions(state, bytes);
  state.counters["memory_bytes"] = static_cast<double>(memory) / kPartitions;
}

BENCHMARK(SnapshotWrite)->Arg(100)->Arg(1)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(SnapshotLoad)->Arg(100)->Arg(1)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace weir::bench

BENCHMARK_MAIN();

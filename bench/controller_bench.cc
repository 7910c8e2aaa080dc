// The controller and its metadata log, in a quorum of one, with ten brokers:
//   CreateTopics/TOPICS/IN_FLIGHT  10,000 topics of 10 partitions with 3 replicas, so many topics a
//                                  request and so many requests at once, in memory
//   CreateTopicsDurable/...        the same with a log on disk, each round behind an fdatasync
//     floor: CRC-32C and a copy of the same batches; write and fdatasync of them instead
//   AlterIsr/PARTITIONS            one partition's ISR is changed, from request to answer, where
//                                  there are so many, in memory
//     floor: CRC-32C and a copy of the same batch
//   FollowIsr/PARTITIONS           a broker makes its next image from that batch, and what differs
//     floor: CRC-32C of it
//   Start/FROM                     a controller of 100,000 partitions starts, until it is active:
//                                  from a log of batches of 1 or 100 topics, or a snapshot (0)
//     floor: reading that file, whose pages are cached, and CRC-32C of it
// items_per_second are topics, changes and partitions; `latency` is the time of one round.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "bench/controller_rig.h"
#include "bench/floor.h"
#include "bench/temp_folder.h"
#include "bench/write_floor.h"
#include "benchmark/benchmark.h"
#include "coordination/metadata/apply.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/image_delta.h"
#include "coordination/metadata/metadata_batch.h"
#include "log/file.h"
#include "log/posix_file.h"
#include "protocol/record_batch.h"

namespace weir::bench {
namespace {

constexpr size_t kTopics = 10'000;
constexpr size_t kPartitionsPerTopic = 10;
constexpr size_t kTurns = 10;  // of the floor and ours, while the topics become more
constexpr size_t kChanges = 20'000;

using Batch = std::shared_ptr<const std::string>;

std::vector<metadata::CreateTopics> Creations(size_t topics, size_t per_request) {
  std::vector<metadata::CreateTopics> events(topics / per_request);
  for (size_t i = 0; i < topics; ++i) {
    auto& topic = events[i / per_request].request.topics.emplace_back();
    topic.name = absl::StrCat("orders-of-region-", i);
    topic.num_partitions = kPartitionsPerTopic;
    topic.replication_factor = 3;
  }
  return events;
}

template <class Disk>
void Create(ControllerRig<Disk>& rig, size_t topics, size_t per_request, size_t in_flight) {
  std::vector<metadata::CreateTopics> events = Creations(topics, per_request);
  for (size_t i = 0; i < events.size(); ++i) {
    rig.Give(std::move(events[i]));
    if ((i + 1) % in_flight == 0) rig.Settle();
  }
  rig.Settle();
}

// A copy in memory of what was checked.
class CopyFloor {
 public:
  void Append(absl::string_view batch) {
    if (log_.size() + batch.size() > kRotationBytes) log_.clear();
    sum_ ^= Crc32c(batch);
    log_.append(batch.data(), batch.size());
    benchmark::DoNotOptimize(sum_);
  }
  void Sync() {}

 private:
  std::string log_;
  uint32_t sum_ = 0;
};

void CountRounds(benchmark::State& state, size_t rounds, size_t items) {
  state.SetItemsProcessed(static_cast<int64_t>(items));
  // Seconds from giving the requests of a round to the last answer.
  state.counters["latency"] = benchmark::Counter(
      static_cast<double>(rounds), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

template <class Disk, class Floor>
void CreateOn(benchmark::State& state, Disk& disk) {
  const auto per_request = static_cast<size_t>(state.range(0));
  const auto in_flight = static_cast<size_t>(state.range(1));
  const size_t rounds = kTopics / (per_request * in_flight);
  std::vector<Batch> batches;
  {
    MemoryDisk memory;
    ControllerRig rehearsal(memory);
    rehearsal.RegisterBrokers();
    rehearsal.TakeAppended();
    Create(rehearsal, kTopics, per_request, in_flight);
    batches = rehearsal.TakeAppended();
  }
  WEIR_CHECK(batches.size() == rounds * in_flight);
  ControllerRig rig(disk);
  rig.RegisterBrokers();
  Floor floor;
  std::vector<metadata::CreateTopics> events = Creations(kTopics, per_request);
  RunAgainstFloor(
      state, rounds, rounds / kTurns,
      [&](size_t i) {
        for (size_t n = 0; n < in_flight; ++n) rig.Give(std::move(events[i * in_flight + n]));
        rig.Settle();
      },
      [&](size_t i) {
        for (size_t n = 0; n < in_flight; ++n) floor.Append(*batches[i * in_flight + n]);
        floor.Sync();
      },
      [&](size_t i) {
        size_t bytes = 0;
        for (size_t n = 0; n < in_flight; ++n) bytes += batches[i * in_flight + n]->size();
        return bytes;
      });
  WEIR_CHECK(rig.image().topics.size() == kTopics);
  CountRounds(state, rounds, kTopics);
}

void CreateTopics(benchmark::State& state) {
  MemoryDisk disk;
  CreateOn<MemoryDisk, CopyFloor>(state, disk);
  state.counters["fsync"] = 0;
}

void CreateTopicsDurable(benchmark::State& state) {
  TempFolder folder;
  LogDisk disk(absl::StrCat(folder.path(), "/__cluster_metadata-0"));
  CreateOn<LogDisk, WriteFloor>(state, disk);
  state.counters["fsync"] = 1;
}

// Takes the last replica of one partition after the other from the ISR, and next time puts it back.
class IsrChanges {
 public:
  IsrChanges() { rig_.RegisterBrokers(); }

  void Create(size_t partitions) {
    bench::Create(rig_, partitions / kPartitionsPerTopic, 100, 1);
    rig_.TakeAppended();
    rig_.image().topics.ForEach(
        [this](const Uuid& id, const metadata::TopicImage&) { topics_.push_back(id); });
    partitions_ = partitions;
  }
  void Change(size_t i) {
    const size_t at = i * 7919 % partitions_;
    metadata::AlterPartition::Change change;
    change.partition = {topics_[at / kPartitionsPerTopic],
                        PartitionIndex(static_cast<int32_t>(at % kPartitionsPerTopic))};
    const metadata::PartitionImage& p = *rig_.image().FindPartition(change.partition);
    change.leader_epoch = p.leader_epoch;
    change.partition_epoch = p.partition_epoch;
    const size_t members = p.isr.size() == 3 ? 2 : 3;
    for (size_t n = 0; n < members; ++n) {
      change.isr.push_back({p.replicas[n], EpochOf(p.replicas[n])});
    }
    metadata::AlterPartition event;
    event.broker = p.leader;
    event.broker_epoch = EpochOf(p.leader);
    event.changes = {std::move(change)};
    rig_.Give(std::move(event));
    rig_.Settle();
  }
  ControllerRig<MemoryDisk>& rig() { return rig_; }

 private:
  int64_t EpochOf(BrokerId id) const { return rig_.image().FindBroker(id)->epoch; }

  MemoryDisk disk_;
  ControllerRig<MemoryDisk> rig_{disk_};
  std::vector<Uuid> topics_;
  size_t partitions_ = 0;
};

void AlterIsr(benchmark::State& state) {
  IsrChanges changes;
  changes.Create(static_cast<size_t>(state.range(0)));
  changes.Change(0);
  const std::string batch = *changes.rig().TakeAppended().front();
  CopyFloor floor;
  RunAgainstFloor(
      state, kChanges, kChanges / kTurns, [&](size_t i) { changes.Change(i + 1); },
      [&](size_t) { floor.Append(batch); }, [&](size_t) { return batch.size(); },
      [&] { changes.rig().TakeAppended(); });
  state.counters["fsync"] = 0;
  CountRounds(state, kChanges, kChanges);
}

void FollowIsr(benchmark::State& state) {
  IsrChanges changes;
  changes.Create(static_cast<size_t>(state.range(0)));
  metadata::MetadataImagePtr image = changes.rig().image_ptr();
  for (size_t i = 0; i < kChanges; ++i) changes.Change(i);
  const std::vector<Batch> batches = changes.rig().TakeAppended();
  WEIR_CHECK(batches.size() == kChanges);
  uint32_t sum = 0;
  RunAgainstFloor(
      state, kChanges, kChanges / kTurns,
      [&](size_t i) {
        const auto view = protocol::RecordBatchView::Parse(*batches[i]);
        const auto batch = metadata::DecodeMetadataBatch(*view);
        auto next = metadata::Apply(*image, batch->records, batch->base_offset, batch->epoch);
        const metadata::ImageDelta delta = metadata::Compare(std::move(image), *next);
        WEIR_CHECK(delta.changed_topics.size() == 1);
        image = *std::move(next);
      },
      [&](size_t i) { sum ^= Crc32c(*batches[i]); }, [&](size_t i) { return batches[i]->size(); });
  benchmark::DoNotOptimize(sum);
  CountRounds(state, kChanges, kChanges);
}

// The file of the folder that holds the metadata: its log, or its snapshot.
std::string FileOf(const std::string& folder, absl::string_view suffix) {
  std::string path;
  uintmax_t size = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != std::string(suffix) || entry.file_size() < size) continue;
    path = entry.path().string();
    size = entry.file_size();
  }
  WEIR_CHECK(!path.empty());
  return path;
}

void Start(benchmark::State& state) {
  TempFolder temp;
  const std::string folder = absl::StrCat(temp.path(), "/__cluster_metadata-0");
  const auto from = static_cast<size_t>(state.range(0));
  {
    LogDisk disk(folder);
    ControllerRig rig(disk);
    rig.RegisterBrokers();
    Create(rig, kTopics, from == 0 ? 100 : from, 100);
    if (from == 0) rig.TakeSnapshot();
  }
  log::PosixFileSystem files;
  const auto file =
      files.Open(FileOf(folder, from == 0 ? ".checkpoint" : ".log"), log::OpenMode::kRead);
  WEIR_CHECK(file.ok());
  const auto bytes = static_cast<size_t>((*file)->size_bytes());
  std::optional<LogDisk> disk;
  std::optional<ControllerRig<LogDisk>> rig;
  std::string buffer(1 << 20, '\0');
  uint32_t sum = 0;
  RunAgainstFloor(
      state, 1, 1,
      [&](size_t) {
        disk.emplace(folder);
        rig.emplace(*disk);
        WEIR_CHECK(rig->image().topics.size() == kTopics);
      },
      [&](size_t) {
        for (size_t at = 0; at < bytes;) {
          const auto got = (*file)->ReadAt(static_cast<int64_t>(at),
                                           absl::MakeSpan(buffer.data(), buffer.size()));
          WEIR_CHECK(got.ok() && *got > 0);
          sum ^= Crc32c(absl::string_view(buffer.data(), *got));
          at += *got;
        }
      },
      [&](size_t) { return bytes; },
      [&] {
        rig.reset();
        disk.reset();
      });
  benchmark::DoNotOptimize(sum);
  constexpr size_t kPartitions = kTopics * kPartitionsPerTopic;
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kPartitions));
  state.counters["file_bytes"] = static_cast<double>(bytes) / kPartitions;
  state.counters["fsync"] = 1;
}

// All topics or changes in all turns together.
void Once(benchmark::internal::Benchmark* row) {
  row->Iterations(kTurns)->UseManualTime()->Unit(benchmark::kMillisecond);
}

BENCHMARK(CreateTopics)->Args({1, 1})->Args({1, 100})->Args({100, 1})->Apply(Once);
BENCHMARK(CreateTopicsDurable)->Args({1, 1})->Args({1, 100})->Args({100, 1})->Apply(Once);
BENCHMARK(AlterIsr)->Arg(1'000)->Arg(10'000)->Arg(100'000)->Apply(Once);
BENCHMARK(FollowIsr)->Arg(1'000)->Arg(10'000)->Arg(100'000)->Apply(Once);
BENCHMARK(Start)->Arg(1)->Arg(100)->Arg(0)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace weir::bench

BENCHMARK_MAIN();

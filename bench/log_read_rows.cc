// Rows that read a log whose pages are cached:
//   CachedRead         a read by offset, sent to a TCP socket as the broker sends it
//                      floor: sendfile of the same bytes
//   OffsetIndexLookup, TimeIndexLookup   of a segment of 1 GiB
//                      floor: std::lower_bound over the same entries
//   FindOffset, FindTimestamp            from an offset or a time to a place in a file
//                      floor: std::lower_bound and one pread of the 4 KiB that an entry leads to
#include <netinet/in.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/ids.h"
#include "base/random.h"
#include "bench/bench_log.h"
#include "bench/floor.h"
#include "bench/sized_batches.h"
#include "benchmark/benchmark.h"
#include "log/file.h"
#include "log/log_types.h"
#include "log/offset_index.h"
#include "log/time_index.h"
#include "protocol/record_batch.h"

namespace weir::bench {
namespace {

constexpr size_t kSmallBatchBytes = 16 << 10;
constexpr size_t kIndexEntries = (size_t{1} << 30) / 4096;
constexpr size_t kTargets = 1 << 16;
constexpr size_t kLookupsPerTurn = 4096;

// A TCP connection whose other end throws away what comes.
class Sink {
 public:
  Sink() {
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    WEIR_CHECK(bind(listener, generic, size) == 0 && listen(listener, 1) == 0);
    WEIR_CHECK(getsockname(listener, generic, &size) == 0);
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    WEIR_CHECK(connect(fd_, generic, size) == 0);
    const int other = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    WEIR_CHECK(other >= 0);
    close(listener);
    drain_ = std::thread([other] {
      while (recv(other, nullptr, size_t{1} << 20, MSG_TRUNC) > 0) continue;
      close(other);
    });
  }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  ~Sink() {
    close(fd_);
    drain_.join();
  }

  void SendFile(int file, int64_t position, size_t bytes) {
    off_t from = position;
    while (bytes > 0) {
      const ssize_t sent = sendfile(fd_, file, &from, bytes);
      WEIR_CHECK(sent > 0);
      bytes -= static_cast<size_t>(sent);
    }
  }

 private:
  int fd_ = -1;
  std::thread drain_;
};

// A log of 64 MiB in small batches, one record and so one offset each.
class FilledLog {
 public:
  FilledLog() {
    for (std::string& batch : SizedBatches(kSmallBatchBytes)) {
      log_.Append(batch);
      ++batches_;
    }
  }
  size_t batches() const { return batches_; }
  log::Log& log() { return log_.log(); }
  log::LogSlice Read(size_t batch, size_t bytes) {
    auto slice = log().Read(Offset(static_cast<int64_t>(batch)), static_cast<int64_t>(bytes),
                            log().log_end_offset(), /*at_least_one_batch=*/true);
    WEIR_CHECK(slice.ok() && !slice->empty());
    return *std::move(slice);
  }

 private:
  BenchLog log_;
  size_t batches_ = 0;
};

void BM_CachedRead(benchmark::State& state) {
  const auto size = static_cast<size_t>(state.range(0));
  const size_t batches_per_read = size / kSmallBatchBytes;
  FilledLog filled;
  Sink sink;
  const std::shared_ptr<const log::File> file = filled.Read(0, size).file;
  RunAgainstFloor(
      state, filled.batches() / batches_per_read, (2 << 20) / size,
      [&](size_t i) {
        const log::LogSlice slice = filled.Read(i * batches_per_read, size);
        WEIR_CHECK(slice.size_bytes == static_cast<int64_t>(size));
        sink.SendFile(slice.file->NativeHandle(), slice.position, size);
      },
      [&](size_t i) { sink.SendFile(file->NativeHandle(), static_cast<int64_t>(i * size), size); },
      [&](size_t) { return size; });
}
BENCHMARK(BM_CachedRead)->Name("CachedRead")->Arg(65536)->Arg(1048576)->UseManualTime();

// Runs look-ups of one kind, and shows what one takes.
template <class Ours, class Floor>
void RunLookups(benchmark::State& state, Ours ours, Floor floor) {
  RunAgainstFloor(state, kTargets, kLookupsPerTurn, ours, floor, [](size_t) { return 1; });
  state.SetBytesProcessed(0);
  state.counters["lookup"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * kLookupsPerTurn,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

std::vector<int64_t> RandomTargets(int64_t below) {
  SeededRandom random(7);
  std::vector<int64_t> targets(kTargets);
  for (int64_t& each : targets) {
    each = static_cast<int64_t>(random.Below(static_cast<uint64_t>(below)));
  }
  return targets;
}

void BM_OffsetIndexLookup(benchmark::State& state) {
  struct Entry {
    int32_t offset;
    int32_t position;
  };
  constexpr int kStep = 40;  // offsets from entry to entry
  log::OffsetIndex index{Offset(0)};
  std::vector<Entry> entries;
  for (size_t i = 1; i <= kIndexEntries; ++i) {
    const Entry entry{static_cast<int32_t>(i * kStep), static_cast<int32_t>(i * 4000)};
    index.Append(Offset(entry.offset), entry.position);
    entries.push_back(entry);
  }
  const std::vector<int64_t> targets = RandomTargets(int64_t{kIndexEntries} * kStep);
  RunLookups(
      state, [&](size_t i) { benchmark::DoNotOptimize(index.Lookup(Offset(targets[i])).position); },
      [&](size_t i) {
        benchmark::DoNotOptimize(std::lower_bound(
            entries.begin(), entries.end(), targets[i],
            [](const Entry& entry, int64_t target) { return entry.offset < target; }));
      });
}
BENCHMARK(BM_OffsetIndexLookup)->Name("OffsetIndexLookup")->UseManualTime();

void BM_TimeIndexLookup(benchmark::State& state) {
  constexpr int kStep = 40;
  log::TimeIndex index{Offset(0)};
  std::vector<std::pair<int64_t, int64_t>> entries;
  for (size_t i = 1; i <= kIndexEntries; ++i) {
    entries.emplace_back(static_cast<int64_t>(i * 10), static_cast<int64_t>(i * kStep));
    index.MaybeAppend(entries.back().first, Offset(entries.back().second));
  }
  const std::vector<int64_t> targets = RandomTargets(int64_t{kIndexEntries} * 10);
  RunLookups(
      state, [&](size_t i) { benchmark::DoNotOptimize(index.Lookup(targets[i]).offset); },
      [&](size_t i) {
        benchmark::DoNotOptimize(
            std::lower_bound(entries.begin(), entries.end(), targets[i],
                             [](const std::pair<int64_t, int64_t>& entry, int64_t target) {
                               return entry.first < target;
                             }));
      });
}
BENCHMARK(BM_TimeIndexLookup)->Name("TimeIndexLookup")->UseManualTime();

// What every look-up in a file has to do: find the entry, and read what is behind it.
class LookupFloor {
 public:
  explicit LookupFloor(FilledLog& filled) : file_(filled.Read(0, kSmallBatchBytes).file) {
    for (size_t i = 0; i < filled.batches(); ++i) entries_.push_back(static_cast<int64_t>(i));
  }
  void Find(int64_t target) {
    const auto entry = std::lower_bound(entries_.begin(), entries_.end(), target);
    const auto position = (entry - entries_.begin()) * static_cast<int64_t>(kSmallBatchBytes);
    WEIR_CHECK(pread(file_->NativeHandle(), buffer_, sizeof(buffer_), position) > 0);
    benchmark::DoNotOptimize(buffer_);
  }

 private:
  std::shared_ptr<const log::File> file_;
  std::vector<int64_t> entries_;
  char buffer_[4096];
};

void BM_FindOffset(benchmark::State& state) {
  FilledLog filled;
  LookupFloor floor(filled);
  const std::vector<int64_t> targets = RandomTargets(static_cast<int64_t>(filled.batches()));
  RunLookups(
      state,
      [&](size_t i) {
        benchmark::DoNotOptimize(filled.Read(static_cast<size_t>(targets[i]), 1).position);
      },
      [&](size_t i) { floor.Find(targets[i]); });
}
BENCHMARK(BM_FindOffset)->Name("FindOffset")->UseManualTime();

void BM_FindTimestamp(benchmark::State& state) {
  FilledLog filled;
  LookupFloor floor(filled);
  const std::vector<int64_t> targets = RandomTargets(static_cast<int64_t>(filled.batches()));
  const auto not_compressed = [](const protocol::RecordBatchView&) -> absl::StatusOr<std::string> {
    WEIR_CHECK(false);
    return std::string();
  };
  RunLookups(
      state,
      [&](size_t i) {
        const auto found = filled.log().FindByTimestamp(
            kFirstTimestamp + targets[i], filled.log().log_end_offset(), not_compressed);
        WEIR_CHECK(found.ok() && (*found)->offset == Offset(targets[i]));
      },
      [&](size_t i) { floor.Find(targets[i]); });
}
BENCHMARK(BM_FindTimestamp)->Name("FindTimestamp")->UseManualTime();

}  // namespace
}  // namespace weir::bench

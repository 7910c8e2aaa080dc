// Rows about opening logs and keeping them open:
//   Recovery/clean:1   opening a log of 1 GiB in four segments that was closed
//   Recovery/clean:0   the same after a crash before any checkpoint: all of it is checked, its
//                      indexes are rebuilt, and everything is made durable
//                      floor of both: reading the same bytes once; all pages are cached
//   IdlePartition      what a log keeps while nothing happens: bytes of memory and open files
#include <malloc.h>
#include <sys/resource.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/ids.h"
#include "bench/floor.h"
#include "bench/read_segments.h"
#include "bench/sized_batches.h"
#include "bench/temp_folder.h"
#include "benchmark/benchmark.h"
#include "log/file.h"
#include "log/log.h"
#include "log/log_types.h"
#include "log/posix_file.h"

namespace weir::bench {
namespace {

constexpr TimestampMs kNow = kFirstTimestamp;

std::unique_ptr<log::Log> OpenLog(log::FileSystem& files, const std::string& folder,
                                  const log::LogConfig& config, bool clean) {
  auto log = log::Log::Open(files, folder, config, {.clean = clean}, kNow);
  WEIR_CHECK(log.ok());
  return *std::move(log);
}

void Append(log::Log& log, std::string& batch) {
  log::BatchToAppend append{absl::MakeSpan(batch)};
  log.Append(absl::MakeSpan(&append, 1), LeaderEpoch(0), kNow);
  WEIR_CHECK(append.status.ok());
}

void BM_Recovery(benchmark::State& state) {
  const bool clean = state.range(0) != 0;
  TempFolder folder;
  const std::string path = absl::StrCat(folder.path(), "/orders-0");
  log::PosixFileSystem files;
  log::LogConfig config;
  config.segment_bytes = int64_t{256} << 20;
  int64_t bytes = 0;
  {
    const auto log = OpenLog(files, path, config, /*clean=*/false);
    std::vector<std::string> batches = SizedBatches(16 << 10);
    for (int pass = 0; pass < 16; ++pass) {
      for (std::string& batch : batches) Append(*log, batch);
    }
    bytes = log->size_bytes();
    WEIR_CHECK(log->Close().ok());
  }
  std::string buffer(1 << 20, '\0');
  RunAgainstFloor(
      state, 1, 1,
      [&](size_t) {
        const auto log = OpenLog(files, path, config, clean);
        WEIR_CHECK(log->recovery_report().bytes_scanned == (clean ? 0 : bytes));
      },
      [&](size_t) { WEIR_CHECK(ReadSegments(files, path, &buffer) == bytes); },
      [&](size_t) { return bytes; });
  state.counters["per_GB"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * static_cast<double>(bytes) / 1e9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_Recovery)
    ->Name("Recovery")
    ->Iterations(16)  // each of them reads the log for its floor
    ->ArgName("clean")
    ->Arg(1)
    ->Arg(0)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

size_t OpenFiles() {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                                           std::filesystem::directory_iterator()));
}

void BM_IdlePartition(benchmark::State& state) {
  constexpr int kPartitions = 1000;
  const auto segments = static_cast<size_t>(state.range(0));
  rlimit limit{};
  WEIR_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  WEIR_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  TempFolder folder;
  log::PosixFileSystem files;
  log::LogConfig config;
  config.segment_bytes = 64 << 10;
  SeededRandom random(1);
  std::string batch = BatchOfSize(random, 16 << 10, kFirstTimestamp);
  std::vector<std::unique_ptr<log::Log>> logs;
  logs.reserve(kPartitions);
  for (auto _ : state) {
    logs.clear();
    const size_t bytes_before = mallinfo2().uordblks;
    const size_t files_before = OpenFiles();
    for (int i = 0; i < kPartitions; ++i) {
      logs.push_back(OpenLog(files, absl::StrCat(folder.path(), "/orders-", i), config, false));
      while (logs.back()->segments() < segments) Append(*logs.back(), batch);
      Append(*logs.back(), batch);
      WEIR_CHECK(logs.back()->Flush().ok());
    }
    // Idle for two rounds of housekeeping, each of which lets go of what was not used since.
    for (int round = 0; round < 2; ++round) {
      for (const auto& log : logs) log->Tick(kNow);
    }
    state.counters["bytes"] =
        static_cast<double>(mallinfo2().uordblks - bytes_before) / kPartitions;
    state.counters["files"] = static_cast<double>(OpenFiles() - files_before) / kPartitions;
  }
}
BENCHMARK(BM_IdlePartition)
    ->Name("IdlePartition")
    ->ArgName("segments")
    ->Arg(1)
    ->Arg(4)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace weir::bench

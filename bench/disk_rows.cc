// How the file port reaches the disk: many syncs at once, and whole files that the page cache has
// not. Floors: fdatasync one after the other, and pread of 1 MiB pieces.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "bench/floor.h"
#include "bench/temp_folder.h"
#include "benchmark/benchmark.h"
#include "log/file.h"
#include "log/posix_file.h"
#include "log/thread_syncer.h"
#include "log/uring_file.h"
#include "log/uring_scan.h"

namespace weir::bench {
namespace {

constexpr size_t kPieceBytes = 16 << 10;
constexpr size_t kFileBytes = size_t{256} << 20;

std::vector<std::unique_ptr<log::File>> MakeFiles(log::FileSystem& files,
                                                  const std::string& directory, size_t count) {
  std::vector<std::unique_ptr<log::File>> made;
  for (size_t i = 0; i < count; ++i) {
    auto file = files.Open(absl::StrCat(directory, "/", i), log::OpenMode::kCreate);
    WEIR_CHECK(file.ok());
    made.push_back(*std::move(file));
  }
  return made;
}

void Dirty(const std::vector<std::unique_ptr<log::File>>& files) {
  const std::string piece(kPieceBytes, 'x');
  for (const auto& file : files) WEIR_CHECK(file->Append({piece}).ok());
}

double SecondsOf(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// One row: files are dirtied, then synced all at once and waited for; the floor one by one.
void SyncRow(benchmark::State& state, log::FileSystem& files, const std::function<void()>& await) {
  const size_t count = static_cast<size_t>(state.range(0));
  const TempFolder ours_folder, floor_folder;
  const auto ours = MakeFiles(files, ours_folder.path(), count);
  log::PosixFileSystem posix;
  const auto floor = MakeFiles(posix, floor_folder.path(), count);
  double ours_seconds = 0, floor_seconds = 0;
  for (auto _ : state) {
    Dirty(floor);
    floor_seconds += SecondsOf([&] {
      for (const auto& file : floor) WEIR_CHECK(file->Sync().ok());
    });
    Dirty(ours);
    const double seconds = SecondsOf([&] {
      for (size_t i = 0; i < count; ++i) ours[i]->StartSync(i);
      std::vector<log::SyncDone> done;
      files.DrainSyncs(&done);
      while (done.size() < count) {
        await();
        files.DrainSyncs(&done);
      }
      for (const log::SyncDone& sync : done) WEIR_CHECK(sync.status.ok());
    });
    ours_seconds += seconds;
    state.SetIterationTime(seconds);
  }
  state.counters["vs_floor"] = floor_seconds / ours_seconds;
  state.counters["fsync"] = 1;
}

void BM_SyncThreads(benchmark::State& state) {
  std::mutex mutex;
  std::condition_variable changed;
  int completed = 0, seen = 0;
  log::ThreadSyncer syncer(4, [&] {
    std::lock_guard<std::mutex> lock(mutex);
    ++completed;
    changed.notify_all();
  });
  log::PosixFileSystem files(&syncer);
  SyncRow(state, files, [&] {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return completed > seen; });
    seen = completed;
  });
}
BENCHMARK(BM_SyncThreads)->Name("Sync/threads")->Arg(8)->Arg(64)->UseManualTime();

void BM_SyncUring(benchmark::State& state) {
  auto files = log::UringFileSystem::Create();
  if (!files.ok()) return state.SkipWithError(std::string(files.status().message()).c_str());
  SyncRow(state, **files, [&] { (*files)->Wait(std::nullopt); });
}
BENCHMARK(BM_SyncUring)->Name("Sync/io_uring")->Arg(8)->Arg(64)->UseManualTime();

// Walks the whole of a file whose pages are dropped before each pass; touches every byte.
void ScanRow(benchmark::State& state, bool direct) {
  const TempFolder folder;
  const std::string path = folder.path() + "/scanned";
  {
    log::PosixFileSystem files;
    auto file = files.Open(path, log::OpenMode::kCreate);
    WEIR_CHECK(file.ok());
    const std::string piece(1 << 20, 'x');
    for (size_t at = 0; at < kFileBytes; at += piece.size()) {
      WEIR_CHECK((*file)->Append({piece}).ok());
    }
    WEIR_CHECK((*file)->Sync().ok());
  }
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  WEIR_CHECK(fd >= 0);
  const auto drop = [fd] { ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); };
  double ours_seconds = 0, floor_seconds = 0;
  std::vector<char> buffer(1 << 20);
  for (auto _ : state) {
    drop();
    floor_seconds += SecondsOf([&] {
      for (size_t at = 0; at < kFileBytes;) {
        const ssize_t n = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(at));
        WEIR_CHECK(n > 0);
        benchmark::DoNotOptimize(SumOfLoads(buffer.data(), static_cast<size_t>(n)));
        at += static_cast<size_t>(n);
      }
    });
    drop();
    const double seconds = SecondsOf([&] {
      log::UringScanOptions options;
      options.direct = direct;
      auto scan = log::UringScan::Open(path, options);
      if (!scan.ok()) return state.SkipWithError(std::string(scan.status().message()).c_str());
      size_t got = 0;
      while (true) {
        const absl::StatusOr<absl::string_view> piece = (*scan)->Next();
        WEIR_CHECK(piece.ok());
        if (piece->empty()) break;
        benchmark::DoNotOptimize(SumOfLoads(piece->data(), piece->size()));
        got += piece->size();
      }
      WEIR_CHECK(got == kFileBytes);
    });
    ours_seconds += seconds;
    state.SetIterationTime(seconds);
  }
  ::close(fd);
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * kFileBytes));
  state.counters["vs_floor"] = floor_seconds / ours_seconds;
}

void BM_ColdScanCached(benchmark::State& state) { ScanRow(state, /*direct=*/false); }
BENCHMARK(BM_ColdScanCached)->Name("ColdScan/cached")->UseManualTime();
void BM_ColdScanDirect(benchmark::State& state) { ScanRow(state, /*direct=*/true); }
BENCHMARK(BM_ColdScanDirect)->Name("ColdScan/direct")->UseManualTime();

}  // namespace
}  // namespace weir::bench

BENCHMARK_MAIN();

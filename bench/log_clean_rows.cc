// Compaction/N: a log of 256 MiB, of at least one record for each of N keys, cleaned until nothing
// in it is dirty: records of about a hundred bytes whose keys are drawn at random, after one pass
// in which each key comes once.
//   floor: reading the same bytes twice, which no compaction can spare, and writing as many as stay
// Counters: the records that stay, of all; the rounds, as many as the default dedupe buffer needs;
// and how much more memory the process had at its highest.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/ids.h"
#include "base/random.h"
#include "bench/read_segments.h"
#include "bench/sized_batches.h"
#include "bench/temp_folder.h"
#include "benchmark/benchmark.h"
#include "log/cleaner.h"
#include "log/file.h"
#include "log/log.h"
#include "log/log_types.h"
#include "log/posix_file.h"
#include "protocol/record_batch_builder.h"

namespace weir::bench {
namespace {

constexpr int64_t kLogBytes = int64_t{256} << 20;
constexpr int64_t kBatchBytesMax = 64 << 10;
constexpr TimestampMs kNow = kFirstTimestamp;

// Bytes of memory that the process had at its highest since ForgetPeak.
int64_t PeakBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    absl::string_view rest = line;
    int64_t kib = 0;
    if (absl::ConsumePrefix(&rest, "VmHWM:") && absl::ConsumeSuffix(&rest, "kB") &&
        absl::SimpleAtoi(rest, &kib)) {
      return kib << 10;
    }
  }
  WEIR_CHECK(false);
  return 0;
}
void ForgetPeak() {
  std::FILE* const file = std::fopen("/proc/self/clear_refs", "w");
  WEIR_CHECK(file != nullptr && std::fputs("5", file) >= 0 && std::fclose(file) == 0);
}

// Writes records of one log until it is large enough.
class Filler {
 public:
  Filler(log::Log& log, int64_t keys) : log_(log), keys_(keys) {}

  void Fill() {
    while (log_.size_bytes() < kLogBytes || records_ < keys_) {
      protocol::RecordBatchOptions options;
      options.bytes_max = kBatchBytesMax;
      protocol::RecordBatchBuilder builder(options);
      while (builder.Append(Next()).ok()) ++records_;
      Append(builder.Build());
    }
    // The segment that is appended to is never cleaned: this one is alone in it.
    protocol::RecordBatchBuilder last;
    WEIR_CHECK(last.Append({kNow + log_.config().segment_ms + 1, key_, value_, {}}).ok());
    Append(last.Build());
  }

 private:
  void Append(std::string batch) {
    log::BatchToAppend append{absl::MakeSpan(batch)};
    log_.Append(absl::MakeSpan(&append, 1), LeaderEpoch(0), kNow);
    WEIR_CHECK(append.status.ok());
  }

  protocol::RecordToAppend Next() {
    const auto keys = static_cast<uint64_t>(keys_);
    const uint64_t key = records_ < keys_ ? static_cast<uint64_t>(records_) : random_.Below(keys);
    key_ = absl::StrFormat("key-%012d", key);
    return {kNow, key_, value_, {}};
  }

  log::Log& log_;
  const int64_t keys_;
  int64_t records_ = 0;
  SeededRandom random_{11};
  std::string key_;
  const std::string value_ = RandomBytes(random_, 75);
};

void WriteAndSync(log::FileSystem& files, const std::string& path, int64_t bytes) {
  const std::string buffer(1 << 20, 'x');
  const auto file = files.Open(path, log::OpenMode::kCreate);
  WEIR_CHECK(file.ok());
  for (int64_t written = 0; written < bytes; written += static_cast<int64_t>(buffer.size())) {
    WEIR_CHECK((*file)->Append({buffer}).ok());
  }
  WEIR_CHECK((*file)->Sync().ok());
}

template <class Work>
double SecondsOf(Work work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void BM_Compaction(benchmark::State& state) {
  const int64_t keys = state.range(0);
  double ours = 0, floor = 0;
  for (auto _ : state) {
    TempFolder folder;
    const std::string path = absl::StrCat(folder.path(), "/orders-0");
    log::PosixFileSystem files;
    SeededRandom random(5);
    log::LogConfig config;
    config.compact = true;
    config.segment_bytes = 64 << 20;
    auto log = log::Log::Open(files, path, config, {}, kNow);
    WEIR_CHECK(log.ok());
    Filler(**log, keys).Fill();
    WEIR_CHECK((*log)->Flush().ok());
    const auto dirt = [&] {
      const auto measured = (*log)->MeasureDirt(kNow, (*log)->log_end_offset());
      WEIR_CHECK(measured.ok());
      return measured->dirty_bytes;
    };
    const int64_t dirty_bytes = dirt();
    floor += SecondsOf([&] {
      std::string buffer(1 << 20, '\0');
      for (int pass = 0; pass < 2; ++pass) ReadSegments(files, path, &buffer);
    });

    ForgetPeak();
    const int64_t before_peak = PeakBytes();
    log::CleaningStats sum;
    int rounds = 0;
    const log::Cleaner cleaner(files, log::CleanerConfig(), random);
    const double seconds = SecondsOf([&] {
      while (dirt() > 0) {
        const auto stats = cleaner.Clean(**log, kNow, (*log)->log_end_offset());
        WEIR_CHECK(stats.ok());
        sum.records_read += stats->records_read;
        sum.records_kept += stats->records_kept;
        sum.written_bytes += stats->written_bytes;
        ++rounds;
      }
    });
    state.counters["peak_MiB"] = static_cast<double>(PeakBytes() - before_peak) / (1 << 20);
    state.counters["rounds"] = rounds;
    state.counters["stays"] =
        static_cast<double>(sum.records_kept) / static_cast<double>(sum.records_read);
    state.SetBytesProcessed(dirty_bytes);
    ours += seconds;
    floor += SecondsOf(
        [&] { WriteAndSync(files, absl::StrCat(folder.path(), "/floor"), sum.written_bytes); });
    state.SetIterationTime(seconds);
  }
  state.counters["vs_floor"] = floor / ours;
  state.counters["fsync"] = 1;
}
BENCHMARK(BM_Compaction)
    ->Name("Compaction")
    ->ArgName("keys")
    ->Arg(10'000)
    ->Arg(100'000)
    ->Arg(1'000'000)
    ->Arg(10'000'000)
    ->Iterations(1)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace weir::bench

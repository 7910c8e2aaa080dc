// DurableAppends/N: N writers, each of which appends 1 KiB and waits until that is durable before
// it appends again; one flush covers all that wait (group commit). The syncs run on a thread of
// their own, as the broker's do.
//   floor: fdatasync behind the same N writes in one pwritev, called directly
// Counters: appends a second, and appends that share one flush.
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "bench/bench_log.h"
#include "bench/floor.h"
#include "bench/sized_batches.h"
#include "bench/write_floor.h"
#include "benchmark/benchmark.h"
#include "log/file.h"
#include "log/log_types.h"
#include "log/thread_syncer.h"

namespace weir::bench {
namespace {

constexpr size_t kAppendBytes = 1024;

// Waits for completions of a ThreadSyncer.
class Completions {
 public:
  void Notify() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      there_ = true;
    }
    changed_.notify_one();
  }
  void Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return there_; });
    there_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool there_ = false;
};

void BM_DurableAppends(benchmark::State& state) {
  const auto writers = static_cast<size_t>(state.range(0));
  std::vector<std::string> batches = SizedBatches(kAppendBytes);
  Completions completions;
  log::ThreadSyncer syncer(1, [&] { completions.Notify(); });
  BenchLog ours(&syncer);
  WriteFloor floor;
  std::vector<log::BatchToAppend> appends(writers);
  std::vector<log::SyncDone> done;
  std::vector<absl::string_view> pieces(writers);
  const auto round = [&](size_t i) { return i * writers; };
  RunAgainstFloor(
      state, batches.size() / writers, 1,
      [&](size_t i) {
        for (size_t w = 0; w < writers; ++w) {
          appends[w] = log::BatchToAppend{absl::MakeSpan(batches[round(i) + w])};
        }
        ours.Append(absl::MakeSpan(appends));
        WEIR_CHECK(ours.log().StartFlush());
        while (ours.log().flushed_offset() < ours.log().log_end_offset()) {
          completions.Wait();
          done.clear();
          ours.files().DrainSyncs(&done);
          for (const log::SyncDone& each : done) ours.log().OnSyncDone(each.token, each.status);
        }
      },
      [&](size_t i) {
        for (size_t w = 0; w < writers; ++w) pieces[w] = batches[round(i) + w];
        floor.Write(absl::MakeSpan(pieces));
        floor.Sync();
      },
      [&](size_t) { return writers * kAppendBytes; });
  state.SetItemsProcessed(static_cast<int64_t>(static_cast<size_t>(state.iterations()) * writers));
  state.counters["appends_per_flush"] = static_cast<double>(writers);
  state.counters["fsync"] = 1;
}
BENCHMARK(BM_DurableAppends)->Name("DurableAppends")->Arg(1)->Arg(8)->Arg(64)->UseManualTime();

}  // namespace
}  // namespace weir::bench

// Rows that append batches of one size to a log, without a sync:
//   Append       its CRC-32C checked first; floor: CRC-32C and pwrite of the same batches
//   AppendNoCrc  floor: pwrite alone
#include <cstddef>
#include <string>
#include <vector>

#include "base/check.h"
#include "bench/bench_log.h"
#include "bench/floor.h"
#include "bench/sized_batches.h"
#include "bench/write_floor.h"
#include "benchmark/benchmark.h"
#include "protocol/record_batch.h"

namespace weir::bench {
namespace {

constexpr size_t kBytesPerTurn = 512 << 10;

size_t PiecesPerTurn(size_t size) { return size < kBytesPerTurn ? kBytesPerTurn / size : 1; }

void BM_Append(benchmark::State& state) {
  const auto size = static_cast<size_t>(state.range(0));
  std::vector<std::string> batches = SizedBatches(size);
  BenchLog ours;
  WriteFloor floor;
  RunAgainstFloor(
      state, batches.size(), PiecesPerTurn(size),
      [&](size_t i) {
        const auto batch = protocol::RecordBatchView::Parse(batches[i]);
        WEIR_CHECK(batch.ok() && batch->CrcIsValid());
        ours.Append(batches[i]);
      },
      [&](size_t i) { floor.Append(batches[i]); }, [&](size_t) { return size; });
  state.counters["fsync"] = 0;
  benchmark::DoNotOptimize(floor.sum());
}
BENCHMARK(BM_Append)
    ->Name("Append")
    ->Arg(1024)
    ->Arg(16384)
    ->Arg(65536)
    ->Arg(1048576)
    ->UseManualTime();

void BM_AppendNoCrc(benchmark::State& state) {
  const auto size = static_cast<size_t>(state.range(0));
  std::vector<std::string> batches = SizedBatches(size);
  BenchLog ours;
  WriteFloor floor;
  RunAgainstFloor(
      state, batches.size(), PiecesPerTurn(size), [&](size_t i) { ours.Append(batches[i]); },
      [&](size_t i) { floor.Write(batches[i]); }, [&](size_t) { return size; });
  state.counters["fsync"] = 0;
}
BENCHMARK(BM_AppendNoCrc)->Name("AppendNoCrc")->Arg(65536)->Arg(1048576)->UseManualTime();

}  // namespace
}  // namespace weir::bench

BENCHMARK_MAIN();

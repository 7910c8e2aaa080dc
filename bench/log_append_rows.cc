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

// What a producer sends, appended; the floor writes the same bytes. With `checks_crc` both read
// them before.
void AppendRow(benchmark::State& state, bool checks_crc) {
  const auto size = static_cast<size_t>(state.range(0));
  std::vector<std::string> batches = SizedBatches(size);
  BenchLog ours;
  WriteFloor floor;
  const auto append = [&](size_t i) {
    if (checks_crc) {
      const auto batch = protocol::RecordBatchView::Parse(batches[i]);
      WEIR_CHECK(batch.ok() && batch->CrcIsValid());
    }
    ours.Append(batches[i]);
  };
  const auto write = [&](size_t i) {
    checks_crc ? floor.Append(batches[i]) : floor.Write(batches[i]);
  };
  RunAgainstFloor(state, batches.size(), PiecesPerTurn(size), append, write,
                  [&](size_t) { return size; });
  state.counters["fsync"] = 0;
  benchmark::DoNotOptimize(floor.sum());
}

void BM_Append(benchmark::State& state) { AppendRow(state, /*checks_crc=*/true); }
BENCHMARK(BM_Append)
    ->Name("Append")
    ->Arg(1024)
    ->Arg(16384)
    ->Arg(65536)
    ->Arg(1048576)
    ->UseManualTime();

void BM_AppendNoCrc(benchmark::State& state) { AppendRow(state, /*checks_crc=*/false); }
BENCHMARK(BM_AppendNoCrc)->Name("AppendNoCrc")->Arg(65536)->Arg(1048576)->UseManualTime();

}  // namespace
}  // namespace weir::bench

BENCHMARK_MAIN();

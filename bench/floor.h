// -----------------------------------------------------------------------------
// File: bench/floor.h
// -----------------------------------------------------------------------------
// Rows with a floor: the same work done by the least that could do it, on the same buffers in the
// same rotation, in the same run. A row reports `vs_floor`: our throughput over the floor's, so
// that 1.0 is the limit.
//
// The buffers are 64 MiB together, more than the caches hold, so that neither side works on what
// the other left there. Both walk them as a ring, half a ring apart, in turns; the side that goes
// first changes from turn to turn. The time that Google Benchmark shows is ours alone: register the
// row with UseManualTime().
#ifndef WEIR_BENCH_FLOOR_H_
#define WEIR_BENCH_FLOOR_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "benchmark/benchmark.h"

namespace weir::bench {

inline constexpr size_t kRotationBytes = size_t{64} << 20;

// Calls make(i) until the pieces it returns are 64 MiB together.
template <class Make>
std::vector<std::string> MakeRotation(Make make) {
  std::vector<std::string> pieces;
  for (size_t bytes = 0; bytes < kRotationBytes; bytes += pieces.back().size()) {
    pieces.push_back(make(pieces.size()));
    WEIR_CHECK(!pieces.back().empty());
  }
  return pieces;
}

// Eight bytes at a time: what reading costs.
inline uint64_t SumOfLoads(const char* data, size_t size) {
  uint64_t sums[8] = {};
  for (; size >= 64; size -= 64, data += 64) {
    uint64_t words[8];
    __builtin_memcpy(words, data, sizeof(words));
    for (int i = 0; i < 8; ++i) sums[i] += words[i];
  }
  uint64_t sum = 0;
  for (const uint64_t each : sums) sum += each;
  return sum;
}

// Runs ours(i) and floor(i) over the pieces 0 to count-1 as the banner says, `per_turn` pieces a
// turn. bytes(i) is what piece i counts for in the throughput. Each one's settle follows its turns,
// untimed: what it has left to be done.
template <class Ours, class Floor, class Bytes>
void RunAgainstFloor(benchmark::State& state, size_t count, size_t per_turn, Ours ours, Floor floor,
                     Bytes bytes, const std::function<void()>& settle_ours = nullptr,
                     const std::function<void()>& settle_floor = nullptr) {
  using Clock = std::chrono::steady_clock;
  const auto turn = [&](auto& work, size_t from, const std::function<void()>& settle) {
    const Clock::time_point begin = Clock::now();
    for (size_t i = from; i < from + per_turn; ++i) work(i % count);
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (settle != nullptr) settle();
    return seconds;
  };
  const auto bytes_of_turn = [&](size_t from) {
    int64_t sum = 0;
    for (size_t i = from; i < from + per_turn; ++i) sum += static_cast<int64_t>(bytes(i % count));
    return sum;
  };
  double ours_seconds = 0, floor_seconds = 0;
  int64_t ours_bytes = 0, floor_bytes = 0;
  size_t ours_at = 0, floor_at = count / 2;
  bool ours_first = true;
  for (auto _ : state) {
    double seconds = 0;
    if (ours_first) seconds = turn(ours, ours_at, settle_ours);
    floor_seconds += turn(floor, floor_at, settle_floor);
    if (!ours_first) seconds = turn(ours, ours_at, settle_ours);
    ours_seconds += seconds;
    ours_bytes += bytes_of_turn(ours_at);
    floor_bytes += bytes_of_turn(floor_at);
    state.SetIterationTime(seconds);
    ours_at = (ours_at + per_turn) % count;
    floor_at = (floor_at + per_turn) % count;
    ours_first = !ours_first;
  }
  state.SetBytesProcessed(ours_bytes);
  state.counters["vs_floor"] = (static_cast<double>(ours_bytes) / ours_seconds) /
                               (static_cast<double>(floor_bytes) / floor_seconds);
}

}  // namespace weir::bench

#endif  // WEIR_BENCH_FLOOR_H_

// -----------------------------------------------------------------------------
// File: bench/latencies.h
// -----------------------------------------------------------------------------
// How long each of many pieces of work took, told as the counters `p50` and `p99`, in seconds.
#ifndef WEIR_BENCH_LATENCIES_H_
#define WEIR_BENCH_LATENCIES_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

#include "base/check.h"
#include "benchmark/benchmark.h"

namespace weir::bench {

class Latencies {
 public:
  template <class Work>
  void Time(Work work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    seconds_.push_back(took.count());
  }
  void Report(benchmark::State& state) {
    WEIR_CHECK(!seconds_.empty());
    std::sort(seconds_.begin(), seconds_.end());
    state.counters["p50"] = seconds_[seconds_.size() / 2];
    state.counters["p99"] = seconds_[seconds_.size() * 99 / 100];
  }

 private:
  std::vector<double> seconds_;
};

}  // namespace weir::bench

#endif  // WEIR_BENCH_LATENCIES_H_

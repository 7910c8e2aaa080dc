// -----------------------------------------------------------------------------
// File: bench/orders.h
// -----------------------------------------------------------------------------
// What the rows work on: record batches of stock orders in JSON, keyed by investor.
#ifndef WEIR_BENCH_ORDERS_H_
#define WEIR_BENCH_ORDERS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "bench/floor.h"
#include "protocol/record_batch_builder.h"

namespace weir::bench {

inline constexpr size_t kBatchBytes = 64 << 10;  // at most, and almost

inline std::string StockOrder(Random& random, uint64_t id) {
  return absl::StrCat(
      "{\"order_id\":", id, ",\"investor_id\":", random.Below(50'000), ",\"asset_id\":\"ASSET",
      random.Below(500), "\",\"shares\":", 1 + random.Below(1000), ",\"price\":", random.Below(500),
      ".", 10 + random.Below(90), ",\"side\":\"", random.OneIn(2) ? "BUY" : "SELL", "\"}");
}

// A rotation of batches, made once.
inline std::vector<std::string>& OrderBatches() {
  static std::vector<std::string>* const batches = [] {
    SeededRandom random(42);
    uint64_t id = 0;
    return new std::vector<std::string>(MakeRotation([&](size_t) {
      protocol::RecordBatchOptions options;
      options.bytes_max = kBatchBytes;
      protocol::RecordBatchBuilder builder(options);
      for (;;) {
        const std::string key = absl::StrCat("investor-", random.Below(50'000));
        const std::string value = StockOrder(random, id++);
        const int64_t timestamp = 1'700'000'000'000 + static_cast<int64_t>(id);
        if (!builder.Append({timestamp, key, value, {}}).ok()) return builder.Build();
      }
    }));
  }();
  return *batches;
}

}  // namespace weir::bench

#endif  // WEIR_BENCH_ORDERS_H_

// -----------------------------------------------------------------------------
// File: bench/sized_batches.h
// -----------------------------------------------------------------------------
// Record batches of an exact size, for rows that are named by it: one record of random bytes each.
#ifndef WEIR_BENCH_SIZED_BATCHES_H_
#define WEIR_BENCH_SIZED_BATCHES_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "bench/floor.h"
#include "protocol/record_batch_builder.h"

namespace weir::bench {

inline constexpr int64_t kFirstTimestamp = 1'700'000'000'000;

inline std::string RandomBytes(Random& random, size_t size) {
  std::string bytes(size, '\0');
  size_t at = 0;
  for (; at + sizeof(uint64_t) <= size; at += sizeof(uint64_t)) {
    const uint64_t word = random.NextU64();
    std::memcpy(&bytes[at], &word, sizeof(word));
  }
  for (; at < size; ++at) bytes[at] = static_cast<char>(random.NextU64());
  return bytes;
}

// A batch of one record with its value as large as makes the batch `size` bytes.
inline std::string BatchOfSize(Random& random, size_t size, int64_t timestamp) {
  std::string value = RandomBytes(random, size);
  for (size_t value_size = size;; --value_size) {
    protocol::RecordBatchBuilder builder;
    value.resize(value_size);
    WEIR_CHECK(builder.Append({timestamp, std::nullopt, value, {}}).ok());
    const auto over = static_cast<size_t>(builder.size_bytes()) - size;
    if (over == 0) return builder.Build();
    // Lengths shrink with the value: come down to the size from above, the last bytes one by one.
    if (over > 16) value_size -= over - 16;
  }
}

inline std::vector<std::string> SizedBatches(size_t size) {
  SeededRandom random(size);
  return MakeRotation([&](size_t i) {
    return BatchOfSize(random, size, kFirstTimestamp + static_cast<int64_t>(i));
  });
}

}  // namespace weir::bench

#endif  // WEIR_BENCH_SIZED_BATCHES_H_

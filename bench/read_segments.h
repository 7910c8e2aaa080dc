// -----------------------------------------------------------------------------
// File: bench/read_segments.h
// -----------------------------------------------------------------------------
// The floor of what reads a whole log: its segments read once, without a look at them.
#ifndef WEIR_BENCH_READ_SEGMENTS_H_
#define WEIR_BENCH_READ_SEGMENTS_H_

#include <cstdint>
#include <filesystem>
#include <string>

#include "absl/types/span.h"
#include "base/check.h"
#include "log/file.h"

namespace weir::bench {

// Through `buffer`, as much at a time as it holds. Returns how many bytes that were.
inline int64_t ReadSegments(log::FileSystem& files, const std::string& folder,
                            std::string* buffer) {
  int64_t sum = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".log") continue;
    const auto file = files.Open(entry.path().string(), log::OpenMode::kRead);
    WEIR_CHECK(file.ok());
    for (int64_t at = 0; at < (*file)->size_bytes();) {
      const auto got = (*file)->ReadAt(at, absl::MakeSpan(*buffer));
      WEIR_CHECK(got.ok() && *got > 0);
      at += static_cast<int64_t>(*got);
      sum += static_cast<int64_t>(*got);
    }
  }
  return sum;
}

}  // namespace weir::bench

#endif  // WEIR_BENCH_READ_SEGMENTS_H_

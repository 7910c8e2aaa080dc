#include "server/log_scrubber.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "gtest/gtest.h"
#include "log/file.h"
#include "log/log_types.h"
#include "log/memory_file.h"
#include "log/test_batches.h"

namespace weir::server {
namespace {

// A file that holds `bytes`, all of it as a slice.
log::LogSlice SliceOf(log::FileSystem& files, const std::string& bytes, int64_t size = -1) {
  auto file = files.Open("f", log::OpenMode::kCreate);
  EXPECT_TRUE(file.ok()) << file.status();
  const absl::string_view pieces[] = {bytes};
  EXPECT_TRUE((*file)->Append(pieces).ok());
  log::LogSlice slice;
  slice.file = std::shared_ptr<const log::File>(*std::move(file));
  slice.first_offset = Offset(7);
  slice.next_offset = Offset(9);
  slice.size_bytes = size < 0 ? static_cast<int64_t>(bytes.size()) : size;
  return slice;
}

std::string TwoBatches() {
  log::TestBatch first, second;
  first.base_offset = Offset(7);
  second.base_offset = Offset(8);
  return log::MakeBatch(first) + log::MakeBatch(second);
}

TEST(LogScrubber, FindsEveryByteThatIsWrong) {
  const std::string good = TwoBatches();
  {
    log::MemoryFileSystem files;
    EXPECT_TRUE(CheckBatches(SliceOf(files, good)).ok());
  }
  // The leader epoch is not under the CRC, so that who appends may set it.
  const auto is_checked = [&](size_t at) {
    const size_t in_batch = at % (good.size() / 2);
    return in_batch < 12 || in_batch >= 16;
  };
  for (size_t at = 0; at < good.size(); ++at) {
    if (!is_checked(at)) continue;
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    log::MemoryFileSystem files;
    EXPECT_TRUE(absl::IsDataLoss(CheckBatches(SliceOf(files, bad)))) << at;
  }
}

TEST(LogScrubber, FindsBytesThatAreMissing) {
  const std::string good = TwoBatches();
  log::MemoryFileSystem files;
  const absl::Status missing =
      CheckBatches(SliceOf(files, good, static_cast<int64_t>(good.size()) + 1));
  EXPECT_TRUE(absl::IsDataLoss(missing));
  EXPECT_TRUE(absl::StrContains(missing.message(), "expected 1 bytes more")) << missing;
}

}  // namespace
}  // namespace weir::server

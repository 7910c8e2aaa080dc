// -----------------------------------------------------------------------------
// File: log/internal/swap_recovery.h
// -----------------------------------------------------------------------------
// What a log's directory holds when its owner died while segments were being replaced, by Weir or
// by Apache Kafka: `.cleaned` and `.swap` files (docs/formats/compaction.md). Either the old
// segments stay or the new ones do; crashing here again changes nothing.
// Errors: kDataLoss for a new segment that is damaged: the old ones may be gone.
#ifndef WEIR_LOG_INTERNAL_SWAP_RECOVERY_H_
#define WEIR_LOG_INTERNAL_SWAP_RECOVERY_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "log/file.h"
#include "log/internal/batch_reader.h"
#include "log/internal/producer_snapshots.h"
#include "log/segment.h"
#include "log/segment_types.h"
#include "protocol/record_batch.h"

namespace weir::log::log_internal {

// A file of a segment: "00000000000000000042.index" and perhaps an ending.
struct SegmentFile {
  std::string name;
  Offset base;
  bool is_log = false;
};

// The segments' files in `names` that end with `ending`.
inline std::vector<SegmentFile> SegmentFilesOf(const std::vector<std::string>& names,
                                               absl::string_view ending) {
  std::vector<SegmentFile> files;
  for (const std::string& name : names) {
    absl::string_view stem = name;
    if (!absl::ConsumeSuffix(&stem, ending)) continue;
    for (const char* suffix : Segment::kFileSuffixes) {
      const std::optional<Offset> base = OffsetOfFileName(stem, suffix);
      if (!base.has_value()) continue;
      files.push_back({name, *base, absl::string_view(suffix) == Segment::kLogSuffix});
      break;
    }
  }
  return files;
}

inline absl::Status RemoveFilesOf(FileSystem& fs, const std::string& directory,
                                  const std::vector<SegmentFile>& files) {
  for (const SegmentFile& file : files) {
    WEIR_RETURN_IF_ERROR(fs.Remove(absl::StrCat(directory, "/", file.name)));
  }
  return absl::OkStatus();
}

// The offset behind the last batch of a new segment, all of which must be good.
inline absl::StatusOr<Offset> EndOfNewSegment(FileSystem& fs, const std::string& path,
                                              Offset base) {
  WEIR_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, fs.Open(path, OpenMode::kRead));
  Offset end = base;
  WEIR_ASSIGN_OR_RETURN(
      const ScanEnd scan,
      ScanBatches(*file, base, [&](const protocol::RecordBatchView& batch, int64_t) {
        end = batch.next_offset();
      }));
  if (scan.stopped.ok()) return end;
  return absl::DataLossError(absl::StrCat(path, ": ", scan.stopped.message(),
                                          "; expected a segment that compaction had completed"));
}

// Drops the new segments that were not complete and puts the others in place. Returns how many that
// were; everything it did is durable.
inline absl::StatusOr<int64_t> FinishReplacements(FileSystem& fs, const std::string& directory) {
  WEIR_ASSIGN_OR_RETURN(std::vector<std::string> names, fs.List(directory));
  const std::vector<SegmentFile> cleaned = SegmentFilesOf(names, kCleanedEnding);
  std::vector<SegmentFile> swaps = SegmentFilesOf(names, kSwapEnding);
  if (cleaned.empty() && swaps.empty()) return int64_t{0};
  if (!cleaned.empty() && !swaps.empty()) {
    // A segment is complete when none of its files, or of those before it, is `.cleaned` any more.
    const Offset first =
        std::min_element(cleaned.begin(), cleaned.end(),
                         [](const SegmentFile& a, const SegmentFile& b) { return a.base < b.base; })
            ->base;
    const auto incomplete = std::partition(swaps.begin(), swaps.end(),
                                           [&](const SegmentFile& f) { return f.base < first; });
    WEIR_RETURN_IF_ERROR(
        RemoveFilesOf(fs, directory, std::vector<SegmentFile>(incomplete, swaps.end())));
    swaps.erase(incomplete, swaps.end());
    // First: without a `.cleaned` beside them they would seem complete.
    WEIR_RETURN_IF_ERROR(fs.SyncDirectory(directory));
  }
  WEIR_RETURN_IF_ERROR(RemoveFilesOf(fs, directory, cleaned));

  // What the new segments replace goes, durably, before they take its place.
  int64_t completed = 0;
  std::vector<SegmentFile> replaced;
  const std::vector<SegmentFile> live = SegmentFilesOf(names, "");
  for (const SegmentFile& swap : swaps) {
    if (!swap.is_log) continue;
    ++completed;
    WEIR_ASSIGN_OR_RETURN(const Offset end,
                          EndOfNewSegment(fs, absl::StrCat(directory, "/", swap.name), swap.base));
    for (const SegmentFile& file : live) {
      if (file.base >= swap.base && file.base < end) replaced.push_back(file);
    }
  }
  for (const SegmentFile& file : replaced) {
    const absl::Status removed = fs.Remove(absl::StrCat(directory, "/", file.name));
    if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
  }
  WEIR_RETURN_IF_ERROR(fs.SyncDirectory(directory));
  // The logs durably before their indexes, as Log::ReplaceSegments does it.
  for (const bool logs : {true, false}) {
    for (const SegmentFile& swap : swaps) {
      if (swap.is_log != logs) continue;
      absl::string_view stem = swap.name;
      absl::ConsumeSuffix(&stem, kSwapEnding);
      WEIR_RETURN_IF_ERROR(
          fs.Rename(absl::StrCat(directory, "/", swap.name), absl::StrCat(directory, "/", stem)));
    }
    WEIR_RETURN_IF_ERROR(fs.SyncDirectory(directory));
  }
  return completed;
}

}  // namespace weir::log::log_internal

#endif  // WEIR_LOG_INTERNAL_SWAP_RECOVERY_H_

// -----------------------------------------------------------------------------
// File: log/internal/producer_snapshots.h
// -----------------------------------------------------------------------------
// The `.snapshot` files of a log's directory; each is named by the offset up to which it knows the
// producers. A damaged one is ignored: an older one and the batches behind it say the same.
#ifndef WEIR_LOG_INTERNAL_PRODUCER_SNAPSHOTS_H_
#define WEIR_LOG_INTERNAL_PRODUCER_SNAPSHOTS_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "log/checkpoint_file.h"
#include "log/file.h"
#include "log/producer_state.h"
#include "log/segment.h"

namespace weir::log::log_internal {

inline constexpr char kSnapshotSuffix[] = ".snapshot";
inline constexpr char kDeletedSuffix[] = ".deleted";  // of files that Log::Tick removes

// The offset in a file name such as "00000000000000000042.log".
inline std::optional<Offset> OffsetOfFileName(absl::string_view name, absl::string_view suffix) {
  int64_t offset = 0;
  if (!absl::ConsumeSuffix(&name, suffix) || name.size() != 20 ||
      !absl::SimpleAtoi(name, &offset) || offset < 0) {
    return std::nullopt;
  }
  return Offset(offset);
}

// Offsets of the snapshots in `directory`, ascending.
inline absl::StatusOr<std::vector<Offset>> ListSnapshots(FileSystem& fs,
                                                         const std::string& directory) {
  WEIR_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.List(directory));
  std::vector<Offset> offsets;
  for (const std::string& name : names) {
    if (const auto offset = OffsetOfFileName(name, kSnapshotSuffix)) offsets.push_back(*offset);
  }
  return offsets;
}

inline std::string SnapshotPath(const std::string& directory, Offset offset) {
  return absl::StrCat(directory, "/", SegmentFileName(offset, kSnapshotSuffix));
}

inline absl::Status WriteSnapshot(FileSystem& fs, const std::string& directory, Offset offset,
                                  const ProducerState& state, bool sync) {
  WEIR_ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                        fs.Open(SnapshotPath(directory, offset), OpenMode::kCreate));
  WEIR_RETURN_IF_ERROR(file->Truncate(0));
  WEIR_RETURN_IF_ERROR(file->Append({state.Encode()}));
  return sync ? file->Sync() : absl::OkStatus();
}

// Removes the snapshots in (from, to).
inline absl::Status RemoveSnapshotsBetween(FileSystem& fs, const std::string& directory,
                                           Offset from, Offset to) {
  WEIR_ASSIGN_OR_RETURN(const std::vector<Offset> offsets, ListSnapshots(fs, directory));
  for (const Offset offset : offsets) {
    if (offset > from && offset < to) {
      WEIR_RETURN_IF_ERROR(fs.Remove(SnapshotPath(directory, offset)));
    }
  }
  return absl::OkStatus();
}

// Reads the latest good snapshot in [from, end] into *state; the offset behind which batches must
// be replayed, or kNoOffset when there is no good one.
inline absl::StatusOr<Offset> LoadLatestSnapshot(FileSystem& fs, const std::string& directory,
                                                 Offset from, Offset end, ProducerState* state) {
  WEIR_ASSIGN_OR_RETURN(std::vector<Offset> offsets, ListSnapshots(fs, directory));
  std::reverse(offsets.begin(), offsets.end());
  for (const Offset offset : offsets) {
    if (offset < from || offset > end) continue;
    const std::string path = SnapshotPath(directory, offset);
    absl::StatusOr<std::string> content = ReadWholeFile(fs, path);
    if (!content.ok()) return std::move(content).status();
    absl::StatusOr<ProducerState> loaded = ProducerState::Decode(*content);
    if (loaded.ok()) {
      *state = *std::move(loaded);
      return offset;
    }
    WEIR_RETURN_IF_ERROR(fs.Remove(path));
  }
  state->Clear();
  return kNoOffset;
}

}  // namespace weir::log::log_internal

#endif  // WEIR_LOG_INTERNAL_PRODUCER_SNAPSHOTS_H_

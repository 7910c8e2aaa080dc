// -----------------------------------------------------------------------------
// File: log/leader_epoch_cache.h
// -----------------------------------------------------------------------------
// At which offset each leader epoch starts in a log (KIP-101, KIP-279): how followers find where
// they diverge from a leader. Kept in `leader-epoch-checkpoint`; format: docs/formats/segment.md.
// Errors: as log/checkpoint_file.h. After a failed write the memory has what was asked for, the
// file perhaps not; but of TruncateFromStart the memory is as before.
#ifndef WEIR_LOG_LEADER_EPOCH_CACHE_H_
#define WEIR_LOG_LEADER_EPOCH_CACHE_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "log/checkpoint_file.h"
#include "log/file.h"

namespace weir::log {

struct EpochEntry {
  LeaderEpoch epoch;
  Offset start_offset;
  friend bool operator==(const EpochEntry&, const EpochEntry&) = default;
};

struct EpochEnd {
  LeaderEpoch epoch = kNoLeaderEpoch;
  Offset end_offset = kNoOffset;
  friend bool operator==(const EpochEnd&, const EpochEnd&) = default;
};

class LeaderEpochCache {
 public:
  static constexpr char kFileName[] = "leader-epoch-checkpoint";

  LeaderEpochCache(FileSystem* fs, std::string directory)
      : fs_(fs), directory_(std::move(directory)) {}

  // Reads the file; no file means no epochs. After kDataLoss the cache is empty and usable.
  absl::Status Load() {
    entries_.clear();
    const std::string path = absl::StrCat(directory_, "/", kFileName);
    absl::StatusOr<std::string> content = ReadWholeFile(*fs_, path);
    if (absl::IsNotFound(content.status())) return absl::OkStatus();
    if (!content.ok()) return std::move(content).status();
    WEIR_ASSIGN_OR_RETURN(const auto rows, ParseCheckpoint(*content, 2, path));
    std::vector<EpochEntry> entries;
    for (const std::vector<std::string>& row : rows) {
      int32_t epoch = 0;
      int64_t offset = 0;
      if (!absl::SimpleAtoi(row[0], &epoch) || !absl::SimpleAtoi(row[1], &offset) || epoch < 0 ||
          offset < 0 ||
          (!entries.empty() && (epoch <= entries.back().epoch.value() ||
                                offset < entries.back().start_offset.value()))) {
        return absl::DataLossError(absl::StrCat(
            path, ": expected ascending epochs and offsets, came ", row[0], " ", row[1]));
      }
      entries.push_back({LeaderEpoch(epoch), Offset(offset)});
    }
    entries_ = std::move(entries);
    return absl::OkStatus();
  }

  // Notes that `epoch` starts at `start`, and durably, when it is newer than every known epoch.
  absl::Status Assign(LeaderEpoch epoch, Offset start) {
    if (!AssignInMemory(epoch, start)) return absl::OkStatus();
    return Write();
  }
  // As Assign, without writing the file: for recovery, which writes once at its end. True when the
  // epoch was news.
  bool AssignInMemory(LeaderEpoch epoch, Offset start) {
    if (epoch.value() < 0 || (!entries_.empty() && epoch <= entries_.back().epoch)) return false;
    // An epoch that wrote nothing would start where this one does or behind.
    while (!entries_.empty() && entries_.back().start_offset >= start) entries_.pop_back();
    entries_.push_back({epoch, start});
    return true;
  }

  // Where `requested` ends: the start of the next known epoch, or the log's end for the latest one.
  // `leading` is known too, and starts at the log's end as long as nothing was written in it.
  // Answers the greatest epoch at most `requested` that is known, and nothing (-1, -1) for one of
  // the future.
  EpochEnd EndOffsetFor(LeaderEpoch requested, Offset log_end,
                        LeaderEpoch leading = kNoLeaderEpoch) const {
    if (requested.value() < 0) return {};
    if (requested == std::max(latest(), leading)) return {requested, log_end};
    const auto higher = std::upper_bound(
        entries_.begin(), entries_.end(), requested,
        [](LeaderEpoch value, const EpochEntry& entry) { return value < entry.epoch; });
    if (higher == entries_.end() && requested > leading) return {};
    const Offset end = higher == entries_.end() ? log_end : higher->start_offset;
    return {higher == entries_.begin() ? requested : (higher - 1)->epoch, end};
  }

  // The epoch of the record at `offset`, or kNoLeaderEpoch.
  LeaderEpoch EpochForOffset(Offset offset) const {
    LeaderEpoch epoch = kNoLeaderEpoch;
    for (const EpochEntry& entry : entries_) {
      if (entry.start_offset <= offset) epoch = entry.epoch;
    }
    return epoch;
  }

  // Drops the epochs that start at `end` or behind. True when there were any.
  bool TruncateFromEndInMemory(Offset end) {
    const size_t before = entries_.size();
    while (!entries_.empty() && entries_.back().start_offset >= end) entries_.pop_back();
    return entries_.size() != before;
  }
  absl::Status TruncateFromEnd(Offset end) {
    return TruncateFromEndInMemory(end) ? Write() : absl::OkStatus();
  }

  // Drops the epochs that end at `start` or before; the one that holds `start` begins there then.
  absl::Status TruncateFromStart(Offset start) {
    const auto kept =
        std::find_if(entries_.rbegin(), entries_.rend(),
                     [start](const EpochEntry& entry) { return entry.start_offset <= start; });
    if (kept == entries_.rend() || (kept + 1 == entries_.rend() && kept->start_offset == start)) {
      return absl::OkStatus();
    }
    const std::vector<EpochEntry> before = entries_;
    kept->start_offset = start;
    entries_.erase(entries_.begin(), kept.base() - 1);
    absl::Status written = Write();
    if (!written.ok()) entries_ = before;  // the log's start stays as well
    return written;
  }

  absl::Status Clear() {
    if (entries_.empty()) return absl::OkStatus();
    entries_.clear();
    return Write();
  }

  absl::Status Write() const {
    std::string content = absl::StrCat("0\n", entries_.size(), "\n");
    for (const EpochEntry& entry : entries_) {
      absl::StrAppend(&content, entry.epoch.value(), " ", entry.start_offset.value(), "\n");
    }
    return WriteFileAtomically(*fs_, directory_, kFileName, content);
  }

  LeaderEpoch latest() const { return entries_.empty() ? kNoLeaderEpoch : entries_.back().epoch; }
  const std::vector<EpochEntry>& entries() const { return entries_; }

 private:
  FileSystem* fs_;
  std::string directory_;
  std::vector<EpochEntry> entries_;
};

}  // namespace weir::log

#endif  // WEIR_LOG_LEADER_EPOCH_CACHE_H_

// -----------------------------------------------------------------------------
// File: log/time_index.h
// -----------------------------------------------------------------------------
// A segment's sparse map from timestamps to offsets (`.timeindex`): an entry says that no record up
// to its offset is later than its timestamp, which the batch that ends at the offset reached first.
// Format: docs/formats/segment.md. In memory while in use; encoded whole when a segment is sealed.
// Errors: kDataLoss from Decode; an index can always be rebuilt from its segment.
// Limits: 16 bytes of memory an entry.
#ifndef WEIR_LOG_TIME_INDEX_H_
#define WEIR_LOG_TIME_INDEX_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/ids.h"

namespace weir::log {

struct TimestampOffset {
  TimestampMs timestamp = kNoTimestamp;
  Offset offset = kNoOffset;
  friend bool operator==(const TimestampOffset&, const TimestampOffset&) = default;
};

class TimeIndex {
 public:
  static constexpr size_t kEntryBytes = 12;

  explicit TimeIndex(Offset base) : base_(base) {}

  // Ignored unless the timestamp is later than the last entry's.
  void MaybeAppend(TimestampMs timestamp, Offset offset) {
    if (timestamp <= Last().timestamp) return;
    WEIR_CHECK(offset >= base_ && offset - base_ <= std::numeric_limits<int32_t>::max());
    WEIR_CHECK(entries_.empty() || offset > entries_.back().offset);
    entries_.push_back({timestamp, offset});
  }

  // The greatest entry whose timestamp is at most `target`; without one {kNoTimestamp, the
  // segment's base offset}. Records at or after `target` are at that offset's batch or behind.
  TimestampOffset Lookup(TimestampMs target) const {
    const auto after = std::upper_bound(
        entries_.begin(), entries_.end(), target,
        [](TimestampMs value, const TimestampOffset& entry) { return value < entry.timestamp; });
    return after == entries_.begin() ? TimestampOffset{kNoTimestamp, base_} : *(after - 1);
  }

  TimestampOffset Last() const {
    return entries_.empty() ? TimestampOffset{kNoTimestamp, base_} : entries_.back();
  }

  // Drops the entries for `offset` and behind.
  void TruncateTo(Offset offset) {
    while (!entries_.empty() && entries_.back().offset >= offset) entries_.pop_back();
  }

  size_t entries() const { return entries_.size(); }
  TimestampOffset entry(size_t i) const { return entries_[i]; }
  int64_t encoded_bytes() const { return static_cast<int64_t>(entries_.size() * kEntryBytes); }

  std::string Encode() const {
    std::string bytes(entries_.size() * kEntryBytes, '\0');
    char* to = bytes.data();
    for (const TimestampOffset& entry : entries_) {
      StoreBig64(to, static_cast<uint64_t>(entry.timestamp));
      StoreBig32(to + 8, static_cast<uint32_t>(entry.offset - base_));
      to += kEntryBytes;
    }
    return bytes;
  }

  // Zero entries at the end, which Kafka preallocates, are ignored.
  static absl::StatusOr<TimeIndex> Decode(Offset base, absl::string_view bytes) {
    if (bytes.size() % kEntryBytes != 0) {
      return absl::DataLossError(absl::StrCat("time index: expected entries of ", kEntryBytes,
                                              " bytes, came ", bytes.size(), " bytes"));
    }
    while (!bytes.empty() && IsZero(bytes.substr(bytes.size() - kEntryBytes))) {
      bytes.remove_suffix(kEntryBytes);
    }
    TimeIndex index(base);
    index.entries_.reserve(bytes.size() / kEntryBytes);
    for (size_t at = 0; at < bytes.size(); at += kEntryBytes) {
      const auto timestamp = static_cast<TimestampMs>(LoadBig64(bytes.data() + at));
      const auto relative = static_cast<int32_t>(LoadBig32(bytes.data() + at + 8));
      const bool first = index.entries_.empty();
      if (relative < 0 || timestamp < 0 ||
          (!first &&
           (timestamp <= index.Last().timestamp || base + relative <= index.Last().offset))) {
        return absl::DataLossError(
            absl::StrCat("time index: expected entry ", index.entries_.size(), " behind timestamp ",
                         index.Last().timestamp, " and offset ", index.Last().offset.value(),
                         ", came timestamp ", timestamp, " and offset +", relative));
      }
      index.entries_.push_back({timestamp, base + relative});
    }
    return index;
  }

 private:
  static bool IsZero(absl::string_view bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
  }

  Offset base_;
  std::vector<TimestampOffset> entries_;
};

}  // namespace weir::log

#endif  // WEIR_LOG_TIME_INDEX_H_

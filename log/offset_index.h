// -----------------------------------------------------------------------------
// File: log/offset_index.h
// -----------------------------------------------------------------------------
// A segment's sparse map from offsets to file positions (`.index`).
// Format: docs/formats/segment.md. In memory while in use; encoded whole when a segment is sealed.
// Errors: kDataLoss from Decode; an index can always be rebuilt from its segment.
// Limits: 8 bytes of memory an entry.
#ifndef WEIR_LOG_OFFSET_INDEX_H_
#define WEIR_LOG_OFFSET_INDEX_H_

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

struct OffsetPosition {
  Offset offset;
  int64_t position = 0;  // in the segment's .log file
  friend bool operator==(const OffsetPosition&, const OffsetPosition&) = default;
};

class OffsetIndex {
 public:
  static constexpr size_t kEntryBytes = 8;

  explicit OffsetIndex(Offset base) : base_(base) {}

  // An entry names the last offset of what starts at its position. Ascending in both, except that
  // Kafka lets several batches share a position's entry.
  void Append(Offset last_offset, int64_t position) {
    WEIR_CHECK(entries_.empty() || last_offset > Last().offset);
    WEIR_CHECK(last_offset - base_ <= std::numeric_limits<int32_t>::max());
    WEIR_CHECK(position <= std::numeric_limits<int32_t>::max());
    entries_.push_back({static_cast<int32_t>(last_offset - base_), static_cast<int32_t>(position)});
  }

  // The greatest entry whose offset is at most `target`; without one, the segment's start. A batch
  // that holds `target` starts there or behind.
  OffsetPosition Lookup(Offset target) const {
    const int64_t relative = target - base_;
    const auto after = std::upper_bound(
        entries_.begin(), entries_.end(), relative,
        [](int64_t value, const Entry& entry) { return value < entry.relative_offset; });
    return after == entries_.begin() ? OffsetPosition{base_, 0} : At(*(after - 1));
  }

  // The greatest entry whose position is at most `position`; without one, the segment's start.
  OffsetPosition LookupPosition(int64_t position) const {
    const auto after =
        std::upper_bound(entries_.begin(), entries_.end(), position,
                         [](int64_t value, const Entry& entry) { return value < entry.position; });
    return after == entries_.begin() ? OffsetPosition{base_, 0} : At(*(after - 1));
  }

  OffsetPosition Last() const {
    return entries_.empty() ? OffsetPosition{base_, 0} : At(entries_.back());
  }

  // Drops the entries for `offset` and behind.
  void TruncateTo(Offset offset) {
    while (!entries_.empty() && Last().offset >= offset) entries_.pop_back();
  }

  size_t entries() const { return entries_.size(); }
  OffsetPosition entry(size_t i) const { return At(entries_[i]); }
  int64_t encoded_bytes() const { return static_cast<int64_t>(entries_.size() * kEntryBytes); }

  std::string Encode() const {
    std::string bytes(entries_.size() * kEntryBytes, '\0');
    char* to = bytes.data();
    for (const Entry& entry : entries_) {
      StoreBig32(to, static_cast<uint32_t>(entry.relative_offset));
      StoreBig32(to + 4, static_cast<uint32_t>(entry.position));
      to += kEntryBytes;
    }
    return bytes;
  }

  // Zero entries at the end, which Kafka preallocates, are ignored. `log_bytes` bounds positions.
  static absl::StatusOr<OffsetIndex> Decode(Offset base, absl::string_view bytes,
                                            int64_t log_bytes) {
    if (bytes.size() % kEntryBytes != 0) {
      return absl::DataLossError(absl::StrCat("offset index: expected entries of ", kEntryBytes,
                                              " bytes, came ", bytes.size(), " bytes"));
    }
    while (!bytes.empty() && LoadBig64(bytes.data() + bytes.size() - kEntryBytes) == 0) {
      bytes.remove_suffix(kEntryBytes);
    }
    OffsetIndex index(base);
    index.entries_.reserve(bytes.size() / kEntryBytes);
    for (size_t at = 0; at < bytes.size(); at += kEntryBytes) {
      const Entry entry{static_cast<int32_t>(LoadBig32(bytes.data() + at)),
                        static_cast<int32_t>(LoadBig32(bytes.data() + at + 4))};
      const Entry before = index.entries_.empty() ? Entry{-1, 0} : index.entries_.back();
      if (entry.relative_offset <= before.relative_offset || entry.position < before.position ||
          entry.position >= log_bytes) {
        return absl::DataLossError(absl::StrCat(
            "offset index: expected entry ", index.entries_.size(), " behind offset +",
            before.relative_offset, " and below position ", log_bytes, ", came offset +",
            entry.relative_offset, " at position ", entry.position));
      }
      index.entries_.push_back(entry);
    }
    return index;
  }

 private:
  struct Entry {
    int32_t relative_offset;
    int32_t position;
  };

  OffsetPosition At(const Entry& entry) const {
    return {base_ + entry.relative_offset, entry.position};
  }

  Offset base_;
  std::vector<Entry> entries_;
};

}  // namespace weir::log

#endif  // WEIR_LOG_OFFSET_INDEX_H_

// -----------------------------------------------------------------------------
// File: log/transaction_index.h
// -----------------------------------------------------------------------------
// The aborted transactions whose markers are in one segment (`.txnindex`, KIP-98), in the order of
// their markers: what a reader of committed records must leave out.
// Format: docs/formats/segment.md. In memory for the segment that is appended to; written whole
// when a segment is sealed, if there is any; a sealed segment without the file has none.
// Errors: kDataLoss from Decode; an index can be rebuilt from the log.
// Limits: 32 bytes of memory an entry.
#ifndef WEIR_LOG_TRANSACTION_INDEX_H_
#define WEIR_LOG_TRANSACTION_INDEX_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "log/checkpoint_file.h"
#include "log/file.h"

namespace weir::log {

struct AbortedTransaction {
  ProducerId producer_id = kNoProducerId;
  Offset first_offset = kNoOffset;
  Offset last_offset = kNoOffset;  // of its marker
  // What was stable when the marker had been written and was replicated: every transaction that
  // begins before it is in this index or in those of earlier segments, if it was aborted.
  Offset last_stable_offset = kNoOffset;

  friend bool operator==(const AbortedTransaction&, const AbortedTransaction&) = default;
};

class TransactionIndex {
 public:
  static constexpr size_t kEntryBytes = 34;
  static constexpr int16_t kVersion = 0;

  // Behind all others by its marker.
  void Append(const AbortedTransaction& aborted) {
    WEIR_CHECK(entries_.empty() || aborted.last_offset > entries_.back().last_offset);
    entries_.push_back(aborted);
  }

  // Adds to *found the transactions that have an offset in [from, to). True when no later segment
  // can have more of them.
  bool Collect(Offset from, Offset to, std::vector<AbortedTransaction>* found) const {
    const auto first = std::lower_bound(entries_.begin(), entries_.end(), from,
                                        [](const AbortedTransaction& aborted, Offset value) {
                                          return aborted.last_offset < value;
                                        });
    for (auto it = first; it != entries_.end(); ++it) {
      if (it->first_offset < to) found->push_back(*it);
      if (it->last_stable_offset >= to) return true;
    }
    return false;
  }

  // Drops the transactions whose markers are at `offset` or behind.
  void TruncateTo(Offset offset) {
    while (!entries_.empty() && entries_.back().last_offset >= offset) entries_.pop_back();
  }

  bool empty() const { return entries_.empty(); }
  const std::vector<AbortedTransaction>& entries() const { return entries_; }

  std::string Encode() const {
    std::string bytes(entries_.size() * kEntryBytes, '\0');
    char* to = bytes.data();
    for (const AbortedTransaction& aborted : entries_) {
      StoreBig16(to, static_cast<uint16_t>(kVersion));
      StoreBig64(to + 2, static_cast<uint64_t>(aborted.producer_id.value()));
      StoreBig64(to + 10, static_cast<uint64_t>(aborted.first_offset.value()));
      StoreBig64(to + 18, static_cast<uint64_t>(aborted.last_offset.value()));
      StoreBig64(to + 26, static_cast<uint64_t>(aborted.last_stable_offset.value()));
      to += kEntryBytes;
    }
    return bytes;
  }

  // What is in the file `path` of the segment that starts at `base`: nothing without the file.
  // kDataLoss when that is no index, or another error when it cannot be read; names the file.
  static absl::StatusOr<TransactionIndex> Load(FileSystem& fs, const std::string& path,
                                               Offset base) {
    const auto bytes = ReadWholeFile(fs, path);
    if (absl::IsNotFound(bytes.status())) return TransactionIndex();
    WEIR_RETURN_IF_ERROR(bytes.status());
    auto index = Decode(base, *bytes);
    if (index.ok()) return index;
    return absl::DataLossError(absl::StrCat(path, ": ", index.status().message()));
  }

  // Of the segment that starts at `base`.
  static absl::StatusOr<TransactionIndex> Decode(Offset base, absl::string_view bytes) {
    if (bytes.size() % kEntryBytes != 0) {
      return absl::DataLossError(absl::StrCat("transaction index: expected entries of ",
                                              kEntryBytes, " bytes, came ", bytes.size(),
                                              " bytes"));
    }
    TransactionIndex index;
    index.entries_.reserve(bytes.size() / kEntryBytes);
    Offset behind = base - 1;
    for (size_t at = 0; at < bytes.size(); at += kEntryBytes) {
      const auto version = static_cast<int16_t>(LoadBig16(bytes.data() + at));
      const auto number = [&](size_t i) {
        return static_cast<int64_t>(LoadBig64(bytes.data() + at + 2 + 8 * i));
      };
      const AbortedTransaction aborted{ProducerId(number(0)), Offset(number(1)), Offset(number(2)),
                                       Offset(number(3))};
      if (version != kVersion || aborted.producer_id.value() < 0 ||
          aborted.first_offset < Offset(0) || aborted.first_offset > aborted.last_offset ||
          aborted.last_offset <= behind || aborted.last_stable_offset < Offset(0) ||
          aborted.last_stable_offset - 1 > aborted.last_offset) {
        return absl::DataLossError(absl::StrCat(
            "transaction index: expected entry ", index.entries_.size(), " of version ", kVersion,
            " with a marker behind ", behind.value(), ", came version ", version, ", producer ",
            aborted.producer_id.value(), ", offsets ", aborted.first_offset.value(), " to ",
            aborted.last_offset.value(), ", stable ", aborted.last_stable_offset.value()));
      }
      behind = aborted.last_offset;
      index.entries_.push_back(aborted);
    }
    return index;
  }

 private:
  std::vector<AbortedTransaction> entries_;
};

}  // namespace weir::log

#endif  // WEIR_LOG_TRANSACTION_INDEX_H_

// -----------------------------------------------------------------------------
// File: log/internal/batch_reader.h
// -----------------------------------------------------------------------------
// Walks the record batches of a segment file: by headers alone (HeaderReader), or whole, with
// their CRCs checked (ScanBatches).
// Errors: kDataLoss with the position, what was expected and what came.
#ifndef WEIR_LOG_INTERNAL_BATCH_READER_H_
#define WEIR_LOG_INTERNAL_BATCH_READER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "log/file.h"
#include "protocol/record_batch.h"

namespace weir::log::log_internal {

// Beyond all that a log will ever reach, and far from where sums would overflow.
inline constexpr Offset kOffsetMax{int64_t{1} << 62};

// What every batch in a log has, wherever it stands; `room` bytes are left in the file.
inline absl::Status CheckHeader(const protocol::RecordBatchHeader& header, int64_t position,
                                int64_t room) {
  if (header.magic() != protocol::kRecordBatchMagic) {
    return absl::DataLossError(absl::StrCat("at position ", position, ": expected magic ",
                                            protocol::kRecordBatchMagic, ", came ",
                                            header.magic()));
  }
  if (header.size_bytes() > room || header.size_bytes() > kRecordBatchBytesMax) {
    return absl::DataLossError(absl::StrCat("at position ", position, ": expected a batch within ",
                                            std::min<int64_t>(room, kRecordBatchBytesMax),
                                            " bytes, came ", header.size_bytes()));
  }
  if (header.last_offset_delta() < 0 || header.base_offset() < Offset(0) ||
      header.base_offset() > kOffsetMax) {
    return absl::DataLossError(
        absl::StrCat("at position ", position, ": expected ascending offsets, came ",
                     header.base_offset().value(), " + ", header.last_offset_delta()));
  }
  return absl::OkStatus();
}

// That a batch at `position` stands where an index can point to: behind the batches before `next`,
// and near enough to `base`, the segment's first offset.
inline absl::Status CheckPlace(const protocol::RecordBatchHeader& header, int64_t position,
                               Offset base, Offset next) {
  constexpr int64_t kReach = std::numeric_limits<int32_t>::max();
  if (header.base_offset() < next || header.last_offset() - base > kReach) {
    return absl::DataLossError(absl::StrCat(
        "at position ", position, ": expected offset ", next.value(), " to ", base.value() + kReach,
        ", came ", header.base_offset().value(), " + ", header.last_offset_delta()));
  }
  if (position > kReach) {
    return absl::DataLossError(
        absl::StrCat("at position ", position, ": expected the end of a segment, came a batch"));
  }
  return absl::OkStatus();
}

// Reads headers near to each other with few system calls; of the first, which is often the only
// one, no more than itself.
class HeaderReader {
 public:
  // Batches end at `end`, a position in `file`, which outlives the reader.
  HeaderReader(const File& file, int64_t end) : file_(file), end_(end) {}

  // The header at `position`, valid until the next call; nothing when that is the end.
  absl::StatusOr<std::optional<protocol::RecordBatchHeader>> At(int64_t position) {
    if (position == end_) return std::optional<protocol::RecordBatchHeader>();
    if (position < from_ || position + protocol::kRecordBatchHeaderBytes > from_ + size_) {
      const int64_t near =
          size_ == 0 ? protocol::kRecordBatchHeaderBytes : int64_t{sizeof(buffer_)};
      const int64_t want = std::min(near, end_ - position);
      WEIR_ASSIGN_OR_RETURN(const size_t got,
                            file_.ReadAt(position, absl::MakeSpan(buffer_, want)));
      from_ = position;
      size_ = static_cast<int64_t>(got);
    }
    const absl::string_view rest(buffer_ + (position - from_),
                                 static_cast<size_t>(from_ + size_ - position));
    auto header = protocol::RecordBatchHeader::Parse(rest);
    if (!header.ok()) {
      return absl::DataLossError(
          absl::StrCat("at position ", position, ": ", header.status().message()));
    }
    WEIR_RETURN_IF_ERROR(CheckHeader(*header, position, end_ - position));
    return std::optional<protocol::RecordBatchHeader>(*header);
  }

 private:
  static constexpr int64_t kAheadBytes = 4096;

  const File& file_;
  const int64_t end_;
  int64_t from_ = 0;
  int64_t size_ = 0;
  char buffer_[kAheadBytes];
};

struct ScanEnd {
  int64_t valid_bytes = 0;
  absl::Status stopped;  // why the bytes behind are not a batch; OK where the file ends
};

// Reads all batches of `file` in order, checks them, their CRCs and that offsets ascend from
// `base`, and hands each to `visit`. Stops at the first that is not valid. The error is one of
// reading. Limits: memory for 1 MiB, or for the largest batch.
inline absl::StatusOr<ScanEnd> ScanBatches(
    const File& file, Offset base,
    absl::FunctionRef<void(const protocol::RecordBatchView&, int64_t position)> visit) {
  constexpr size_t kChunkBytes = 1 << 20;
  const int64_t end = file.size_bytes();
  Offset next = base;
  std::string buffer;
  int64_t from = 0;  // where in the file the buffer starts
  ScanEnd result;
  const auto load = [&](size_t bytes) -> absl::Status {
    from = result.valid_bytes;
    buffer.resize(static_cast<size_t>(std::min<int64_t>(static_cast<int64_t>(bytes), end - from)));
    WEIR_ASSIGN_OR_RETURN(const size_t got,
                          file.ReadAt(from, absl::MakeSpan(buffer.data(), buffer.size())));
    buffer.resize(got);
    return absl::OkStatus();
  };
  const auto rest = [&] {
    return absl::string_view(buffer).substr(static_cast<size_t>(result.valid_bytes - from));
  };
  while (result.valid_bytes < end) {
    const int64_t position = result.valid_bytes;
    if (position + protocol::kRecordBatchHeaderBytes > from + static_cast<int64_t>(buffer.size())) {
      WEIR_RETURN_IF_ERROR(load(kChunkBytes));
    }
    auto header = protocol::RecordBatchHeader::Parse(rest());
    result.stopped = header.ok() ? CheckHeader(*header, position, end - position)
                                 : absl::DataLossError(absl::StrCat("at position ", position, ": ",
                                                                    header.status().message()));
    if (!result.stopped.ok()) return result;
    const size_t size = static_cast<size_t>(header->size_bytes());
    if (rest().size() < size) WEIR_RETURN_IF_ERROR(load(std::max(size, kChunkBytes)));
    const auto batch = protocol::RecordBatchView::Parse(rest());
    if (!batch.ok()) {
      result.stopped = absl::DataLossError(
          absl::StrCat("at position ", position, ": ", batch.status().message()));
    } else if (!batch->CrcIsValid()) {
      result.stopped =
          absl::DataLossError(absl::StrCat("at position ", position, ": expected CRC ",
                                           batch->crc(), ", came ", batch->ComputeCrc()));
    } else {
      result.stopped = CheckPlace(*batch, position, base, next);
    }
    if (!result.stopped.ok()) return result;
    visit(*batch, position);
    next = batch->next_offset();
    result.valid_bytes += batch->size_bytes();
  }
  return result;
}

}  // namespace weir::log::log_internal

#endif  // WEIR_LOG_INTERNAL_BATCH_READER_H_

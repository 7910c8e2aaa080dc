// -----------------------------------------------------------------------------
// File: log/log_reader.h
// -----------------------------------------------------------------------------
// Reads a log batch by batch, in order: the plain loop of who has no broker around it.
// log/record_reader.h goes on to records, whatever their codec.
// Threading: the log's thread; the log may be appended to between two calls.
// Errors: kOutOfRange when retention removed what comes next, kDataLoss for a batch whose CRC is
// wrong or that is none; the reader stays where it was.
// Limits: memory for kChunkBytes, or for the largest batch.
#ifndef WEIR_LOG_LOG_READER_H_
#define WEIR_LOG_LOG_READER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "log/log.h"
#include "log/log_types.h"
#include "protocol/record_batch.h"

namespace weir::log {

class LogReader {
 public:
  static constexpr int64_t kChunkBytes = 256 << 10;

  // From the batch that holds `from` on. The log outlives the reader.
  LogReader(Log& log, Offset from) : log_(log), next_(from) {}

  // The next batch that ends below `upper_bound`, or below the log's end; nothing when there is
  // none (yet: more may be appended). Valid until the next call.
  absl::StatusOr<std::optional<protocol::RecordBatchView>> Next(
      std::optional<Offset> upper_bound = std::nullopt) {
    const Offset bound = upper_bound.value_or(log_.log_end_offset());
    if (rest_.empty()) WEIR_RETURN_IF_ERROR(Load(bound));
    if (rest_.empty()) return std::optional<protocol::RecordBatchView>();
    const auto batch = protocol::RecordBatchView::Parse(rest_);
    if (!batch.ok()) return Named(batch.status());
    if (batch->next_offset() > bound) return std::optional<protocol::RecordBatchView>();
    if (!batch->CrcIsValid()) {
      return Named(absl::DataLossError(absl::StrCat("expected a batch with CRC ", batch->crc(),
                                                    ", came ", batch->ComputeCrc())));
    }
    rest_.remove_prefix(static_cast<size_t>(batch->size_bytes()));
    next_ = batch->next_offset();
    return std::optional<protocol::RecordBatchView>(*batch);
  }

  // Where the next batch starts, or what is behind a gap before it.
  Offset next_offset() const { return next_; }

 private:
  absl::Status Load(Offset bound) {
    WEIR_ASSIGN_OR_RETURN(const LogSlice slice, log_.Read(next_, kChunkBytes, bound,
                                                          /*at_least_one_batch=*/true));
    if (slice.empty()) return absl::OkStatus();
    chunk_.resize(static_cast<size_t>(slice.size_bytes));
    WEIR_ASSIGN_OR_RETURN(
        const size_t got,
        slice.file->ReadAt(slice.position, absl::MakeSpan(&chunk_[0], chunk_.size())));
    rest_ = absl::string_view(chunk_).substr(0, got);
    return absl::OkStatus();
  }

  absl::Status Named(const absl::Status& status) const {
    return absl::Status(status.code(), absl::StrCat(log_.directory(), ", at offset ", next_.value(),
                                                    ": ", status.message()));
  }

  Log& log_;
  Offset next_;
  std::string chunk_;
  absl::string_view rest_;  // of chunk_, not handed out yet
};

}  // namespace weir::log

#endif  // WEIR_LOG_LOG_READER_H_

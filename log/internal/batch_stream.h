// -----------------------------------------------------------------------------
// File: log/internal/batch_stream.h
// -----------------------------------------------------------------------------
// Reads the batches of a segment one by one, whole and checked: sizes, magic, CRC, ascending
// offsets. What log/internal/batch_reader.h does at once, in steps, for the cleaner.
// Threading: any one thread, also while the segment's owner uses the file.
// Errors: kDataLoss with the file, the position, what was expected and what came.
// Limits: memory for the buffer asked for, or for the largest batch.
#ifndef WEIR_LOG_INTERNAL_BATCH_STREAM_H_
#define WEIR_LOG_INTERNAL_BATCH_STREAM_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "log/file.h"
#include "log/internal/batch_reader.h"
#include "protocol/record_batch.h"

namespace weir::log::log_internal {

class BatchStream {
 public:
  explicit BatchStream(int64_t buffer_bytes)
      : buffer_bytes_(std::max<int64_t>(buffer_bytes, protocol::kRecordBatchHeaderBytes)) {}

  // What is in [position, end) of `file`, a place between batches and the end of one; all offsets
  // in [first, limit). `name` is for messages.
  void Open(std::shared_ptr<const File> file, std::string name, int64_t position, int64_t end,
            Offset first, Offset limit) {
    file_ = std::move(file);
    name_ = std::move(name);
    position_ = position;
    end_ = end;
    next_ = first;
    limit_ = limit;
    from_ = position;
    buffer_.clear();
  }
  // Gives up the file, and memory beyond the buffer.
  void Close() {
    file_.reset();
    position_ = end_ = from_ = 0;
    buffer_.clear();
    if (buffer_.capacity() > static_cast<size_t>(2 * buffer_bytes_)) buffer_.shrink_to_fit();
  }

  bool at_end() const { return position_ == end_; }
  // Where the next batch starts.
  int64_t position() const { return position_; }
  const std::string& name() const { return name_; }

  // The next batch, valid until the next call; nothing at the end.
  absl::StatusOr<std::optional<protocol::RecordBatchView>> Next() {
    if (at_end()) return std::optional<protocol::RecordBatchView>();
    WEIR_RETURN_IF_ERROR(Load(protocol::kRecordBatchHeaderBytes));
    const auto header = protocol::RecordBatchHeader::Parse(Rest());
    if (!header.ok()) return Broken(header.status().message());
    if (const absl::Status status = CheckHeader(*header, position_, end_ - position_);
        !status.ok()) {
      return absl::DataLossError(absl::StrCat(name_, ": ", status.message()));
    }
    WEIR_RETURN_IF_ERROR(Load(header->size_bytes()));
    const auto batch = protocol::RecordBatchView::Parse(Rest());
    if (!batch.ok()) return Broken(batch.status().message());
    if (!batch->CrcIsValid()) {
      return Broken(absl::StrCat("expected CRC ", batch->crc(), ", came ", batch->ComputeCrc()));
    }
    if (batch->base_offset() < next_ || batch->next_offset() > limit_) {
      return Broken(absl::StrCat("expected offsets from ", next_.value(), " to ",
                                 limit_.value() - 1, ", came ", batch->base_offset().value(),
                                 " to ", batch->last_offset().value()));
    }
    next_ = batch->next_offset();
    position_ += batch->size_bytes();
    return std::optional<protocol::RecordBatchView>(*batch);
  }

 private:
  absl::Status Broken(absl::string_view what) const {
    return absl::DataLossError(absl::StrCat(name_, ": at position ", position_, ": ", what));
  }

  absl::string_view Rest() const {
    return absl::string_view(buffer_).substr(static_cast<size_t>(position_ - from_));
  }

  // Makes sure that `bytes` from the position on are in the buffer, as far as the file has them.
  absl::Status Load(int64_t bytes) {
    if (static_cast<int64_t>(Rest().size()) >= std::min(bytes, end_ - position_)) {
      return absl::OkStatus();
    }
    const int64_t want = std::min(std::max(bytes, buffer_bytes_), end_ - position_);
    buffer_.resize(static_cast<size_t>(want));
    from_ = position_;
    WEIR_ASSIGN_OR_RETURN(const size_t got,
                          file_->ReadAt(from_, absl::MakeSpan(buffer_.data(), buffer_.size())));
    buffer_.resize(got);
    if (static_cast<int64_t>(got) < want) {
      return Broken(absl::StrCat("expected ", want, " bytes, came ", got));
    }
    return absl::OkStatus();
  }

  const int64_t buffer_bytes_;
  std::shared_ptr<const File> file_;
  std::string name_;
  int64_t position_ = 0;
  int64_t end_ = 0;
  Offset next_;
  Offset limit_;
  std::string buffer_;
  int64_t from_ = 0;  // where in the file the buffer starts
};

}  // namespace weir::log::log_internal

#endif  // WEIR_LOG_INTERNAL_BATCH_STREAM_H_

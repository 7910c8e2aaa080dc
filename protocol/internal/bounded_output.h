// -----------------------------------------------------------------------------
// File: protocol/internal/bounded_output.h
// -----------------------------------------------------------------------------
// Where a decoder writes: a string that grows by doubling up to a cap, so that memory follows what
// was really decoded and never what a hostile header announces.
#ifndef WEIR_PROTOCOL_INTERNAL_BOUNDED_OUTPUT_H_
#define WEIR_PROTOCOL_INTERNAL_BOUNDED_OUTPUT_H_

#include <algorithm>
#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace weir::protocol::compression_internal {

class BoundedOutput {
 public:
  // `first_bytes` is a guess of how much will come. What `out` held is overwritten, and its size is
  // used as it is, so that a string that is used again is not filled anew.
  BoundedOutput(std::string* out, size_t bytes_max, size_t first_bytes)
      : out_(out), bytes_max_(bytes_max) {
    Grow(std::max<size_t>(first_bytes, 64));
  }

  // Room for more, never empty. It goes one byte beyond the cap, so that a stream which ends at the
  // cap can be told from one that goes on: see Commit.
  absl::Span<char> Room() {
    if (used_ == out_->size()) Grow(used_ * 2);
    return absl::MakeSpan(out_->data() + used_, out_->size() - used_);
  }
  // Room for exactly `size` bytes, or an empty span beyond the cap.
  absl::Span<char> RoomFor(size_t size) {
    if (size > bytes_max_ - used_) return {};
    if (out_->size() - used_ < size) Grow(std::max(used_ + size, used_ * 2));
    return absl::MakeSpan(out_->data() + used_, size);
  }

  // Takes over what was written at the start of Room; kResourceExhausted beyond the cap.
  absl::Status Commit(size_t size) {
    used_ += size;
    return used_ > bytes_max_ ? TooMuch() : absl::OkStatus();
  }
  absl::Status TooMuch() const {
    return absl::ResourceExhaustedError(
        absl::StrCat("expected at most ", bytes_max_, " decompressed bytes, came more"));
  }

  void Finish() { out_->resize(used_); }
  size_t used() const { return used_; }

 private:
  void Grow(size_t size) {
    size = std::min(size, bytes_max_ + 1);
    if (out_->size() < size) out_->resize(size);
  }

  std::string* out_;
  size_t bytes_max_;
  size_t used_ = 0;
};

}  // namespace weir::protocol::compression_internal

#endif  // WEIR_PROTOCOL_INTERNAL_BOUNDED_OUTPUT_H_

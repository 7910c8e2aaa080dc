// -----------------------------------------------------------------------------
// File: server/frame_assembler.h
// -----------------------------------------------------------------------------
// Cuts the bytes of one connection into frames: a big-endian int32 length, then that many bytes.
// Small frames are copied out of the reader's buffer; the rest of a large one is received straight
// into its own memory, which grows as bytes arrive, so that a length alone costs nothing.
// Errors: kInvalidArgument for a length that is negative or above the limit (close the connection);
// kResourceExhausted when the pool has no memory now (keep the bytes that were not taken and
// retry).
#ifndef WEIR_SERVER_FRAME_ASSEMBLER_H_
#define WEIR_SERVER_FRAME_ASSEMBLER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "protocol/framing.h"
#include "server/frame_buffer.h"

namespace weir::server {

class FrameAssembler {
 public:
  // From this many missing bytes on, receiving into the frame beats a copy.
  static constexpr size_t kDirectBytesMin = 16 << 10;
  static constexpr size_t kFirstCapacityMax = 256 << 10;

  FrameAssembler(FramePool& pool, int32_t frame_bytes_max)
      : pool_(pool), frame_bytes_max_(frame_bytes_max) {}

  // For lengths that are read from now on.
  void set_frame_bytes_max(int32_t bytes) { frame_bytes_max_ = bytes; }

  // Takes bytes off the front of *bytes until a frame is whole, which it returns, or none are left:
  // then null.
  absl::StatusOr<FrameRef> Take(absl::string_view* bytes) {
    while (length_have_ < sizeof(length_)) {
      if (bytes->empty()) return FrameRef();
      length_[length_have_++] = bytes->front();
      bytes->remove_prefix(1);
    }
    WEIR_RETURN_IF_ERROR(CheckLength());
    while (true) {
      WEIR_RETURN_IF_ERROR(MakeRoom());
      const size_t count = std::min({bytes->size(), frame_.capacity() - have_, missing()});
      if (count > 0) std::memcpy(End(), bytes->data(), count);
      bytes->remove_prefix(count);
      have_ += count;
      if (missing() == 0) return Finish();
      if (bytes->empty()) return FrameRef();
    }
  }

  // Where to receive next when most of a large frame is still to come; empty otherwise: receive
  // elsewhere and Take.
  absl::StatusOr<absl::Span<char>> DirectSpan() {
    if (!frame_ || missing() < kDirectBytesMin) return absl::Span<char>();
    WEIR_RETURN_IF_ERROR(MakeRoom());
    return absl::Span<char>(End(), std::min(frame_.capacity() - have_, missing()));
  }

  // `count` bytes were received into DirectSpan. The frame when that made it whole, else null.
  FrameRef Received(size_t count) {
    WEIR_CHECK(frame_ && count <= frame_.capacity() - have_ && count <= missing());
    have_ += count;
    return missing() == 0 ? Finish() : FrameRef();
  }

  // Of the frame under way.
  size_t capacity() const { return frame_ ? frame_.capacity() : 0; }

 private:
  size_t length() const { return static_cast<size_t>(protocol::LoadFrameLength(length_)); }
  size_t missing() const { return length() - have_; }
  char* End() { return const_cast<char*>(frame_.bytes().data()) + have_; }

  absl::Status CheckLength() const {
    const int32_t length = protocol::LoadFrameLength(length_);
    if (length >= 0 && length <= frame_bytes_max_) return absl::OkStatus();
    if (frame_ && length >= 0) return absl::OkStatus();  // accepted under the limit of its time
    return absl::InvalidArgumentError(absl::StrCat("a request's length is 0 to ", frame_bytes_max_,
                                                   " bytes, but ", length, " was announced"));
  }

  // Room for a byte more, unless none is missing.
  absl::Status MakeRoom() {
    const size_t need = frame_ ? frame_.capacity() * 4 : kFirstCapacityMax;
    if (frame_ && (have_ < frame_.capacity() || missing() == 0)) return absl::OkStatus();
    const size_t capacity = std::min(need, length());
    FrameRef larger = frame_ ? pool_.TryAllocateReserve(capacity) : pool_.TryAllocate(capacity);
    if (!larger) return absl::ResourceExhaustedError("no memory is left for requests");
    if (have_ > 0) {
      std::memcpy(const_cast<char*>(larger.bytes().data()), frame_.bytes().data(), have_);
    }
    frame_ = std::move(larger);
    return absl::OkStatus();
  }

  FrameRef Finish() {
    frame_.Resize(have_);
    have_ = 0;
    length_have_ = 0;
    return std::exchange(frame_, FrameRef());
  }

  FramePool& pool_;
  int32_t frame_bytes_max_;
  char length_[4] = {};
  size_t length_have_ = 0;
  FrameRef frame_;   // under way; null before its length is known
  size_t have_ = 0;  // of frame_
};

}  // namespace weir::server

#endif  // WEIR_SERVER_FRAME_ASSEMBLER_H_

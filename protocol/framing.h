// -----------------------------------------------------------------------------
// File: protocol/framing.h
// -----------------------------------------------------------------------------
// Frames of a connection: an int32 length, then so many bytes. The splitter does no I/O: whoever
// reads the socket asks it where the next bytes belong, or hands it bytes that came.
//
//   FrameSplitter splitter(kFrameBytesMax);
//   loop: absl::Span<char> room = splitter.Room();  n = recv(fd, room.data(), room.size());
//         splitter.Received(n);
//         while (true) {
//           absl::StatusOr<std::optional<absl::Span<char>>> frame = splitter.Next();
//           if (!frame.ok()) close;  if (!frame->has_value()) break;
//           serve(**frame);
//         }
//
// Threading: one thread.
// Errors: kInvalidArgument on a length below `frame_bytes_min` or above the limit, with what was
// expected and what came; from then on the connection cannot be read any further.
// Limits: the buffer grows to what has been received plus 64 KiB, not to what a length promises,
// and never above the limit plus a reading's worth.
#ifndef WEIR_PROTOCOL_FRAMING_H_
#define WEIR_PROTOCOL_FRAMING_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/endian.h"

namespace weir::protocol {

inline constexpr size_t kFrameLengthBytes = 4;

// What stands before a frame of `bytes` bytes.
inline void StoreFrameLength(size_t bytes, char* at) {
  StoreBig32(at, static_cast<uint32_t>(bytes));
}
// What StoreFrameLength wrote; negative in what is no frame.
inline int32_t LoadFrameLength(const char* at) { return static_cast<int32_t>(LoadBig32(at)); }
inline void AppendFrameLength(size_t bytes, std::string* out) {
  out->resize(out->size() + kFrameLengthBytes);
  StoreFrameLength(bytes, out->data() + out->size() - kFrameLengthBytes);
}

class FrameSplitter {
 public:
  // Frames of `frame_bytes_min` (what the smallest header takes) to `frame_bytes_max` bytes.
  explicit FrameSplitter(int32_t frame_bytes_max, int32_t frame_bytes_min = 8)
      : frame_bytes_max_(frame_bytes_max), frame_bytes_min_(frame_bytes_min) {}

  // Raises or lowers the limit for frames whose length has not been looked at yet, as when the
  // client has authenticated.
  void set_frame_bytes_max(int32_t bytes) { frame_bytes_max_ = bytes; }

  // Where the next bytes of the connection belong; never empty. Good until the next call; what
  // Next() returned before is not, after this.
  absl::Span<char> Room() {
    if (begin_ == end_) {
      begin_ = end_ = 0;
      if (capacity_ > kBufferBytesKept) Reallocate(kReadBytes);
    }
    if (capacity_ - end_ < kReadBytes / 4) MakeRoom();
    return {buffer_.get() + end_, capacity_ - end_};
  }

  // The first `bytes` bytes of Room() have been filled.
  void Received(size_t bytes) {
    WEIR_CHECK(bytes <= capacity_ - end_);
    end_ += bytes;
  }

  // Copies `bytes` in, for those who have them elsewhere.
  void Feed(absl::string_view bytes) {
    while (!bytes.empty()) {
      const absl::Span<char> room = Room();
      const size_t n = std::min(room.size(), bytes.size());
      std::memcpy(room.data(), bytes.data(), n);
      Received(n);
      bytes.remove_prefix(n);
    }
  }

  // The next whole frame without its length, or nothing yet. It points into the buffer, is the
  // caller's to read and patch, and lives until the next Room() or Feed().
  absl::StatusOr<std::optional<absl::Span<char>>> Next() {
    const size_t held = end_ - begin_;
    if (held < kFrameLengthBytes) return std::nullopt;
    const int32_t length = LoadFrameLength(buffer_.get() + begin_);
    if (length < frame_bytes_min_ || length > frame_bytes_max_) {
      return absl::InvalidArgumentError(absl::StrCat("frame length: expected ", frame_bytes_min_,
                                                     " to ", frame_bytes_max_, " bytes, came ",
                                                     length));
    }
    if (held - kFrameLengthBytes < static_cast<size_t>(length)) return std::nullopt;
    const absl::Span<char> frame(buffer_.get() + begin_ + kFrameLengthBytes,
                                 static_cast<size_t>(length));
    begin_ += kFrameLengthBytes + static_cast<size_t>(length);
    return frame;
  }

  // Bytes received that no frame was made of yet.
  size_t bytes_held() const { return end_ - begin_; }
  // Those bytes, for who passes on what is no frame.
  absl::string_view held() const { return {buffer_.get() + begin_, end_ - begin_}; }
  size_t capacity() const { return capacity_; }

 private:
  static constexpr size_t kReadBytes = size_t{64} << 10;
  static constexpr size_t kBufferBytesKept = size_t{1} << 20;

  // Moves the beginning of a frame to the front, and grows the buffer when that is not enough: by
  // doubling, but not beyond the end of the frame it begins with.
  void MakeRoom() {
    const size_t held = end_ - begin_;
    size_t wanted = held + kReadBytes;
    if (held >= kFrameLengthBytes) {
      const int64_t length = LoadFrameLength(buffer_.get() + begin_);
      const int64_t whole = static_cast<int64_t>(kFrameLengthBytes) + length;
      if (whole > static_cast<int64_t>(held)) {
        wanted = std::max(wanted, std::min(2 * held, static_cast<size_t>(whole)));
      }
    }
    if (wanted > capacity_) return Reallocate(wanted);
    std::memmove(buffer_.get(), buffer_.get() + begin_, held);
    begin_ = 0;
    end_ = held;
  }

  void Reallocate(size_t capacity) {
    const size_t held = end_ - begin_;
    std::unique_ptr<char[]> bigger(new char[capacity]);
    if (held > 0) std::memcpy(bigger.get(), buffer_.get() + begin_, held);
    buffer_ = std::move(bigger);
    capacity_ = capacity;
    begin_ = 0;
    end_ = held;
  }

  int32_t frame_bytes_max_;
  int32_t frame_bytes_min_;
  std::unique_ptr<char[]> buffer_;
  size_t capacity_ = 0;
  size_t begin_ = 0;  // of what no frame was made of yet
  size_t end_ = 0;    // of what was received
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_FRAMING_H_

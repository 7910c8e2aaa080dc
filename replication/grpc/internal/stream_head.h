// -----------------------------------------------------------------------------
// File: replication/grpc/internal/stream_head.h
// -----------------------------------------------------------------------------
// Heads of messages: varints in a row behind a prefix of version, kind and length; and a place in
// bytes that are in pieces.
// Format: docs/formats/replication_stream.md.
// Errors: kept by the reader, the first one, until Finish.
#ifndef WEIR_REPLICATION_GRPC_INTERNAL_STREAM_HEAD_H_
#define WEIR_REPLICATION_GRPC_INTERNAL_STREAM_HEAD_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/uuid.h"
#include "base/varint.h"

namespace weir::replication::replication_internal {

inline constexpr size_t kPrefixBytes = 6;

// Writes one head behind what *to has; it is whole with the destructor.
class HeadWriter {
 public:
  // `bytes_max`: of the head at most, by the varints' greatest lengths.
  HeadWriter(std::string* to, uint8_t version, uint8_t kind, size_t bytes_max)
      : to_(to), begin_(to->size()) {
    to_->resize(begin_ + kPrefixBytes + bytes_max);
    at_ = to_->data() + begin_;
    *at_++ = static_cast<char>(version);
    *at_++ = static_cast<char>(kind);
    at_ += sizeof(uint32_t);
  }
  HeadWriter(const HeadWriter&) = delete;
  HeadWriter& operator=(const HeadWriter&) = delete;
  ~HeadWriter() {
    const auto size = static_cast<size_t>(at_ - (to_->data() + begin_));
    WEIR_CHECK(begin_ + size <= to_->size());
    StoreBig32(to_->data() + begin_ + 2, static_cast<uint32_t>(size - kPrefixBytes));
    to_->resize(begin_ + size);
  }

  void Unsigned(uint64_t value) { at_ = PutUvarint(at_, value); }
  void Signed(int64_t value) { at_ = PutVarlong(at_, value); }
  void Id(const Uuid& id) {
    StoreBig64(at_, id.high);
    StoreBig64(at_ + 8, id.low);
    at_ += 16;
  }
  // The first bytes, if there are more.
  void Text(absl::string_view text, size_t bytes_max) {
    text = text.substr(0, bytes_max);
    Unsigned(text.size());
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }

 private:
  std::string* const to_;
  const size_t begin_;
  char* at_;
};

class HeadReader {
 public:
  explicit HeadReader(absl::string_view head)
      : begin_(head.data()), at_(begin_), end_(begin_ + head.size()) {}

  bool ok() const { return status_.ok(); }

  // The first counts.
  void Fail(absl::string_view what, absl::string_view came) {
    if (!ok()) return;
    status_ =
        absl::InvalidArgumentError(absl::StrCat("replication stream: expected ", what, " at byte ",
                                                at_ - begin_, " of the head, came ", came));
    at_ = end_;
  }

  // After a failure all values are 0.
  template <class T>
  T Unsigned(absl::string_view what) {
    uint64_t value = 0;
    const char* const next = GetUvarint64(at_, end_, &value);
    if (next == nullptr || value > std::numeric_limits<T>::max()) {
      Fail(what, next == nullptr ? "no number" : absl::StrCat(value));
      return 0;
    }
    at_ = next;
    return static_cast<T>(value);
  }
  template <class T>
  T Signed(absl::string_view what, T min) {
    uint64_t raw = 0;
    const char* const next = GetUvarint64(at_, end_, &raw);
    const int64_t value = UnZigZag(raw);
    if (next == nullptr || value < min || value > std::numeric_limits<T>::max()) {
      Fail(what, next == nullptr ? "no number" : absl::StrCat(value));
      return 0;
    }
    at_ = next;
    return static_cast<T>(value);
  }
  // How many follow, which take `bytes_min` each of what the head has left.
  size_t Count(absl::string_view what, size_t max, size_t bytes_min) {
    const auto count = Unsigned<uint64_t>(what);
    max = std::min(max, static_cast<size_t>(end_ - at_) / bytes_min);
    if (count <= max) return static_cast<size_t>(count);
    Fail(absl::StrCat("at most ", max, " ", what), absl::StrCat(count));
    return 0;
  }
  Uuid Id(absl::string_view what) {
    if (end_ - at_ < 16) {
      Fail(what, "too few bytes");
      return {};
    }
    const Uuid id{LoadBig64(at_), LoadBig64(at_ + 8)};
    at_ += 16;
    return id;
  }
  std::string Text(absl::string_view what, size_t bytes_max) {
    const size_t size = Count(what, bytes_max, 1);
    const std::string text(at_, size);
    at_ += size;
    return text;
  }

  // OK when everything was there, and nothing else.
  absl::Status Finish() {
    if (at_ != end_) Fail("the end", absl::StrCat(end_ - at_, " bytes"));
    return std::move(status_);
  }

 private:
  const char* const begin_;
  const char* at_;
  const char* const end_;
  absl::Status status_;
};

// A place in bytes that are in pieces. It never goes beyond `left`.
class PieceCursor {
 public:
  explicit PieceCursor(std::vector<absl::string_view> pieces) : pieces_(std::move(pieces)) {
    for (const absl::string_view piece : pieces_) left_ += piece.size();
  }

  size_t left() const { return left_; }

  // The next bytes, where they are or in *scratch.
  absl::string_view Take(size_t count, std::string* scratch) {
    if (InOnePiece(count)) return Advance(count);
    scratch->resize(count);
    Copy(count, scratch->data());
    return *scratch;
  }
  // The next bytes, where they are or from **to on, which moves behind them.
  absl::string_view TakeOrCopy(size_t count, char** to) {
    if (InOnePiece(count)) return Advance(count);
    Copy(count, *to);
    return {std::exchange(*to, *to + count), count};
  }

  // Of parts of these sizes, from here on, those that TakeOrCopy would copy.
  size_t BytesInSeveralPieces(const std::vector<size_t>& sizes) const {
    size_t piece = piece_, at = at_, bytes = 0;
    for (const size_t size : sizes) {
      while (size > 0 && at == pieces_[piece].size()) {
        ++piece;
        at = 0;
      }
      if (size > 0 && size > pieces_[piece].size() - at) bytes += size;
      for (size_t rest = size; rest > 0;) {
        const size_t step = std::min(rest, pieces_[piece].size() - at);
        rest -= step;
        at += step;
        if (rest > 0) {
          ++piece;
          at = 0;
        }
      }
    }
    return bytes;
  }

 private:
  // Steps over the ends of pieces first.
  bool InOnePiece(size_t count) {
    WEIR_CHECK(count <= left_);
    if (count == 0) return true;
    while (at_ == pieces_[piece_].size()) {
      ++piece_;
      at_ = 0;
    }
    return count <= pieces_[piece_].size() - at_;
  }
  absl::string_view Advance(size_t count) {
    if (count == 0) return {};
    const absl::string_view bytes = pieces_[piece_].substr(at_, count);
    at_ += count;
    left_ -= count;
    return bytes;
  }
  void Copy(size_t count, char* to) {
    while (count > 0) {
      if (at_ == pieces_[piece_].size()) {
        ++piece_;
        at_ = 0;
        continue;
      }
      const absl::string_view bytes = Advance(std::min(count, pieces_[piece_].size() - at_));
      std::memcpy(to, bytes.data(), bytes.size());
      to += bytes.size();
      count -= bytes.size();
    }
  }

  std::vector<absl::string_view> pieces_;
  size_t piece_ = 0;
  size_t at_ = 0;  // in the piece
  size_t left_ = 0;
};

}  // namespace weir::replication::replication_internal

#endif  // WEIR_REPLICATION_GRPC_INTERNAL_STREAM_HEAD_H_

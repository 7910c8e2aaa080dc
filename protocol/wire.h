// -----------------------------------------------------------------------------
// File: protocol/wire.h
// -----------------------------------------------------------------------------
// Reader and Writer: the primitives of Kafka's wire format, big-endian.
//   string   int16 length (-1 null) + bytes; compact: uvarint length + 1 (0 null) + bytes
//   bytes, records   the same with an int32 length
//   array    int32 count (-1 null) + elements; compact: uvarint count + 1 (0 null)
// Errors: a Reader stops at the first fault, keeps it, and from then on returns zeros; whoever
// reads asks status() at the end. It never reads past its input.
// Limits: lengths and counts are held against the bytes that remain, strings against 32767 bytes
// as in Kafka, and memory for elements against kDecodedBytesMax before anything is allocated.
//
// Strings are bytes here. Kafka accepts malformed UTF-8 in any string (it substitutes U+FFFD while
// decoding), so refusing it would break clients that Kafka serves; bytes are kept as they came, and
// what becomes a name is checked where names are made.
#ifndef WEIR_PROTOCOL_WIRE_H_
#define WEIR_PROTOCOL_WIRE_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "base/varint.h"
#include "protocol/describe.h"

namespace weir::protocol {

namespace protocol_internal {

// The unsigned integer of T's size.
template <class T>
using Raw =
    std::conditional_t<sizeof(T) == 1, uint8_t,
                       std::conditional_t<sizeof(T) == 2, uint16_t,
                                          std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>>;

template <class T>
T LoadScalar(const char* from) {
  if constexpr (std::is_same_v<T, bool>) {
    return *from != 0;
  } else if constexpr (sizeof(T) == 1) {
    return static_cast<T>(*from);
  } else if constexpr (std::is_floating_point_v<T>) {
    return std::bit_cast<T>(base_internal::LoadBig<Raw<T>>(from));
  } else {
    return static_cast<T>(base_internal::LoadBig<Raw<T>>(from));
  }
}

template <class T>
void StoreScalar(char* to, T value) {
  if constexpr (sizeof(T) == 1) {
    *to = static_cast<char>(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    base_internal::StoreBig(to, std::bit_cast<Raw<T>>(value));
  } else {
    base_internal::StoreBig(to, static_cast<Raw<T>>(value));
  }
}

}  // namespace protocol_internal

class Reader {
 public:
  explicit Reader(absl::string_view bytes)
      : begin_(bytes.data()), pos_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ok() const { return fault_ == nullptr; }
  size_t remaining() const { return static_cast<size_t>(end_ - pos_); }
  size_t position() const { return static_cast<size_t>(pos_ - begin_); }
  absl::string_view rest() const { return {pos_, remaining()}; }

  // `field` names the field for the error message, here and below.
  template <class T>
  [[gnu::always_inline]] T Scalar(const char* field) {
    if (remaining() < sizeof(T)) [[unlikely]] {
      Fail(field, "bytes of a value", sizeof(T), static_cast<int64_t>(remaining()));
      return T{};
    }
    const T value = protocol_internal::LoadScalar<T>(pos_);
    pos_ += sizeof(T);
    return value;
  }

  Uuid ReadUuid(const char* field) {
    if (remaining() < 16) [[unlikely]] {
      Fail(field, "bytes of a uuid", 16, static_cast<int64_t>(remaining()));
      return {};
    }
    const Uuid id{LoadBig64(pos_), LoadBig64(pos_ + 8)};
    pos_ += 16;
    return id;
  }

  [[gnu::always_inline]] uint32_t Uvarint(const char* field) {
    if (pos_ != end_ && static_cast<uint8_t>(*pos_) < 0x80) [[likely]] {
      return static_cast<uint8_t>(*pos_++);
    }
    uint32_t value = 0;
    const char* behind = GetUvarint32(pos_, end_, &value);
    if (behind == nullptr) [[unlikely]] {
      Fail(field, "bytes of a 32-bit varint", kVarint32BytesMax, static_cast<int64_t>(remaining()));
      return 0;
    }
    pos_ = behind;
    return value;
  }

  // The length of a string, or -1 for null.
  int64_t StringLength(const char* field, bool compact) {
    const int64_t length =
        compact ? static_cast<int64_t>(Uvarint(field)) - 1 : int64_t{Scalar<int16_t>(field)};
    return CheckLength(field, length, kStringBytesMax);
  }
  // The length of bytes or records, or -1 for null.
  int64_t BytesLength(const char* field, bool compact) {
    const int64_t length =
        compact ? static_cast<int64_t>(Uvarint(field)) - 1 : int64_t{Scalar<int32_t>(field)};
    return CheckLength(field, length, INT32_MAX);
  }
  // The count of an array, or -1 for null. Each element takes at least `element_bytes_min` bytes
  // of the input, and `element_memory` bytes once decoded.
  int64_t ArrayCount(const char* field, bool compact, size_t element_bytes_min,
                     size_t element_memory) {
    const int64_t count =
        compact ? static_cast<int64_t>(Uvarint(field)) - 1 : int64_t{Scalar<int32_t>(field)};
    if (!ok() || count == -1) return ok() ? -1 : 0;
    // Counts are below 2^32: multiplied, they stay below 2^64. A division would cost more than all
    // the rest of a short array.
    const uint64_t input = static_cast<uint64_t>(count) * element_bytes_min;
    if (count < 0 || input > remaining()) [[unlikely]] {
      Fail(field, "elements at most", static_cast<int64_t>(remaining() / element_bytes_min), count);
      return 0;
    }
    const uint64_t memory = static_cast<uint64_t>(count) * element_memory;
    if (memory > memory_left_) [[unlikely]] {
      Fail(field, "bytes of decoded elements at most", static_cast<int64_t>(memory_left_),
           static_cast<int64_t>(memory));
      return 0;
    }
    memory_left_ -= memory;
    return count;
  }

  // The next `length` bytes; `length` was checked by one of the above.
  absl::string_view Take(size_t length) {
    if (length > remaining()) [[unlikely]] {
      Fail(nullptr, "bytes", static_cast<int64_t>(length), static_cast<int64_t>(remaining()));
      return {};
    }
    const absl::string_view taken(pos_, length);
    pos_ += length;
    return taken;
  }

  // Confines the reader to the next `length` bytes, already checked, until Widen.
  const char* Narrow(size_t length) {
    const char* outer_end = end_;
    if (ok()) end_ = pos_ + std::min(length, remaining());
    return outer_end;
  }
  void Widen(const char* outer_end) {
    if (ok()) end_ = outer_end;
  }

  // Records the first fault: at this place `wanted` `expected` were due, and `came` is there.
  [[gnu::cold, gnu::noinline]] void Fail(const char* field, const char* expected, int64_t wanted,
                                         int64_t came) {
    if (fault_ != nullptr) return;
    fault_ = expected;
    fault_field_ = field;
    fault_wanted_ = wanted;
    fault_came_ = came;
    fault_position_ = position();
    end_ = pos_;
  }

  absl::Status status() const {
    if (ok()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("malformed message at byte ", fault_position_, ", field ",
                     fault_field_ == nullptr ? "(none)" : fault_field_, ": expected ",
                     fault_wanted_, " ", fault_, ", came ", fault_came_));
  }

  static constexpr int64_t kStringBytesMax = 0x7fff;

 private:
  int64_t CheckLength(const char* field, int64_t length, int64_t most) {
    if (!ok()) return 0;
    if (length == -1) return -1;
    most = std::min(most, static_cast<int64_t>(remaining()));
    if (length < 0 || length > most) [[unlikely]] {
      Fail(field, "bytes at most", most, length);
      return 0;
    }
    return length;
  }

  const char* begin_;
  const char* pos_;
  const char* end_;
  uint64_t memory_left_ = kDecodedBytesMax;
  const char* fault_ = nullptr;
  const char* fault_field_ = nullptr;
  int64_t fault_wanted_ = 0;
  int64_t fault_came_ = 0;
  size_t fault_position_ = 0;
};

// Appends to a string, or only counts. Grows the string ahead of what is written, by doubling and
// not by its whole capacity: new bytes of a std::string are zeroed. Finish() gives back the rest.
class Writer {
 public:
  // Only counts.
  Writer() : pos_(scratch_), end_(scratch_ + sizeof(scratch_)) {}
  // Appends to *out, which nobody else touches until Finish(). Payloads that are left out are
  // noted in *gaps; without it there must be none.
  explicit Writer(std::string* out, std::vector<Gap>* gaps = nullptr)
      : out_(out), gaps_(gaps), start_(out->size()) {
    pos_ = end_ = out->data() + out->size();
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Bytes so far, those left out included.
  uint64_t size() const {
    if (out_ == nullptr) return counted_ + static_cast<size_t>(pos_ - scratch_) + external_;
    return static_cast<size_t>(pos_ - out_->data()) - start_ + external_;
  }
  void Finish() {
    if (out_ == nullptr) return;
    out_->resize(static_cast<size_t>(pos_ - out_->data()));
    pos_ = end_ = out_->data() + out_->size();
  }

  template <class T>
  [[gnu::always_inline]] void Scalar(T value) {
    protocol_internal::StoreScalar(Claim(sizeof(T)), value);
  }
  template <class Values>
  void Scalars(const Values& values) {
    using T = typename Values::value_type;
    for (size_t i = 0; i < values.size();) {
      const size_t n = std::min(values.size() - i, sizeof(scratch_) / sizeof(T));
      char* to = Claim(n * sizeof(T));
      for (const size_t stop = i + n; i < stop; ++i, to += sizeof(T)) {
        protocol_internal::StoreScalar<T>(to, values[i]);
      }
    }
  }
  void WriteUuid(const Uuid& id) {
    char* to = Claim(16);
    StoreBig64(to, id.high);
    StoreBig64(to + 8, id.low);
  }
  void Uvarint(uint32_t value) {
    if (static_cast<size_t>(end_ - pos_) < kVarint32BytesMax) [[unlikely]]
      Grow(kVarint32BytesMax);
    pos_ = PutUvarint(pos_, value);
  }
  // Lengths and counts; -1 is null. What does not fit its field is our own fault.
  void StringLength(int64_t length, bool compact) {
    WEIR_CHECK(length <= Reader::kStringBytesMax);
    if (compact) {
      Uvarint(static_cast<uint32_t>(length + 1));
    } else {
      Scalar(static_cast<int16_t>(length));
    }
  }
  void Length(int64_t length, bool compact) {
    WEIR_CHECK(length < INT32_MAX);
    if (compact) {
      Uvarint(static_cast<uint32_t>(length + 1));
    } else {
      Scalar(static_cast<int32_t>(length));
    }
  }
  void Append(absl::string_view bytes) {
    if (bytes.empty()) return;
    if (out_ == nullptr) {
      counted_ += bytes.size();
      return;
    }
    std::memcpy(Claim(bytes.size()), bytes.data(), bytes.size());
  }
  // Leaves out `bytes` bytes that another hand sends.
  void LeaveOut(int64_t bytes) {
    external_ += static_cast<uint64_t>(bytes);
    if (out_ == nullptr) return;
    WEIR_CHECK(gaps_ != nullptr);
    gaps_->push_back({static_cast<size_t>(pos_ - out_->data()), bytes});
  }

 private:
  [[gnu::always_inline]] char* Claim(size_t bytes) {
    if (static_cast<size_t>(end_ - pos_) < bytes) [[unlikely]]
      Grow(bytes);
    char* at = pos_;
    pos_ += bytes;
    return at;
  }

  [[gnu::noinline]] void Grow(size_t bytes) {
    if (out_ == nullptr) {
      counted_ += static_cast<size_t>(pos_ - scratch_);
      pos_ = scratch_;
      return;
    }
    const size_t used = static_cast<size_t>(pos_ - out_->data());
    out_->resize(std::max(used + bytes, used + std::max<size_t>(256, used - start_)));
    pos_ = out_->data() + used;
    end_ = out_->data() + out_->size();
  }

  std::string* out_ = nullptr;
  std::vector<Gap>* gaps_ = nullptr;
  size_t start_ = 0;
  uint64_t external_ = 0;
  uint64_t counted_ = 0;
  char* pos_ = nullptr;
  char* end_ = nullptr;
  char scratch_[128];
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_WIRE_H_

// -----------------------------------------------------------------------------
// File: protocol/decoder.h
// -----------------------------------------------------------------------------
// The Describe visitor that reads. Internal to message.h.
// Errors: kept by the Reader (wire.h). Refused are: a null where the version has none, tagged
// fields in descending order or twice, a tagged field whose value is not as long as its size says.
#ifndef WEIR_PROTOCOL_DECODER_H_
#define WEIR_PROTOCOL_DECODER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "protocol/describe.h"
#include "protocol/wire.h"

namespace weir::protocol::protocol_internal {

struct DecodeContext {
  Reader& in;
  int16_t version;
  bool flexible;
};

template <class M>
void DecodeStruct(const DecodeContext& c, M& m);

[[gnu::noinline]] inline absl::Status CheckVersion(const MessageInfo& info, int16_t version) {
  if (info.versions.Contains(version)) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrCat("id ", info.id, ": expected version ",
                                               info.versions.min, " to ", info.versions.max,
                                               ", came ", version));
}

// Turns a length of -1 into a fault unless null may be here. False: there is no value to read.
inline bool HasValue(const DecodeContext& c, const char* field, int64_t length, bool nullable) {
  if (length >= 0) return c.in.ok();
  if (!nullable) c.in.Fail(field, "as least length, null being refused", 0, -1);
  return false;
}

template <class Values>
[[gnu::noinline]] void DecodeArray(const DecodeContext& c, const char* field, int64_t count,
                                   Values& values);

// A string, bytes or an array; false when it is null.
template <class T>
bool DecodeSized(const DecodeContext& c, const char* field, T& value, bool nullable) {
  if constexpr (kIsString<T>) {
    const int64_t length = c.in.StringLength(field, c.flexible);
    if (!HasValue(c, field, length, nullable)) return false;
    const absl::string_view bytes = c.in.Take(static_cast<size_t>(length));
    if constexpr (std::is_same_v<T, std::string>) {
      value.assign(bytes.data(), bytes.size());
    } else {
      value = bytes;
    }
  } else if constexpr (std::is_same_v<T, Bytes>) {
    const int64_t length = c.in.BytesLength(field, c.flexible);
    if (!HasValue(c, field, length, nullable)) return false;
    const absl::string_view bytes = c.in.Take(static_cast<size_t>(length));
    value.value.assign(bytes.data(), bytes.size());
  } else {
    using Element = typename T::value_type;
    constexpr size_t kBytesMin = kIsScalar<Element>              ? sizeof(Element)
                                 : std::is_same_v<Element, Uuid> ? 16
                                                                 : 1;
    const int64_t count = c.in.ArrayCount(field, c.flexible, kBytesMin, sizeof(Element));
    if (!HasValue(c, field, count, nullable)) return false;
    DecodeArray(c, field, count, value);
  }
  return true;
}

[[gnu::noinline]] inline void DecodeString(const DecodeContext& c, const char* field,
                                           std::string& value) {
  DecodeSized(c, field, value, false);
}

[[gnu::noinline]] inline void DecodeRecords(const DecodeContext& c, const char* field,
                                            Records& value, bool nullable) {
  const int64_t length = c.in.BytesLength(field, c.flexible);
  value = Records{absl::string_view(), length < 0, 0};
  if (HasValue(c, field, length, nullable)) value.bytes = c.in.Take(static_cast<size_t>(length));
}

template <class T>
[[gnu::always_inline]] inline void DecodeValue(const DecodeContext& c, const char* field, T& value,
                                               bool nullable) {
  if constexpr (kIsScalar<T>) {
    value = c.in.Scalar<T>(field);
  } else if constexpr (std::is_same_v<T, Uuid>) {
    value = c.in.ReadUuid(field);
  } else if constexpr (std::is_same_v<T, std::string>) {
    DecodeString(c, field, value);
  } else if constexpr (std::is_same_v<T, Records>) {
    DecodeRecords(c, field, value, nullable);
  } else if constexpr (IsOptional<T>::value) {
    using Value = typename T::value_type;
    if constexpr (Described<Value>) {
      const int8_t present = nullable ? c.in.Scalar<int8_t>(field) : int8_t{1};
      if (present < 0) {
        value.reset();
      } else {
        // Not emplace(): clang 16 thinks that a nested struct with defaults cannot be made so.
        DecodeStruct(c, value.emplace(Value()));
      }
    } else {
      if (!DecodeSized(c, field, value.emplace(), nullable)) value.reset();
    }
  } else if constexpr (Described<T>) {
    DecodeStruct(c, value);
  } else {
    DecodeSized(c, field, value, false);
  }
}

// The scalars of an array on the wire. A vector that is assigned from these allocates once and
// writes each element once; resize() and a loop write the zeros too.
template <class T>
class ScalarIterator {
 public:
  using iterator_category = std::random_access_iterator_tag;
  using value_type = T;
  using difference_type = std::ptrdiff_t;
  using pointer = const T*;
  using reference = T;

  explicit ScalarIterator(const char* at) : at_(at) {}
  T operator*() const { return LoadScalar<T>(at_); }
  ScalarIterator& operator++() { return *this += 1; }
  ScalarIterator& operator--() { return *this += -1; }
  ScalarIterator& operator+=(difference_type n) {
    at_ += n * static_cast<difference_type>(sizeof(T));
    return *this;
  }
  difference_type operator-(const ScalarIterator& other) const {
    return (at_ - other.at_) / static_cast<difference_type>(sizeof(T));
  }
  bool operator==(const ScalarIterator&) const = default;

 private:
  const char* at_;
};

template <class Values>
[[gnu::noinline]] void DecodeArray(const DecodeContext& c, const char* field, int64_t count,
                                   Values& values) {
  using T = typename Values::value_type;
  if constexpr (kIsScalar<T>) {
    const char* const from = c.in.Take(static_cast<size_t>(count) * sizeof(T)).data();
    values.assign(ScalarIterator<T>(from), ScalarIterator<T>(from + count * sizeof(T)));
  } else {
    values = Values(static_cast<size_t>(count));
    for (T& value : values) {
      if (!c.in.ok()) return;
      DecodeValue(c, field, value, false);
    }
  }
}

class FieldDecoder {
 public:
  explicit FieldDecoder(const DecodeContext& context) : context_(context) {}

  template <class T>
  [[gnu::always_inline]] inline void Field(FieldSpec spec, T& value) {
    if (!spec.IsIn(context_.version) || spec.IsTagged(context_.version)) return;
    DecodeValue(context_, spec.name, value, spec.IsNullable(context_.version));
  }

 private:
  const DecodeContext& context_;
};

// Reads the value of the tagged field `tag`, if the struct has one at this version.
class TagDecoder {
 public:
  TagDecoder(const DecodeContext& context, uint32_t tag) : context_(context), tag_(tag) {}

  template <class T>
  [[gnu::always_inline]] inline void Field(FieldSpec spec, T& value) {
    if (!spec.IsIn(context_.version) || !spec.IsTagged(context_.version) ||
        static_cast<uint32_t>(spec.tag) != tag_) {
      return;
    }
    found_ = true;
    const bool nullable = spec.IsNullable(context_.version);
    if constexpr (IsOptionalStruct<T>::value) {
      if (nullable) {  // a varint says whether it is: see EncodeTagValue
        value.reset();
        if (context_.in.Uvarint(spec.name) != 0) {
          DecodeStruct(context_, value.emplace(typename T::value_type()));
        }
        return;
      }
    }
    DecodeValue(context_, spec.name, value, nullable);
  }

  bool found() const { return found_; }

 private:
  const DecodeContext& context_;
  uint32_t tag_;
  bool found_ = false;
};

// Reads the value of `tag` into *m, if the struct has such a field.
using DecodeTag = bool (*)(const DecodeContext& c, uint32_t tag, void* m);

template <class M>
[[gnu::cold]] bool DecodeTagOf(const DecodeContext& c, uint32_t tag, void* m) {
  TagDecoder decoder(c, tag);
  M::Describe(*static_cast<M*>(m), decoder);
  return decoder.found();
}

// `unknown` is null for a struct that keeps none.
[[gnu::cold, gnu::noinline]] inline void DecodeTags(const DecodeContext& c, uint32_t count,
                                                    DecodeTag decode, void* m,
                                                    UnknownTags* unknown) {
  constexpr const char* kField = "tagged fields";
  const size_t most = std::min(kTaggedFieldsMax, c.in.remaining() / 2);
  if (count > most) {
    return c.in.Fail(kField, "tagged fields at most", static_cast<int64_t>(most), count);
  }
  int64_t least = 0;
  for (; count > 0 && c.in.ok(); --count) {
    const uint32_t tag = c.in.Uvarint(kField);
    const uint32_t size = c.in.Uvarint(kField);
    if (!c.in.ok()) return;
    if (tag < least) return c.in.Fail(kField, "as next tag at least", least, tag);
    least = int64_t{tag} + 1;
    if (size > c.in.remaining()) {
      return c.in.Fail(kField, "bytes at most", static_cast<int64_t>(c.in.remaining()), size);
    }
    const char* outer_end = c.in.Narrow(size);
    if (decode(c, tag, m)) {
      if (c.in.ok() && c.in.remaining() != 0) {
        c.in.Fail(kField, "bytes behind the value", 0, static_cast<int64_t>(c.in.remaining()));
      }
    } else {
      const absl::string_view bytes = c.in.Take(size);
      if (unknown != nullptr) unknown->Add(tag, bytes);
    }
    c.in.Widen(outer_end);
  }
}

template <class M>
[[gnu::noinline]] void DecodeStruct(const DecodeContext& c, M& m) {
  FieldDecoder decoder(c);
  M::Describe(m, decoder);
  if (!c.flexible) return;
  if (const uint32_t tags = c.in.Uvarint("tagged fields"); tags != 0) {
    UnknownTags* unknown = nullptr;
    if constexpr (KeepsUnknownTags<M>) unknown = &m.unknown_tags;
    DecodeTags(c, tags, &DecodeTagOf<M>, &m, unknown);
  }
}

}  // namespace weir::protocol::protocol_internal

#endif  // WEIR_PROTOCOL_DECODER_H_

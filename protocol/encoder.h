// -----------------------------------------------------------------------------
// File: protocol/encoder.h
// -----------------------------------------------------------------------------
// The Describe visitor that writes. Internal to message.h.
// Decision: specs are arguments that fold away because Field is
// always inlined; one function per struct, not inlined, keeps the code small.
//
// Ordinary fields go out in one pass, which notes the tagged fields that differ from their
// defaults; only when there are some, a pass per tagged field follows, in ascending order.
#ifndef WEIR_PROTOCOL_ENCODER_H_
#define WEIR_PROTOCOL_ENCODER_H_

#include <bit>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"
#include "protocol/wire.h"

namespace weir::protocol::protocol_internal {

struct EncodeContext {
  Writer& out;
  int16_t version;
  bool flexible;
};

template <class M>
void EncodeStruct(const EncodeContext& c, const M& m);

[[gnu::noinline]] inline void EncodeString(const EncodeContext& c, absl::string_view value) {
  c.out.StringLength(static_cast<int64_t>(value.size()), c.flexible);
  c.out.Append(value);
}

[[gnu::noinline]] inline void EncodeBytes(const EncodeContext& c, absl::string_view value) {
  c.out.Length(static_cast<int64_t>(value.size()), c.flexible);
  c.out.Append(value);
}

[[gnu::noinline]] inline void EncodeRecords(const EncodeContext& c, const Records& value,
                                            bool nullable) {
  if (value.is_null) {
    c.out.Length(nullable ? -1 : 0, c.flexible);
  } else if (value.external_bytes > 0) {
    c.out.Length(value.external_bytes, c.flexible);
    c.out.LeaveOut(value.external_bytes);
  } else {
    EncodeBytes(c, value.bytes);
  }
}

template <class Values>
[[gnu::noinline]] void EncodeArray(const EncodeContext& c, const Values& values);

// Writes one value. `nullable` says whether this version has a null for it; where it has not, a
// null is written as the empty value (message.h, EncodeChecked).
template <class T>
[[gnu::always_inline]] inline void EncodeValue(const EncodeContext& c, const T& value,
                                               bool nullable) {
  if constexpr (kIsScalar<T>) {
    c.out.Scalar(value);
  } else if constexpr (std::is_same_v<T, Uuid>) {
    c.out.WriteUuid(value);
  } else if constexpr (kIsString<T>) {
    EncodeString(c, value);
  } else if constexpr (std::is_same_v<T, Bytes>) {
    EncodeBytes(c, value.value);
  } else if constexpr (std::is_same_v<T, Records>) {
    EncodeRecords(c, value, nullable);
  } else if constexpr (IsVector<T>::value) {
    EncodeArray(c, value);
  } else if constexpr (IsOptional<T>::value) {
    using Value = typename T::value_type;
    if constexpr (Described<const Value>) {
      if (nullable) c.out.Scalar(static_cast<int8_t>(value.has_value() ? 1 : -1));
      if (value.has_value() || !nullable) {
        EncodeStruct(c, value.has_value() ? *value : DefaultOf<Value>());
      }
    } else if (value.has_value()) {
      EncodeValue(c, *value, false);
    } else if constexpr (kIsString<Value>) {
      c.out.StringLength(nullable ? -1 : 0, c.flexible);
    } else {
      c.out.Length(nullable ? -1 : 0, c.flexible);
    }
  } else {
    static_assert(Described<const T>, "not a type that the protocol knows: see describe.h");
    EncodeStruct(c, value);
  }
}

template <class Values>
[[gnu::noinline]] void EncodeArray(const EncodeContext& c, const Values& values) {
  using T = typename Values::value_type;
  c.out.Length(static_cast<int64_t>(values.size()), c.flexible);
  if constexpr (kIsScalar<T>) {
    c.out.Scalars(values);
  } else {
    for (const T& value : values) EncodeValue(c, value, false);
  }
}

// As EncodeValue, inside a tagged field: there Kafka says with a varint of 0 or 1 whether a struct
// is null, elsewhere with a byte of -1 or 1.
template <class T>
[[gnu::always_inline]] inline void EncodeTagValue(const EncodeContext& c, const T& value,
                                                  bool nullable) {
  if constexpr (IsOptionalStruct<T>::value) {
    if (nullable) {
      c.out.Uvarint(value.has_value() ? 1 : 0);
      if (value.has_value()) EncodeStruct(c, *value);
      return;
    }
  }
  EncodeValue(c, value, nullable);
}

template <class M>
class FieldEncoder {
 public:
  FieldEncoder(const EncodeContext& context, const M& m) : context_(context), m_(m) {}

  template <class T>
  [[gnu::always_inline]] inline void Field(FieldSpec spec, const T& value) {
    if (!spec.IsIn(context_.version)) return;
    if (spec.IsTagged(context_.version)) {
      const Defaults defaults(m_, DefaultOf<M>());
      if (!EqualsDefault(value, defaults.Of(value))) tags_ |= uint64_t{1} << spec.tag;
    } else {
      EncodeValue(context_, value, spec.IsNullable(context_.version));
    }
  }

  uint64_t tags() const { return tags_; }

 private:
  const EncodeContext& context_;
  const M& m_;
  uint64_t tags_ = 0;
};

// Writes the tagged field `tag`: number, size, value.
class TagEncoder {
 public:
  TagEncoder(const EncodeContext& context, int tag) : context_(context), tag_(tag) {}

  template <class T>
  [[gnu::always_inline]] inline void Field(FieldSpec spec, const T& value) {
    if (spec.tag < 0) return;
    if (spec.tag != tag_ || !spec.IsIn(context_.version) || !spec.IsTagged(context_.version)) {
      return;
    }
    const bool nullable = spec.IsNullable(context_.version);
    Writer counter;
    EncodeTagValue(EncodeContext{counter, context_.version, context_.flexible}, value, nullable);
    context_.out.Uvarint(static_cast<uint32_t>(tag_));
    context_.out.Uvarint(static_cast<uint32_t>(counter.size()));
    EncodeTagValue(context_, value, nullable);
  }

 private:
  const EncodeContext& context_;
  int tag_;
};

// Writes the field `tag` of *m: number, size, value.
using EncodeTag = void (*)(const EncodeContext& c, int tag, const void* m);

template <class M>
[[gnu::cold]] void EncodeTagOf(const EncodeContext& c, int tag, const void* m) {
  TagEncoder encoder(c, tag);
  M::Describe(*static_cast<const M*>(m), encoder);
}

// `known` has a bit for each tagged field that differs from its default.
[[gnu::cold, gnu::noinline]] inline void EncodeTags(const EncodeContext& c, uint64_t known,
                                                    EncodeTag encode, const void* m,
                                                    const UnknownTags& unknown) {
  c.out.Uvarint(static_cast<uint32_t>(static_cast<size_t>(std::popcount(known)) + unknown.size()));
  size_t next_unknown = 0;
  auto write_unknown_below = [&](uint64_t tag) {
    for (; next_unknown < unknown.size() && unknown[next_unknown].tag < tag; ++next_unknown) {
      c.out.Uvarint(unknown[next_unknown].tag);
      c.out.Uvarint(static_cast<uint32_t>(unknown[next_unknown].bytes.size()));
      c.out.Append(unknown[next_unknown].bytes);
    }
  };
  for (; known != 0; known &= known - 1) {
    const int tag = std::countr_zero(known);
    write_unknown_below(static_cast<uint64_t>(tag));
    encode(c, tag, m);
  }
  write_unknown_below(uint64_t{1} << 32);
}

template <class M>
[[gnu::noinline]] void EncodeStruct(const EncodeContext& c, const M& m) {
  FieldEncoder<M> encoder(c, m);
  M::Describe(m, encoder);
  if (!c.flexible) return;
  if constexpr (KeepsUnknownTags<const M>) {
    if (encoder.tags() != 0 || !m.unknown_tags.empty()) {
      return EncodeTags(c, encoder.tags(), &EncodeTagOf<M>, &m, m.unknown_tags);
    }
  } else if (encoder.tags() != 0) {
    return EncodeTags(c, encoder.tags(), &EncodeTagOf<M>, &m, UnknownTags());
  }
  c.out.Uvarint(0);
}

}  // namespace weir::protocol::protocol_internal

#endif  // WEIR_PROTOCOL_ENCODER_H_

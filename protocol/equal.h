// -----------------------------------------------------------------------------
// File: protocol/equal.h
// -----------------------------------------------------------------------------
// Whether two messages, or two structs of them, say the same: field by field, unknown tagged fields
// included. Two that are Equal encode to the same bytes at every version. Floating point values are
// compared as their bits are, so that a NaN equals itself and 0 is not -0. Not for hot paths.
// Threading: none of this keeps state.
#ifndef WEIR_PROTOCOL_EQUAL_H_
#define WEIR_PROTOCOL_EQUAL_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "protocol/describe.h"

namespace weir::protocol {

template <class M>
bool Equal(const M& a, const M& b);

namespace protocol_internal {

template <class T>
bool EqualValues(const T& a, const T& b) {
  if constexpr (IsOptional<T>::value) {
    return a.has_value() == b.has_value() && (!a.has_value() || EqualValues(*a, *b));
  } else if constexpr (IsVector<T>::value) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i) {
      if (!EqualValues(a[i], b[i])) return false;
    }
    return true;
  } else if constexpr (std::is_same_v<T, Records>) {
    return a.is_null == b.is_null && a.bytes == b.bytes && a.external_bytes == b.external_bytes;
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
  } else if constexpr (Described<const T>) {
    return Equal(a, b);
  } else {
    return a == b;
  }
}

inline bool EqualTags(const UnknownTags& a, const UnknownTags& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].tag != b[i].tag || a[i].bytes != b[i].bytes) return false;
  }
  return true;
}

// Compares a field with the same member of another instance.
class FieldComparer {
 public:
  explicit FieldComparer(Defaults other) : other_(other) {}
  bool equal() const { return equal_; }

  template <class T>
  void Field(FieldSpec, const T& value) {
    equal_ = equal_ && EqualValues(value, other_.Of(value));
  }

 private:
  Defaults other_;
  bool equal_ = true;
};

}  // namespace protocol_internal

template <class M>
[[gnu::noinline]] bool Equal(const M& a, const M& b) {
  if constexpr (protocol_internal::KeepsUnknownTags<const M>) {
    if (!protocol_internal::EqualTags(a.unknown_tags, b.unknown_tags)) return false;
  }
  protocol_internal::FieldComparer comparer(protocol_internal::Defaults(a, b));
  M::Describe(a, comparer);
  return comparer.equal();
}

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_EQUAL_H_

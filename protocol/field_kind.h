// -----------------------------------------------------------------------------
// File: protocol/field_kind.h
// -----------------------------------------------------------------------------
// What a field of a message is made of, for code that handles any message by a table: its shape
// (message_shape.h) or its layout (layout.h).
#ifndef WEIR_PROTOCOL_FIELD_KIND_H_
#define WEIR_PROTOCOL_FIELD_KIND_H_

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::protocol {

enum class FieldKind : int8_t {
  kBool,
  kInt8,
  kInt16,
  kUint16,
  kInt32,
  kUint32,
  kInt64,
  kFloat64,
  kUuid,
  kString,
  kBytes,
  kRecords,
  kStruct,
};

namespace protocol_internal {

template <class T>
constexpr FieldKind KindOf() {
  if constexpr (std::is_enum_v<T>) {
    return KindOf<std::underlying_type_t<T>>();
  } else if constexpr (std::is_same_v<T, bool>) {
    return FieldKind::kBool;
  } else if constexpr (std::is_same_v<T, int8_t>) {
    return FieldKind::kInt8;
  } else if constexpr (std::is_same_v<T, int16_t>) {
    return FieldKind::kInt16;
  } else if constexpr (std::is_same_v<T, uint16_t>) {
    return FieldKind::kUint16;
  } else if constexpr (std::is_same_v<T, int32_t>) {
    return FieldKind::kInt32;
  } else if constexpr (std::is_same_v<T, uint32_t>) {
    return FieldKind::kUint32;
  } else if constexpr (std::is_same_v<T, int64_t>) {
    return FieldKind::kInt64;
  } else if constexpr (std::is_same_v<T, double>) {
    return FieldKind::kFloat64;
  } else if constexpr (std::is_same_v<T, Uuid>) {
    return FieldKind::kUuid;
  } else if constexpr (kIsString<T>) {
    return FieldKind::kString;
  } else if constexpr (std::is_same_v<T, Bytes>) {
    return FieldKind::kBytes;
  } else if constexpr (std::is_same_v<T, Records>) {
    return FieldKind::kRecords;
  } else {
    static_assert(Described<const T>);
    return FieldKind::kStruct;
  }
}

// What an element of an array takes at least on the wire.
constexpr size_t ElementBytesMin(FieldKind kind) {
  switch (kind) {
    case FieldKind::kInt16:
    case FieldKind::kUint16:
      return 2;
    case FieldKind::kInt32:
    case FieldKind::kUint32:
      return 4;
    case FieldKind::kInt64:
    case FieldKind::kFloat64:
      return 8;
    case FieldKind::kUuid:
      return 16;
    default:
      return 1;
  }
}

}  // namespace protocol_internal

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_FIELD_KIND_H_

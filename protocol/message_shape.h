// -----------------------------------------------------------------------------
// File: protocol/message_shape.h
// -----------------------------------------------------------------------------
// A message's declaration as data: what code needs that handles any message without being compiled
// for each, as printers of traffic (shape_printer.h) and the dump of the schema (schema.h).
// Compiling a shape takes a fraction of what decoding takes.
//
//   const MessageShape& shape = ShapeOf<FetchResponse>();
//
// Threading: a shape is built at its first use, by any thread, and never destroyed.
#ifndef WEIR_PROTOCOL_MESSAGE_SHAPE_H_
#define WEIR_PROTOCOL_MESSAGE_SHAPE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/strings/string_view.h"
#include "protocol/describe.h"
#include "protocol/field_kind.h"

namespace weir::protocol {

struct FieldShape;
using StructShape = std::vector<FieldShape>;

struct FieldShape {
  FieldSpec spec;
  FieldKind kind = FieldKind::kBool;  // of the elements, if it is an array
  bool is_array = false;
  bool is_optional = false;
  size_t element_bytes = 0;  // of an array's element once decoded, without what it points to
  StructShape fields;        // of kStruct
  // Its default, by its kind. An array's is null or empty.
  bool default_is_null = false;
  int64_t default_integer = 0;
  double default_float = 0;
  std::string default_text;
};

struct MessageShape {
  MessageInfo info;
  StructShape fields;
};

namespace protocol_internal {

class ShapeBuilder;

// What of a field's shape depends on its C++ type alone.
struct ShapeType {
  FieldKind kind = FieldKind::kBool;  // of the elements, if it is an array
  bool is_array = false;
  bool is_optional = false;
  bool is_view = false;  // of kString: a string_view
  size_t element_bytes = 0;
  const void* (*held)(const void* optional) = nullptr;  // null where that holds nothing
  // Of kStruct. Null for `of` stands for a struct that has its defaults.
  void (*describe)(const void* of, ShapeBuilder& builder) = nullptr;
};

// The Describe visitor that builds a shape from a struct that has its defaults.
class ShapeBuilder {
 public:
  explicit ShapeBuilder(StructShape& fields) : fields_(fields) {}

  template <class T>
  [[gnu::always_inline]] inline void Field(const FieldSpec& spec, const T& standard);

 private:
  void Add(const FieldSpec& spec, const ShapeType& type, const void* standard);

  StructShape& fields_;
};

template <class T>
T ScalarAt(const void* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

[[gnu::cold, gnu::noinline]] inline void SetDefault(const ShapeType& type, const void* standard,
                                                    FieldShape& field) {
  switch (type.kind) {
    case FieldKind::kBool:
    case FieldKind::kInt8:
      field.default_integer = ScalarAt<int8_t>(standard);
      return;
    case FieldKind::kInt16:
      field.default_integer = ScalarAt<int16_t>(standard);
      return;
    case FieldKind::kUint16:
      field.default_integer = ScalarAt<uint16_t>(standard);
      return;
    case FieldKind::kInt32:
      field.default_integer = ScalarAt<int32_t>(standard);
      return;
    case FieldKind::kUint32:
      field.default_integer = ScalarAt<uint32_t>(standard);
      return;
    case FieldKind::kInt64:
      field.default_integer = ScalarAt<int64_t>(standard);
      return;
    case FieldKind::kFloat64:
      field.default_float = ScalarAt<double>(standard);
      return;
    case FieldKind::kString:
      field.default_text = type.is_view
                               ? std::string(*static_cast<const absl::string_view*>(standard))
                               : *static_cast<const std::string*>(standard);
      return;
    case FieldKind::kRecords:
      field.default_is_null = static_cast<const Records*>(standard)->is_null;
      return;
    case FieldKind::kUuid:
    case FieldKind::kBytes:
    case FieldKind::kStruct:
      return;
  }
}

[[gnu::cold, gnu::noinline]] inline void ShapeBuilder::Add(const FieldSpec& spec,
                                                           const ShapeType& type,
                                                           const void* standard) {
  FieldShape& field = fields_.emplace_back(FieldShape{spec});
  field.kind = type.kind;
  field.is_array = type.is_array;
  field.is_optional = type.is_optional;
  field.element_bytes = type.element_bytes;
  if (type.is_optional) {
    standard = type.held(standard);
    field.default_is_null = standard == nullptr;
  }
  if (type.is_array) standard = nullptr;
  if (type.kind == FieldKind::kStruct) {
    ShapeBuilder inner(field.fields);
    type.describe(standard, inner);
  } else if (standard != nullptr) {
    SetDefault(type, standard, field);
  }
}

template <class M>
[[gnu::cold]] void DescribeShape(const void* of, ShapeBuilder& builder) {
  M::Describe(of == nullptr ? DefaultOf<M>() : *static_cast<const M*>(of), builder);
}

template <class T>
[[gnu::cold]] const void* HeldBy(const void* optional) {
  const T& held = *static_cast<const T*>(optional);
  return held.has_value() ? &*held : nullptr;
}

template <class T>
constexpr ShapeType ShapeTypeOf() {
  ShapeType type;
  if constexpr (IsOptional<T>::value) {
    type = ShapeTypeOf<typename T::value_type>();
    type.is_optional = true;
    type.held = &HeldBy<T>;
  } else if constexpr (IsVector<T>::value) {
    using Element = typename T::value_type;
    static_assert(!IsVector<Element>::value && !IsOptional<Element>::value);
    type = ShapeTypeOf<Element>();
    type.is_array = true;
    type.element_bytes = sizeof(Element);
  } else {
    type.kind = KindOf<T>();
    type.is_view = std::is_same_v<T, absl::string_view>;
    if constexpr (Described<const T>) type.describe = &DescribeShape<T>;
  }
  return type;
}

template <class T>
inline constexpr ShapeType kShapeType = ShapeTypeOf<T>();

template <class T>
void ShapeBuilder::Field(const FieldSpec& spec, const T& standard) {
  Add(spec, kShapeType<T>, &standard);
}

// Makes a message's shape when it is first asked for.
struct ShapeSource {
  MessageInfo info;
  void (*describe)(const void* of, ShapeBuilder& builder);
  std::atomic<const MessageShape*>& shape;  // null as yet
};

template <class M>
inline constinit std::atomic<const MessageShape*> shape_of{nullptr};

template <class M>
inline constexpr ShapeSource kShapeSource = {InfoOf<M>(), &DescribeShape<M>, shape_of<M>};

[[gnu::cold, gnu::noinline]] inline const MessageShape& ShapeFrom(const ShapeSource& source) {
  const MessageShape* earlier = source.shape.load(std::memory_order_acquire);
  if (earlier != nullptr) return *earlier;
  auto shape = std::make_unique<MessageShape>();
  shape->info = source.info;
  ShapeBuilder builder(shape->fields);
  source.describe(nullptr, builder);
  if (!source.shape.compare_exchange_strong(earlier, shape.get())) return *earlier;
  return *shape.release();
}

}  // namespace protocol_internal

template <class M>
const MessageShape& ShapeOf() {
  return protocol_internal::ShapeFrom(protocol_internal::kShapeSource<M>);
}

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_MESSAGE_SHAPE_H_

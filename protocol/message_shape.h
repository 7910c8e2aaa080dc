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

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
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

// The Describe visitor that builds a shape from a default-constructed struct.
class ShapeBuilder {
 public:
  explicit ShapeBuilder(StructShape& fields) : fields_(fields) {}

  template <class T>
  [[gnu::cold, gnu::noinline]] void Field(FieldSpec spec, const T& standard) {
    Shape(fields_.emplace_back(FieldShape{spec}), standard);
  }

 private:
  template <class T>
  static void Shape(FieldShape& field, const T& standard) {
    if constexpr (IsOptional<T>::value) {
      field.is_optional = true;
      field.default_is_null = !standard.has_value();
      Shape(field, standard.has_value() ? *standard : DefaultOf<typename T::value_type>());
    } else if constexpr (IsVector<T>::value) {
      using Element = typename T::value_type;
      static_assert(!IsVector<Element>::value && !IsOptional<Element>::value);
      field.is_array = true;
      field.element_bytes = sizeof(Element);
      Shape(field, DefaultOf<Element>());
    } else {
      field.kind = KindOf<T>();
      Default(field, standard);
    }
  }

  template <class T>
  static void Default(FieldShape& field, const T& standard) {
    if constexpr (std::is_same_v<T, double>) {
      field.default_float = standard;
    } else if constexpr (kIsScalar<T>) {
      field.default_integer = static_cast<int64_t>(standard);
    } else if constexpr (kIsString<T>) {
      field.default_text = std::string(standard);
    } else if constexpr (std::is_same_v<T, Records>) {
      field.default_is_null = standard.is_null;
    } else if constexpr (Described<const T>) {
      ShapeBuilder inner(field.fields);
      T::Describe(standard, inner);
    }
  }

  StructShape& fields_;
};

}  // namespace protocol_internal

template <class M>
[[gnu::cold]] const MessageShape& ShapeOf() {
  static const MessageShape& shape = *[] {
    auto built = std::make_unique<MessageShape>();
    built->info = InfoOf<M>();
    protocol_internal::ShapeBuilder builder(built->fields);
    M::Describe(protocol_internal::DefaultOf<M>(), builder);
    return built.release();
  }();
  return shape;
}

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_MESSAGE_SHAPE_H_

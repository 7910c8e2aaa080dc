// -----------------------------------------------------------------------------
// File: protocol/layout.h
// -----------------------------------------------------------------------------
// Where the fields of a described struct are in memory, and how to get at what they hold: what one
// encoder and one decoder need to handle any message (layout_codec.h). Internal to message.h.
// Decision: docs/adr/0016-layouts.md.
// Threading: a layout is built at its first use, by any thread, and never destroyed.
#ifndef WEIR_PROTOCOL_LAYOUT_H_
#define WEIR_PROTOCOL_LAYOUT_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <vector>

#include "absl/strings/string_view.h"
#include "protocol/describe.h"
#include "protocol/field_kind.h"

namespace weir::protocol::protocol_internal {

struct StructLayout;
struct StructType;

struct Elements {
  const char* first = nullptr;
  size_t count = 0;
};

// Gets at what some vector, or some optional, holds; that of an optional is one element or none.
struct Container {
  size_t element_bytes;
  Elements (*elements)(const void* container);
  // Replaces what it holds by `count` elements that have their defaults, and returns the first.
  char* (*assign)(void* container, size_t count);
};

struct FieldType {
  FieldKind kind = FieldKind::kBool;      // of the elements, if it is an array
  const Container* optional = nullptr;    // null: it is none
  const Container* array = nullptr;       // of the optional's value, if it is one
  const StructType* structure = nullptr;  // of kStruct
};

struct FieldLayout {
  FieldSpec spec;
  size_t offset = 0;
  const FieldType* type = nullptr;
  const StructLayout* fields = nullptr;  // of kStruct

  bool is_optional_struct() const {
    return type->optional != nullptr && type->array == nullptr && fields != nullptr;
  }
};

struct StructLayout {
  std::vector<FieldLayout> fields;
  const char* defaults = nullptr;      // a struct that has them
  std::optional<size_t> unknown_tags;  // where they are, if it keeps them
};

class LayoutBuilder;

// Makes a struct's layout when it is first asked for.
struct StructType {
  const void* (*defaults)();  // a struct that has them
  void (*describe)(const void* m, LayoutBuilder& builder);
  std::atomic<const StructLayout*>& layout;  // null as yet
};

// The Describe visitor that builds a layout from a struct that has its defaults.
class LayoutBuilder {
 public:
  explicit LayoutBuilder(StructLayout& layout) : layout_(layout) {}

  template <class T>
  [[gnu::always_inline]] inline void Field(const FieldSpec& spec, const T& standard);

  void KeepsUnknownTags(const UnknownTags& tags) { layout_.unknown_tags = OffsetOf(&tags); }

 private:
  void Add(const FieldSpec& spec, const void* standard, const FieldType& type);
  size_t OffsetOf(const void* member) const {
    return static_cast<size_t>(static_cast<const char*>(member) - layout_.defaults);
  }

  StructLayout& layout_;
};

[[gnu::cold, gnu::noinline]] inline const StructLayout& NewLayout(const StructType& type) {
  auto layout = std::make_unique<StructLayout>();
  layout->defaults = static_cast<const char*>(type.defaults());
  LayoutBuilder builder(*layout);
  type.describe(layout->defaults, builder);
  const StructLayout* earlier = nullptr;
  if (!type.layout.compare_exchange_strong(earlier, layout.get())) return *earlier;
  return *layout.release();
}

inline const StructLayout& LayoutOf(const StructType& type) {
  const StructLayout* const layout = type.layout.load(std::memory_order_acquire);
  return layout != nullptr ? *layout : NewLayout(type);
}

[[gnu::cold, gnu::noinline]] inline void LayoutBuilder::Add(const FieldSpec& spec,
                                                            const void* standard,
                                                            const FieldType& type) {
  layout_.fields.push_back({spec, OffsetOf(standard), &type,
                            type.structure == nullptr ? nullptr : &LayoutOf(*type.structure)});
}

template <class M>
[[gnu::cold]] const void* DefaultsOf() {
  return &DefaultOf<M>();
}

template <class M>
[[gnu::cold]] void DescribeLayout(const void* of, LayoutBuilder& builder) {
  const M& m = *static_cast<const M*>(of);
  M::Describe(m, builder);
  if constexpr (KeepsUnknownTags<const M>) builder.KeepsUnknownTags(m.unknown_tags);
}

template <class M>
inline constinit std::atomic<const StructLayout*> layout_of{nullptr};

template <class M>
inline constexpr StructType kStructType = {&DefaultsOf<M>, &DescribeLayout<M>, layout_of<M>};

template <class T>
Elements ElementsOf(const void* container) {
  const T& held = *static_cast<const T*>(container);
  if constexpr (IsOptional<T>::value) {
    if (!held.has_value()) return {};
    return {reinterpret_cast<const char*>(&*held), 1};
  } else {
    return {reinterpret_cast<const char*>(held.data()), held.size()};
  }
}

template <class T>
char* AssignDefaults(void* container, size_t count) {
  using Element = typename T::value_type;
  T& held = *static_cast<T*>(container);
  if constexpr (IsOptional<T>::value) {
    held.reset();
    // Not emplace(): clang 16 thinks that a nested struct with defaults cannot be made so.
    return count == 0 ? nullptr : reinterpret_cast<char*>(&held.emplace(Element()));
  } else {
    held = T(count);
    return reinterpret_cast<char*>(held.data());
  }
}

template <class T>
inline constexpr Container kContainer = {sizeof(typename T::value_type), &ElementsOf<T>,
                                         &AssignDefaults<T>};

template <class T>
constexpr FieldType TypeOf() {
  static_assert(!std::is_same_v<T, absl::string_view>, "a message of views must be hot");
  FieldType type;
  if constexpr (IsOptional<T>::value) {
    type = TypeOf<typename T::value_type>();
    type.optional = &kContainer<T>;
  } else if constexpr (IsVector<T>::value) {
    using Element = typename T::value_type;
    static_assert(!IsVector<Element>::value && !IsOptional<Element>::value);
    type = TypeOf<Element>();
    type.array = &kContainer<T>;
  } else {
    type.kind = KindOf<T>();
    if constexpr (Described<const T>) type.structure = &kStructType<T>;
  }
  return type;
}

template <class T>
inline constexpr FieldType kFieldType = TypeOf<T>();

template <class T>
void LayoutBuilder::Field(const FieldSpec& spec, const T& standard) {
  Add(spec, &standard, kFieldType<T>);
}

}  // namespace weir::protocol::protocol_internal

#endif  // WEIR_PROTOCOL_LAYOUT_H_

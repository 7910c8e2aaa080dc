// -----------------------------------------------------------------------------
// File: protocol/schema.h
// -----------------------------------------------------------------------------
// A message's declaration as text, for tests and documentation: one line per field, indented by
// depth, with versions cut to those of the message and of the field around it.
//
//   message  NAME ID FIRST-LAST [flexible VERSION]
//   field    NAME TYPE FIRST-LAST [nullable VERSION] [tag NUMBER since VERSION] [default VALUE]
//            [ignorable]
//
// Defaults are read off a default-constructed message, so that they are those that programs get.
#ifndef WEIR_PROTOCOL_SCHEMA_H_
#define WEIR_PROTOCOL_SCHEMA_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/uuid.h"
#include "protocol/describe.h"
#include "protocol/printer.h"

namespace weir::protocol {

namespace protocol_internal {

template <class T>
std::string TypeName() {
  if constexpr (std::is_enum_v<T>) {
    return TypeName<std::underlying_type_t<T>>();
  } else if constexpr (IsOptional<T>::value) {
    return TypeName<typename T::value_type>();
  } else if constexpr (IsVector<T>::value) {
    return absl::StrCat("[]", TypeName<typename T::value_type>());
  } else if constexpr (std::is_same_v<T, bool>) {
    return "bool";
  } else if constexpr (std::is_same_v<T, double>) {
    return "float64";
  } else if constexpr (kIsScalar<T>) {
    return absl::StrCat(std::is_unsigned_v<T> ? "uint" : "int", sizeof(T) * 8);
  } else if constexpr (std::is_same_v<T, Uuid>) {
    return "uuid";
  } else if constexpr (kIsString<T>) {
    return "string";
  } else if constexpr (std::is_same_v<T, Bytes>) {
    return "bytes";
  } else if constexpr (std::is_same_v<T, Records>) {
    return "records";
  } else {
    return "struct";
  }
}

class SchemaPrinter {
 public:
  SchemaPrinter(std::string& out, VersionRange versions, int depth)
      : out_(out), versions_(versions), depth_(depth) {}

  template <class T>
  [[gnu::cold]] void Field(FieldSpec spec, const T& standard) {
    const int since = std::max(spec.since, versions_.min);
    const int until = std::min(spec.until, versions_.max);
    if (since > until) return;
    absl::StrAppend(&out_, std::string(static_cast<size_t>(depth_) * 2, ' '), CamelCase(spec.name),
                    " ", TypeName<T>(), " ", since, "-", until);
    if (spec.nullable_since != kNoVersion) {
      absl::StrAppend(&out_, " nullable ", std::max<int>(spec.nullable_since, since));
    }
    if (spec.tag >= 0) {
      absl::StrAppend(&out_, " tag ", spec.tag, " since ", std::max<int>(spec.tag_since, since));
    }
    Default(standard);
    out_.append(spec.ignorable ? " ignorable\n" : "\n");
    Descend(standard, {static_cast<int16_t>(since), static_cast<int16_t>(until)});
  }

 private:
  template <class T>
  void Default(const T& value) {
    if constexpr (IsOptional<T>::value) {
      if (value.has_value()) {
        Default(*value);
      } else {
        out_.append(" default null");
      }
    } else if constexpr (IsVector<T>::value) {
      out_.append(" default []");
    } else if constexpr (kIsString<T>) {
      absl::StrAppend(&out_, " default \"", value, "\"");
    } else if constexpr (std::is_same_v<T, bool>) {
      out_.append(value ? " default true" : " default false");
    } else if constexpr (std::is_same_v<T, double>) {
      absl::StrAppend(&out_, " default ", value);
    } else if constexpr (kIsScalar<T>) {
      absl::StrAppend(&out_, " default ", static_cast<int64_t>(value));
    }
  }

  template <class T>
  void Descend(const T& value, VersionRange versions) {
    if constexpr (IsOptional<T>::value || IsVector<T>::value) {
      using Element = typename T::value_type;
      if constexpr (IsVector<Element>::value || Described<const Element>) {
        Descend(DefaultOf<Element>(), versions);
      }
    } else if constexpr (Described<const T>) {
      SchemaPrinter inner(out_, versions, depth_ + 1);
      T::Describe(value, inner);
    }
  }

  std::string& out_;
  VersionRange versions_;
  int depth_;
};

}  // namespace protocol_internal

// The declaration of M, whose name C++ cannot tell, as far as `versions` see it.
template <class M>
std::string SchemaText(absl::string_view name, VersionRange versions = InfoOf<M>().versions) {
  const MessageInfo info = InfoOf<M>();
  std::string text = absl::StrCat(name, " ", info.id, " ", versions.min, "-", versions.max);
  if (info.flexible_since != kNoVersion) {
    absl::StrAppend(&text, " flexible ", info.flexible_since);
  }
  text.push_back('\n');
  protocol_internal::SchemaPrinter printer(text, versions, /*depth=*/1);
  M::Describe(protocol_internal::DefaultOf<M>(), printer);
  return text;
}

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_SCHEMA_H_

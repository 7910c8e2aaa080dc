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

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "protocol/describe.h"
#include "protocol/message_shape.h"
#include "protocol/printer.h"

namespace weir::protocol {

namespace protocol_internal {

inline absl::string_view KindName(FieldKind kind) {
  switch (kind) {
    case FieldKind::kBool:
      return "bool";
    case FieldKind::kInt8:
      return "int8";
    case FieldKind::kInt16:
      return "int16";
    case FieldKind::kUint16:
      return "uint16";
    case FieldKind::kInt32:
      return "int32";
    case FieldKind::kUint32:
      return "uint32";
    case FieldKind::kInt64:
      return "int64";
    case FieldKind::kFloat64:
      return "float64";
    case FieldKind::kUuid:
      return "uuid";
    case FieldKind::kString:
      return "string";
    case FieldKind::kBytes:
      return "bytes";
    case FieldKind::kRecords:
      return "records";
    case FieldKind::kStruct:
      return "struct";
  }
  return "";
}

// What stands behind " default"; empty where a default goes without saying.
inline std::string DefaultText(const FieldShape& field) {
  if (field.is_optional && field.default_is_null) return "null";
  if (field.is_array) return "[]";
  switch (field.kind) {
    case FieldKind::kString:
      return absl::StrCat("\"", field.default_text, "\"");
    case FieldKind::kBool:
      return field.default_integer != 0 ? "true" : "false";
    case FieldKind::kFloat64:
      return absl::StrCat(field.default_float);
    case FieldKind::kUuid:
    case FieldKind::kBytes:
    case FieldKind::kRecords:
    case FieldKind::kStruct:
      return "";
    default:
      return absl::StrCat(field.default_integer);
  }
}

inline void AppendSchema(const StructShape& fields, VersionRange versions, size_t depth,
                         std::string* out) {
  for (const FieldShape& field : fields) {
    const FieldSpec& spec = field.spec;
    const int16_t since = std::max(spec.since, versions.min);
    const int16_t until = std::min(spec.until, versions.max);
    if (since > until) continue;
    absl::StrAppend(out, std::string(depth * 2, ' '), CamelCase(spec.name), " ",
                    field.is_array ? "[]" : "", KindName(field.kind), " ", since, "-", until);
    if (spec.nullable_since != kNoVersion) {
      absl::StrAppend(out, " nullable ", std::max(spec.nullable_since, since));
    }
    if (spec.tag >= 0) {
      absl::StrAppend(out, " tag ", spec.tag, " since ", std::max(spec.tag_since, since));
    }
    const std::string standard = DefaultText(field);
    absl::StrAppend(out, standard.empty() ? "" : " default ", standard,
                    spec.ignorable ? " ignorable\n" : "\n");
    AppendSchema(field.fields, {since, until}, depth + 1, out);
  }
}

}  // namespace protocol_internal

// The declaration of M, whose name C++ cannot tell, as far as `versions` see it.
template <class M>
std::string SchemaText(absl::string_view name, VersionRange versions = InfoOf<M>().versions) {
  const MessageShape& shape = ShapeOf<M>();
  std::string text = absl::StrCat(name, " ", shape.info.id, " ", versions.min, "-", versions.max);
  if (shape.info.flexible_since != kNoVersion) {
    absl::StrAppend(&text, " flexible ", shape.info.flexible_since);
  }
  text.push_back('\n');
  protocol_internal::AppendSchema(shape.fields, versions, /*depth=*/1, &text);
  return text;
}

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_SCHEMA_H_

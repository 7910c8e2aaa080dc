// -----------------------------------------------------------------------------
// File: protocol/shape_printer.h
// -----------------------------------------------------------------------------
// Prints messages from their bytes, by their shape: the text that Print of message.h makes of the
// decoded message, without the decoded message.
//
//   status = PrintEncoded(ShapeOf<FetchRequest>(), version, json, &hooks, &body, &out);
//
// Threading: none of this keeps state.
// Errors: as DecodePrefix (message.h); then nothing is printed.
// Limits: as DecodePrefix; PrintHooks::text_bytes_max.
#ifndef WEIR_PROTOCOL_SHAPE_PRINTER_H_
#define WEIR_PROTOCOL_SHAPE_PRINTER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "protocol/decoder.h"
#include "protocol/describe.h"
#include "protocol/field_kind.h"
#include "protocol/message_shape.h"
#include "protocol/printer.h"
#include "protocol/wire.h"

namespace weir::protocol {

namespace protocol_internal {

class ShapePrinter : TextPrinter {
 public:
  ShapePrinter(const DecodeContext& context, bool json, PrintHooks* hooks, std::string& out)
      : TextPrinter(out, context.version, json, hooks), context_(context) {}

  void Struct(const StructShape& fields) {
    TaggedFields tagged{this, {}};
    out_.push_back('{');
    bool first = true;
    for (const FieldShape& field : fields) {
      if (!field.spec.IsIn(version_)) continue;
      const bool is_first = std::exchange(first, false);
      if (field.spec.IsTagged(version_)) {
        tagged.fields.push_back({&field, is_first, out_.size(), false, std::string()});
      } else {
        Name(field.spec, is_first);
        Value(field, field.spec.IsNullable(version_));
      }
    }
    if (context_.flexible) {
      if (const uint32_t count = context_.in.Uvarint("tagged fields"); count != 0) {
        DecodeTags(context_, count, &PrintTag, &tagged, nullptr);
      }
    }
    Insert(tagged);
    out_.push_back('}');
  }

 private:
  // Tagged fields stand behind all others on the wire, and are printed where they are declared.
  struct TaggedField {
    const FieldShape* field;
    bool is_first;
    size_t place;  // in the text
    bool came;
    std::string text;
  };
  struct TaggedFields {
    ShapePrinter* printer;
    std::vector<TaggedField> fields;
  };

  // Whether the struct has a field `tag`, which is read then; a DecodeTag.
  static bool PrintTag(const DecodeContext&, uint32_t tag, void* tagged_fields) {
    auto& tagged = *static_cast<TaggedFields*>(tagged_fields);
    for (TaggedField& each : tagged.fields) {
      if (static_cast<uint32_t>(each.field->spec.tag) != tag) continue;
      each.came = true;
      each.text = tagged.printer->TakeText([&] { tagged.printer->TagValue(*each.field); });
      return true;
    }
    return false;
  }

  void Insert(TaggedFields& tagged) {
    for (size_t i = tagged.fields.size(); i-- > 0;) {
      TaggedField& each = tagged.fields[i];
      if (!each.came) each.text = TakeText([&] { Default(*each.field); });
      const std::string name = TakeText([&] { Name(each.field->spec, each.is_first); });
      out_.insert(each.place, absl::StrCat(name, each.text));
    }
  }

  // What `print` adds to the text, taken off it again.
  template <class Print>
  std::string TakeText(Print print) {
    const size_t before = out_.size();
    print();
    std::string text = out_.substr(before);
    out_.resize(before);
    return text;
  }

  void TagValue(const FieldShape& field) {
    const bool nullable = field.spec.IsNullable(version_);
    if (nullable && field.is_optional && field.kind == FieldKind::kStruct && !field.is_array) {
      if (context_.in.Uvarint(field.spec.name) == 0) return Null();
      return Struct(field.fields);
    }
    Value(field, nullable);
  }

  void Value(const FieldShape& field, bool nullable) {
    if (field.is_array) return Array(field, nullable && field.is_optional);
    if (field.is_optional && field.kind == FieldKind::kStruct && nullable &&
        context_.in.Scalar<int8_t>(field.spec.name) < 0) {
      return Null();
    }
    Element(field, nullable && (field.is_optional || field.kind == FieldKind::kRecords));
  }

  void Array(const FieldShape& field, bool nullable) {
    const char* const name = field.spec.name;
    const int64_t count = context_.in.ArrayCount(name, context_.flexible,
                                                 ElementBytesMin(field.kind), field.element_bytes);
    if (!HasValue(context_, name, count, nullable)) return Null();
    out_.push_back('[');
    bool is_full = false;
    for (int64_t i = 0; i < count && context_.in.ok(); ++i) {
      if (!is_full) {
        if (i > 0) Separator();
        is_full = IsFull();
      }
      const size_t before = out_.size();
      Element(field, /*nullable=*/false);
      if (is_full) out_.resize(before);
    }
    out_.push_back(']');
  }

  void Element(const FieldShape& field, bool nullable) {
    const char* const name = field.spec.name;
    Reader& in = context_.in;
    switch (field.kind) {
      case FieldKind::kBool:
        return Bool(in.Scalar<bool>(name));
      case FieldKind::kInt8:
        return Integer(in.Scalar<int8_t>(name));
      case FieldKind::kInt16: {
        const auto value = in.Scalar<int16_t>(name);
        if (!field.is_array) NoteError(field.spec, value);
        return Integer(value);
      }
      case FieldKind::kUint16:
        return Integer(in.Scalar<uint16_t>(name));
      case FieldKind::kInt32:
        return Integer(in.Scalar<int32_t>(name));
      case FieldKind::kUint32:
        return Integer(in.Scalar<uint32_t>(name));
      case FieldKind::kInt64:
        return Integer(in.Scalar<int64_t>(name));
      case FieldKind::kFloat64:
        absl::StrAppend(&out_, in.Scalar<double>(name));
        return;
      case FieldKind::kUuid:
        return Text(in.ReadUuid(name).ToString());
      case FieldKind::kString:
        return Sized(name, in.StringLength(name, context_.flexible), nullable,
                     [this](absl::string_view value) { Text(value); });
      case FieldKind::kBytes:
        return Sized(name, in.BytesLength(name, context_.flexible), nullable,
                     [this](absl::string_view value) { Binary(value); });
      case FieldKind::kRecords:
        return Sized(name, in.BytesLength(name, context_.flexible), nullable,
                     [this](absl::string_view value) { RecordsText({value}); });
      case FieldKind::kStruct:
        return Struct(field.fields);
    }
  }

  template <class Print>
  void Sized(const char* name, int64_t length, bool nullable, Print print) {
    if (!HasValue(context_, name, length, nullable)) return Null();
    print(context_.in.Take(static_cast<size_t>(length)));
  }

  void Integer(int64_t value) { absl::StrAppend(&out_, value); }

  void Default(const FieldShape& field) {
    if (field.default_is_null) return Null();
    if (field.is_array) {
      out_.append("[]");
      return;
    }
    switch (field.kind) {
      case FieldKind::kBool:
        return Bool(field.default_integer != 0);
      case FieldKind::kFloat64:
        absl::StrAppend(&out_, field.default_float);
        return;
      case FieldKind::kUuid:
        return Text(Uuid().ToString());
      case FieldKind::kString:
        return Text(field.default_text);
      case FieldKind::kBytes:
        return Binary("");
      case FieldKind::kRecords:
        return RecordsText(Records());
      case FieldKind::kStruct:
        return DefaultStruct(field.fields);
      default:
        return Integer(field.default_integer);
    }
  }

  void DefaultStruct(const StructShape& fields) {
    out_.push_back('{');
    bool first = true;
    for (const FieldShape& field : fields) {
      if (!field.spec.IsIn(version_)) continue;
      Name(field.spec, std::exchange(first, false));
      Default(field);
    }
    out_.push_back('}');
  }

  const DecodeContext& context_;
};

}  // namespace protocol_internal

// Appends the message at the front of *body to *out, and moves *body behind it.
inline absl::Status PrintEncoded(const MessageShape& shape, int16_t version, bool json,
                                 PrintHooks* hooks, absl::string_view* body, std::string* out) {
  WEIR_RETURN_IF_ERROR(protocol_internal::CheckVersion(shape.info, version));
  const size_t before = out->size();
  Reader reader(*body);
  const protocol_internal::DecodeContext context{reader, version,
                                                 version >= shape.info.flexible_since};
  protocol_internal::ShapePrinter(context, json, hooks, *out).Struct(shape.fields);
  if (!reader.ok()) {
    out->resize(before);
    return reader.status();
  }
  *body = reader.rest();
  return absl::OkStatus();
}

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_SHAPE_PRINTER_H_

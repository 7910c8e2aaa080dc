// -----------------------------------------------------------------------------
// File: protocol/layout_codec.h
// -----------------------------------------------------------------------------
// Encodes, decodes and checks any message by its layout: what encoder.h, decoder.h and
// version_check.h do for one that is hot, byte for byte and error for error. Internal to message.h.
// Decision: docs/adr/0016-layouts.md.
// Threading: none of this keeps state.
#ifndef WEIR_PROTOCOL_LAYOUT_CODEC_H_
#define WEIR_PROTOCOL_LAYOUT_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "base/uuid.h"
#include "protocol/decoder.h"
#include "protocol/describe.h"
#include "protocol/encoder.h"
#include "protocol/field_kind.h"
#include "protocol/layout.h"
#include "protocol/version_check.h"
#include "protocol/wire.h"

namespace weir::protocol::protocol_internal {

// A field's object where its layout says that it is. Scalars may be enumerations: they are copied.
template <class T>
const T& At(const char* field) {
  return *reinterpret_cast<const T*>(field);
}
template <class T>
T& At(char* field) {
  return *reinterpret_cast<T*>(field);
}
template <class T>
T Load(const char* field) {
  T value;
  std::memcpy(&value, field, sizeof(T));
  return value;
}

// Whether a field has its default, which is at `standard`; see EqualsDefault.
class DefaultByLayout {
 public:
  static bool Holds(const FieldLayout& field, const char* value, const char* standard) {
    if (const Container* optional = field.type->optional; optional != nullptr) {
      const Elements a = optional->elements(value), b = optional->elements(standard);
      if (a.count != b.count || a.count == 0) return a.count == b.count;
      value = a.first;
      standard = b.first;
    }
    if (const Container* array = field.type->array; array != nullptr) {
      return array->elements(value).count == 0 && array->elements(standard).count == 0;
    }
    switch (field.type->kind) {
      case FieldKind::kBool:
      case FieldKind::kInt8:
        return *value == *standard;
      case FieldKind::kInt16:
      case FieldKind::kUint16:
        return Load<int16_t>(value) == Load<int16_t>(standard);
      case FieldKind::kInt32:
      case FieldKind::kUint32:
        return Load<int32_t>(value) == Load<int32_t>(standard);
      case FieldKind::kInt64:
        return Load<int64_t>(value) == Load<int64_t>(standard);
      case FieldKind::kFloat64:
        return Load<double>(value) == Load<double>(standard);
      case FieldKind::kUuid:
        return At<Uuid>(value) == At<Uuid>(standard);
      case FieldKind::kString:
        return At<std::string>(value) == At<std::string>(standard);
      case FieldKind::kBytes:
        return At<Bytes>(value) == At<Bytes>(standard);
      case FieldKind::kRecords:
        return EqualsDefault(At<Records>(value), At<Records>(standard));
      case FieldKind::kStruct:
        for (const FieldLayout& inner : field.fields->fields) {
          if (!Holds(inner, value + inner.offset, standard + inner.offset)) return false;
        }
        return true;
    }
    return false;
  }
};

class LayoutEncoder {
 public:
  explicit LayoutEncoder(const EncodeContext& context) : c_(context) {}

  void Struct(const StructLayout& layout, const char* m) {
    uint64_t tags = 0;
    for (const FieldLayout& field : layout.fields) {
      if (!field.spec.IsIn(c_.version)) continue;
      const char* const value = m + field.offset;
      if (!field.spec.IsTagged(c_.version)) {
        Field(field, value, field.spec.IsNullable(c_.version));
      } else if (!DefaultByLayout::Holds(field, value, layout.defaults + field.offset)) {
        tags |= uint64_t{1} << field.spec.tag;
      }
    }
    if (!c_.flexible) return;
    const UnknownTags none;
    const UnknownTags& unknown =
        layout.unknown_tags.has_value() ? At<UnknownTags>(m + *layout.unknown_tags) : none;
    if (tags == 0 && unknown.empty()) return c_.out.Uvarint(0);
    const Source source{&layout, m};
    EncodeTags(c_, tags, &Tag, &source, unknown);
  }

 private:
  struct Source {
    const StructLayout* layout;
    const char* m;
  };

  // Writes the tagged field `tag`: number, size, value. An EncodeTag.
  static void Tag(const EncodeContext& c, int tag, const void* of) {
    const Source& source = *static_cast<const Source*>(of);
    for (const FieldLayout& field : source.layout->fields) {
      if (field.spec.tag != tag || !field.spec.IsIn(c.version) || !field.spec.IsTagged(c.version)) {
        continue;
      }
      Writer counter;
      LayoutEncoder({counter, c.version, c.flexible}).TagValue(field, source.m + field.offset);
      c.out.Uvarint(static_cast<uint32_t>(tag));
      c.out.Uvarint(static_cast<uint32_t>(counter.size()));
      LayoutEncoder(c).TagValue(field, source.m + field.offset);
    }
  }

  // In a tagged field, a varint says whether a struct is null: see EncodeTagValue.
  void TagValue(const FieldLayout& field, const char* value) {
    const bool nullable = field.spec.IsNullable(c_.version);
    if (!nullable || !field.is_optional_struct()) return Field(field, value, nullable);
    const Elements held = field.type->optional->elements(value);
    c_.out.Uvarint(held.count == 0 ? 0 : 1);
    if (held.count != 0) Struct(*field.fields, held.first);
  }

  void Field(const FieldLayout& field, const char* value, bool nullable) {
    if (field.type->optional == nullptr) return Value(field, value, nullable);
    const Elements held = field.type->optional->elements(value);
    if (field.is_optional_struct()) {
      if (nullable) c_.out.Scalar(static_cast<int8_t>(held.count != 0 ? 1 : -1));
      if (held.count != 0 || !nullable) {
        Struct(*field.fields, held.count != 0 ? held.first : field.fields->defaults);
      }
    } else if (held.count != 0) {
      Value(field, held.first, false);
    } else if (field.type->kind == FieldKind::kString && field.type->array == nullptr) {
      c_.out.StringLength(nullable ? -1 : 0, c_.flexible);
    } else {
      c_.out.Length(nullable ? -1 : 0, c_.flexible);
    }
  }

  void Value(const FieldLayout& field, const char* value, bool nullable) {
    if (field.type->array == nullptr) return Element(field, value, nullable);
    const Elements elements = field.type->array->elements(value);
    c_.out.Length(static_cast<int64_t>(elements.count), c_.flexible);
    for (size_t i = 0; i < elements.count; ++i) {
      Element(field, elements.first + i * field.type->array->element_bytes, false);
    }
  }

  void Element(const FieldLayout& field, const char* value, bool nullable) {
    switch (field.type->kind) {
      case FieldKind::kBool:
      case FieldKind::kInt8:
        return c_.out.Scalar(Load<int8_t>(value));
      case FieldKind::kInt16:
      case FieldKind::kUint16:
        return c_.out.Scalar(Load<int16_t>(value));
      case FieldKind::kInt32:
      case FieldKind::kUint32:
        return c_.out.Scalar(Load<int32_t>(value));
      case FieldKind::kInt64:
      case FieldKind::kFloat64:
        return c_.out.Scalar(Load<int64_t>(value));
      case FieldKind::kUuid:
        return c_.out.WriteUuid(At<Uuid>(value));
      case FieldKind::kString:
        return EncodeString(c_, At<std::string>(value));
      case FieldKind::kBytes:
        return EncodeBytes(c_, At<Bytes>(value).value);
      case FieldKind::kRecords:
        return EncodeRecords(c_, At<Records>(value), nullable);
      case FieldKind::kStruct:
        return Struct(*field.fields, value);
    }
  }

  EncodeContext c_;
};

class LayoutDecoder {
 public:
  explicit LayoutDecoder(const DecodeContext& context) : c_(context) {}

  void Struct(const StructLayout& layout, char* m) {
    for (const FieldLayout& field : layout.fields) {
      if (!field.spec.IsIn(c_.version) || field.spec.IsTagged(c_.version)) continue;
      Field(field, m + field.offset, field.spec.IsNullable(c_.version));
    }
    if (!c_.flexible) return;
    if (const uint32_t tags = c_.in.Uvarint("tagged fields"); tags != 0) {
      UnknownTags* const unknown =
          layout.unknown_tags.has_value() ? &At<UnknownTags>(m + *layout.unknown_tags) : nullptr;
      Target target{&layout, m};
      DecodeTags(c_, tags, &Tag, &target, unknown);
    }
  }

 private:
  struct Target {
    const StructLayout* layout;
    char* m;
  };

  // Reads the value of the tagged field `tag`, if the struct has one at this version. A DecodeTag.
  static bool Tag(const DecodeContext& c, uint32_t tag, void* of) {
    const Target& target = *static_cast<const Target*>(of);
    for (const FieldLayout& field : target.layout->fields) {
      if (!field.spec.IsIn(c.version) || !field.spec.IsTagged(c.version) ||
          static_cast<uint32_t>(field.spec.tag) != tag) {
        continue;
      }
      LayoutDecoder(c).TagValue(field, target.m + field.offset);
      return true;
    }
    return false;
  }

  // In a tagged field, a varint says whether a struct is null: see EncodeTagValue.
  void TagValue(const FieldLayout& field, char* value) {
    const bool nullable = field.spec.IsNullable(c_.version);
    if (!nullable || !field.is_optional_struct()) return Field(field, value, nullable);
    field.type->optional->assign(value, 0);
    if (c_.in.Uvarint(field.spec.name) == 0) return;
    Struct(*field.fields, field.type->optional->assign(value, 1));
  }

  void Field(const FieldLayout& field, char* value, bool nullable) {
    const Container* const optional = field.type->optional;
    if (optional == nullptr) {
      Value(field, value, nullable && field.type->kind == FieldKind::kRecords);
    } else if (!field.is_optional_struct()) {
      if (!Value(field, optional->assign(value, 1), nullable)) optional->assign(value, 0);
    } else if (nullable && c_.in.Scalar<int8_t>(field.spec.name) < 0) {
      optional->assign(value, 0);
    } else {
      Struct(*field.fields, optional->assign(value, 1));
    }
  }

  // False when it is null.
  bool Value(const FieldLayout& field, char* value, bool nullable) {
    const Container* const array = field.type->array;
    if (array == nullptr) return Element(field, value, nullable);
    const char* const name = field.spec.name;
    const int64_t count = c_.in.ArrayCount(name, c_.flexible, ElementBytesMin(field.type->kind),
                                           array->element_bytes);
    if (!HasValue(c_, name, count, nullable)) return false;
    char* const first = array->assign(value, static_cast<size_t>(count));
    for (int64_t i = 0; i < count && c_.in.ok(); ++i) {
      Element(field, first + static_cast<size_t>(i) * array->element_bytes, false);
    }
    return true;
  }

  bool Element(const FieldLayout& field, char* value, bool nullable) {
    const char* const name = field.spec.name;
    switch (field.type->kind) {
      case FieldKind::kBool:
        At<bool>(value) = c_.in.Scalar<bool>(name);
        return true;
      case FieldKind::kInt8:
        return Store(value, c_.in.Scalar<int8_t>(name));
      case FieldKind::kInt16:
      case FieldKind::kUint16:
        return Store(value, c_.in.Scalar<int16_t>(name));
      case FieldKind::kInt32:
      case FieldKind::kUint32:
        return Store(value, c_.in.Scalar<int32_t>(name));
      case FieldKind::kInt64:
      case FieldKind::kFloat64:
        return Store(value, c_.in.Scalar<int64_t>(name));
      case FieldKind::kUuid:
        At<Uuid>(value) = c_.in.ReadUuid(name);
        return true;
      case FieldKind::kString:
        return DecodeSized(c_, name, At<std::string>(value), nullable);
      case FieldKind::kBytes:
        return DecodeSized(c_, name, At<Bytes>(value), nullable);
      case FieldKind::kRecords:
        DecodeRecords(c_, name, At<Records>(value), nullable);
        return true;
      case FieldKind::kStruct:
        Struct(*field.fields, value);
        return true;
    }
    return true;
  }

  template <class T>
  static bool Store(char* field, T value) {
    std::memcpy(field, &value, sizeof(T));
    return true;
  }

  DecodeContext c_;
};

// Looks for what a version cannot carry; see LossFinder.
class LossByLayout {
 public:
  LossByLayout(int16_t version, Loss& loss) : version_(version), loss_(loss) {}

  void Struct(const StructLayout& layout, const char* m) {
    for (const FieldLayout& field : layout.fields) {
      if (loss_.field != nullptr) return;
      const char* const value = m + field.offset;
      if (field.spec.IsIn(version_)) {
        Field(field, value);
      } else if (!field.spec.ignorable &&
                 !DefaultByLayout::Holds(field, value, layout.defaults + field.offset)) {
        loss_ = {field.spec.name, "is set, which this version cannot say"};
      }
    }
  }

 private:
  void Field(const FieldLayout& field, const char* value) {
    Elements held{value, 1};
    if (field.type->optional != nullptr) {
      held = field.type->optional->elements(value);
    } else if (field.type->kind == FieldKind::kRecords && At<Records>(value).is_null) {
      held.count = 0;
    }
    if (held.count == 0) {
      if (!field.spec.IsNullable(version_)) {
        loss_ = {field.spec.name, "is null, which this version has no null for"};
      }
      return;
    }
    if (field.fields == nullptr) return;
    if (field.type->array == nullptr) return Struct(*field.fields, held.first);
    const Elements elements = field.type->array->elements(held.first);
    for (size_t i = 0; i < elements.count; ++i) {
      Struct(*field.fields, elements.first + i * field.type->array->element_bytes);
    }
  }

  int16_t version_;
  Loss& loss_;
};

[[gnu::noinline]] inline void EncodeByLayout(const EncodeContext& c, const StructType& type,
                                             const void* m) {
  LayoutEncoder(c).Struct(LayoutOf(type), static_cast<const char*>(m));
}

[[gnu::noinline]] inline void DecodeByLayout(const DecodeContext& c, const StructType& type,
                                             void* m) {
  LayoutDecoder(c).Struct(LayoutOf(type), static_cast<char*>(m));
}

[[gnu::cold, gnu::noinline]] inline void FindLossByLayout(const StructType& type, const void* m,
                                                          int16_t version, Loss& loss) {
  LossByLayout(version, loss).Struct(LayoutOf(type), static_cast<const char*>(m));
}

}  // namespace weir::protocol::protocol_internal

#endif  // WEIR_PROTOCOL_LAYOUT_CODEC_H_

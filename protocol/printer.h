// -----------------------------------------------------------------------------
// File: protocol/printer.h
// -----------------------------------------------------------------------------
// The Describe visitor that prints: for logs (ToString) and for tools (ToJson, with Kafka's names
// of fields in camelCase). Internal to message.h but for PrintHooks. Not for hot paths.
#ifndef WEIR_PROTOCOL_PRINTER_H_
#define WEIR_PROTOCOL_PRINTER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::protocol {

// Prints what is in record batches, for tools that have the codecs for it.
class RecordsPrinter {
 public:
  virtual ~RecordsPrinter() = default;
  // Appends a JSON value, or text for people, of `records` as they came. *out should not grow far
  // beyond `text_bytes_max`.
  virtual void Print(absl::string_view records, bool json, size_t text_bytes_max,
                     std::string* out) = 0;
};

// What a tool may ask of printing beyond the message itself.
struct PrintHooks {
  RecordsPrinter* records = nullptr;       // without it, the size of records is all that is said
  std::vector<int16_t>* errors = nullptr;  // gets the values of fields `error_code`, but 0
  // Arrays end as soon as the text is as long as this; then `cut` is set, and JSON is not whole.
  size_t text_bytes_max = SIZE_MAX;
  bool cut = false;
};

namespace protocol_internal {

// leader_epoch -> leaderEpoch
inline std::string CamelCase(absl::string_view snake_case) {
  std::string name;
  bool upper = false;
  for (const char c : snake_case) {
    if (c == '_') {
      upper = true;
    } else {
      name.push_back(upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
      upper = false;
    }
  }
  return name;
}

// Length of the well-formed UTF-8 sequence at the head of `text` (RFC 3629), or 0.
inline size_t Utf8Length(absl::string_view text) {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = at(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xc2 && lead < 0xe0   ? 2
                        : lead >= 0xe0 && lead < 0xf0 ? 3
                        : lead >= 0xf0 && lead < 0xf5 ? 4
                                                      : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong_or_surrogate =
      (lead == 0xe0 && at(1) < 0xa0) || (lead == 0xed && at(1) >= 0xa0) ||
      (lead == 0xf0 && at(1) < 0x90) || (lead == 0xf4 && at(1) >= 0x90);
  return overlong_or_surrogate ? 0 : length;
}

// A JSON string; bytes that are not UTF-8 become U+FFFD.
inline void AppendJsonString(std::string& out, absl::string_view text) {
  out.push_back('"');
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    const uint8_t c = static_cast<uint8_t>(text[0]);
    if (length == 0) {
      out.append("\\ufffd");
    } else if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(static_cast<char>(c));
    } else if (c < 0x20 || c == 0x7f) {
      absl::StrAppend(&out, "\\u", absl::Hex(c, absl::kZeroPad4));
    } else {
      absl::StrAppend(&out, text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out.push_back('"');
}

// What every printer of messages writes the same way, compiled once.
class TextPrinter {
 public:
  TextPrinter(std::string& out, int16_t version, bool json, PrintHooks* hooks)
      : out_(out), version_(version), json_(json), hooks_(hooks) {}

 protected:
  // A field's name, and what parts it from the one before.
  void Name(const FieldSpec& spec, bool is_first) {
    if (json_) {
      absl::StrAppend(&out_, is_first ? "" : ",", "\"", CamelCase(spec.name), "\":");
    } else {
      absl::StrAppend(&out_, is_first ? "" : ", ", spec.name, "=");
    }
  }
  void Separator() { out_.append(json_ ? "," : ", "); }
  void Bool(bool value) { out_.append(value ? "true" : "false"); }
  void Null() { out_.append("null"); }
  void Text(absl::string_view text) {
    if (json_) {
      AppendJsonString(out_, text);
    } else {
      absl::StrAppend(&out_, "'", absl::CHexEscape(text), "'");
    }
  }
  void Binary(absl::string_view bytes) {
    if (json_) {
      AppendJsonString(out_, absl::Base64Escape(bytes));
    } else {
      absl::StrAppend(&out_, "<", bytes.size(), " bytes>");
    }
  }
  void RecordsText(const Records& records) {
    if (records.is_null) {
      Null();
    } else if (hooks_ != nullptr && hooks_->records != nullptr) {
      hooks_->records->Print(records.bytes, json_, hooks_->text_bytes_max, &out_);
    } else {
      const int64_t size = static_cast<int64_t>(records.bytes.size()) + records.external_bytes;
      absl::StrAppend(&out_, json_ ? "{\"sizeInBytes\":" : "<", size, json_ ? "}" : " bytes>");
    }
  }

  // Whether an array is to end here; says so in the text.
  bool IsFull() {
    if (hooks_ == nullptr || out_.size() < hooks_->text_bytes_max) return false;
    hooks_->cut = true;
    if (!json_) out_.append("...");
    return true;
  }
  void NoteError(const FieldSpec& spec, int64_t code) {
    if (code == 0 || hooks_ == nullptr || hooks_->errors == nullptr) return;
    if (absl::string_view(spec.name) != "error_code") return;
    std::vector<int16_t>& errors = *hooks_->errors;
    const auto error = static_cast<int16_t>(code);
    if (std::find(errors.begin(), errors.end(), error) == errors.end()) errors.push_back(error);
  }

  std::string& out_;
  const int16_t version_;
  const bool json_;
  PrintHooks* const hooks_;
};

class Printer : TextPrinter {
 public:
  Printer(std::string& out, int16_t version, bool json, PrintHooks* hooks = nullptr)
      : TextPrinter(out, version, json, hooks) {}

  template <class T>
  void Field(FieldSpec spec, const T& value) {
    if (!spec.IsIn(version_)) return;
    Name(spec, std::exchange(first_, false));
    Value(value);
    if constexpr (std::is_same_v<T, int16_t>) NoteError(spec, value);
  }

  template <class T>
  [[gnu::cold, gnu::noinline]] void Value(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      Bool(value);
    } else if constexpr (std::is_enum_v<T>) {
      absl::StrAppend(&out_, static_cast<int64_t>(value));
    } else if constexpr (kIsScalar<T>) {
      absl::StrAppend(&out_, value);
    } else if constexpr (std::is_same_v<T, Uuid>) {
      Text(value.ToString());
    } else if constexpr (kIsString<T>) {
      Text(value);
    } else if constexpr (std::is_same_v<T, Bytes>) {
      Binary(value.value);
    } else if constexpr (std::is_same_v<T, Records>) {
      RecordsText(value);
    } else if constexpr (IsVector<T>::value) {
      Array(value);
    } else if constexpr (IsOptional<T>::value) {
      if (value.has_value()) {
        Value(*value);
      } else {
        Null();
      }
    } else {
      Printer inner(out_, version_, json_, hooks_);
      out_.push_back('{');
      T::Describe(value, inner);
      out_.push_back('}');
    }
  }

 private:
  template <class Values>
  void Array(const Values& values) {
    out_.push_back('[');
    bool first = true;
    for (const auto& element : values) {
      if (!std::exchange(first, false)) Separator();
      if (IsFull()) break;
      Value(element);
    }
    out_.push_back(']');
  }

  bool first_ = true;
};

}  // namespace protocol_internal
}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_PRINTER_H_

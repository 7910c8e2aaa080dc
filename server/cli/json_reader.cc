#include "server/cli/json_reader.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"

namespace weir::cli {
namespace {

const char* NameOf(JsonValue::Kind kind) {
  switch (kind) {
    case JsonValue::Kind::kNull:
      return "null";
    case JsonValue::Kind::kBool:
      return "true or false";
    case JsonValue::Kind::kNumber:
      return "a whole number";
    case JsonValue::Kind::kString:
      return "a string";
    case JsonValue::Kind::kArray:
      return "an array";
    case JsonValue::Kind::kObject:
      return "an object";
  }
  return "";
}

void AppendUtf8(uint32_t point, std::string* out) {
  if (point < 0x80) {
    out->push_back(static_cast<char>(point));
  } else if (point < 0x800) {
    out->push_back(static_cast<char>(0xc0 | (point >> 6)));
    out->push_back(static_cast<char>(0x80 | (point & 0x3f)));
  } else if (point < 0x10000) {
    out->push_back(static_cast<char>(0xe0 | (point >> 12)));
    out->push_back(static_cast<char>(0x80 | ((point >> 6) & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (point & 0x3f)));
  } else {
    out->push_back(static_cast<char>(0xf0 | (point >> 18)));
    out->push_back(static_cast<char>(0x80 | ((point >> 12) & 0x3f)));
    out->push_back(static_cast<char>(0x80 | ((point >> 6) & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (point & 0x3f)));
  }
}

class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text) {}

  absl::StatusOr<JsonValue> Whole() {
    JsonValue value;
    WEIR_RETURN_IF_ERROR(Parse(&value, 0));
    SkipSpace();
    if (at_ != text_.size()) return Fault("nothing behind the value");
    return value;
  }

 private:
  absl::Status Fault(absl::string_view expected) const {
    const absl::string_view rest = text_.substr(at_, 20);
    return absl::InvalidArgumentError(
        absl::StrCat("JSON at byte ", at_, ": expected ", expected, ", came ",
                     rest.empty() ? "the end" : absl::StrCat("'", absl::CHexEscape(rest), "'")));
  }

  void SkipSpace() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
      ++at_;
    }
  }
  bool Take(absl::string_view word) {
    if (!absl::StartsWith(text_.substr(at_), word)) return false;
    at_ += word.size();
    return true;
  }
  // Behind blanks.
  bool TakeNext(absl::string_view word) {
    SkipSpace();
    return Take(word);
  }

  absl::Status Parse(JsonValue* out, int depth) {
    if (depth > kJsonDepthMax) return Fault("less depth");
    SkipSpace();
    if (Take("{")) return ParseObject(out, depth);
    if (Take("[")) return ParseArray(out, depth);
    if (Take("\"")) {
      out->kind = JsonValue::Kind::kString;
      return ParseString(&out->text);
    }
    if (Take("null")) return absl::OkStatus();
    out->kind = JsonValue::Kind::kBool;
    if (Take("true")) return out->truth = true, absl::OkStatus();
    if (Take("false")) return absl::OkStatus();
    out->kind = JsonValue::Kind::kNumber;
    return ParseNumber(&out->number);
  }

  absl::Status ParseObject(JsonValue* out, int depth) {
    out->kind = JsonValue::Kind::kObject;
    if (TakeNext("}")) return absl::OkStatus();
    do {
      if (!TakeNext("\"")) return Fault("the name of a member");
      out->members.emplace_back();
      WEIR_RETURN_IF_ERROR(ParseString(&out->members.back().first));
      if (!TakeNext(":")) return Fault("':'");
      WEIR_RETURN_IF_ERROR(Parse(&out->members.back().second, depth + 1));
    } while (TakeNext(","));
    return TakeNext("}") ? absl::OkStatus() : Fault("',' or '}'");
  }

  absl::Status ParseArray(JsonValue* out, int depth) {
    out->kind = JsonValue::Kind::kArray;
    if (TakeNext("]")) return absl::OkStatus();
    do {
      out->items.emplace_back();
      WEIR_RETURN_IF_ERROR(Parse(&out->items.back(), depth + 1));
    } while (TakeNext(","));
    return TakeNext("]") ? absl::OkStatus() : Fault("',' or ']'");
  }

  absl::Status ParseNumber(int64_t* out) {
    size_t end = at_;
    while (end < text_.size() && absl::StrContains("+-.0123456789eE", text_.substr(end, 1))) ++end;
    const absl::string_view digits = text_.substr(at_, end - at_);
    if (!absl::SimpleAtoi(digits, out)) return Fault("a value, numbers whole");
    at_ = end;
    return absl::OkStatus();
  }

  absl::Status ParseString(std::string* out) {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (static_cast<unsigned char>(c) < 0x20) return Fault("no control character in a string");
      ++at_;
      if (c == '"') return absl::OkStatus();
      if (c != '\\') {
        out->push_back(c);
      } else {
        WEIR_RETURN_IF_ERROR(ParseEscape(out));
      }
    }
    return Fault("the end of a string");
  }

  absl::Status ParseEscape(std::string* out) {
    static constexpr absl::string_view kShort = "\"\\/bfnrt";
    static constexpr absl::string_view kMeaning = "\"\\/\b\f\n\r\t";
    if (at_ < text_.size()) {
      const size_t which = kShort.find(text_[at_]);
      if (which != absl::string_view::npos) {
        ++at_;
        out->push_back(kMeaning[which]);
        return absl::OkStatus();
      }
    }
    uint32_t point = 0;
    WEIR_RETURN_IF_ERROR(ParseHex(&point));
    if (point >= 0xd800 && point < 0xdc00 && Take("\\")) {
      uint32_t low = 0;
      WEIR_RETURN_IF_ERROR(ParseHex(&low));
      if (low < 0xdc00 || low > 0xdfff) return Fault("the second half of a character");
      point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    if (point >= 0xd800 && point < 0xe000) return Fault("a whole character");
    AppendUtf8(point, out);
    return absl::OkStatus();
  }

  absl::Status ParseHex(uint32_t* out) {
    const absl::string_view digits = text_.substr(at_, 5).substr(0, 5);
    if (digits.size() < 5 || digits[0] != 'u' || !absl::SimpleHexAtoi(digits.substr(1), out)) {
      return Fault("an escape");
    }
    at_ += 5;
    return absl::OkStatus();
  }

  const absl::string_view text_;
  size_t at_ = 0;
};

}  // namespace

const JsonValue* JsonValue::Find(absl::string_view name) const {
  for (auto it = members.rbegin(); it != members.rend(); ++it) {
    if (it->first == name) return &it->second;
  }
  return nullptr;
}

absl::StatusOr<const JsonValue*> JsonValue::Member(absl::string_view name, Kind wanted) const {
  const JsonValue* value = Find(name);
  if (value != nullptr && value->kind == wanted) return value;
  return absl::InvalidArgumentError(
      absl::StrCat("'", name, "': expected ", NameOf(wanted), ", came ",
                   value == nullptr ? "nothing" : NameOf(value->kind)));
}

absl::StatusOr<JsonValue> ParseJson(absl::string_view text) { return Parser(text).Whole(); }

}  // namespace weir::cli

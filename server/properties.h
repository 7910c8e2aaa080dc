// -----------------------------------------------------------------------------
// File: server/properties.h
// -----------------------------------------------------------------------------
// Reads Java's .properties format, in which Kafka's configuration files are written.
// Format: java.util.Properties. A line is `key=value`, `key:value` or `key value`; # and ! begin a
// comment; a line that ends in an odd number of backslashes goes on in the next one, whose leading
// blanks are dropped; \t \n \r \f and \uXXXX are escapes, any other \c is c. Unlike Java, which
// reads Latin-1, bytes above 127 are kept, so that UTF-8 text stays UTF-8; \uXXXX becomes UTF-8.
// Errors: kInvalidArgument with file and line. Limits: kPropertiesBytesMax.
#ifndef WEIR_SERVER_PROPERTIES_H_
#define WEIR_SERVER_PROPERTIES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"

namespace weir::server {

inline constexpr size_t kPropertiesBytesMax = size_t{1} << 20;

struct Property {
  std::string key;
  std::string value;
  std::string origin;  // where it was set, for messages: "server.properties:12", "--override"
};

// Keys in the order of their first setting; a key that is set again keeps its place.
class Properties {
 public:
  void Set(Property property) {
    for (Property& known : entries_) {
      if (known.key == property.key) {
        known = std::move(property);
        return;
      }
    }
    entries_.push_back(std::move(property));
  }

  const Property* Find(absl::string_view key) const {
    for (const Property& known : entries_) {
      if (absl::string_view(known.key) == key) return &known;
    }
    return nullptr;
  }

  const std::vector<Property>& entries() const { return entries_; }

 private:
  std::vector<Property> entries_;
};

namespace properties_internal {

inline bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\f'; }

// Lines as the format counts them, continuation lines joined.
class LineReader {
 public:
  explicit LineReader(absl::string_view text) : text_(text) {}

  // The next logical line that is neither blank nor a comment, without leading blanks; false at the
  // end of the text.
  bool Next(std::string* line) {
    while (position_ < text_.size()) {
      absl::string_view piece = NextNaturalLine();
      line_number_ = natural_line_;
      if (piece.empty() || piece.front() == '#' || piece.front() == '!') continue;
      line->clear();
      while (EndsInOddBackslashes(piece)) {
        piece.remove_suffix(1);
        line->append(piece.data(), piece.size());
        if (position_ >= text_.size()) return true;
        piece = NextNaturalLine();
      }
      line->append(piece.data(), piece.size());
      return true;
    }
    return false;
  }

  int line_number() const { return line_number_; }  // where the last logical line began

 private:
  static bool EndsInOddBackslashes(absl::string_view line) {
    size_t count = 0;
    while (count < line.size() && line[line.size() - 1 - count] == '\\') ++count;
    return count % 2 == 1;
  }

  absl::string_view NextNaturalLine() {
    ++natural_line_;
    size_t end = position_;
    while (end < text_.size() && text_[end] != '\n' && text_[end] != '\r') ++end;
    absl::string_view line = text_.substr(position_, end - position_);
    position_ = end;
    if (position_ < text_.size()) {
      const bool crlf = text_[position_] == '\r' && text_.substr(position_, 2) == "\r\n";
      position_ += crlf ? 2 : 1;
    }
    while (!line.empty() && IsBlank(line.front())) line.remove_prefix(1);
    return line;
  }

  absl::string_view text_;
  size_t position_ = 0;
  int natural_line_ = 0;
  int line_number_ = 0;
};

inline void AppendUtf8(uint32_t code, std::string* out) {
  if (code < 0x80) {
    out->push_back(static_cast<char>(code));
    return;
  }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  const uint32_t lead = more == 1 ? 0xc0 : more == 2 ? 0xe0 : 0xf0;
  out->push_back(static_cast<char>(lead | (code >> (6 * more))));
  for (int i = more - 1; i >= 0; --i) {
    out->push_back(static_cast<char>(0x80 | ((code >> (6 * i)) & 0x3f)));
  }
}

// The code unit of "uXXXX" at the front of `text`, or -1.
inline int32_t CodeUnit(absl::string_view text) {
  if (text.size() < 5 || text[0] != 'u') return -1;
  int32_t unit = 0;
  for (const char c : text.substr(1, 4)) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return -1;
    const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
    unit = unit * 16 + (lower <= '9' ? lower - '0' : lower - 'a' + 10);
  }
  return unit;
}

// Decodes the escape behind a backslash at the front of `rest`, which is not empty. Returns how
// many bytes it took, or 0 where it is malformed.
inline size_t DecodeEscape(absl::string_view rest, std::string* out) {
  switch (rest[0]) {
    case 't':
      out->push_back('\t');
      return 1;
    case 'n':
      out->push_back('\n');
      return 1;
    case 'r':
      out->push_back('\r');
      return 1;
    case 'f':
      out->push_back('\f');
      return 1;
    case 'u':
      break;
    default:
      out->push_back(rest[0]);
      return 1;
  }
  const int32_t first = CodeUnit(rest);
  if (first < 0 || (first >= 0xdc00 && first < 0xe000)) return 0;
  if (first < 0xd800 || first >= 0xe000) {
    AppendUtf8(static_cast<uint32_t>(first), out);
    return 5;
  }
  if (rest.substr(5, 1) != "\\") return 0;  // half of a surrogate pair
  const int32_t second = CodeUnit(rest.substr(6));
  if (second < 0xdc00 || second >= 0xe000) return 0;
  AppendUtf8(0x10000 + ((static_cast<uint32_t>(first) - 0xd800) << 10) +
                 (static_cast<uint32_t>(second) - 0xdc00),
             out);
  return 11;
}

inline absl::StatusOr<std::string> Unescape(absl::string_view text, absl::string_view origin) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      if (text[i] != '\\') out.push_back(text[i]);
      continue;
    }
    const size_t taken = DecodeEscape(text.substr(i + 1), &out);
    if (taken == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(origin, ": malformed escape at '", text.substr(i, 6),
                       "': expected \\u and four hexadecimal digits, surrogates in pairs"));
    }
    i += taken;
  }
  return out;
}

}  // namespace properties_internal

// Parses the text of a .properties file; `file_name` appears in origins and errors. The last of
// several settings of one key wins.
inline absl::StatusOr<Properties> ParseProperties(absl::string_view text,
                                                  absl::string_view file_name) {
  using properties_internal::IsBlank;
  if (text.size() > kPropertiesBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        file_name, ": ", text.size(), " bytes; expected at most ", kPropertiesBytesMax));
  }
  Properties result;
  properties_internal::LineReader reader(text);
  std::string buffer;
  while (reader.Next(&buffer)) {
    const absl::string_view line = buffer;
    std::string origin = absl::StrCat(file_name, ":", reader.line_number());
    size_t end = 0;  // of the key
    while (end < line.size() && line[end] != '=' && line[end] != ':' && !IsBlank(line[end])) {
      end += line[end] == '\\' ? 2 : 1;
    }
    end = end < line.size() ? end : line.size();
    size_t value = end;
    while (value < line.size() && IsBlank(line[value])) ++value;
    if (value < line.size() && (line[value] == '=' || line[value] == ':')) ++value;
    while (value < line.size() && IsBlank(line[value])) ++value;
    Property property;
    WEIR_ASSIGN_OR_RETURN(property.key, properties_internal::Unescape(line.substr(0, end), origin));
    WEIR_ASSIGN_OR_RETURN(property.value,
                          properties_internal::Unescape(line.substr(value), origin));
    property.origin = std::move(origin);
    result.Set(std::move(property));
  }
  return result;
}

// Applies one `key=value` of the command line over what the file says.
inline absl::Status ApplyOverride(absl::string_view text, Properties* properties) {
  const size_t equals = text.find('=');
  if (equals == absl::string_view::npos || equals == 0) {
    return absl::InvalidArgumentError(absl::StrCat("--override ", text, ": expected key=value"));
  }
  Property property;
  property.key = std::string(absl::StripAsciiWhitespace(text.substr(0, equals)));
  property.value = std::string(absl::StripAsciiWhitespace(text.substr(equals + 1)));
  property.origin = "--override";
  properties->Set(std::move(property));
  return absl::OkStatus();
}

}  // namespace weir::server

#endif  // WEIR_SERVER_PROPERTIES_H_

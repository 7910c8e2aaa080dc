// What configuration is written in: the values of keys, listeners, .properties files.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "server/config_def.h"
#include "server/listener.h"
#include "server/properties.h"

namespace weir::server {

// --- config_def.h --------------------------------------------------------------------------------

absl::string_view ConfigTypeName(ConfigType type) {
  switch (type) {
    case ConfigType::kBool:
      return "boolean";
    case ConfigType::kString:
      return "string";
    case ConfigType::kInt:
      return "int";
    case ConfigType::kShort:
      return "short";
    case ConfigType::kLong:
      return "long";
    case ConfigType::kDouble:
      return "double";
    case ConfigType::kList:
      return "list";
    case ConfigType::kClass:
      return "class";
    case ConfigType::kPassword:
      return "password";
  }
  return "unknown";
}

std::vector<std::string> SplitConfigList(absl::string_view text) {
  std::vector<std::string> elements;
  if (absl::StripAsciiWhitespace(text).empty()) return elements;
  for (const absl::string_view element : absl::StrSplit(text, ',')) {
    elements.emplace_back(absl::StripAsciiWhitespace(element));
  }
  return elements;
}

namespace {

struct TypeLimits {
  int64_t min;
  int64_t max;
};

TypeLimits LimitsOf(const ConfigDef& def) {
  TypeLimits limits{def.min, def.max};
  if (def.type == ConfigType::kInt) {
    limits.min = std::max<int64_t>(limits.min, std::numeric_limits<int32_t>::min());
    limits.max = std::min<int64_t>(limits.max, std::numeric_limits<int32_t>::max());
  } else if (def.type == ConfigType::kShort) {
    limits.min = std::max<int64_t>(limits.min, std::numeric_limits<int16_t>::min());
    limits.max = std::min<int64_t>(limits.max, std::numeric_limits<int16_t>::max());
  }
  return limits;
}

bool IsChoice(absl::string_view choices, absl::string_view value) {
  for (const absl::string_view choice : absl::StrSplit(choices, '|')) {
    if (choice == value) return true;
  }
  return false;
}

bool IsOneWord(absl::string_view value) {
  return std::none_of(value.begin(), value.end(),
                      [](char c) { return absl::ascii_isspace(static_cast<unsigned char>(c)); });
}

}  // namespace

std::string ExpectedValue(const ConfigDef& def) {
  std::string text;
  switch (def.type) {
    case ConfigType::kBool:
      return "true or false";
    case ConfigType::kInt:
      text = "an int";
      break;
    case ConfigType::kShort:
      text = "a short";
      break;
    case ConfigType::kLong:
      text = "a long";
      break;
    case ConfigType::kDouble:
      text = "a double";
      break;
    case ConfigType::kString:
      text = "a string";
      break;
    case ConfigType::kList:
      text = "a comma-separated list";
      break;
    case ConfigType::kClass:
      text = "a class name";
      break;
    case ConfigType::kPassword:
      text = "a password";
      break;
  }
  if (def.choices != nullptr) {
    absl::StrAppend(&text, " of ", absl::StrReplaceAll(def.choices, {{"|", ", "}}));
    return text;
  }
  const bool has_min = def.min != kNoMin;
  const bool has_max = def.max != kNoMax;
  if (has_min && has_max) {
    absl::StrAppend(&text, " from ", def.min, " to ", def.max);
  } else if (has_min) {
    absl::StrAppend(&text, " of at least ", def.min);
  } else if (has_max) {
    absl::StrAppend(&text, " of at most ", def.max);
  }
  return text;
}

absl::Status BadConfigValue(const ConfigDef& def, absl::string_view value,
                            absl::string_view expected) {
  const absl::string_view shown = def.type == ConfigType::kPassword ? "[hidden]" : value;
  return absl::InvalidArgumentError(
      absl::StrCat("bad value '", shown, "' for ", def.name, ": expected ", expected));
}

absl::Status CheckConfigValue(const ConfigDef& def, absl::string_view value) {
  bool valid = true;
  switch (def.type) {
    case ConfigType::kBool:
      valid = absl::EqualsIgnoreCase(value, "true") || absl::EqualsIgnoreCase(value, "false");
      break;
    case ConfigType::kInt:
    case ConfigType::kShort:
    case ConfigType::kLong: {
      int64_t number = 0;
      const TypeLimits limits = LimitsOf(def);
      valid = absl::SimpleAtoi(value, &number) && number >= limits.min && number <= limits.max;
      break;
    }
    case ConfigType::kDouble: {
      double number = 0;
      valid = absl::SimpleAtod(value, &number) && !std::isnan(number);
      if (def.min != kNoMin) valid = valid && number >= static_cast<double>(def.min);
      if (def.max != kNoMax) valid = valid && number <= static_cast<double>(def.max);
      break;
    }
    case ConfigType::kClass:
      valid = IsOneWord(value);
      break;
    case ConfigType::kString:
    case ConfigType::kList:
    case ConfigType::kPassword:
      break;
  }
  if (valid && def.choices != nullptr) {
    std::vector<std::string> elements{std::string(value)};
    if (def.type == ConfigType::kList) elements = SplitConfigList(value);
    for (const std::string& element : elements) {
      if (!IsChoice(def.choices, element)) {
        valid = false;
      } else if (def.choices_now != nullptr && !IsChoice(def.choices_now, element)) {
        return BadConfigValue(def, value,
                              absl::StrCat(absl::StrReplaceAll(def.choices_now, {{"|", ", "}}),
                                           ": '", element, "' is not available in Weir yet"));
      }
    }
  }
  return valid ? absl::OkStatus() : BadConfigValue(def, value, ExpectedValue(def));
}

bool SameConfigValue(const ConfigDef& def, absl::string_view a, absl::string_view b) {
  if (def.type == ConfigType::kBool) return absl::EqualsIgnoreCase(a, b);
  int64_t x = 0;
  int64_t y = 0;
  if (def.type == ConfigType::kInt || def.type == ConfigType::kShort ||
      def.type == ConfigType::kLong) {
    return absl::SimpleAtoi(a, &x) && absl::SimpleAtoi(b, &y) && x == y;
  }
  double u = 0;
  double v = 0;
  if (def.type == ConfigType::kDouble) {
    return absl::SimpleAtod(a, &u) && absl::SimpleAtod(b, &v) && u == v;
  }
  if (def.type == ConfigType::kList) return SplitConfigList(a) == SplitConfigList(b);
  return a == b;
}

absl::Status CheckConfigSetting(const ConfigDef& def, absl::string_view value) {
  if (absl::Status status = CheckConfigValue(def, value); !status.ok()) return status;
  if (def.effect != ConfigEffect::kNotYet) return absl::OkStatus();
  const absl::string_view standard = def.default_value != nullptr ? def.default_value : "";
  if (SameConfigValue(def, value, standard)) return absl::OkStatus();
  return BadConfigValue(
      def, value, absl::StrCat(standard.empty() ? "it to be unset" : standard, ": ", def.doc));
}

size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replace});
    }
  }
  return row[b.size()];
}

const ConfigDef* NearestConfig(absl::Span<const ConfigDef> table, absl::string_view key) {
  if (key.size() > 256) return nullptr;
  const ConfigDef* nearest = nullptr;
  size_t best = key.size() / 2 + 1;
  for (const ConfigDef& def : table) {
    const size_t distance = EditDistance(key, def.name);
    if (distance < best) {
      best = distance;
      nearest = &def;
    }
  }
  return nearest;
}

const ConfigDef* FindConfig(absl::Span<const ConfigDef> table, absl::string_view key) {
  const auto at = std::lower_bound(
      table.begin(), table.end(), key,
      [](const ConfigDef& def, absl::string_view name) { return def.name < name; });
  return at == table.end() || at->name != key ? nullptr : &*at;
}

// --- listener.h ----------------------------------------------------------------------------------

absl::StatusOr<HostPort> ParseHostPort(absl::string_view text) {
  const auto bad = [text](absl::string_view expected) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "': expected ", expected));
  };
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return bad("host:port");
  HostPort result;
  absl::string_view host = text.substr(0, colon);
  if (!host.empty() && host.front() == '[') {
    if (host.size() < 4 || host.back() != ']') return bad("[IPv6 address]:port");
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != absl::string_view::npos) {
    return bad("an IPv6 address in brackets");
  }
  if (std::any_of(host.begin(), host.end(), [](char c) {
        return c == '/' || c == '@' || c == '[' || c == ']' ||
               !absl::ascii_isgraph(static_cast<unsigned char>(c));
      })) {
    return bad("a host name or address before the port");
  }
  uint32_t port = 0;
  const absl::string_view digits = text.substr(colon + 1);
  if (digits.empty() || !absl::ascii_isdigit(static_cast<unsigned char>(digits.front())) ||
      !absl::SimpleAtoi(digits, &port) || port > 65535) {
    return bad("a port from 0 to 65535");
  }
  result.host = std::string(host);
  result.port = static_cast<uint16_t>(port);
  return result;
}

absl::StatusOr<Listener> ParseListener(absl::string_view text) {
  const size_t separator = text.find("://");
  const absl::string_view name =
      text.substr(0, separator == absl::string_view::npos ? 0 : separator);
  const bool named = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
  });
  if (!named) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "': expected NAME://host:port"));
  }
  Listener listener;
  listener.name = absl::AsciiStrToUpper(name);
  WEIR_ASSIGN_OR_RETURN(listener.address, ParseHostPort(text.substr(separator + 3)));
  return listener;
}

absl::StatusOr<std::vector<Listener>> ParseListeners(absl::string_view text) {
  std::vector<Listener> listeners;
  for (const std::string& element : SplitConfigList(text)) {
    Listener listener;
    WEIR_ASSIGN_OR_RETURN(listener, ParseListener(element));
    for (const Listener& other : listeners) {
      if (other.name == listener.name) {
        return absl::InvalidArgumentError(absl::StrCat(
            "'", text, "': expected each name once, but ", other.name, " comes twice"));
      }
    }
    listeners.push_back(std::move(listener));
  }
  return listeners;
}

const Listener* FindListener(const std::vector<Listener>& listeners, absl::string_view name) {
  for (const Listener& listener : listeners) {
    if (absl::string_view(listener.name) == name) return &listener;
  }
  return nullptr;
}

// --- properties.h --------------------------------------------------------------------------------

namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\f'; }

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

void AppendUtf8(uint32_t code, std::string* out) {
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
int32_t CodeUnit(absl::string_view text) {
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
size_t DecodeEscape(absl::string_view rest, std::string* out) {
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

absl::StatusOr<std::string> Unescape(absl::string_view text, absl::string_view origin) {
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

}  // namespace

absl::StatusOr<Properties> ParseProperties(absl::string_view text, absl::string_view file_name) {
  if (text.size() > kPropertiesBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        file_name, ": ", text.size(), " bytes; expected at most ", kPropertiesBytesMax));
  }
  Properties result;
  LineReader reader(text);
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
    WEIR_ASSIGN_OR_RETURN(property.key, Unescape(line.substr(0, end), origin));
    WEIR_ASSIGN_OR_RETURN(property.value, Unescape(line.substr(value), origin));
    property.origin = std::move(origin);
    result.Set(std::move(property));
  }
  return result;
}

absl::Status ApplyOverride(absl::string_view text, Properties* properties) {
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

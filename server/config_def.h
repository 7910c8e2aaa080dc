// -----------------------------------------------------------------------------
// File: server/config_def.h
// -----------------------------------------------------------------------------
// What is known of one configuration key, and how the text of a value is read and judged. The
// tables are server/config_table_*.h and server/topic_config_table.h.
// Errors: kInvalidArgument naming the key, the value and what was expected.
#ifndef WEIR_SERVER_CONFIG_DEF_H_
#define WEIR_SERVER_CONFIG_DEF_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace weir::server {

// The values are those of DescribeConfigs (KIP-569).
enum class ConfigType : int8_t {
  kBool = 1,
  kString = 2,
  kInt = 3,
  kShort = 4,
  kLong = 5,
  kDouble = 6,
  kList = 7,
  kClass = 8,
  kPassword = 9,
};

// What setting a key does.
enum class ConfigEffect : int8_t {
  kEffective,
  kNoEffect,  // known to Kafka, meaningless here whatever its value: accepted with a notice
  kNotYet,    // ignoring it would mislead: nothing but the default is accepted
};

inline constexpr int64_t kNoMin = std::numeric_limits<int64_t>::min();
inline constexpr int64_t kNoMax = std::numeric_limits<int64_t>::max();

// One row. The text fields live for ever.
struct ConfigDef {
  const char* name;
  ConfigType type;
  const char* default_value;  // nullptr where there is none
  ConfigEffect effect;
  const char* doc;  // what it does; for the other classes, why it does nothing
  int64_t min = kNoMin;
  int64_t max = kNoMax;
  const char* choices = nullptr;      // "a|b": the valid values; of each element of a list
  const char* choices_now = nullptr;  // those of `choices` that Weir can do so far
};

inline absl::string_view ConfigTypeName(ConfigType type) {
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

// The elements of a list value, trimmed; none for an empty text.
inline std::vector<std::string> SplitConfigList(absl::string_view text) {
  std::vector<std::string> elements;
  if (absl::StripAsciiWhitespace(text).empty()) return elements;
  for (const absl::string_view element : absl::StrSplit(text, ',')) {
    elements.emplace_back(absl::StripAsciiWhitespace(element));
  }
  return elements;
}

namespace config_internal {

struct TypeLimits {
  int64_t min;
  int64_t max;
};

inline TypeLimits LimitsOf(const ConfigDef& def) {
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

inline bool IsChoice(absl::string_view choices, absl::string_view value) {
  for (const absl::string_view choice : absl::StrSplit(choices, '|')) {
    if (choice == value) return true;
  }
  return false;
}

inline bool IsOneWord(absl::string_view value) {
  return std::none_of(value.begin(), value.end(),
                      [](char c) { return absl::ascii_isspace(static_cast<unsigned char>(c)); });
}

}  // namespace config_internal

// "an int of at least 1", for messages and documents.
inline std::string ExpectedValue(const ConfigDef& def) {
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

inline absl::Status BadConfigValue(const ConfigDef& def, absl::string_view value,
                                   absl::string_view expected) {
  const absl::string_view shown = def.type == ConfigType::kPassword ? "[hidden]" : value;
  return absl::InvalidArgumentError(
      absl::StrCat("bad value '", shown, "' for ", def.name, ": expected ", expected));
}

// Whether `value` is valid for the key, in Kafka's terms and in what Weir can do so far.
inline absl::Status CheckConfigValue(const ConfigDef& def, absl::string_view value) {
  bool valid = true;
  switch (def.type) {
    case ConfigType::kBool:
      valid = absl::EqualsIgnoreCase(value, "true") || absl::EqualsIgnoreCase(value, "false");
      break;
    case ConfigType::kInt:
    case ConfigType::kShort:
    case ConfigType::kLong: {
      int64_t number = 0;
      const config_internal::TypeLimits limits = config_internal::LimitsOf(def);
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
      valid = config_internal::IsOneWord(value);
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
      if (!config_internal::IsChoice(def.choices, element)) {
        valid = false;
      } else if (def.choices_now != nullptr &&
                 !config_internal::IsChoice(def.choices_now, element)) {
        return BadConfigValue(def, value,
                              absl::StrCat(absl::StrReplaceAll(def.choices_now, {{"|", ", "}}),
                                           ": '", element, "' is not available in Weir yet"));
      }
    }
  }
  return valid ? absl::OkStatus() : BadConfigValue(def, value, ExpectedValue(def));
}

// Whether two texts say the same value: "TRUE" and "true", "01" and "1", "a, b" and "a,b".
inline bool SameConfigValue(const ConfigDef& def, absl::string_view a, absl::string_view b) {
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

// CheckConfigValue, and for a kNotYet key that the value is its default.
inline absl::Status CheckConfigSetting(const ConfigDef& def, absl::string_view value) {
  if (absl::Status status = CheckConfigValue(def, value); !status.ok()) return status;
  if (def.effect != ConfigEffect::kNotYet) return absl::OkStatus();
  const absl::string_view standard = def.default_value != nullptr ? def.default_value : "";
  if (SameConfigValue(def, value, standard)) return absl::OkStatus();
  return BadConfigValue(
      def, value, absl::StrCat(standard.empty() ? "it to be unset" : standard, ": ", def.doc));
}

// How many single-character edits turn `a` into `b` (Levenshtein).
inline size_t EditDistance(absl::string_view a, absl::string_view b) {
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

// The known key that is most like `key`; nullptr where none is near enough to be meant (more than
// half of the characters differ) or where `key` is too long to be worth comparing.
inline const ConfigDef* NearestConfig(absl::Span<const ConfigDef> table, absl::string_view key) {
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

inline const ConfigDef* FindConfig(absl::Span<const ConfigDef> table, absl::string_view key) {
  for (const ConfigDef& def : table) {
    if (key == def.name) return &def;
  }
  return nullptr;
}

}  // namespace weir::server

#endif  // WEIR_SERVER_CONFIG_DEF_H_

// -----------------------------------------------------------------------------
// File: server/config_def.h
// -----------------------------------------------------------------------------
// What is known of one configuration key, and how the text of a value is read and judged. The
// tables are server/config_table_*.h and server/topic_config_table.h.
// Errors: kInvalidArgument naming the key, the value and what was expected.
#ifndef WEIR_SERVER_CONFIG_DEF_H_
#define WEIR_SERVER_CONFIG_DEF_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
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

absl::string_view ConfigTypeName(ConfigType type);

// The elements of a list value, trimmed; none for an empty text.
std::vector<std::string> SplitConfigList(absl::string_view text);

// "an int of at least 1", for messages and documents.
std::string ExpectedValue(const ConfigDef& def);

absl::Status BadConfigValue(const ConfigDef& def, absl::string_view value,
                            absl::string_view expected);

// Whether `value` is valid for the key, in Kafka's terms and in what Weir can do so far.
absl::Status CheckConfigValue(const ConfigDef& def, absl::string_view value);

// Whether two texts say the same value: "TRUE" and "true", "01" and "1", "a, b" and "a,b".
bool SameConfigValue(const ConfigDef& def, absl::string_view a, absl::string_view b);

// CheckConfigValue, and for a kNotYet key that the value is its default.
absl::Status CheckConfigSetting(const ConfigDef& def, absl::string_view value);

// How many single-character edits turn `a` into `b` (Levenshtein).
size_t EditDistance(absl::string_view a, absl::string_view b);

// The known key that is most like `key`; nullptr where none is near enough to be meant (more than
// half of the characters differ) or where `key` is too long to be worth comparing.
const ConfigDef* NearestConfig(absl::Span<const ConfigDef> table, absl::string_view key);

// `table` is sorted by name. nullptr if the key is not in it.
const ConfigDef* FindConfig(absl::Span<const ConfigDef> table, absl::string_view key);

}  // namespace weir::server

#endif  // WEIR_SERVER_CONFIG_DEF_H_

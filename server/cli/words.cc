// What is said to commands: flags, properties of clients, what offsets are reset to.

#include <regex.h>
#include <time.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "log/checkpoint_file.h"
#include "log/posix_file.h"
#include "server/cli/client_properties.h"
#include "server/cli/flags.h"
#include "server/cli/reset_plan.h"
#include "server/config_def.h"
#include "server/properties.h"

namespace weir::cli {

// --- flags.h -------------------------------------------------------------------------------------

namespace {

constexpr char kUsagePayload[] = "weir/usage";

const FlagSpec* Find(absl::Span<const FlagSpec> specs, absl::string_view name) {
  for (const FlagSpec& spec : specs) {
    if (name == spec.name || (spec.also != nullptr && name == spec.also)) return &spec;
  }
  return nullptr;
}

absl::Status Unknown(absl::Span<const FlagSpec> specs, absl::string_view name) {
  std::vector<std::string> known;
  for (const FlagSpec& spec : specs) known.push_back(absl::StrCat("--", spec.name));
  const std::string came = absl::StrCat("--", name);
  return UsageError(absl::StrCat("there is no flag ", came, DidYouMean(came, known)));
}

// A negative number is a value, all else that begins with a dash is a flag.
bool IsFlag(absl::string_view word) {
  return word.size() > 1 && word[0] == '-' && !(word[1] >= '0' && word[1] <= '9');
}

// Adds the values behind words[*i] and moves *i to the last of them.
absl::Status TakeValues(const FlagSpec& spec, absl::Span<const std::string> words, size_t* i,
                        std::vector<std::string>* values) {
  const bool more = *i + 1 < words.size();
  switch (spec.kind) {
    case FlagKind::kSwitch:
      return absl::OkStatus();
    case FlagKind::kOptional:
      if (more && !IsFlag(words[*i + 1])) values->push_back(words[++*i]);
      return absl::OkStatus();
    case FlagKind::kOne:
    case FlagKind::kMany:
      // Its value may begin with a dash: --property key.separator=-- is one word anyway.
      if (!more || absl::StartsWith(words[*i + 1], "--")) {
        return UsageError(absl::StrCat("--", spec.name, ": expected ", spec.value, " behind it"));
      }
      values->push_back(words[++*i]);
      return absl::OkStatus();
    case FlagKind::kWords:
      while (*i + 1 < words.size() && !IsFlag(words[*i + 1])) values->push_back(words[++*i]);
      if (values->empty()) {
        return UsageError(absl::StrCat("--", spec.name, ": expected ", spec.value, " behind it"));
      }
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status UsageError(absl::string_view text) {
  absl::Status status = absl::InvalidArgumentError(text);
  status.SetPayload(kUsagePayload, absl::Cord());
  return status;
}

bool IsUsageError(const absl::Status& status) {
  return status.GetPayload(kUsagePayload).has_value();
}

absl::StatusOr<Flags> Flags::Parse(absl::Span<const FlagSpec> specs,
                                   absl::Span<const std::string> words) {
  Flags flags;
  for (size_t i = 0; i < words.size(); ++i) {
    absl::string_view name = words[i];
    if (name == "-h") name = "--help";
    if (!IsFlag(name)) {
      return UsageError(absl::StrCat("expected a flag, came '", words[i], "'"));
    }
    name.remove_prefix(absl::StartsWith(name, "--") ? 2 : 1);
    std::optional<std::string> given;
    if (const size_t equals = name.find('='); equals != absl::string_view::npos) {
      given = std::string(name.substr(equals + 1));
      name = name.substr(0, equals);
    }
    const FlagSpec* spec = Find(specs, name);
    if (spec == nullptr) return Unknown(specs, name);
    const auto [at, is_new] = flags.values_.try_emplace(spec->name);
    if (!is_new && spec->kind != FlagKind::kMany && spec->kind != FlagKind::kWords) {
      return UsageError(absl::StrCat("--", spec->name, " was given twice"));
    }
    if (!given.has_value()) {
      WEIR_RETURN_IF_ERROR(TakeValues(*spec, words, &i, &at->second));
    } else if (spec->kind == FlagKind::kSwitch) {
      return UsageError(absl::StrCat("--", spec->name, " takes no value, came '", *given, "'"));
    } else {
      at->second.push_back(*given);
    }
  }
  return flags;
}

bool Flags::Has(absl::string_view name) const { return values_.find(name) != values_.end(); }

const std::vector<std::string>& Flags::All(absl::string_view name) const {
  static const std::vector<std::string>* const none = new std::vector<std::string>();
  const auto it = values_.find(name);
  return it == values_.end() ? *none : it->second;
}

std::string Flags::Text(absl::string_view name, absl::string_view standard) const {
  const std::vector<std::string>& all = All(name);
  return all.empty() ? std::string(standard) : all.back();
}

absl::Status Flags::Number(absl::string_view name, int64_t min, int64_t max, int64_t* out) const {
  if (!Has(name)) return absl::OkStatus();
  WEIR_ASSIGN_OR_RETURN(*out, ParseNumber(name, Text(name), min, max));
  return absl::OkStatus();
}

absl::Status Flags::Number(absl::string_view name, int64_t min, int64_t max, int32_t* out) const {
  WEIR_CHECK(min >= INT32_MIN && max <= INT32_MAX);
  int64_t number = *out;
  WEIR_RETURN_IF_ERROR(Number(name, min, max, &number));
  *out = static_cast<int32_t>(number);
  return absl::OkStatus();
}

absl::StatusOr<std::string> Flags::Required(absl::string_view name) const {
  if (!Has(name)) return UsageError(absl::StrCat("--", name, " is needed"));
  return Text(name);
}

absl::StatusOr<std::string> Flags::ExactlyOne(absl::Span<const char* const> names) const {
  std::vector<std::string> given;
  for (const char* name : names) {
    if (Has(name)) given.push_back(absl::StrCat("--", name));
  }
  if (given.size() == 1) return given[0].substr(2);
  return UsageError(absl::StrCat("expected one of --", absl::StrJoin(names, ", --"), ", came ",
                                 given.empty() ? "none" : absl::StrJoin(given, " and ")));
}

absl::StatusOr<int64_t> ParseNumber(absl::string_view flag, absl::string_view text, int64_t min,
                                    int64_t max) {
  int64_t number = 0;
  if (absl::SimpleAtoi(text, &number) && number >= min && number <= max) return number;
  std::string range = absl::StrCat("from ", min, " to ", max);
  if (max == INT64_MAX) range = min == INT64_MIN ? "" : absl::StrCat("of at least ", min);
  return UsageError(absl::StrCat("--", flag, ": expected a whole number", range.empty() ? "" : " ",
                                 range, ", came '", text, "'"));
}

absl::StatusOr<std::pair<std::string, std::string>> ParseKeyValue(absl::string_view flag,
                                                                  absl::string_view text) {
  const size_t equals = text.find('=');
  if (equals == absl::string_view::npos || equals == 0) {
    return UsageError(absl::StrCat("--", flag, ": expected KEY=VALUE, came '", text, "'"));
  }
  return std::pair(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
}

absl::StatusOr<std::map<std::string, std::string>> ParseKeyValues(
    absl::string_view flag, absl::Span<const std::string> settings,
    absl::Span<const char* const> known) {
  std::map<std::string, std::string> values;
  for (const std::string& setting : settings) {
    WEIR_ASSIGN_OR_RETURN(auto pair, ParseKeyValue(flag, setting));
    if (!known.empty() && std::find(known.begin(), known.end(), pair.first) == known.end()) {
      const std::vector<std::string> names(known.begin(), known.end());
      return UsageError(absl::StrCat("--", flag, ": there is no property ", pair.first,
                                     DidYouMean(pair.first, names)));
    }
    values[pair.first] = pair.second;
  }
  return values;
}

std::string DidYouMean(absl::string_view came, absl::Span<const std::string> known) {
  if (came.size() > 256) return "";
  const std::string* nearest = nullptr;
  size_t best = came.size() / 2 + 1;
  for (const std::string& name : known) {
    const size_t distance = server::EditDistance(came, name);
    if (distance < best) {
      best = distance;
      nearest = &name;
    }
  }
  return nearest == nullptr ? "" : absl::StrCat(", did you mean ", *nearest, "?");
}

absl::StatusOr<std::vector<std::string>> Matching(const std::string& pattern,
                                                  absl::Span<const std::string> names) {
  regex_t compiled;
  const int error =
      regcomp(&compiled, absl::StrCat("^(", pattern, ")$").c_str(), REG_EXTENDED | REG_NOSUB);
  if (error != 0) {
    char reason[128];
    regerror(error, &compiled, reason, sizeof(reason));
    return UsageError(
        absl::StrCat("expected a regular expression, came '", pattern, "': ", reason));
  }
  std::vector<std::string> matching;
  for (const std::string& name : names) {
    if (regexec(&compiled, name.c_str(), 0, nullptr, 0) == 0) matching.push_back(name);
  }
  regfree(&compiled);
  return matching;
}

// --- client_properties.h -------------------------------------------------------------------------

absl::Status ClientProperties::SetFromFile(const std::string& path) {
  log::PosixFileSystem files;
  WEIR_ASSIGN_OR_RETURN(const std::string text,
                        log::ReadWholeFile(files, path, server::kPropertiesBytesMax));
  WEIR_ASSIGN_OR_RETURN(const server::Properties properties, server::ParseProperties(text, path));
  for (const server::Property& property : properties.entries()) {
    values_.try_emplace(property.key, Value{property.value, true});
  }
  return absl::OkStatus();
}

const std::string* ClientProperties::Find(const std::string& key) const {
  const auto it = values_.find(key);
  return it == values_.end() ? nullptr : &it->second.text;
}

void ClientProperties::Refuse(const std::string& key, absl::string_view expected) {
  if (!status_.ok()) return;
  status_ = UsageError(absl::StrCat(key, ": expected ", expected, ", came '", *Find(key), "'"));
}

void ClientProperties::TakeNumber(const std::string& key, int64_t min, int64_t max, int64_t* out) {
  known_.push_back(key);
  const std::string* text = Find(key);
  int64_t number = 0;
  if (text == nullptr) return;
  if (absl::SimpleAtoi(*text, &number) && number >= min && number <= max) {
    *out = number;
  } else {
    Refuse(key, max == INT64_MAX ? absl::StrCat("a whole number of at least ", min)
                                 : absl::StrCat("a whole number from ", min, " to ", max));
  }
}

void ClientProperties::TakeNumber(const std::string& key, int64_t min, int64_t max, int32_t* out) {
  int64_t number = *out;
  TakeNumber(key, min, max, &number);
  *out = static_cast<int32_t>(number);
}

void ClientProperties::TakeBool(const std::string& key, bool* out) {
  std::string text = *out ? "true" : "false";
  TakeChoice(key, {"true", "false"}, &text);
  *out = text == "true";
}

void ClientProperties::TakeText(const std::string& key, std::string* out) {
  known_.push_back(key);
  if (const std::string* text = Find(key)) *out = *text;
}

void ClientProperties::TakeChoice(const std::string& key, absl::Span<const char* const> choices,
                                  std::string* out) {
  known_.push_back(key);
  const std::string* text = Find(key);
  if (text == nullptr) return;
  for (const char* choice : choices) {
    if (absl::EqualsIgnoreCase(*text, choice)) {
      *out = choice;
      return;
    }
  }
  Refuse(key, absl::StrCat("one of ", absl::StrJoin(choices, ", ")));
}

void ClientProperties::Ignore(absl::Span<const char* const> keys) {
  known_.insert(known_.end(), keys.begin(), keys.end());
}

absl::Status ClientProperties::Finish() const {
  WEIR_RETURN_IF_ERROR(status_);
  for (const auto& [key, value] : values_) {
    bool known = value.from_file;
    for (const std::string& name : known_) known = known || name == key;
    if (known) continue;
    return UsageError(absl::StrCat("there is no client property ", key, DidYouMean(key, known_)));
  }
  return absl::OkStatus();
}

// --- reset_plan.h --------------------------------------------------------------------------------

namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes `count` digits from the front of *text.
bool TakeDigits(absl::string_view* text, size_t count, int* out) {
  if (text->size() < count) return false;
  *out = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!IsDigit((*text)[i])) return false;
    *out = *out * 10 + ((*text)[i] - '0');
  }
  text->remove_prefix(count);
  return true;
}

bool Take(absl::string_view* text, char c) {
  if (text->empty() || text->front() != c) return false;
  text->remove_prefix(1);
  return true;
}

// The digits behind a decimal point, as milliseconds; what is finer is dropped.
bool TakeFraction(absl::string_view* text, int* millis) {
  *millis = 0;
  if (text->empty() || !IsDigit(text->front())) return false;
  for (int scale = 100; !text->empty() && IsDigit(text->front()); scale /= 10) {
    *millis += (text->front() - '0') * scale;
    text->remove_prefix(1);
  }
  return true;
}

// "Z", "+02:00", "+0200", "+02" or nothing: minutes east of Greenwich.
bool TakeZone(absl::string_view text, int* minutes) {
  *minutes = 0;
  if (text.empty() || text == "Z") return true;
  const int sign = text.front() == '-' ? -1 : 1;
  if (!Take(&text, '+') && !Take(&text, '-')) return false;
  int hours = 0;
  int rest = 0;
  if (!TakeDigits(&text, 2, &hours)) return false;
  if (!text.empty()) {
    Take(&text, ':');
    if (!TakeDigits(&text, 2, &rest)) return false;
  }
  *minutes = sign * (hours * 60 + rest);
  return text.empty() && hours <= 18 && rest < 60;
}

int DaysOf(int year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[month - 1];
}

}  // namespace

absl::StatusOr<TopicScope> ParseTopicScope(absl::string_view flag, absl::string_view text) {
  TopicScope scope;
  const size_t colon = text.find(':');
  scope.topic = std::string(text.substr(0, colon));
  if (scope.topic.empty()) {
    return UsageError(
        absl::StrCat("--", flag, ": expected TOPIC or TOPIC:0,1,..., came '", text, "'"));
  }
  if (colon == absl::string_view::npos) return scope;
  scope.partitions.emplace();
  for (absl::string_view piece : absl::StrSplit(text.substr(colon + 1), ',')) {
    WEIR_ASSIGN_OR_RETURN(const int64_t partition, ParseNumber(flag, piece, 0, INT32_MAX));
    scope.partitions->push_back(static_cast<int32_t>(partition));
  }
  return scope;
}

absl::StatusOr<TimestampMs> ParseDatetime(absl::string_view flag, absl::string_view text) {
  absl::string_view rest = text;
  tm time{};
  int millis = 0;
  int zone = 0;
  const bool fits = TakeDigits(&rest, 4, &time.tm_year) && Take(&rest, '-') &&
                    TakeDigits(&rest, 2, &time.tm_mon) && Take(&rest, '-') &&
                    TakeDigits(&rest, 2, &time.tm_mday) && Take(&rest, 'T') &&
                    TakeDigits(&rest, 2, &time.tm_hour) && Take(&rest, ':') &&
                    TakeDigits(&rest, 2, &time.tm_min) &&
                    (!Take(&rest, ':') || TakeDigits(&rest, 2, &time.tm_sec)) &&
                    (!Take(&rest, '.') || TakeFraction(&rest, &millis)) && TakeZone(rest, &zone);
  if (!fits || time.tm_mon < 1 || time.tm_mon > 12 || time.tm_mday < 1 ||
      time.tm_mday > DaysOf(time.tm_year, time.tm_mon) || time.tm_hour > 23 || time.tm_min > 59 ||
      time.tm_sec > 59) {
    return UsageError(
        absl::StrCat("--", flag, ": expected YYYY-MM-DDTHH:mm:SS.sss, came '", text, "'"));
  }
  time.tm_year -= 1900;
  time.tm_mon -= 1;
  return (int64_t{timegm(&time)} - int64_t{zone} * 60) * 1000 + millis;
}

absl::StatusOr<int64_t> ParseDuration(absl::string_view flag, absl::string_view text) {
  const absl::Status bad =
      UsageError(absl::StrCat("--", flag, ": expected PnDTnHnMnS, came '", text, "'"));
  absl::string_view rest = text;
  if (!Take(&rest, 'P') || rest.empty()) return bad;
  constexpr absl::string_view kUnits = "DHMS";
  constexpr int64_t kUnitMs[] = {86'400'000, 3'600'000, 60'000, 1'000};
  size_t next_unit = 0;  // units come in this order, each at most once
  bool in_time = false;
  int64_t total = 0;
  while (!rest.empty()) {
    if (Take(&rest, 'T')) {
      if (in_time || rest.empty()) return bad;
      in_time = true;
      next_unit = std::max<size_t>(next_unit, 1);
      continue;
    }
    size_t digits = 0;
    while (digits < rest.size() && IsDigit(rest[digits])) ++digits;
    int32_t number = 0;
    if (!absl::SimpleAtoi(rest.substr(0, digits), &number)) return bad;
    rest.remove_prefix(digits);
    int millis = 0;
    const bool fraction = Take(&rest, '.');
    if (fraction && !TakeFraction(&rest, &millis)) return bad;
    const size_t unit = rest.empty() ? absl::string_view::npos : kUnits.find(rest.front());
    if (unit == absl::string_view::npos || unit < next_unit || (unit > 0) != in_time) return bad;
    if (fraction && unit != 3) return bad;
    rest.remove_prefix(1);
    next_unit = unit + 1;
    total += number * kUnitMs[unit] + millis;
  }
  return total;
}

absl::StatusOr<Offset> NewOffset(ResetTo to, int64_t number, const PartitionFacts& facts) {
  const auto inside = [&](Offset offset) {
    return std::max(facts.earliest, std::min(facts.latest, offset));
  };
  switch (to) {
    case ResetTo::kEarliest:
      return facts.earliest;
    case ResetTo::kLatest:
      return facts.latest;
    case ResetTo::kCurrent:
      return facts.current.value_or(facts.latest);
    case ResetTo::kOffset:
      return inside(Offset(number));
    case ResetTo::kShift: {
      if (!facts.current.has_value()) {
        return absl::NotFoundError("the group has committed no offset that could be shifted");
      }
      int64_t shifted = 0;
      if (__builtin_add_overflow(facts.current->value(), number, &shifted)) {
        return number < 0 ? facts.earliest : facts.latest;
      }
      return inside(Offset(shifted));
    }
    case ResetTo::kTime:
      return facts.at_time.value_or(facts.latest);
  }
  return facts.latest;
}

}  // namespace weir::cli

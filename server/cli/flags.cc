#include "server/cli/flags.h"

#include <regex.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "server/config_def.h"

namespace weir::cli {

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

}  // namespace weir::cli

#include "server/cli/client_properties.h"

#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "server/cli/flags.h"
#include "server/cli/local_files.h"
#include "server/properties.h"

namespace weir::cli {

absl::Status ClientProperties::SetFromFile(const std::string& path) {
  WEIR_ASSIGN_OR_RETURN(const std::string text, ReadLocalFile(path, server::kPropertiesBytesMax));
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

}  // namespace weir::cli

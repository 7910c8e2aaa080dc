#include "server/cli/line_parser.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "protocol/record.h"
#include "server/cli/flags.h"

namespace weir::cli {

namespace {

absl::Status Lacks(absl::string_view what, absl::string_view separator, int64_t number) {
  return absl::InvalidArgumentError(absl::StrCat("line ", number, ": expected ", what, " and '",
                                                 separator, "' behind ",
                                                 what == "a key" ? "it" : "them"));
}

}  // namespace

absl::StatusOr<LineParser> LineParser::Create(
    const std::map<std::string, std::string>& properties) {
  LineParser parser;
  const auto text = [&](const char* key, std::string* out) {
    const auto it = properties.find(key);
    if (it != properties.end()) *out = it->second;
  };
  const auto flag = [&](const char* key, bool* out) {
    const auto it = properties.find(key);
    if (it != properties.end()) *out = absl::EqualsIgnoreCase(it->second, "true");
  };
  flag("parse.key", &parser.parse_key_);
  flag("parse.headers", &parser.parse_headers_);
  flag("ignore.error", &parser.ignore_error_);
  text("key.separator", &parser.key_separator_);
  text("headers.delimiter", &parser.headers_delimiter_);
  text("headers.separator", &parser.headers_separator_);
  text("headers.key.separator", &parser.headers_key_separator_);
  if (const auto it = properties.find("null.marker"); it != properties.end()) {
    parser.null_marker_ = it->second;
  }
  for (const std::string* separator :
       {&parser.key_separator_, &parser.headers_delimiter_, &parser.headers_separator_,
        &parser.headers_key_separator_}) {
    if (separator->empty()) return UsageError("--property: a separator cannot be empty");
    if (parser.null_marker_ == *separator) {
      return UsageError("--property: null.marker cannot be a separator too");
    }
  }
  if (parser.headers_delimiter_ == parser.headers_separator_ ||
      parser.headers_delimiter_ == parser.headers_key_separator_ ||
      parser.headers_separator_ == parser.headers_key_separator_) {
    return UsageError(
        "--property: expected headers.delimiter, headers.separator and headers.key.separator to "
        "differ");
  }
  return parser;
}

std::optional<absl::string_view> LineParser::NullOr(absl::string_view text) const {
  if (null_marker_.has_value() && text == *null_marker_) return std::nullopt;
  return text;
}

absl::Status LineParser::ParseHeaders(absl::string_view text, int64_t number,
                                      std::vector<protocol::RecordHeader>* headers) const {
  if (text.empty() || !NullOr(text).has_value()) return absl::OkStatus();
  while (true) {
    const size_t end = text.find(headers_separator_);
    const absl::string_view pair = text.substr(0, end);
    const size_t at = pair.find(headers_key_separator_);
    if (at == absl::string_view::npos) {
      if (!ignore_error_) return Lacks("headers of KEY, ", headers_key_separator_, number);
      headers->push_back({pair, std::nullopt});
    } else {
      headers->push_back(
          {pair.substr(0, at), NullOr(pair.substr(at + headers_key_separator_.size()))});
    }
    if (end == absl::string_view::npos) return absl::OkStatus();
    text.remove_prefix(end + headers_separator_.size());
  }
}

absl::StatusOr<ParsedLine> LineParser::Parse(absl::string_view line, int64_t number) const {
  ParsedLine parsed;
  if (parse_headers_) {
    const size_t at = line.find(headers_delimiter_);
    if (at != absl::string_view::npos) {
      WEIR_RETURN_IF_ERROR(ParseHeaders(line.substr(0, at), number, &parsed.headers));
      line.remove_prefix(at + headers_delimiter_.size());
    } else if (!ignore_error_) {
      return Lacks("headers", headers_delimiter_, number);
    }
  }
  if (parse_key_) {
    const size_t at = line.find(key_separator_);
    if (at != absl::string_view::npos) {
      parsed.key = NullOr(line.substr(0, at));
      line.remove_prefix(at + key_separator_.size());
    } else if (!ignore_error_) {
      return Lacks("a key", key_separator_, number);
    }
  }
  parsed.value = NullOr(line);
  return parsed;
}

}  // namespace weir::cli

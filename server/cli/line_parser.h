// -----------------------------------------------------------------------------
// File: server/cli/line_parser.h
// -----------------------------------------------------------------------------
// A line of `weir produce` made into a record: [HEADERS<tab>][KEY<tab>]VALUE, as the properties of
// Kafka's console producer say.
// Threading: values. Errors: UsageError() for properties that contradict each other;
// kInvalidArgument for a line that has not what they ask for.
#ifndef WEIR_SERVER_CLI_LINE_PARSER_H_
#define WEIR_SERVER_CLI_LINE_PARSER_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "protocol/record.h"

namespace weir::cli {

// Its views point into the line.
struct ParsedLine {
  std::optional<absl::string_view> key;
  std::optional<absl::string_view> value;
  std::vector<protocol::RecordHeader> headers;
};

class LineParser {
 public:
  static constexpr const char* kProperties[] = {
      "parse.key",         "key.separator",         "parse.headers", "headers.delimiter",
      "headers.separator", "headers.key.separator", "null.marker",   "ignore.error"};

  static absl::StatusOr<LineParser> Create(const std::map<std::string, std::string>& properties);

  // `number` is the line's, for messages.
  absl::StatusOr<ParsedLine> Parse(absl::string_view line, int64_t number) const;

 private:
  absl::Status ParseHeaders(absl::string_view text, int64_t number,
                            std::vector<protocol::RecordHeader>* headers) const;
  std::optional<absl::string_view> NullOr(absl::string_view text) const;

  bool parse_key_ = false;
  bool parse_headers_ = false;
  bool ignore_error_ = false;
  std::string key_separator_ = "\t";
  std::string headers_delimiter_ = "\t";
  std::string headers_separator_ = ",";
  std::string headers_key_separator_ = ":";
  std::optional<std::string> null_marker_;
};

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_LINE_PARSER_H_

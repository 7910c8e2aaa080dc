// What commands read and write: tables, JSON, records as lines of text.

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "server/cli/flags.h"
#include "server/cli/line_parser.h"
#include "server/cli/output.h"
#include "server/cli/record_printer.h"

namespace weir::cli {

// --- output.h ------------------------------------------------------------------------------------

namespace {

// The bytes of the UTF-8 character that `text` begins with; 0 when it is none.
size_t CharacterBytes(absl::string_view text) {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = at(0);
  if (first < 0x80) return 1;
  const size_t size = first >= 0xc2 && first < 0xe0   ? 2
                      : first >= 0xe0 && first < 0xf0 ? 3
                      : first >= 0xf0 && first < 0xf5 ? 4
                                                      : 0;
  if (size == 0 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  // Longer than needed, a surrogate, or beyond U+10FFFF.
  if (first == 0xe0 && at(1) < 0xa0) return 0;
  if (first == 0xed && at(1) >= 0xa0) return 0;
  if (first == 0xf0 && at(1) < 0x90) return 0;
  if (first == 0xf4 && at(1) >= 0x90) return 0;
  return size;
}

// "#PARTITIONS" -> "partitions", "COORDINATOR (ID)" -> "coordinator_id"
std::string JsonKey(absl::string_view header) {
  std::string key;
  for (const char c : header) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c))) {
      key.push_back(absl::ascii_tolower(static_cast<unsigned char>(c)));
    } else if (c == '-' || c == ' ') {
      key.push_back('_');
    }
  }
  return key;
}

// How many columns of a terminal it takes, near enough: characters, not bytes.
size_t Width(absl::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
}

}  // namespace

void AppendJsonString(absl::string_view text, std::string* out) {
  out->push_back('"');
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    const size_t size = CharacterBytes(text.substr(i));
    if (size == 0) {
      out->append("\xef\xbf\xbd");
      ++i;
      continue;
    }
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (c == '\n') {
      out->append("\\n");
    } else if (c == '\t') {
      out->append("\\t");
    } else if (c == '\r') {
      out->append("\\r");
    } else if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\u%04x", c);
      out->append(escaped);
    } else {
      out->append(text.data() + i, size);
    }
    i += size;
  }
  out->push_back('"');
}

void JsonWriter::Comma() {
  if (!first_ && !behind_key_) text_.append(", ");
  first_ = false;
  behind_key_ = false;
}

JsonWriter& JsonWriter::Open(char bracket) {
  Comma();
  text_.push_back(bracket);
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::Close(char bracket) {
  text_.push_back(bracket);
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::Key(absl::string_view key) {
  Comma();
  AppendJsonString(key, &text_);
  text_.append(": ");
  behind_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::Literal(absl::string_view text) {
  Comma();
  text_.append(text.data(), text.size());
  return *this;
}

JsonWriter& JsonWriter::String(absl::string_view value) {
  Comma();
  AppendJsonString(value, &text_);
  return *this;
}

JsonWriter& JsonWriter::Number(int64_t value) { return Literal(absl::StrCat(value)); }

JsonWriter& JsonWriter::Number(double value) {
  if (!std::isfinite(value)) return Null();
  char text[32];
  std::snprintf(text, sizeof(text), "%.3f", value);
  return Literal(text);
}

JsonWriter& JsonWriter::Value(const Cell& cell) {
  switch (cell.kind) {
    case Cell::Kind::kNull:
      return Null();
    case Cell::Kind::kText:
      return String(cell.text);
    case Cell::Kind::kNumber:
    case Cell::Kind::kBool:
      break;
  }
  return Literal(cell.text);
}

void Table::Add(std::vector<Cell> cells) {
  WEIR_CHECK(cells.size() == headers_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::ToText() const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < headers_.size(); ++i) {
    widths.push_back(Width(headers_[i]));
    for (const auto& row : rows_) widths[i] = std::max(widths[i], Width(row[i].text));
  }
  std::string text;
  const auto add_cell = [&](size_t i, const std::string& cell) {
    text.append(cell);
    if (i + 1 < headers_.size()) text.append(widths[i] - Width(cell) + 2, ' ');
  };
  for (size_t i = 0; i < headers_.size(); ++i) add_cell(i, headers_[i]);
  text.push_back('\n');
  for (const auto& row : rows_) {
    for (size_t i = 0; i < headers_.size(); ++i) add_cell(i, row[i].text);
    text.push_back('\n');
  }
  return text;
}

void Table::AddTo(JsonWriter* json) const {
  for (const auto& row : rows_) {
    json->BeginObject();
    for (size_t i = 0; i < headers_.size(); ++i) {
      json->Key(JsonKey(headers_[i])).Value(row[i]);
    }
    json->EndObject();
  }
}

std::string Table::ToJson() const {
  JsonWriter json;
  json.BeginArray();
  AddTo(&json);
  json.EndArray();
  return absl::StrCat(json.text(), "\n");
}

void Output::Text(absl::string_view text) {
  pending_.append(text.data(), text.size());
  if (pending_.size() >= kFlushBytes) Flush();
}

void Output::Line(absl::string_view text) {
  pending_.append(text.data(), text.size());
  Text("\n");
}

void Output::Flush() {
  absl::string_view rest = pending_;
  while (!rest.empty() && status_.ok()) {
    const ssize_t n = write(STDOUT_FILENO, rest.data(), rest.size());
    if (n >= 0) {
      rest.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EPIPE) {
      status_ = absl::UnavailableError("nobody reads the output any more");
    } else if (errno != EINTR) {
      status_ = absl::InternalError(absl::StrCat("standard output: ", std::strerror(errno)));
    }
  }
  pending_.clear();
}

// --- line_parser.h -------------------------------------------------------------------------------

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

// --- record_printer.h ----------------------------------------------------------------------------

namespace {

absl::string_view TimeName(const client::ConsumerRecord& record) {
  return record.timestamp_type == protocol::TimestampType::kLogAppendTime ? "LogAppendTime"
                                                                          : "CreateTime";
}

void AddBytes(JsonWriter* json, const char* key, std::optional<absl::string_view> bytes) {
  json->Key(key);
  if (bytes.has_value()) {
    json->String(*bytes);
  } else {
    json->Null();
  }
}

}  // namespace

RecordPrinter::RecordPrinter(const std::map<std::string, std::string>& properties) {
  for (const auto& [key, value] : properties) {
    const bool on = absl::EqualsIgnoreCase(value, "true");
    if (key == "print.timestamp") print_timestamp_ = on;
    if (key == "print.key") print_key_ = on;
    if (key == "print.offset") print_offset_ = on;
    if (key == "print.partition") print_partition_ = on;
    if (key == "print.headers") print_headers_ = on;
    if (key == "print.value") print_value_ = on;
    if (key == "key.separator") key_separator_ = value;
    if (key == "headers.separator") headers_separator_ = value;
    if (key == "line.separator") line_separator_ = value;
    if (key == "null.literal") null_literal_ = value;
  }
}

void RecordPrinter::AppendBytes(std::optional<absl::string_view> bytes, std::string* out) const {
  const absl::string_view text = bytes.value_or(null_literal_);
  out->append(text.data(), text.size());
}

void RecordPrinter::AppendText(const client::ConsumerRecord& record, std::string* out) const {
  bool first = true;
  const auto separate = [&] {
    if (!first) out->append(key_separator_);
    first = false;
  };
  if (print_timestamp_) {
    separate();
    absl::StrAppend(out, TimeName(record), ":", record.timestamp);
  }
  if (print_partition_) {
    separate();
    absl::StrAppend(out, "Partition:", record.partition);
  }
  if (print_offset_) {
    separate();
    absl::StrAppend(out, "Offset:", record.offset.value());
  }
  if (print_headers_) {
    separate();
    if (record.headers.empty()) out->append("NO_HEADERS");
    for (size_t i = 0; i < record.headers.size(); ++i) {
      if (i > 0) out->append(headers_separator_);
      absl::StrAppend(out, record.headers[i].key, ":");
      AppendBytes(record.headers[i].value, out);
    }
  }
  if (print_key_) {
    separate();
    AppendBytes(record.key, out);
  }
  if (print_value_) {
    separate();
    AppendBytes(record.value, out);
  }
  out->append(line_separator_);
}

void RecordPrinter::AppendJson(const client::ConsumerRecord& record, std::string* out) {
  JsonWriter json;
  json.BeginObject().Key("topic").String(record.topic);
  json.Key("partition").Number(int64_t{record.partition});
  json.Key("offset").Number(record.offset.value());
  json.Key("timestamp").Number(int64_t{record.timestamp});
  json.Key("timestamp_type").String(TimeName(record));
  AddBytes(&json, "key", record.key);
  AddBytes(&json, "value", record.value);
  json.Key("headers").BeginArray();
  for (const protocol::RecordHeader& header : record.headers) {
    json.BeginObject().Key("key").String(header.key);
    AddBytes(&json, "value", header.value);
    json.EndObject();
  }
  json.EndArray().EndObject();
  out->append(json.text());
}

}  // namespace weir::cli

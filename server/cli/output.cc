#include "server/cli/output.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"

namespace weir::cli {

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

}  // namespace weir::cli

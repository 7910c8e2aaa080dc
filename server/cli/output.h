// -----------------------------------------------------------------------------
// File: server/cli/output.h
// -----------------------------------------------------------------------------
// What commands print: tables for people, JSON for programs, both from the same rows.
// Threading: one thread.
// Errors: Output::status() is kUnavailable once nobody reads any more (a closed pipe), and what the
// system said when it could not write.
#ifndef WEIR_SERVER_CLI_OUTPUT_H_
#define WEIR_SERVER_CLI_OUTPUT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace weir::cli {

// Adds `text` with quotes and escapes. Bytes that are not UTF-8 become U+FFFD each.
void AppendJsonString(absl::string_view text, std::string* out);

struct Cell;

// Writes one JSON value; commas are its own business.
class JsonWriter {
 public:
  JsonWriter& BeginObject() { return Open('{'); }
  JsonWriter& EndObject() { return Close('}'); }
  JsonWriter& BeginArray() { return Open('['); }
  JsonWriter& EndArray() { return Close(']'); }
  // Of the value that is written next.
  JsonWriter& Key(absl::string_view key);

  JsonWriter& String(absl::string_view value);
  JsonWriter& Number(int64_t value);
  JsonWriter& Number(double value);
  JsonWriter& Bool(bool value) { return Literal(value ? "true" : "false"); }
  JsonWriter& Null() { return Literal("null"); }
  JsonWriter& Value(const Cell& cell);

  const std::string& text() const { return text_; }

 private:
  JsonWriter& Open(char bracket);
  JsonWriter& Close(char bracket);
  JsonWriter& Literal(absl::string_view text);
  void Comma();

  std::string text_;
  bool first_ = true;
  bool behind_key_ = false;
};

// A cell of a table: its text, and what it is in JSON.
struct Cell {
  enum class Kind { kText, kNumber, kBool, kNull };

  Cell() = default;                                                   // nothing: "-", and null
  Cell(absl::string_view value) : kind(Kind::kText), text(value) {}   // NOLINT: cells are
  Cell(const std::string& value) : kind(Kind::kText), text(value) {}  // NOLINT: written as
  Cell(const char* value) : kind(Kind::kText), text(value) {}         // NOLINT: their values
  Cell(int64_t value) : kind(Kind::kNumber), text(std::to_string(value)) {}  // NOLINT
  Cell(int32_t value) : Cell(int64_t{value}) {}                              // NOLINT
  Cell(bool value) : kind(Kind::kBool), text(value ? "true" : "false") {}    // NOLINT

  Kind kind = Kind::kNull;
  std::string text = "-";
};

class Table {
 public:
  // Headers as people read them; "LOG-END-OFFSET" is the key "log_end_offset" in JSON.
  explicit Table(std::vector<std::string> headers) : headers_(std::move(headers)) {}

  // As many cells as there are headers.
  void Add(std::vector<Cell> cells);
  bool empty() const { return rows_.empty(); }

  // Lines of columns as wide as their widest cell, the last without blanks behind it.
  std::string ToText() const;
  // An array with an object for each row, one in a line.
  std::string ToJson() const;
  // Adds the rows to an array that was begun.
  void AddTo(JsonWriter* json) const;

 private:
  std::vector<std::string> headers_;
  std::vector<std::vector<Cell>> rows_;
};

// Standard output, gathered until Flush().
class Output {
 public:
  explicit Output(bool json) : json_(json) {}

  bool json() const { return json_; }
  void Text(absl::string_view text);
  void Line(absl::string_view text);
  void Print(const Table& table) { Text(json_ ? table.ToJson() : table.ToText()); }
  void Print(const JsonWriter& json) { Line(json.text()); }
  void Flush();
  const absl::Status& status() const { return status_; }

 private:
  static constexpr size_t kFlushBytes = size_t{64} << 10;

  const bool json_;
  std::string pending_;
  absl::Status status_;
};

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_OUTPUT_H_

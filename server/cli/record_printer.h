// -----------------------------------------------------------------------------
// File: server/cli/record_printer.h
// -----------------------------------------------------------------------------
// How `weir consume` prints a record: as Kafka's console consumer does with the same properties, or
// as one line of JSON.
// Threading: values.
#ifndef WEIR_SERVER_CLI_RECORD_PRINTER_H_
#define WEIR_SERVER_CLI_RECORD_PRINTER_H_

#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "client/fetched_records.h"

namespace weir::cli {

class RecordPrinter {
 public:
  static constexpr const char* kProperties[] = {
      "print.timestamp", "print.key",     "print.offset",      "print.partition", "print.headers",
      "print.value",     "key.separator", "headers.separator", "line.separator",  "null.literal"};

  explicit RecordPrinter(const std::map<std::string, std::string>& properties);

  void AppendText(const client::ConsumerRecord& record, std::string* out) const;
  // Keys and values as text, without line end.
  static void AppendJson(const client::ConsumerRecord& record, std::string* out);

 private:
  void AppendBytes(std::optional<absl::string_view> bytes, std::string* out) const;

  bool print_timestamp_ = false;
  bool print_key_ = false;
  bool print_offset_ = false;
  bool print_partition_ = false;
  bool print_headers_ = false;
  bool print_value_ = true;
  std::string key_separator_ = "\t";
  std::string headers_separator_ = ",";
  std::string line_separator_ = "\n";
  std::string null_literal_ = "null";
};

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_RECORD_PRINTER_H_

#include "server/cli/record_printer.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "server/cli/output.h"

namespace weir::cli {

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

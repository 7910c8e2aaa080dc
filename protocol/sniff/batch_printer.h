// -----------------------------------------------------------------------------
// File: protocol/sniff/batch_printer.h
// -----------------------------------------------------------------------------
// What is in the record batches of Produce and Fetch: offsets, counts, codecs, producers, times,
// and the records themselves when they are asked for.
// Threading: one thread.
// Errors: none; batches and records that cannot be read are said to be so, with the reason.
// Limits: those of compression.h for what is decompressed; the text ends soon after
// `text_bytes_max`.
#ifndef WEIR_PROTOCOL_SNIFF_BATCH_PRINTER_H_
#define WEIR_PROTOCOL_SNIFF_BATCH_PRINTER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "protocol/compression.h"
#include "protocol/compression_batch.h"
#include "protocol/printer.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "protocol/record_codec.h"

namespace weir::protocol {

class BatchPrinter : public RecordsPrinter {
 public:
  explicit BatchPrinter(bool print_records) : print_records_(print_records) {}

  void Print(absl::string_view records, bool json, size_t text_bytes_max,
             std::string* out) override {
    const Text text{json, text_bytes_max, *out};
    absl::StrAppend(out, json ? "{\"sizeInBytes\":" : "<", records.size(),
                    json ? ",\"batches\":[" : " bytes");
    for (bool first = true; !records.empty(); first = false) {
      if (text.IsFull()) {
        out->append(json ? "],\"isCut\":true}" : ", ...>");
        return;
      }
      out->append(json ? (first ? "" : ",") : (first ? ": " : ", "));
      records.remove_prefix(PrintBatch(records, text));
    }
    out->append(json ? "]}" : ">");
  }

 private:
  struct Text {
    bool json;
    size_t bytes_max;
    std::string& out;

    bool IsFull() const { return out.size() >= bytes_max; }
    // "name=value " or "name":value, behind what is there.
    void Number(const char* text_name, const char* json_name, int64_t value) const {
      absl::StrAppend(&out, json ? ",\"" : " ", json ? json_name : text_name, json ? "\":" : "=",
                      value);
    }
    void Flag(const char* text_name, const char* json_name, bool value) const {
      if (json) {
        absl::StrAppend(&out, ",\"", json_name, value ? "\":true" : "\":false");
      } else if (value) {
        absl::StrAppend(&out, " ", text_name);
      }
    }
    void Problem(absl::string_view problem) const {
      if (json) {
        out.append(",\"problem\":");
        protocol_internal::AppendJsonString(out, problem);
      } else {
        absl::StrAppend(&out, " (", problem, ")");
      }
    }
    void Bytes(std::optional<absl::string_view> bytes) const {
      if (!bytes.has_value()) {
        out.append("null");
      } else if (json) {
        protocol_internal::AppendJsonString(out, *bytes);
      } else {
        absl::StrAppend(&out, "'", absl::CHexEscape(*bytes), "'");
      }
    }
  };

  // Returns the bytes of the batch.
  size_t PrintBatch(absl::string_view bytes, const Text& text) {
    const absl::StatusOr<RecordBatchView> batch = RecordBatchView::Parse(bytes);
    if (!batch.ok() || batch->magic() != kRecordBatchMagic) {
      absl::StrAppend(&text.out, text.json ? "{\"sizeInBytes\":" : "[", bytes.size(),
                      text.json ? "" : " bytes");
      // Answers to fetches may end in the middle of a batch.
      text.Problem(batch.ok() ? absl::StrCat("a message set of magic ", int{batch->magic()})
                              : absl::string_view(batch.status().message()));
      text.out.append(text.json ? "}" : "]");
      return bytes.size();
    }
    PrintHeader(*batch, text);
    if (print_records_) PrintRecords(*batch, text);
    text.out.append(text.json ? "}" : "]");
    return static_cast<size_t>(batch->size_bytes());
  }

  static void PrintHeader(const RecordBatchView& batch, const Text& text) {
    const int64_t base = batch.base_offset().value();
    const int64_t last = batch.last_offset().value();
    const absl::string_view codec = CodecName(batch.codec());
    if (text.json) {
      absl::StrAppend(&text.out, "{\"baseOffset\":", base, ",\"lastOffset\":", last,
                      ",\"codec\":\"", codec, "\"");
    } else {
      absl::StrAppend(&text.out, "[offsets=", base, "..", last, " codec=", codec);
    }
    text.Number("count", "count", batch.record_count());
    text.Number("bytes", "sizeInBytes", batch.size_bytes());
    if (text.json || batch.leader_epoch().value() >= 0) {
      text.Number("leader_epoch", "partitionLeaderEpoch", batch.leader_epoch().value());
    }
    if (text.json || batch.has_producer_id()) {
      text.Number("producer", "producerId", batch.producer_id().value());
      text.Number("epoch", "producerEpoch", batch.producer_epoch().value());
      text.Number("sequence", "baseSequence", batch.base_sequence());
    }
    text.Number("first_time", "baseTimestamp", batch.base_timestamp());
    text.Number("max_time", "maxTimestamp", batch.max_timestamp());
    text.Flag("log_append_time", "isLogAppendTime",
              batch.timestamp_type() == TimestampType::kLogAppendTime);
    text.Flag("transactional", "isTransactional", batch.is_transactional());
    text.Flag("control", "isControl", batch.is_control());
    if (text.json) {
      text.Flag("", "crcIsValid", batch.CrcIsValid());
    } else if (!batch.CrcIsValid()) {
      text.Problem("wrong CRC");
    }
  }

  void PrintRecords(const RecordBatchView& batch, const Text& text) {
    text.out.append(text.json ? ",\"records\":[" : ":");
    absl::string_view payload;
    const absl::Status status =
        DecompressRecords(decompressor_, batch, DecompressionLimits(), &scratch_, &payload);
    absl::Status read = status;
    if (status.ok()) {
      RecordIterator it(payload, batch.record_count());
      Record record;
      for (bool first = true; !text.IsFull() && it.Next(&record); first = false) {
        if (text.json && !first) text.out.push_back(',');
        PrintRecord(batch, record, text);
      }
      read = it.status();
    }
    if (text.json) text.out.push_back(']');
    if (text.IsFull()) text.Flag("...", "isCut", true);
    if (!read.ok()) text.Problem(absl::string_view(read.message()));
  }

  static void PrintRecord(const RecordBatchView& batch, const Record& record, const Text& text) {
    const bool json = text.json;
    absl::StrAppend(&text.out, json ? "{\"offset\":" : " {", record.OffsetIn(batch).value(),
                    json ? ",\"timestamp\":" : " time=", record.TimestampIn(batch));
    text.out.append(json ? ",\"key\":" : " key=");
    text.Bytes(record.key);
    text.out.append(json ? ",\"value\":" : " value=");
    text.Bytes(record.value);
    if (record.header_count > 0 || json) PrintRecordHeaders(record, text);
    text.out.push_back('}');
  }

  static void PrintRecordHeaders(const Record& record, const Text& text) {
    text.out.append(text.json ? ",\"headers\":[" : " headers=");
    RecordHeaderIterator it = record.headers();
    RecordHeader header;
    for (bool first = true; !text.IsFull() && it.Next(&header); first = false) {
      if (!first) text.out.push_back(',');
      if (text.json) text.out.append("{\"key\":");
      text.Bytes(header.key);
      text.out.append(text.json ? ",\"value\":" : ":");
      text.Bytes(header.value);
      if (text.json) text.out.push_back('}');
    }
    if (text.json) text.out.push_back(']');
  }

  const bool print_records_;
  Decompressor decompressor_;
  std::string scratch_;
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_SNIFF_BATCH_PRINTER_H_

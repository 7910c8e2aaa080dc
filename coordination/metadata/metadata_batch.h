// -----------------------------------------------------------------------------
// File: coordination/metadata/metadata_batch.h
// -----------------------------------------------------------------------------
// Record batches of the cluster metadata log and of its snapshots: made from records, and read.
// Format: docs/formats/metadata.md.
// Threading: keeps no state.
// Errors: kDataLoss for bytes that are no such batch, with where; kUnimplemented for records of a
// newer release.
#ifndef WEIR_COORDINATION_METADATA_METADATA_BATCH_H_
#define WEIR_COORDINATION_METADATA_METADATA_BATCH_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "coordination/metadata/record_codec.h"
#include "coordination/metadata/records.h"
#include "protocol/control_records.h"
#include "protocol/message.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"
#include "protocol/record_codec.h"

namespace weir::metadata {

// The batch that holds `records` (one or more) from base_offset on. kResourceExhausted when they
// take more than kRecordBatchBytesMax.
inline absl::StatusOr<std::string> EncodeMetadataBatch(absl::Span<const MetadataRecord> records,
                                                       Offset base_offset, LeaderEpoch epoch,
                                                       TimestampMs now_ms) {
  protocol::RecordBatchBuilder builder({.base_offset = base_offset, .leader_epoch = epoch});
  std::string value;
  for (const MetadataRecord& record : records) {
    value.clear();
    EncodeRecord(record, &value);
    protocol::RecordToAppend to_append;
    to_append.timestamp = now_ms;
    to_append.value = value;
    WEIR_RETURN_IF_ERROR(builder.Append(to_append));
  }
  return builder.Build();
}

// The control batch at the beginning of a leader's epoch.
inline absl::StatusOr<std::string> EncodeLeaderChangeBatch(
    const protocol::LeaderChangeMessage& message, Offset base_offset, LeaderEpoch epoch,
    TimestampMs now_ms) {
  protocol::RecordBatchBuilder builder(
      {.base_offset = base_offset, .leader_epoch = epoch, .is_control = true});
  std::string value;
  protocol::Encode(message, message.version, &value);
  WEIR_RETURN_IF_ERROR(builder.AppendControl(now_ms, protocol::ControlType::kLeaderChange, value));
  return builder.Build();
}

// What one batch says: metadata records, or control records, which no image needs and which are
// left out.
struct MetadataBatch {
  Offset base_offset;
  Offset last_offset;
  LeaderEpoch epoch;
  bool is_control = false;
  std::vector<MetadataRecord> records;  // one for each offset; empty for a control batch
};

// Reads a batch whose CRC was checked or is checked here.
inline absl::StatusOr<MetadataBatch> DecodeMetadataBatch(const protocol::RecordBatchView& batch) {
  const auto fault = [&](absl::StatusCode code, absl::string_view what) {
    return absl::Status(code, absl::StrCat("cluster metadata batch at offset ",
                                           batch.base_offset().value(), ": ", what));
  };
  if (batch.magic() != protocol::kRecordBatchMagic) {
    return fault(absl::StatusCode::kDataLoss,
                 absl::StrCat("expected magic 2, came ", static_cast<int>(batch.magic())));
  }
  if (!batch.CrcIsValid()) return fault(absl::StatusCode::kDataLoss, "the CRC does not fit");
  MetadataBatch out{
      batch.base_offset(), batch.last_offset(), batch.leader_epoch(), batch.is_control(), {}};
  if (out.is_control) return out;
  if (batch.codec() != protocol::Codec::kNone) {
    return fault(absl::StatusCode::kDataLoss, "expected no compression");
  }
  protocol::RecordIterator it(batch.records(), batch.record_count());
  protocol::Record record;
  while (it.Next(&record)) {
    if (!record.value.has_value()) {
      return fault(absl::StatusCode::kDataLoss, "expected a value in each record, came null");
    }
    if (record.offset_delta != static_cast<int32_t>(out.records.size())) {
      return fault(absl::StatusCode::kDataLoss,
                   absl::StrCat("expected offset delta ", out.records.size(), ", came ",
                                record.offset_delta));
    }
    absl::StatusOr<MetadataRecord> decoded = DecodeRecord(*record.value);
    if (!decoded.ok()) return fault(decoded.status().code(), decoded.status().message());
    out.records.push_back(*std::move(decoded));
  }
  if (!it.status().ok()) return fault(absl::StatusCode::kDataLoss, it.status().message());
  if (out.records.size() != static_cast<size_t>(batch.last_offset_delta()) + 1) {
    return fault(absl::StatusCode::kDataLoss,
                 absl::StrCat("expected ", int64_t{batch.last_offset_delta()} + 1,
                              " records, came ", out.records.size()));
  }
  return out;
}

// The records of a snapshot file. It must begin with a header and end with a footer: one that was
// cut off is refused.
inline absl::StatusOr<std::vector<MetadataRecord>> DecodeSnapshot(absl::string_view file) {
  std::vector<MetadataRecord> records;
  const size_t size = file.size();
  bool has_header = false;
  bool has_footer = false;
  while (!file.empty()) {
    const auto fault = [&](absl::string_view what) {
      return absl::DataLossError(absl::StrCat("snapshot at byte ", size - file.size(), ": ", what));
    };
    absl::StatusOr<protocol::RecordBatchView> view = protocol::RecordBatchView::Parse(file);
    if (!view.ok()) return fault(view.status().message());
    WEIR_ASSIGN_OR_RETURN(MetadataBatch batch, DecodeMetadataBatch(*view));
    if (has_footer) return fault("expected nothing behind the footer");
    if (batch.is_control) {
      protocol::RecordIterator it(view->records(), view->record_count());
      protocol::Record record;
      while (it.Next(&record)) {
        const auto type = protocol::GetControlType(record);
        has_header = has_header || type == protocol::ControlType::kSnapshotHeader;
        has_footer = has_footer || type == protocol::ControlType::kSnapshotFooter;
      }
      if (!it.status().ok()) return fault(it.status().message());
    }
    if (!has_header) return fault("expected a snapshot header first");
    for (MetadataRecord& record : batch.records) records.push_back(std::move(record));
    file.remove_prefix(view->bytes().size());
  }
  if (!has_footer) return absl::DataLossError("snapshot: expected a footer at the end, came none");
  return records;
}

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_METADATA_BATCH_H_

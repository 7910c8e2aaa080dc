// -----------------------------------------------------------------------------
// File: coordination/metadata/record_codec.h
// -----------------------------------------------------------------------------
// The value of a record in the cluster metadata log: a frame (record_frame.h) and then the record.
// Format: docs/formats/metadata.md.
// Threading: keeps no state.
// Errors: kDataLoss for bytes that are no such frame; kUnimplemented for a frame version, a type or
// a version that a newer release may have written. Both say what was expected and what came.
#ifndef WEIR_COORDINATION_METADATA_RECORD_CODEC_H_
#define WEIR_COORDINATION_METADATA_RECORD_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "coordination/metadata/record_frame.h"
#include "coordination/metadata/records.h"
#include "protocol/message.h"

namespace weir::metadata {

// The version in which records are written unless a caller says otherwise: the newest, which is
// what the metadata.version of records written by this release means.
inline int16_t NewestVersion(const MetadataRecord& record) {
  return std::visit([](const auto& r) { return std::decay_t<decltype(r)>::kRecord.versions.max; },
                    record);
}

// Appends the frame of `record` to *out; `version` must be one of the record's.
inline void EncodeRecord(const MetadataRecord& record, int16_t version, std::string* out) {
  std::visit(
      [&](const auto& r) {
        metadata_internal::AppendFrame(std::decay_t<decltype(r)>::kRecord.type, version, out);
        protocol::Encode(r, version, out);
      },
      record);
}
inline void EncodeRecord(const MetadataRecord& record, std::string* out) {
  EncodeRecord(record, NewestVersion(record), out);
}

namespace metadata_internal {

inline absl::Status BodyStatus(const RecordFrame& frame, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(absl::IsUnimplemented(status) ? status.code() : absl::StatusCode::kDataLoss,
                      absl::StrCat("metadata record of type ", frame.type, " version ",
                                   frame.version, ": ", status.message()));
}

template <size_t... I>
absl::StatusOr<MetadataRecord> DecodeAnyOf(const RecordFrame& frame, std::index_sequence<I...>) {
  MetadataRecord record;
  absl::Status status = absl::UnimplementedError(absl::StrCat(
      "metadata record: expected a type this release knows (0 to 28), came ", frame.type));
  const auto try_type = [&]<class R>(std::type_identity<R>) {
    if (frame.type != static_cast<uint32_t>(R::kRecord.type)) return false;
    status =
        BodyStatus(frame, protocol::DecodeInto(frame.body, frame.version, &record.emplace<R>()));
    return true;
  };
  static_cast<void>(
      (try_type(std::type_identity<std::variant_alternative_t<I, MetadataRecord>>()) || ...));
  if (!status.ok()) return status;
  return record;
}

}  // namespace metadata_internal

// Decodes a record value; refuses trailing bytes.
inline absl::StatusOr<MetadataRecord> DecodeRecord(absl::string_view value) {
  WEIR_ASSIGN_OR_RETURN(const RecordFrame frame, ParseRecordFrame(value));
  return metadata_internal::DecodeAnyOf(
      frame, std::make_index_sequence<std::variant_size_v<MetadataRecord>>());
}

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_RECORD_CODEC_H_

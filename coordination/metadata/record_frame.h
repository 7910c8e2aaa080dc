// -----------------------------------------------------------------------------
// File: coordination/metadata/record_frame.h
// -----------------------------------------------------------------------------
// What stands before a record in the value of a record of the cluster metadata log: three unsigned
// varints, which are frame version, record type and record version.
// Format: docs/formats/metadata.md.
// Threading: keeps no state.
// Errors: kDataLoss for bytes that are no such frame; kUnimplemented for a frame version that a
// newer release may have written. Both say what was expected and what came.
#ifndef WEIR_COORDINATION_METADATA_RECORD_FRAME_H_
#define WEIR_COORDINATION_METADATA_RECORD_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/varint.h"

namespace weir::metadata {

inline constexpr uint32_t kRecordFrameVersion = 1;

struct RecordFrame {
  uint32_t type = 0;
  int16_t version = 0;
  absl::string_view body;  // points into the value
};

// Splits a record value into type, version and body without looking into the body.
inline absl::StatusOr<RecordFrame> ParseRecordFrame(absl::string_view value) {
  const char* from = value.data();
  const char* const end = from + value.size();
  uint32_t numbers[3];  // frame version, type, version
  for (int i = 0; i < 3; ++i) {
    from = GetUvarint32(from, end, &numbers[i]);
    if (from == nullptr) {
      return absl::DataLossError(
          absl::StrCat("metadata record: expected a frame of 3 varints, came ", value.size(),
                       " bytes that end or overflow in varint ", i + 1));
    }
    if (i == 0 && numbers[0] != kRecordFrameVersion) {
      return absl::UnimplementedError(absl::StrCat("metadata record: expected frame version ",
                                                   kRecordFrameVersion, ", came ", numbers[0]));
    }
  }
  if (numbers[2] > 0x7fff) {
    return absl::DataLossError(absl::StrCat("metadata record of type ", numbers[1],
                                            ": expected a version up to 32767, came ", numbers[2]));
  }
  return RecordFrame{numbers[1], static_cast<int16_t>(numbers[2]),
                     absl::string_view(from, static_cast<size_t>(end - from))};
}

namespace metadata_internal {

inline void AppendFrame(int16_t type, int16_t version, std::string* out) {
  char frame[3 * kVarint32BytesMax];
  char* end = PutUvarint(frame, kRecordFrameVersion);
  end = PutUvarint(end, static_cast<uint32_t>(type));
  end = PutUvarint(end, static_cast<uint32_t>(version));
  out->append(frame, static_cast<size_t>(end - frame));
}

}  // namespace metadata_internal

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_RECORD_FRAME_H_

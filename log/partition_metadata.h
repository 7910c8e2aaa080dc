// -----------------------------------------------------------------------------
// File: log/partition_metadata.h
// -----------------------------------------------------------------------------
// `partition.metadata`: which incarnation of its topic a partition's directory belongs to
// (KIP-516). Format: docs/formats/segment.md.
// Errors: kNotFound, kDataLoss for a malformed file, else as log/file.h.
#ifndef WEIR_LOG_PARTITION_METADATA_H_
#define WEIR_LOG_PARTITION_METADATA_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "log/checkpoint_file.h"
#include "log/file.h"

namespace weir::log {

inline constexpr char kPartitionMetadataName[] = "partition.metadata";

// The topic id in `directory`.
inline absl::StatusOr<Uuid> ReadPartitionMetadata(FileSystem& fs, const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/", kPartitionMetadataName);
  WEIR_ASSIGN_OR_RETURN(const std::string content, ReadWholeFile(fs, path, 4096));
  bool version_seen = false;
  std::optional<Uuid> id;
  for (absl::string_view line : absl::StrSplit(content, '\n')) {
    if (line == "version: 0") version_seen = true;
    if (absl::ConsumePrefix(&line, "topic_id: ")) id = Uuid::Parse(line);
  }
  if (!version_seen || !id.has_value() || id->is_zero()) {
    return absl::DataLossError(
        absl::StrCat(path, ": expected 'version: 0' and 'topic_id: ID', came '", content, "'"));
  }
  return *id;
}

inline absl::Status WritePartitionMetadata(FileSystem& fs, const std::string& directory,
                                           const Uuid& topic_id) {
  return WriteFileAtomically(fs, directory, kPartitionMetadataName,
                             absl::StrCat("version: 0\ntopic_id: ", topic_id.ToString()));
}

}  // namespace weir::log

#endif  // WEIR_LOG_PARTITION_METADATA_H_

// -----------------------------------------------------------------------------
// File: server/flushed_run.h
// -----------------------------------------------------------------------------
// The file that says that a run flushes what it acknowledges, beside meta.properties in the folder
// with the metadata: a crash of that run takes nothing from the broker that it has promised.
// Format: docs/formats/metadata.md. It names the run by its broker epoch, so that a later run which
// does not flush, of Weir or of Apache Kafka, need not remove it.
// Threading: none. Errors: the file system's; a file that is no such one is of no run.
#ifndef WEIR_SERVER_FLUSHED_RUN_H_
#define WEIR_SERVER_FLUSHED_RUN_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "log/checkpoint_file.h"
#include "log/file.h"

namespace weir::server {

inline constexpr char kFlushedRunName[] = "flushed-run";

// The broker epoch of the run that the file in `folder` names; -1 where there is none.
inline int64_t FlushedRun(log::FileSystem& fs, const std::string& folder) {
  const absl::StatusOr<std::string> text =
      log::ReadWholeFile(fs, absl::StrCat(folder, "/", kFlushedRunName), 64);
  if (!text.ok()) return -1;
  absl::string_view rest = *text;
  int64_t epoch = -1;
  const bool is_known = absl::ConsumePrefix(&rest, "0\n") && absl::ConsumeSuffix(&rest, "\n") &&
                        !rest.empty() && absl::ascii_isdigit(static_cast<unsigned char>(rest[0])) &&
                        absl::SimpleAtoi(rest, &epoch);
  return is_known ? epoch : -1;
}

// Durably notes the present one. Comes before it appends anything.
inline absl::Status NoteFlushedRun(log::FileSystem& fs, const std::string& folder,
                                   int64_t broker_epoch) {
  return log::WriteFileAtomically(fs, folder, kFlushedRunName,
                                  absl::StrCat("0\n", broker_epoch, "\n"));
}

}  // namespace weir::server

#endif  // WEIR_SERVER_FLUSHED_RUN_H_

// -----------------------------------------------------------------------------
// File: server/cli/local_files.h
// -----------------------------------------------------------------------------
// The files of the machine that a command runs on, behind the port: who reads a file of properties
// need not compile how files are synced.
// Threading: one thread. Errors: those of log/posix_file.h.
#ifndef WEIR_SERVER_CLI_LOCAL_FILES_H_
#define WEIR_SERVER_CLI_LOCAL_FILES_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "log/file.h"

namespace weir::cli {

log::FileSystem& LocalFiles();

// All of the file; kOutOfRange, as log::ReadWholeFile has it, when there is more than bytes_max.
absl::StatusOr<std::string> ReadLocalFile(const std::string& path, int64_t bytes_max);

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_LOCAL_FILES_H_

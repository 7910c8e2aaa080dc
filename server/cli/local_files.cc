#include "server/cli/local_files.h"

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "log/checkpoint_file.h"
#include "log/file.h"
#include "log/posix_file.h"

namespace weir::cli {

log::FileSystem& LocalFiles() {
  static log::PosixFileSystem* const files =
      new log::PosixFileSystem();  // outlives all that use it
  return *files;
}

absl::StatusOr<std::string> ReadLocalFile(const std::string& path, int64_t bytes_max) {
  return log::ReadWholeFile(LocalFiles(), path, bytes_max);
}

}  // namespace weir::cli

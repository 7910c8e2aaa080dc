// -----------------------------------------------------------------------------
// File: bench/temp_folder.h
// -----------------------------------------------------------------------------
// A folder for the files of one row, gone with it. It is made in TMPDIR, else in /tmp: rows that
// write say something about that disk.
#ifndef WEIR_BENCH_TEMP_FOLDER_H_
#define WEIR_BENCH_TEMP_FOLDER_H_

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "base/check.h"

namespace weir::bench {

class TempFolder {
 public:
  TempFolder() {
    const char* parent = getenv("TMPDIR");
    path_ = std::string(parent == nullptr ? "/tmp" : parent) + "/weir_bench.XXXXXX";
    WEIR_CHECK(mkdtemp(path_.data()) != nullptr);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace weir::bench

#endif  // WEIR_BENCH_TEMP_FOLDER_H_

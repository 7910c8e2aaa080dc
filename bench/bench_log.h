// -----------------------------------------------------------------------------
// File: bench/bench_log.h
// -----------------------------------------------------------------------------
// A log in a folder of its own whose files are about as many and as large as its floor's
// (bench/write_floor.h). Threading: one thread. Errors: a disk that fails ends the program.
#ifndef WEIR_BENCH_BENCH_LOG_H_
#define WEIR_BENCH_BENCH_LOG_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "bench/temp_folder.h"
#include "bench/write_floor.h"
#include "log/file.h"
#include "log/log.h"
#include "log/log_types.h"
#include "log/posix_file.h"

namespace weir::bench {

class BenchLog {
 public:
  // `syncer`, when given, makes StartFlush asynchronous.
  explicit BenchLog(log::Syncer* syncer = nullptr) : files_(syncer) {
    log::LogConfig config;
    config.segment_bytes = kSegmentBytes;
    config.retention_bytes = kSegmentBytes;
    config.retention_ms = -1;
    config.file_delete_delay_ms = 0;
    auto log = log::Log::Open(files_, absl::StrCat(folder_.path(), "/orders-0"), config, {}, Now());
    WEIR_CHECK(log.ok());
    log_ = *std::move(log);
  }

  void Append(std::string& batch) {
    log::BatchToAppend append{absl::MakeSpan(batch)};
    Append(absl::MakeSpan(&append, 1));
  }
  void Append(absl::Span<log::BatchToAppend> batches) {
    log_->Append(batches, LeaderEpoch(0), Now());
    for (const log::BatchToAppend& batch : batches) WEIR_CHECK(batch.status.ok());
    if (log_->segments() == segments_) return;
    WEIR_CHECK(log_->DeleteOldSegments(Now(), log_->log_end_offset()).ok());
    log_->Tick(Now());
    segments_ = log_->segments();
  }
  void Sync() { WEIR_CHECK(log_->Flush().ok()); }

  log::Log& log() { return *log_; }
  log::PosixFileSystem& files() { return files_; }
  TimestampMs Now() { return clock_.WallMs(); }

 private:
  TempFolder folder_;
  SystemClock clock_;
  log::PosixFileSystem files_;
  std::unique_ptr<log::Log> log_;
  size_t segments_ = 1;
};

}  // namespace weir::bench

#endif  // WEIR_BENCH_BENCH_LOG_H_

// Appends two batches to a log, makes them durable, opens the log again and reads them back.
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "log/log.h"
#include "log/posix_file.h"
#include "log/thread_syncer.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"

namespace {

constexpr weir::TimestampMs kNow{1'700'000'000'000};

absl::Status Write(weir::log::Log& log, absl::string_view value) {
  weir::protocol::RecordBatchBuilder builder;
  weir::protocol::RecordToAppend record;
  record.timestamp = kNow;
  record.key = "greeting";
  record.value = value;
  absl::Status status = builder.Append(record);
  if (!status.ok()) return status;
  std::string bytes = builder.Build();
  weir::log::BatchToAppend batch;
  batch.bytes = absl::MakeSpan(bytes.data(), bytes.size());
  log.Append(absl::MakeSpan(&batch, 1), weir::LeaderEpoch{0}, kNow);
  if (!batch.status.ok()) return batch.status;
  return log.Flush();  // now it survives a power loss
}

absl::Status Print(weir::log::Log& log) {
  absl::StatusOr<weir::log::LogSlice> slice =
      log.Read(log.log_start_offset(), 1 << 20, log.log_end_offset(), true);
  if (!slice.ok()) return slice.status();
  std::string bytes(static_cast<size_t>(slice->size_bytes), '\0');
  absl::StatusOr<size_t> read =
      slice->file->ReadAt(slice->position, absl::MakeSpan(bytes.data(), bytes.size()));
  if (!read.ok()) return read.status();
  absl::string_view left(bytes);
  while (!left.empty()) {
    absl::StatusOr<weir::protocol::RecordBatchView> batch =
        weir::protocol::RecordBatchView::Parse(left);
    if (!batch.ok()) return batch.status();
    std::printf("offset %lld: %d record(s), crc %s\n",
                static_cast<long long>(batch->base_offset().value()), batch->record_count(),
                batch->CrcIsValid() ? "ok" : "bad");
    left.remove_prefix(static_cast<size_t>(batch->size_bytes()));
  }
  return absl::OkStatus();
}

absl::Status Run(const std::string& folder) {
  weir::log::ThreadSyncer syncer;
  weir::log::PosixFileSystem files(&syncer);
  for (const bool again : {false, true}) {
    absl::StatusOr<std::unique_ptr<weir::log::Log>> log =
        weir::log::Log::Open(files, folder, {}, {.clean = again}, kNow);
    if (!log.ok()) return log.status();
    absl::Status status = again ? Print(**log) : Write(**log, "hello");
    if (status.ok() && !again) status = Write(**log, "weir");
    if (status.ok() && (*log)->log_end_offset() != weir::Offset{2}) {
      status = absl::InternalError("expected two records");
    }
    if (status.ok()) status = (*log)->Close();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

int main() {
  const absl::Status status = Run("orders-0");
  if (!status.ok()) std::printf("%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}

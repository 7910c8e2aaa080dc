// Appends two batches to a log, makes them durable, opens the log again and reads them back.
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "log/log.h"
#include "log/log_reader.h"
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

// Batch by batch: @weir//log:record_reader goes on to records, and brings the codecs with it.
absl::Status Print(weir::log::Log& log) {
  weir::log::LogReader reader(log, log.log_start_offset());
  while (true) {
    absl::StatusOr<std::optional<weir::protocol::RecordBatchView>> batch = reader.Next();
    if (!batch.ok()) return batch.status();
    if (!batch->has_value()) return absl::OkStatus();
    std::printf("offset %lld: %d record(s), %lld bytes\n",
                static_cast<long long>((*batch)->base_offset().value()), (*batch)->record_count(),
                static_cast<long long>((*batch)->size_bytes()));
  }
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

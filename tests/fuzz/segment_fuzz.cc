// A segment of arbitrary bytes, with and without indexes of arbitrary bytes, is opened, read,
// appended to and opened again. Nothing crashes, what was found valid stays, and a log that opens
// goes on where it ends.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/ids.h"
#include "log/log.h"
#include "log/memory_file.h"
#include "log/test_batches.h"
#include "protocol/record_batch.h"

namespace weir::log {
namespace {

constexpr char kDirectory[] = "/t-0";
constexpr TimestampMs kNow = 1'700'000'000'000;
constexpr size_t kBatchBytesMin = protocol::kRecordBatchHeaderBytes;

// Makes batches out of what stands where batches would: their lengths fit and their CRCs are right,
// so that what comes behind those checks is reached.
std::string Mended(std::string bytes) {
  namespace at = protocol::record_batch_at;
  for (size_t from = 0; from + kBatchBytesMin <= bytes.size();) {
    char* const batch = &bytes[from];
    const size_t room = bytes.size() - from - 12;
    size_t length = LoadBig32(batch + at::kLength);
    if (length < kBatchBytesMin - 12 || length > room) {
      length = std::min(room, kBatchBytesMin - 12 + length % 64);
      StoreBig32(batch + at::kLength, static_cast<uint32_t>(length));
    }
    batch[at::kMagic] = 2;
    protocol::SealCrc(batch);
    from += 12 + length;
  }
  return bytes;
}

void Write(MemoryFileSystem& files, const char* suffix, absl::string_view bytes) {
  const auto file = files.Open(std::string(kDirectory) + "/" + SegmentFileName(Offset(0), suffix),
                               OpenMode::kCreate);
  WEIR_CHECK(file.ok() && (*file)->Truncate(0).ok() && (*file)->Append({bytes}).ok());
}

absl::StatusOr<std::unique_ptr<Log>> Open(MemoryFileSystem& files, bool clean) {
  LogConfig config;
  config.index_interval_bytes = 100;
  config.compact = true;
  RecoveryHint hint;
  hint.clean = clean;
  return Log::Open(files, kDirectory, config, hint, kNow);
}

absl::StatusOr<std::string> CannotDecode(const protocol::RecordBatchView&) {
  return absl::DataLossError("compressed");
}

// Everything that can be read, in small pieces. Every piece must be readable when `whole`.
std::string ReadAll(Log& log, bool whole) {
  std::string all;
  Offset next = log.log_start_offset();
  while (next < log.log_end_offset()) {
    const auto slice = log.Read(next, 200, log.log_end_offset(), /*at_least_one_batch=*/true);
    WEIR_CHECK(slice.ok() || !whole);
    if (!slice.ok() || slice->empty()) break;
    WEIR_CHECK(slice->next_offset > next);
    const std::string bytes = SliceBytes(*slice);
    WEIR_CHECK(static_cast<int64_t>(bytes.size()) == slice->size_bytes);
    all += bytes;
    next = slice->next_offset;
  }
  WEIR_CHECK(!whole || next == log.log_end_offset());
  for (const TimestampMs target : {TimestampMs{-2}, TimestampMs{0}, TimestampMs{1000}, kNow}) {
    const auto found = log.FindByTimestamp(target, log.log_end_offset(), CannotDecode);
    WEIR_CHECK(found.ok() || !whole);
  }
  WEIR_CHECK(log.MaxTimestamp(CannotDecode).ok() || !whole);
  return all;
}

// False when the offsets leave no room for another batch.
bool AppendOne(Log& log) {
  std::string batch = MakeBatch({.records = 3, .timestamp = kNow});
  BatchToAppend append;
  append.bytes = absl::MakeSpan(batch.data(), batch.size());
  const Offset end = log.log_end_offset();
  log.Append(absl::MakeSpan(&append, 1), LeaderEpoch(7), kNow);
  if (!append.status.ok()) return false;
  WEIR_CHECK(append.base_offset == end && log.log_end_offset() == end + 3);
  return true;
}

void OpenUnclean(absl::string_view segment) {
  MemoryFileSystem files;
  WEIR_CHECK(files.CreateDirectories(kDirectory).ok());
  Write(files, Segment::kLogSuffix, segment);
  auto log = Open(files, /*clean=*/false);
  WEIR_CHECK(log.ok());  // nothing is known to be durable: whatever is damaged is a torn tail
  const RecoveryReport report = (*log)->recovery_report();
  WEIR_CHECK(report.truncated_bytes + report.bytes_scanned == static_cast<int64_t>(segment.size()));
  const std::string valid = ReadAll(**log, /*whole=*/true);
  WEIR_CHECK(valid == segment.substr(0, static_cast<size_t>(report.bytes_scanned)));
  const bool appended = AppendOne(**log);
  const Offset end = (*log)->log_end_offset();
  const std::string all = ReadAll(**log, /*whole=*/true);
  WEIR_CHECK(all.substr(0, valid.size()) == valid);
  WEIR_CHECK((all.size() > valid.size()) == appended);
  WEIR_CHECK((*log)->Close().ok());
  for (const bool clean : {true, false}) {
    log = Open(files, clean);
    WEIR_CHECK(log.ok() && (*log)->log_end_offset() == end);
    WEIR_CHECK((*log)->recovery_report().truncated_bytes == 0);
    WEIR_CHECK(ReadAll(**log, /*whole=*/true) == all);
  }
}

// As Kafka or we may have left it, or a disk that decays: anything may be wrong.
void OpenClean(absl::string_view segment, absl::string_view offsets, absl::string_view times) {
  MemoryFileSystem files;
  WEIR_CHECK(files.CreateDirectories(kDirectory).ok());
  Write(files, Segment::kLogSuffix, segment);
  Write(files, Segment::kIndexSuffix, offsets);
  Write(files, Segment::kTimeIndexSuffix, times);
  auto log = Open(files, /*clean=*/true);
  if (!log.ok()) {
    WEIR_CHECK(absl::IsDataLoss(log.status()) && !log.status().message().empty());
    return;
  }
  ReadAll(**log, /*whole=*/false);
  AppendOne(**log);
  ReadAll(**log, /*whole=*/false);
  if (!(*log)->Close().ok()) return;
  log = Open(files, /*clean=*/true);
  if (log.ok()) ReadAll(**log, /*whole=*/false);
}

}  // namespace
}  // namespace weir::log

// The first byte says whether the batches are mended, the next two how long the indexes are that
// stand in front of the segment.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using weir::log::kDirectory;
  if (size < 3) return 0;
  absl::string_view rest(reinterpret_cast<const char*>(data) + 3, size - 3);
  const auto take = [&rest](size_t count) {
    const absl::string_view taken = rest.substr(0, count);
    rest.remove_prefix(taken.size());
    return taken;
  };
  const absl::string_view offsets = take(data[1]);
  const absl::string_view times = take(data[2]);
  std::string segment(rest);
  if ((data[0] & 1) != 0) segment = weir::log::Mended(std::move(segment));
  if ((data[0] & 2) != 0) {
    weir::log::OpenClean(segment, offsets, times);
  } else {
    weir::log::OpenUnclean(segment);
  }
  return 0;
}

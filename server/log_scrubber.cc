#include "server/log_scrubber.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/ids.h"
#include "log/log_types.h"
#include "protocol/record_batch.h"
#include "server/event_loop.h"
#include "server/logger.h"
#include "server/partition_table.h"
#include "server/shard.h"

namespace weir::server {
namespace {

constexpr int64_t kPieceBytes = 256 << 10;
constexpr int64_t kFirstNs = 1'000 * kNsPerMs;
constexpr int64_t kRoundMsMax = int64_t{1} << 40;

}  // namespace

absl::Status CheckBatches(const log::LogSlice& slice) {
  std::string bytes(static_cast<size_t>(slice.size_bytes), '\0');
  const absl::StatusOr<size_t> got = slice.file->ReadAt(slice.position, absl::MakeSpan(bytes));
  if (!got.ok()) return got.status();
  absl::string_view left(bytes.data(), *got);
  int64_t position = slice.position;
  Offset reached = slice.first_offset;
  while (!left.empty()) {
    const absl::StatusOr<protocol::RecordBatchView> batch = protocol::RecordBatchView::Parse(left);
    absl::Status wrong = batch.status();
    // Neither the offset nor the magic is under the CRC.
    if (batch.ok() && (batch->magic() != protocol::kRecordBatchMagic || !batch->CrcIsValid())) {
      wrong = absl::DataLossError(absl::StrCat("batch of magic ", batch->magic(), " at offset ",
                                               batch->base_offset().value(), ": expected CRC ",
                                               batch->crc(), ", came ", batch->ComputeCrc()));
    } else if (batch.ok() &&
               (batch->base_offset() < reached || batch->next_offset() > slice.next_offset)) {
      wrong = absl::DataLossError(absl::StrCat("expected a batch within offsets ", reached.value(),
                                               " and ", slice.next_offset.value(), ", came one at ",
                                               batch->base_offset().value()));
    }
    if (!wrong.ok()) {
      return absl::DataLossError(absl::StrCat("at position ", position, ": ", wrong.message()));
    }
    reached = batch->next_offset();
    position += batch->size_bytes();
    left.remove_prefix(static_cast<size_t>(batch->size_bytes()));
  }
  if (*got == bytes.size()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("at position ", position, ": expected ", bytes.size() - *got, " bytes more"));
}

LogScrubber::~LogScrubber() { shard_.loop().timers().Cancel(timer_); }

void LogScrubber::Start(Worker& worker) {
  if (shard_.node().config.scrub_bytes_per_second <= 0) return;
  worker_ = &worker;
  Schedule(kFirstNs);
}

void LogScrubber::Schedule(int64_t delay_ns) {
  timer_ = shard_.loop().timers().Schedule(shard_.loop().now() + delay_ns, [this] {
    timer_ = TimerId();
    Next();
  });
}

int64_t LogScrubber::PauseAfter(int64_t bytes) const {
  const auto shards = static_cast<double>(shard_.node().shards.size());
  const auto rate = static_cast<double>(shard_.node().config.scrub_bytes_per_second);
  return static_cast<int64_t>(static_cast<double>(bytes) * shards / rate * 1e9) + 1;
}

void LogScrubber::Next() {
  if (left_.empty()) {
    left_ = shard_.partitions().Online();
    std::reverse(left_.begin(), left_.end());
  }
  while (!left_.empty()) {
    const TopicPartition id = left_.back();
    absl::StatusOr<log::LogSlice> slice = shard_.partitions().Stored(id, from_, kPieceBytes);
    if (slice.ok() && !slice->empty()) {
      return worker_->Post([this, id, slice = *std::move(slice), &loop = shard_.loop()] {
        const absl::Status checked = CheckBatches(slice);
        loop.Post([this, id, slice, checked] { OnChecked(id, slice, checked); });
      });
    }
    // What the log itself finds wrong, looking for the place, is damage as well.
    if (absl::IsDataLoss(slice.status())) shard_.OnDamage(id, slice.status());
    left_.pop_back();
    from_ = Offset(0);
  }
  Schedule(std::min(shard_.node().config.scrub_interval_ms, kRoundMsMax) * kNsPerMs);
}

void LogScrubber::OnChecked(const TopicPartition& id, const log::LogSlice& slice,
                            const absl::Status& checked) {
  Schedule(PauseAfter(slice.size_bytes));
  from_ = slice.next_offset;
  if (!absl::IsDataLoss(checked)) return;
  // The log may have been cut off or compacted meanwhile: what counts is what it has now.
  const absl::StatusOr<log::LogSlice> now =
      shard_.partitions().Stored(id, slice.first_offset, kPieceBytes);
  const absl::Status again = !now.ok()      ? now.status()
                             : now->empty() ? now.status()
                                            : CheckBatches(*now);
  if (!absl::IsDataLoss(again)) return;
  shard_.node().logger->Error("partition ", id.topic_id.ToString(), "-", id.partition.value(),
                              " is damaged on disk: ", again.message());
  shard_.OnDamage(id, again);
}

}  // namespace weir::server

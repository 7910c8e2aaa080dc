// The small files beside the segments, of arbitrary bytes: each is read or refused with a reason,
// and what was read says the same when it is written and read again.
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "base/ids.h"
#include "coordination/metadata/node_directory.h"
#include "log/checkpoint_file.h"
#include "log/leader_epoch_cache.h"
#include "log/memory_file.h"
#include "log/offset_index.h"
#include "log/partition_metadata.h"
#include "log/producer_state.h"
#include "log/time_index.h"
#include "log/transaction_index.h"

namespace weir::log {
namespace {

constexpr int64_t kTargets[] = {-1, 0, 1, 100, 1000, 1'700'000'000'000, INT64_MAX / 2};

void CheckRefusal(const absl::Status& status) {
  WEIR_CHECK(absl::IsDataLoss(status) || absl::IsInvalidArgument(status));
  WEIR_CHECK(!status.message().empty());
}

void CheckOffsetIndex(absl::string_view bytes) {
  constexpr int64_t kLogBytes = int64_t{1} << 30;
  const Offset base(100);
  auto index = OffsetIndex::Decode(base, bytes, kLogBytes);
  if (!index.ok()) return CheckRefusal(index.status());
  const std::string again = index->Encode();
  WEIR_CHECK(bytes.substr(0, again.size()) == again);
  for (const int64_t target : kTargets) {
    const OffsetPosition found = index->Lookup(Offset(target));
    WEIR_CHECK(found.offset >= base && found.position >= 0 && found.position < kLogBytes);
    WEIR_CHECK(found.offset <= Offset(target) || found.offset == base);
    const OffsetPosition at = index->LookupPosition(target);
    WEIR_CHECK(at.position <= target || at.offset == base);
  }
  const OffsetPosition last = index->Last();
  if (last.offset < base + INT32_MAX && last.position < kLogBytes) {
    index->Append(last.offset + 1, last.position);
    WEIR_CHECK(index->Last().offset == last.offset + 1);
  }
  index->TruncateTo(last.offset);
  WEIR_CHECK(index->entries() == 0 || index->Last().offset < last.offset);
}

void CheckTimeIndex(absl::string_view bytes) {
  const Offset base(100);
  auto index = TimeIndex::Decode(base, bytes);
  if (!index.ok()) return CheckRefusal(index.status());
  const std::string again = index->Encode();
  WEIR_CHECK(bytes.substr(0, again.size()) == again);
  for (const int64_t target : kTargets) {
    const TimestampOffset found = index->Lookup(target);
    WEIR_CHECK(found.offset >= base);
    WEIR_CHECK(found.timestamp <= target || found.timestamp == kNoTimestamp);
  }
  const TimestampOffset last = index->Last();
  if (last.timestamp < INT64_MAX && last.offset < base + INT32_MAX) {
    index->MaybeAppend(last.timestamp + 1, last.offset + 1);
    WEIR_CHECK(index->Last().timestamp == last.timestamp + 1);
  }
  index->TruncateTo(last.offset);
  WEIR_CHECK(index->entries() == 0 || index->Last().offset < last.offset);
}

void CheckTransactions(absl::string_view bytes) {
  const Offset base(100);
  auto index = TransactionIndex::Decode(base, bytes);
  if (!index.ok()) return CheckRefusal(index.status());
  WEIR_CHECK(index->Encode() == bytes);
  for (const int64_t target : kTargets) {
    std::vector<AbortedTransaction> found;
    (void)index->Collect(base, Offset(target), &found);
    for (const AbortedTransaction& aborted : found) {
      WEIR_CHECK(aborted.first_offset < Offset(target) && aborted.last_offset >= base);
    }
    index->TruncateTo(Offset(target));
    WEIR_CHECK(index->empty() || index->entries().back().last_offset < Offset(target));
  }
}

void CheckProducers(absl::string_view bytes) {
  const auto state = ProducerState::Decode(bytes);
  if (!state.ok()) return CheckRefusal(state.status());
  (void)state->FirstUnstableOffset();
  const std::string once = state->Encode();
  auto again = ProducerState::Decode(once);
  WEIR_CHECK(again.ok() && again->Encode() == once && again->Sorted() == state->Sorted());
  again->Expire(1'700'000'000'000, 1);
  WEIR_CHECK(again->size() <= state->size());
}

// With the CRC that it should have, so that what comes behind is reached.
void CheckMendedProducers(absl::string_view bytes) {
  std::string mended(bytes);
  if (mended.size() >= 10) {
    StoreBig32(&mended[6], static_cast<uint32_t>((mended.size() - 10) / 46));
    mended.resize(10 + (mended.size() - 10) / 46 * 46);
    StoreBig16(&mended[0], 1);
    StoreBig32(&mended[2], Crc32c(absl::string_view(mended).substr(6)));
  }
  CheckProducers(mended);
}

void Put(MemoryFileSystem& files, const std::string& name, absl::string_view bytes) {
  WEIR_CHECK(files.CreateDirectories("/d").ok());
  const auto file = files.Open("/d/" + name, OpenMode::kCreate);
  WEIR_CHECK(file.ok() && (*file)->Append({bytes}).ok());
}

void CheckEpochs(absl::string_view bytes) {
  MemoryFileSystem files;
  Put(files, LeaderEpochCache::kFileName, bytes);
  LeaderEpochCache cache(&files, "/d");
  if (const absl::Status loaded = cache.Load(); !loaded.ok()) {
    WEIR_CHECK(cache.entries().empty());
    return CheckRefusal(loaded);
  }
  WEIR_CHECK(cache.Write().ok());
  LeaderEpochCache again(&files, "/d");
  WEIR_CHECK(again.Load().ok() && again.entries() == cache.entries());
  for (const int64_t target : kTargets) {
    (void)cache.EpochForOffset(Offset(target));
    (void)cache.EndOffsetFor(LeaderEpoch(static_cast<int32_t>(target)), Offset(1000));
    WEIR_CHECK(again.TruncateFromStart(Offset(target)).ok());
  }
  (void)cache.AssignInMemory(LeaderEpoch(INT32_MAX), Offset(5));
  WEIR_CHECK(cache.TruncateFromEnd(Offset(1)).ok());
}

void CheckOffsets(absl::string_view bytes) {
  MemoryFileSystem files;
  Put(files, "recovery-point-offset-checkpoint", bytes);
  const OffsetCheckpoint checkpoint(&files, "/d", "recovery-point-offset-checkpoint");
  const auto offsets = checkpoint.Read();
  if (!offsets.ok()) return CheckRefusal(offsets.status());
  WEIR_CHECK(checkpoint.Write(*offsets).ok());
  const auto again = checkpoint.Read();
  WEIR_CHECK(again.ok() && *again == *offsets);
}

void CheckTopicId(absl::string_view bytes) {
  MemoryFileSystem files;
  Put(files, kPartitionMetadataName, bytes);
  const auto id = ReadPartitionMetadata(files, "/d");
  if (!id.ok()) return CheckRefusal(id.status());
  WEIR_CHECK(WritePartitionMetadata(files, "/d", *id).ok());
  const auto again = ReadPartitionMetadata(files, "/d");
  WEIR_CHECK(again.ok() && *again == *id);
}

void CheckMetaProperties(absl::string_view bytes) {
  const auto properties = metadata::ParseMetaProperties(bytes);
  if (!properties.ok()) return CheckRefusal(properties.status());
  const std::string once = metadata::FormatMetaProperties(*properties);
  const auto again = metadata::ParseMetaProperties(once);
  WEIR_CHECK(again.ok() && metadata::FormatMetaProperties(*again) == once);
}

void CheckQuorumState(absl::string_view bytes) {
  const auto state = metadata::ParseQuorumState(bytes);
  if (!state.ok()) return CheckRefusal(state.status());
  const std::string once = metadata::FormatQuorumState(*state);
  const auto again = metadata::ParseQuorumState(once);
  WEIR_CHECK(again.ok() && metadata::FormatQuorumState(*again) == once);
}

using Check = void (*)(absl::string_view);

constexpr Check kChecks[] = {
    CheckOffsetIndex, CheckTimeIndex, CheckProducers,      CheckMendedProducers, CheckEpochs,
    CheckOffsets,     CheckTopicId,   CheckMetaProperties, CheckQuorumState,     CheckTransactions,
};

}  // namespace
}  // namespace weir::log

// The first byte chooses the file, the rest is the file.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using weir::log::kChecks;
  if (size < 1) return 0;
  kChecks[data[0] % std::size(kChecks)](
      absl::string_view(reinterpret_cast<const char*>(data) + 1, size - 1));
  return 0;
}

// Any bytes, taken for a batch of a snapshot of the cluster metadata: reading it ends in an image
// or an error, and a snapshot of that image gives it back.
//
// bazel test //tests/fuzz:metadata_snapshot_fuzz_test           runs and damages the corpus
// bazel build --config=fuzz //tests/fuzz:metadata_snapshot_fuzz and then, in the repository's root,
// bazel-bin/tests/fuzz/metadata_snapshot_fuzz FOLDER tests/fuzz/corpus/metadata_snapshot
//   searches, with libFuzzer, and keeps what it finds in FOLDER
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/endian.h"
#include "base/ids.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/snapshot.h"
#include "protocol/record_batch.h"

namespace weir::metadata {
namespace {

constexpr Offset kEnd(1000);
constexpr LeaderEpoch kEpoch(5);

// Gives the batch the length that is there and a CRC that fits, so that what lies behind these
// checks is reached.
std::string Mended(absl::string_view batch) {
  std::string bytes(batch);
  if (bytes.size() < static_cast<size_t>(protocol::kRecordBatchHeaderBytes)) return bytes;
  bytes[protocol::record_batch_at::kMagic] = static_cast<char>(protocol::kRecordBatchMagic);
  StoreBig32(
      bytes.data() + protocol::record_batch_at::kLength,
      static_cast<uint32_t>(bytes.size() - static_cast<size_t>(protocol::kRecordBatchPrefixBytes)));
  protocol::SealCrc(bytes.data());
  return bytes;
}

void Check(absl::string_view bytes) {
  const auto batch = protocol::RecordBatchView::Parse(bytes);
  if (!batch.ok()) return;
  SnapshotReader reader;
  const absl::Status added = reader.Add(*batch);
  WEIR_CHECK(added.ok() || absl::IsDataLoss(added) || absl::IsUnimplemented(added));
  if (!added.ok()) return;
  const auto image = std::move(reader).Finish(kEnd, kEpoch);
  WEIR_CHECK(image.ok() || absl::IsDataLoss(image.status()));
  if (!image.ok()) return;
  SnapshotReader again;
  const absl::Status written = WriteSnapshot(
      **image, {.batch_records_max = 3},
      [&](const std::string& part) { return again.Add(*protocol::RecordBatchView::Parse(part)); });
  WEIR_CHECK(written.ok());
  const auto read = std::move(again).Finish(kEnd, kEpoch);
  WEIR_CHECK(read.ok() && **read == **image);
}

}  // namespace
}  // namespace weir::metadata

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  weir::metadata::Check(bytes);
  weir::metadata::Check(weir::metadata::Mended(bytes));
  return 0;
}

// Rows: CRC-32C, the codecs and the walk over a batch's records, each against its floor; those that
// write are in bench/write_rows.cc.
//   Crc32c/65536   floor: reading the same bytes, eight at a time
//   Compress/*, Decompress/*   floor: the library's own call (bench/codec_floor.h)
//   BatchWalk      floor: jumping from record length to record length
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/random.h"
#include "base/varint.h"
#include "bench/codec_floor.h"
#include "bench/floor.h"
#include "bench/orders.h"
#include "benchmark/benchmark.h"
#include "protocol/compression.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "protocol/record_codec.h"

namespace weir::bench {
namespace {

using protocol::Codec;

constexpr size_t kRoomBytes = 2 * kBatchBytes;

absl::string_view RecordsOf(const std::string& batch) {
  return absl::string_view(batch).substr(protocol::record_batch_at::kRecords);
}

void BM_Crc32c(benchmark::State& state) {
  const size_t size = static_cast<size_t>(state.range(0));
  SeededRandom random(1);
  const std::vector<std::string> pieces = MakeRotation([&](size_t) {
    std::string piece(size, '\0');
    for (char& byte : piece) byte = static_cast<char>(random.NextU64());
    return piece;
  });
  RunAgainstFloor(
      state, pieces.size(), 64, [&](size_t i) { benchmark::DoNotOptimize(Crc32c(pieces[i])); },
      [&](size_t i) { benchmark::DoNotOptimize(SumOfLoads(pieces[i].data(), pieces[i].size())); },
      [&](size_t) { return size; });
}
BENCHMARK(BM_Crc32c)->Name("Crc32c")->Arg(65536)->UseManualTime();

void BM_Compress(benchmark::State& state, Codec codec) {
  const std::vector<std::string>& batches = OrderBatches();
  protocol::Compressor compressor;
  RawCodec raw(codec);
  std::string out, room(kRoomBytes, '\0');
  RunAgainstFloor(
      state, batches.size(), 4,
      [&](size_t i) {
        WEIR_CHECK(compressor.Compress(codec, RecordsOf(batches[i]), std::nullopt, &out).ok());
      },
      [&](size_t i) { benchmark::DoNotOptimize(raw.Compress(RecordsOf(batches[i]), &room)); },
      [&](size_t i) { return RecordsOf(batches[i]).size(); });
}

void BM_Decompress(benchmark::State& state, Codec codec) {
  const std::vector<std::string>& batches = OrderBatches();
  protocol::Compressor compressor;
  protocol::Decompressor decompressor;
  RawCodec raw(codec);
  std::string out, room(kRoomBytes, '\0');
  std::vector<std::string> packed(batches.size()), raw_packed(batches.size());
  for (size_t i = 0; i < batches.size(); ++i) {
    const absl::string_view records = RecordsOf(batches[i]);
    WEIR_CHECK(compressor.Compress(codec, records, std::nullopt, &packed[i]).ok());
    raw_packed[i] =
        codec == Codec::kSnappy ? room.substr(0, raw.Compress(records, &room)) : packed[i];
  }
  RunAgainstFloor(
      state, batches.size(), 16,
      [&](size_t i) { WEIR_CHECK(decompressor.Decompress(codec, packed[i], {}, &out).ok()); },
      [&](size_t i) { benchmark::DoNotOptimize(raw.Decompress(raw_packed[i], &room)); },
      [&](size_t i) { return RecordsOf(batches[i]).size(); });
}

#define WEIR_CODEC_ROWS(name, codec)                                                     \
  BENCHMARK_CAPTURE(BM_Compress, name, codec)->Name("Compress/" #name)->UseManualTime(); \
  BENCHMARK_CAPTURE(BM_Decompress, name, codec)->Name("Decompress/" #name)->UseManualTime()
WEIR_CODEC_ROWS(gzip, Codec::kGzip);
WEIR_CODEC_ROWS(snappy, Codec::kSnappy);
WEIR_CODEC_ROWS(lz4, Codec::kLz4);
WEIR_CODEC_ROWS(zstd, Codec::kZstd);
#undef WEIR_CODEC_ROWS

void BM_BatchWalk(benchmark::State& state) {
  const std::vector<std::string>& batches = OrderBatches();
  RunAgainstFloor(
      state, batches.size(), 64,
      [&](size_t i) {
        const auto batch = protocol::RecordBatchView::Parse(batches[i]);
        WEIR_CHECK(batch.ok());
        protocol::RecordIterator it(batch->records(), batch->record_count());
        for (protocol::Record record; it.Next(&record);) benchmark::DoNotOptimize(record.key);
        WEIR_CHECK(it.status().ok());
      },
      [&](size_t i) {
        const absl::string_view records = RecordsOf(batches[i]);
        const char* at = records.data();
        for (const char* const end = at + records.size(); at != end;) {
          int32_t size = 0;
          at = GetVarint(at, end, &size) + size;
        }
        benchmark::DoNotOptimize(at);
      },
      [&](size_t i) { return batches[i].size(); });
}
BENCHMARK(BM_BatchWalk)->Name("BatchWalk")->UseManualTime();

}  // namespace
}  // namespace weir::bench

BENCHMARK_MAIN();

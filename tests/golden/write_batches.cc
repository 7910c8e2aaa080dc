// Writes our batches of every codec into the folder that the argument names, for GenerateBatches.java
// to verify.
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "protocol/compression.h"
#include "protocol/compression_batch.h"
#include "protocol/record_batch.h"
#include "protocol/record_codec.h"
#include "tests/golden/batches.h"

namespace {

void Write(absl::string_view folder, absl::string_view name, const std::string& bytes) {
  std::ofstream file(absl::StrCat(folder, "/", name, ".bin"), std::ios::binary);
  file << bytes;
  WEIR_CHECK(file.good());
}

}  // namespace

int main(int argc, char** argv) {
  using weir::protocol::Codec;
  if (argc != 2) {
    std::fprintf(stderr, "write_batches: expected one folder\n");
    return 2;
  }
  const std::string plain = weir::golden::SampleBatch(/*idempotent=*/false);
  Write(argv[1], "none", plain);
  Write(argv[1], "idempotent", weir::golden::SampleBatch(/*idempotent=*/true));
  weir::protocol::Compressor compressor;
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    std::string packed;
    WEIR_CHECK(weir::protocol::CompressBatch(compressor,
                                             *weir::protocol::RecordBatchView::Parse(plain), codec,
                                             std::nullopt, &packed)
                   .ok());
    Write(argv[1], weir::protocol::CodecName(codec), packed);
  }
  return 0;
}

#include "base/siphash.h"

#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "base/endian.h"
#include "base/hex.h"
#include "base/random.h"
#include "gtest/gtest.h"

namespace weir {
namespace {

constexpr SipKey kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};

std::string Bytes(const Hash128& hash) {
  std::string bytes(16, '\0');
  StoreBig64(&bytes[0], __builtin_bswap64(hash.low));
  StoreBig64(&bytes[8], __builtin_bswap64(hash.high));
  return bytes;
}

// Those of the authors' reference implementation (vectors_sip128), as `openssl mac SIPHASH` with 16
// bytes of output gives them as well.
TEST(SipHash128, OfTheBytesCountingUp) {
  const std::pair<size_t, const char*> kVectors[] = {
      {0, "a3817f04ba25a8e66df67214c7550293"},  {1, "da87c1d86b99af44347659119b22fc45"},
      {7, "a1f1ebbed8dbc153c0b84aa61ff08239"},  {8, "3b62a9ba6258f5610f83e264f31497b4"},
      {15, "5493e99933b0a8117e08ec0f97cfc3d9"}, {63, "5150d1772f50834a503e069a973fbd7c"}};
  std::string input;
  for (int i = 0; i < 64; ++i) input.push_back(static_cast<char>(i));
  for (const auto& [size, expected] : kVectors) {
    EXPECT_EQ(Bytes(SipHash128(kKey, absl::string_view(input).substr(0, size))),
              BytesOfHex(expected))
        << size;
  }
}

TEST(SipHash128, EveryBitOfTheKeyCounts) {
  std::set<std::pair<uint64_t, uint64_t>> seen;
  for (int bit = 0; bit < 128; ++bit) {
    SipKey key = kKey;
    (bit < 64 ? key.k0 : key.k1) ^= uint64_t{1} << (bit % 64);
    const Hash128 hash = SipHash128(key, "key");
    seen.emplace(hash.low, hash.high);
  }
  EXPECT_EQ(seen.size(), 128u);
}

TEST(SipKey, IsDrawnWhole) {
  SeededRandom random(7);
  const SipKey key = SipKey::Draw(random);
  SeededRandom again(7);
  EXPECT_EQ(key.k0, again.NextU64());
  EXPECT_EQ(key.k1, again.NextU64());
}

}  // namespace
}  // namespace weir

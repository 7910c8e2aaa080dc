#include "base/crc32c.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/random.h"
#include "gtest/gtest.h"

namespace weir {
namespace {

std::string RandomBytes(size_t size, uint64_t seed) {
  SeededRandom random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.NextU64());
  return bytes;
}

// Every implementation that this machine can run, by name.
std::vector<std::pair<std::string, base_internal::Crc32cFunction>> Implementations() {
  std::vector<std::pair<std::string, base_internal::Crc32cFunction>> all = {
      {"portable", base_internal::Crc32cPortable}, {"chosen", base_internal::ChooseCrc32c()}};
#if defined(__x86_64__)
  if (base_internal::Crc32cHasSse42()) all.emplace_back("sse42", base_internal::Crc32cSse42);
  if (base_internal::Crc32cHasPclmul()) all.emplace_back("pclmul", base_internal::Crc32cPclmul);
  if (base_internal::Crc32cHasVpclmul512()) {
    all.emplace_back("vpclmul512", base_internal::Crc32cVpclmul512);
  }
#endif
  return all;
}

// RFC 3720, section B.4.
TEST(Crc32c, Rfc3720Vectors) {
  std::string up, down;
  for (int i = 0; i < 32; ++i) {
    up.push_back(static_cast<char>(i));
    down.push_back(static_cast<char>(31 - i));
  }
  const std::string read_command(
      "\x01\xc0\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x14\x00\x00\x00\x00\x00\x04"
      "\x00\x00\x00\x00\x14\x00\x00\x00\x18\x28\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00"
      "\x00\x00",
      48);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(Crc32c(up), 0x46dd794eu);
  EXPECT_EQ(Crc32c(down), 0x113fdb5cu);
  EXPECT_EQ(Crc32c(read_command), 0xd9963a56u);
  // The check value of the CRC catalogue, CRC-32/ISCSI.
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(""), 0u);
}

TEST(Crc32c, EveryImplementationAgreesAtEveryLength) {
  const std::string bytes = RandomBytes(1100 + 64, 1);
  SeededRandom random(2);
  for (const auto& [name, run] : Implementations()) {
    for (size_t size = 0; size <= 1100; ++size) {
      const char* from = bytes.data() + random.Below(64);
      const uint32_t raw = static_cast<uint32_t>(random.NextU64());
      ASSERT_EQ(run(raw, from, size), base_internal::Crc32cBytewise(raw, from, size))
          << name << " at " << size << " bytes";
    }
  }
}

TEST(Crc32c, EveryImplementationAgreesOnLargeInput) {
  const std::string bytes = RandomBytes(300'007, 3);
  const uint32_t expected = base_internal::Crc32cBytewise(~0u, bytes.data(), bytes.size());
  for (const auto& [name, run] : Implementations()) {
    EXPECT_EQ(run(~0u, bytes.data(), bytes.size()), expected) << name;
  }
}

TEST(Crc32c, ExtendIsConcatenation) {
  const std::string bytes = RandomBytes(2000, 4);
  const absl::string_view all = bytes;
  for (size_t cut = 0; cut <= all.size(); ++cut) {
    ASSERT_EQ(Crc32cExtend(Crc32c(all.substr(0, cut)), all.substr(cut)), Crc32c(all)) << cut;
  }
}

TEST(Crc32c, SeesEveryFlippedBit) {
  std::string bytes = RandomBytes(700, 5);
  const uint32_t before = Crc32c(bytes);
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    ASSERT_NE(Crc32c(bytes), before) << "bit " << bit;
    bytes[bit / 8] ^= static_cast<char>(1 << (bit % 8));
  }
}

}  // namespace
}  // namespace weir

// -----------------------------------------------------------------------------
// File: base/internal/crc32c_portable.h
// -----------------------------------------------------------------------------
// CRC-32C without special instructions: slicing-by-8 (Kounavis and Berry, 2005), tables computed by
// the compiler. Works on the raw register: callers invert before and after.
#ifndef WEIR_BASE_INTERNAL_CRC32C_PORTABLE_H_
#define WEIR_BASE_INTERNAL_CRC32C_PORTABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/endian.h"

namespace weir::base_internal {

inline constexpr uint32_t kCrc32cPolynomial = 0x82f63b78;  // bit-reflected

// The register `raw`, a polynomial with x^0 in its top bit, times x modulo the polynomial.
constexpr uint32_t Crc32cTimesX(uint32_t raw) {
  return (raw >> 1) ^ ((raw & 1) != 0 ? kCrc32cPolynomial : 0);
}

using Crc32cTables = std::array<std::array<uint32_t, 256>, 8>;

constexpr Crc32cTables MakeCrc32cTables() {
  Crc32cTables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t raw = byte;
    for (int bit = 0; bit < 8; ++bit) raw = Crc32cTimesX(raw);
    tables[0][byte] = raw;
  }
  for (size_t slice = 1; slice < 8; ++slice) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t before = tables[slice - 1][byte];
      tables[slice][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

inline constexpr Crc32cTables kCrc32cTables = MakeCrc32cTables();

inline uint32_t Crc32cBytewise(uint32_t raw, const char* data, size_t size) {
  for (; size > 0; --size) {
    raw = (raw >> 8) ^ kCrc32cTables[0][(raw ^ static_cast<uint8_t>(*data++)) & 0xff];
  }
  return raw;
}

// base/endian.h refuses big-endian hosts, so a plain load has the first byte lowest.
inline uint32_t Crc32cPortable(uint32_t raw, const char* data, size_t size) {
  const Crc32cTables& t = kCrc32cTables;
  for (; size >= 8; size -= 8, data += 8) {
    uint64_t word;
    std::memcpy(&word, data, sizeof(word));
    word ^= raw;
    raw = t[7][word & 0xff] ^ t[6][(word >> 8) & 0xff] ^ t[5][(word >> 16) & 0xff] ^
          t[4][(word >> 24) & 0xff] ^ t[3][(word >> 32) & 0xff] ^ t[2][(word >> 40) & 0xff] ^
          t[1][(word >> 48) & 0xff] ^ t[0][word >> 56];
  }
  return Crc32cBytewise(raw, data, size);
}

}  // namespace weir::base_internal

#endif  // WEIR_BASE_INTERNAL_CRC32C_PORTABLE_H_

// -----------------------------------------------------------------------------
// File: base/internal/crc32c_arm.h
// -----------------------------------------------------------------------------
// CRC-32C by the crc32c instructions of ARMv8.1. Works on the raw register.
#ifndef WEIR_BASE_INTERNAL_CRC32C_ARM_H_
#define WEIR_BASE_INTERNAL_CRC32C_ARM_H_

#if defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)

#include <arm_acle.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weir::base_internal {

inline uint32_t Crc32cArm(uint32_t raw, const char* data, size_t size) {
  for (; size >= 8; size -= 8, data += 8) {
    uint64_t word;
    std::memcpy(&word, data, sizeof(word));
    raw = __crc32cd(raw, word);
  }
  for (; size > 0; --size) raw = __crc32cb(raw, static_cast<uint8_t>(*data++));
  return raw;
}

}  // namespace weir::base_internal

#endif  // defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)

#endif  // WEIR_BASE_INTERNAL_CRC32C_ARM_H_

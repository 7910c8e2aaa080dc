// -----------------------------------------------------------------------------
// File: base/crc32c.h
// -----------------------------------------------------------------------------
// CRC-32C (Castagnoli), which guards every record batch. The best implementation that the processor
// has is chosen once, at the first call; no compile flags are needed:
//   x86-64 with AVX-512 and VPCLMULQDQ: folds 256 bytes at a time by carry-less multiplication
//   x86-64 with PCLMULQDQ:              folds 64 bytes at a time
//   x86-64 with SSE4.2 only:            the crc32 instruction, 8 bytes at a time
//   aarch64 compiled with +crc:         the crc32c instructions, 8 bytes at a time
//   elsewhere:                          slicing-by-8 tables
// Format: RFC 3720 section B.4 (polynomial 0x1edc6f41, reflected, initial value and final xor ~0).
// Threading: pure functions.
#ifndef WEIR_BASE_CRC32C_H_
#define WEIR_BASE_CRC32C_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "base/internal/crc32c_portable.h"
#if defined(__x86_64__)
#include "base/internal/crc32c_x86.h"
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include "base/internal/crc32c_arm.h"
#endif

namespace weir {

namespace base_internal {

// Continues the raw register (not inverted) over `size` bytes.
using Crc32cFunction = uint32_t (*)(uint32_t raw, const char* data, size_t size);

inline Crc32cFunction ChooseCrc32c() {
#if defined(__x86_64__)
  if (Crc32cHasVpclmul512()) return Crc32cVpclmul512;
  if (Crc32cHasPclmul()) return Crc32cPclmul;
  if (Crc32cHasSse42()) return Crc32cSse42;
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
  return Crc32cArm;
#endif
  return Crc32cPortable;
}

}  // namespace base_internal

// The CRC of A followed by `more`, given crc = Crc32c(A). Crc32c of nothing is 0.
inline uint32_t Crc32cExtend(uint32_t crc, absl::string_view more) {
  static const base_internal::Crc32cFunction run = base_internal::ChooseCrc32c();
  return ~run(~crc, more.data(), more.size());
}

inline uint32_t Crc32c(absl::string_view data) { return Crc32cExtend(0, data); }

}  // namespace weir

#endif  // WEIR_BASE_CRC32C_H_

// -----------------------------------------------------------------------------
// File: base/internal/crc32c_x86.h
// -----------------------------------------------------------------------------
// CRC-32C on x86-64: by the crc32 instruction, and by folding with carry-less multiplication
// (Gopal et al., Fast CRC Computation for Generic Polynomials Using PCLMULQDQ, Intel 2009). Works
// on the raw register. Each function may only run where its Crc32cHas... says so.
//
// Folding: a 128-bit lane of the message stands for lo * x^64 + hi, because its first bytes have
// the highest powers. A lane that is D bits ahead of another is multiplied by x^D mod P and added
// to it. The product of two bit-reflected 64-bit numbers comes out one power too low, and a 32-bit
// constant in a 64-bit operand counts as x^32 too high, so the constants are x^(D + 64 - 33) for lo
// and x^(D - 33) for hi. What is left in the end is one lane, which the crc32 instruction reduces.
#ifndef WEIR_BASE_INTERNAL_CRC32C_X86_H_
#define WEIR_BASE_INTERNAL_CRC32C_X86_H_

#if defined(__x86_64__)

#include <nmmintrin.h>
#include <wmmintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/internal/crc32c_portable.h"

namespace weir::base_internal {

// x^power mod P, with x^0 in the top bit.
constexpr uint32_t Crc32cPower(int power) {
  uint32_t raw = 0x80000000;
  for (; power > 0; --power) raw = Crc32cTimesX(raw);
  return raw;
}

template <int kDistanceBits>
struct Crc32cFold {
  static constexpr long long kLo = Crc32cPower(kDistanceBits + 31);
  static constexpr long long kHi = Crc32cPower(kDistanceBits - 33);
};
// The constants that the Linux kernel's crc32c uses for four lanes of 128 bits.
static_assert(Crc32cFold<512>::kLo == 0x740eef02 && Crc32cFold<512>::kHi == 0x9e4addf8);

inline bool Crc32cHasSse42() { return __builtin_cpu_supports("sse4.2"); }
inline bool Crc32cHasPclmul() { return Crc32cHasSse42() && __builtin_cpu_supports("pclmul"); }
inline bool Crc32cHasVpclmul512() {
  return Crc32cHasPclmul() && __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("vpclmulqdq");
}

[[gnu::target("sse4.2")]] inline uint32_t Crc32cSse42(uint32_t raw, const char* data, size_t size) {
  uint64_t crc = raw;
  for (; size >= 8; size -= 8, data += 8) {
    uint64_t word;
    std::memcpy(&word, data, sizeof(word));
    crc = _mm_crc32_u64(crc, word);
  }
  raw = static_cast<uint32_t>(crc);
  for (; size > 0; --size) raw = _mm_crc32_u8(raw, static_cast<uint8_t>(*data++));
  return raw;
}

[[gnu::target("sse4.2,pclmul"), gnu::always_inline]] inline __m128i Crc32cLoad(const char* data) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(data));
}

// `lane` moved ahead by the distance of `by` and added to `onto`.
[[gnu::target("sse4.2,pclmul"), gnu::always_inline]] inline __m128i Crc32cFoldLane(__m128i lane,
                                                                                   __m128i by,
                                                                                   __m128i onto) {
  const __m128i lo = _mm_clmulepi64_si128(lane, by, 0x00);
  const __m128i hi = _mm_clmulepi64_si128(lane, by, 0x11);
  return _mm_xor_si128(_mm_xor_si128(lo, hi), onto);
}

template <int kDistanceBits>
[[gnu::target("sse4.2,pclmul"), gnu::always_inline]] inline __m128i Crc32cFoldBy() {
  using Fold = Crc32cFold<kDistanceBits>;
  return _mm_set_epi64x(Fold::kHi, Fold::kLo);
}

// Four lanes behind each other become the register that they leave.
[[gnu::target("sse4.2,pclmul"), gnu::always_inline]] inline uint32_t Crc32cReduce(__m128i a,
                                                                                  __m128i b,
                                                                                  __m128i c,
                                                                                  __m128i d) {
  const __m128i by = Crc32cFoldBy<128>();
  const __m128i last = Crc32cFoldLane(Crc32cFoldLane(Crc32cFoldLane(a, by, b), by, c), by, d);
  const uint64_t raw = _mm_crc32_u64(0, static_cast<uint64_t>(_mm_cvtsi128_si64(last)));
  return static_cast<uint32_t>(
      _mm_crc32_u64(raw, static_cast<uint64_t>(_mm_extract_epi64(last, 1))));
}

[[gnu::target("sse4.2,pclmul")]] inline uint32_t Crc32cPclmul(uint32_t raw, const char* data,
                                                              size_t size) {
  if (size >= 64) {
    const __m128i by = Crc32cFoldBy<512>();
    __m128i a = _mm_xor_si128(Crc32cLoad(data), _mm_cvtsi32_si128(static_cast<int>(raw)));
    __m128i b = Crc32cLoad(data + 16);
    __m128i c = Crc32cLoad(data + 32);
    __m128i d = Crc32cLoad(data + 48);
    for (data += 64, size -= 64; size >= 64; data += 64, size -= 64) {
      a = Crc32cFoldLane(a, by, Crc32cLoad(data));
      b = Crc32cFoldLane(b, by, Crc32cLoad(data + 16));
      c = Crc32cFoldLane(c, by, Crc32cLoad(data + 32));
      d = Crc32cFoldLane(d, by, Crc32cLoad(data + 48));
    }
    raw = Crc32cReduce(a, b, c, d);
  }
  return Crc32cSse42(raw, data, size);
}

// Vectors of 512 bits as the compilers have them by themselves: <immintrin.h>, which declares the
// intrinsics, would add half a second to the compiling of every unit that checks a batch.
#define WEIR_CRC32C_512 gnu::target("sse4.2,pclmul,avx512f,vpclmulqdq")

using Crc32cLanes __attribute__((vector_size(64))) = long long;  // four lanes
using Crc32cUnalignedLanes __attribute__((vector_size(64), aligned(1), may_alias)) = long long;

[[WEIR_CRC32C_512, gnu::always_inline]] inline Crc32cLanes Crc32cLoad512(const char* data) {
  return *reinterpret_cast<const Crc32cUnalignedLanes*>(data);
}

[[WEIR_CRC32C_512, gnu::always_inline]] inline Crc32cLanes Crc32cFold512(Crc32cLanes lanes,
                                                                         Crc32cLanes by,
                                                                         Crc32cLanes onto) {
#if defined(__clang__)
  return __builtin_ia32_pclmulqdq512(lanes, by, 0x00) ^
         __builtin_ia32_pclmulqdq512(lanes, by, 0x11) ^ onto;
#else
  return __builtin_ia32_vpclmulqdq_v8di(lanes, by, 0x00) ^
         __builtin_ia32_vpclmulqdq_v8di(lanes, by, 0x11) ^ onto;
#endif
}

template <int kDistanceBits>
[[WEIR_CRC32C_512, gnu::always_inline]] inline Crc32cLanes Crc32cFoldBy512() {
  using Fold = Crc32cFold<kDistanceBits>;
  return Crc32cLanes{Fold::kLo, Fold::kHi, Fold::kLo, Fold::kHi,
                     Fold::kLo, Fold::kHi, Fold::kLo, Fold::kHi};
}

template <int kLane>
[[WEIR_CRC32C_512, gnu::always_inline]] inline __m128i Crc32cLaneOf(Crc32cLanes lanes) {
  return (__m128i)__builtin_shufflevector(lanes, lanes, 2 * kLane, 2 * kLane + 1);
}

[[WEIR_CRC32C_512]] inline uint32_t Crc32cVpclmul512(uint32_t raw, const char* data, size_t size) {
  if (size < 256) return Crc32cPclmul(raw, data, size);
  Crc32cLanes a = Crc32cLoad512(data) ^ Crc32cLanes{static_cast<long long>(uint64_t{raw})};
  Crc32cLanes b = Crc32cLoad512(data + 64);
  Crc32cLanes c = Crc32cLoad512(data + 128);
  Crc32cLanes d = Crc32cLoad512(data + 192);
  const Crc32cLanes by2048 = Crc32cFoldBy512<2048>();
  for (data += 256, size -= 256; size >= 256; data += 256, size -= 256) {
    a = Crc32cFold512(a, by2048, Crc32cLoad512(data));
    b = Crc32cFold512(b, by2048, Crc32cLoad512(data + 64));
    c = Crc32cFold512(c, by2048, Crc32cLoad512(data + 128));
    d = Crc32cFold512(d, by2048, Crc32cLoad512(data + 192));
  }
  const Crc32cLanes by512 = Crc32cFoldBy512<512>();
  a = Crc32cFold512(Crc32cFold512(Crc32cFold512(a, by512, b), by512, c), by512, d);
  for (; size >= 64; data += 64, size -= 64) a = Crc32cFold512(a, by512, Crc32cLoad512(data));
  // Through registers: g++ 12's AddressSanitizer breaks functions that keep a 64-byte vector in an
  // array of their own.
  raw = Crc32cReduce(Crc32cLaneOf<0>(a), Crc32cLaneOf<1>(a), Crc32cLaneOf<2>(a),
                     Crc32cLaneOf<3>(a));
  return Crc32cSse42(raw, data, size);
}

#undef WEIR_CRC32C_512

}  // namespace weir::base_internal

#endif  // defined(__x86_64__)

#endif  // WEIR_BASE_INTERNAL_CRC32C_X86_H_

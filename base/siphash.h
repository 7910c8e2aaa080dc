// -----------------------------------------------------------------------------
// File: base/siphash.h
// -----------------------------------------------------------------------------
// SipHash-2-4 with 128 bits of output (Aumasson, Bernstein: SipHash, a fast short-input PRF, 2012):
// who does not know the key cannot find two inputs of one hash, however many he may send.
#ifndef WEIR_BASE_SIPHASH_H_
#define WEIR_BASE_SIPHASH_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/strings/string_view.h"
#include "base/random.h"

namespace weir {

struct SipKey {
  uint64_t k0 = 0;
  uint64_t k1 = 0;

  static SipKey Draw(Random& random) {
    const uint64_t first = random.NextU64();
    return {first, random.NextU64()};
  }
};

struct Hash128 {
  uint64_t low = 0;
  uint64_t high = 0;
  friend bool operator==(const Hash128&, const Hash128&) = default;
};

namespace base_internal {

struct SipState {
  uint64_t v0, v1, v2, v3;

  void Round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void Compress(uint64_t word) {
    v3 ^= word;
    Round();
    Round();
    v0 ^= word;
  }
  uint64_t Finish() {
    for (int i = 0; i < 4; ++i) Round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

}  // namespace base_internal

inline Hash128 SipHash128(const SipKey& key, absl::string_view bytes) {
  static_assert(std::endian::native == std::endian::little);
  base_internal::SipState state{key.k0 ^ 0x736f6d6570736575, key.k1 ^ 0x646f72616e646f6d ^ 0xee,
                                key.k0 ^ 0x6c7967656e657261, key.k1 ^ 0x7465646279746573};
  const char* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, at, 8);
    state.Compress(word);
  }
  uint64_t last = 0;
  if (left > 0) std::memcpy(&last, at, left);
  state.Compress(last | (uint64_t{bytes.size()} << 56));
  state.v2 ^= 0xee;
  Hash128 hash;
  hash.low = state.Finish();
  state.v1 ^= 0xdd;
  hash.high = state.Finish();
  return hash;
}

}  // namespace weir

#endif  // WEIR_BASE_SIPHASH_H_

// -----------------------------------------------------------------------------
// File: base/random.h
// -----------------------------------------------------------------------------
// The randomness port. State machines draw from a Random that their driver hands them, never from a
// global one, so that a simulation repeats from its seed. Threading: one Random per thread.
#ifndef WEIR_BASE_RANDOM_H_
#define WEIR_BASE_RANDOM_H_

#include <sys/random.h>

#include <cstdint>

#include "base/check.h"

namespace weir {

class Random {
 public:
  virtual ~Random() = default;

  virtual uint64_t NextU64() = 0;

  // Uniform in [0, bound); bound > 0. The bias is below 2^-32 for bounds below 2^32.
  uint64_t Below(uint64_t bound) {
    WEIR_CHECK(bound > 0);
    return static_cast<uint64_t>((static_cast<unsigned __int128>(NextU64()) * bound) >> 64);
  }

  // True once in `n` draws on average; n > 0.
  bool OneIn(uint64_t n) { return Below(n) == 0; }
};

// Repeatable from its seed: splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
// Generators, 2014).
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}

  uint64_t NextU64() override {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

// The kernel's generator, for ids that must not be guessed or repeated.
class SystemRandom final : public Random {
 public:
  uint64_t NextU64() override {
    uint64_t value = 0;
    WEIR_CHECK(getrandom(&value, sizeof(value), 0) == static_cast<ssize_t>(sizeof(value)));
    return value;
  }
};

}  // namespace weir

#endif  // WEIR_BASE_RANDOM_H_

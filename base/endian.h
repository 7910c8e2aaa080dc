// -----------------------------------------------------------------------------
// File: base/endian.h
// -----------------------------------------------------------------------------
// Unaligned loads and stores in network (big-endian) order, which Kafka uses on the wire and on
// disk.
#ifndef WEIR_BASE_ENDIAN_H_
#define WEIR_BASE_ENDIAN_H_

#include <bit>
#include <cstdint>
#include <cstring>

namespace weir {

namespace base_internal {

static_assert(std::endian::native == std::endian::little, "big-endian hosts are not supported");

inline uint16_t ByteSwap(uint16_t v) { return __builtin_bswap16(v); }
inline uint32_t ByteSwap(uint32_t v) { return __builtin_bswap32(v); }
inline uint64_t ByteSwap(uint64_t v) { return __builtin_bswap64(v); }

template <class T>
T LoadBig(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return ByteSwap(value);
}

template <class T>
void StoreBig(char* to, T value) {
  value = ByteSwap(value);
  std::memcpy(to, &value, sizeof(value));
}

}  // namespace base_internal

inline uint16_t LoadBig16(const char* from) { return base_internal::LoadBig<uint16_t>(from); }
inline uint32_t LoadBig32(const char* from) { return base_internal::LoadBig<uint32_t>(from); }
inline uint64_t LoadBig64(const char* from) { return base_internal::LoadBig<uint64_t>(from); }

inline void StoreBig16(char* to, uint16_t value) { base_internal::StoreBig(to, value); }
inline void StoreBig32(char* to, uint32_t value) { base_internal::StoreBig(to, value); }
inline void StoreBig64(char* to, uint64_t value) { base_internal::StoreBig(to, value); }

}  // namespace weir

#endif  // WEIR_BASE_ENDIAN_H_

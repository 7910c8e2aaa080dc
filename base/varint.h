// -----------------------------------------------------------------------------
// File: base/varint.h
// -----------------------------------------------------------------------------
// Base-128 varints, least significant group first, as in Protocol Buffers and in Kafka's protocol
// (KIP-482) and records. Unsigned varints encode uint32/uint64; signed ones are zig-zag encoded
// first. Errors: readers return a null pointer when the input ends early or a value does not fit;
// they never read past `end`.
#ifndef WEIR_BASE_VARINT_H_
#define WEIR_BASE_VARINT_H_

#include <bit>
#include <cstddef>
#include <cstdint>

namespace weir {

inline constexpr size_t kVarint32BytesMax = 5;
inline constexpr size_t kVarint64BytesMax = 10;

constexpr uint32_t ZigZag(int32_t v) {
  return (static_cast<uint32_t>(v) << 1) ^ static_cast<uint32_t>(v >> 31);
}
constexpr uint64_t ZigZag(int64_t v) {
  return (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63);
}
constexpr int32_t UnZigZag(uint32_t v) { return static_cast<int32_t>((v >> 1) ^ (~(v & 1) + 1)); }
constexpr int64_t UnZigZag(uint64_t v) { return static_cast<int64_t>((v >> 1) ^ (~(v & 1) + 1)); }

// Bytes that the unsigned varint of `v` takes: 1 to 5, or 1 to 10.
constexpr size_t UvarintSize(uint64_t v) {
  return (static_cast<size_t>(std::bit_width(v | 1)) + 6) / 7;
}
constexpr size_t VarintSize(int32_t v) { return UvarintSize(ZigZag(v)); }
constexpr size_t VarlongSize(int64_t v) { return UvarintSize(ZigZag(v)); }

// Writes `v` at `to`, which must have room, and returns the place behind it.
inline char* PutUvarint(char* to, uint64_t v) {
  while (v >= 0x80) {
    *to++ = static_cast<char>(v | 0x80);
    v >>= 7;
  }
  *to++ = static_cast<char>(v);
  return to;
}
inline char* PutVarint(char* to, int32_t v) { return PutUvarint(to, ZigZag(v)); }
inline char* PutVarlong(char* to, int64_t v) { return PutUvarint(to, ZigZag(v)); }

namespace base_internal {

template <class T>
const char* GetUvarint(const char* from, const char* end, T* value) {
  constexpr int kBits = sizeof(T) * 8;
  T result = 0;
  for (int shift = 0; shift < kBits; shift += 7) {
    if (from == end) return nullptr;
    const uint8_t byte = static_cast<uint8_t>(*from++);
    const T group = byte & 0x7f;
    if (kBits - shift < 7 && (group >> (kBits - shift)) != 0) return nullptr;
    result |= group << shift;
    if (byte < 0x80) {
      *value = result;
      return from;
    }
  }
  return nullptr;
}

}  // namespace base_internal

// Each reads one value from [from, end) into *value and returns the place behind it, or null.
inline const char* GetUvarint32(const char* from, const char* end, uint32_t* value) {
  return base_internal::GetUvarint(from, end, value);
}
inline const char* GetUvarint64(const char* from, const char* end, uint64_t* value) {
  return base_internal::GetUvarint(from, end, value);
}
inline const char* GetVarint(const char* from, const char* end, int32_t* value) {
  uint32_t raw = 0;
  from = GetUvarint32(from, end, &raw);
  if (from != nullptr) *value = UnZigZag(raw);
  return from;
}
inline const char* GetVarlong(const char* from, const char* end, int64_t* value) {
  uint64_t raw = 0;
  from = GetUvarint64(from, end, &raw);
  if (from != nullptr) *value = UnZigZag(raw);
  return from;
}

}  // namespace weir

#endif  // WEIR_BASE_VARINT_H_

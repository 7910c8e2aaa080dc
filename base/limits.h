// -----------------------------------------------------------------------------
// File: base/limits.h
// -----------------------------------------------------------------------------
// Bounds that hold whatever a peer, a disk or a configuration says. Decoders check a length against
// the bytes that remain and against these before they allocate.
#ifndef WEIR_BASE_LIMITS_H_
#define WEIR_BASE_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace weir {

inline constexpr int32_t kFrameBytesMax = 100 << 20;  // Kafka's default socket.request.max.bytes
inline constexpr size_t kTopicNameBytesMax = 249;  // Kafka's Topic.MAX_NAME_LENGTH
inline constexpr int32_t kPartitionsPerTopicMax = 100'000;
// That one request creates, as in Kafka.
inline constexpr int32_t kPartitionsPerRequestMax = 10'000;
inline constexpr int32_t kRecordBatchBytesMax = kFrameBytesMax;
inline constexpr size_t kDecompressedBytesMax = size_t{256} << 20;  // of one record batch
inline constexpr size_t kTaggedFieldsMax = 1024;                    // of one struct
inline constexpr size_t kDecodedBytesMax = size_t{256} << 20;       // of one message, in memory

}  // namespace weir

#endif  // WEIR_BASE_LIMITS_H_

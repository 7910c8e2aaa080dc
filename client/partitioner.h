// -----------------------------------------------------------------------------
// File: client/partitioner.h
// -----------------------------------------------------------------------------
// Which partition a record goes to. With a key: by the key's murmur2 hash, so that a key lands
// where Kafka's Java client and librdkafka's murmur2 partitioners put it. Without: on one partition
// until a batch's worth of bytes went there, then on another (KIP-794, its uniform form).
// Threading: one thread; pure.
#ifndef WEIR_CLIENT_PARTITIONER_H_
#define WEIR_CLIENT_PARTITIONER_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/random.h"

namespace weir::client {

// MurmurHash2 (Austin Appleby), 32 bits, with the seed that Kafka uses; as Java's signed int.
inline int32_t Murmur2(absl::string_view bytes) {
  constexpr uint32_t kSeed = 0x9747b28c;
  constexpr uint32_t kMultiplier = 0x5bd1e995;
  constexpr int kShift = 24;
  const auto byte = [&](size_t i) { return uint32_t{static_cast<uint8_t>(bytes[i])}; };
  uint32_t hash = kSeed ^ static_cast<uint32_t>(bytes.size());
  size_t at = 0;
  for (; at + 4 <= bytes.size(); at += 4) {
    uint32_t word = byte(at) | byte(at + 1) << 8 | byte(at + 2) << 16 | byte(at + 3) << 24;
    word *= kMultiplier;
    word ^= word >> kShift;
    word *= kMultiplier;
    hash = hash * kMultiplier ^ word;
  }
  const size_t rest = bytes.size() - at;
  if (rest >= 3) hash ^= byte(at + 2) << 16;
  if (rest >= 2) hash ^= byte(at + 1) << 8;
  if (rest >= 1) hash = (hash ^ byte(at)) * kMultiplier;
  hash ^= hash >> 13;
  hash *= kMultiplier;
  hash ^= hash >> 15;
  return static_cast<int32_t>(hash);
}

// partitions > 0.
inline int32_t PartitionForKey(absl::string_view key, int32_t partitions) {
  WEIR_CHECK(partitions > 0);
  return (Murmur2(key) & 0x7fffffff) % partitions;
}

// For the records without key of one topic.
class StickyPartitioner {
 public:
  // `available` are the partitions that have a leader, of `partitions` in all; when none has, any
  // will do. `batch_bytes` is how much makes it change.
  int32_t Next(absl::Span<const int32_t> available, int32_t partitions, int64_t record_bytes,
               int64_t batch_bytes, Random& random) {
    WEIR_CHECK(partitions > 0);
    if (current_ < 0 || current_ >= partitions || bytes_ >= batch_bytes) {
      current_ = Another(available, partitions, random);
      bytes_ = 0;
    }
    bytes_ += record_bytes;
    return current_;
  }

  // The current partition lost its leader.
  void Forget() { current_ = -1; }
  int32_t current() const { return current_; }
  bool ChangesNext(int64_t batch_bytes) const { return current_ < 0 || bytes_ >= batch_bytes; }

 private:
  static int32_t Another(absl::Span<const int32_t> available, int32_t partitions, Random& random) {
    if (available.empty()) {
      return static_cast<int32_t>(random.Below(static_cast<uint64_t>(partitions)));
    }
    return available[random.Below(available.size())];
  }

  int32_t current_ = -1;
  int64_t bytes_ = 0;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_PARTITIONER_H_

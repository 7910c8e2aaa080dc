// -----------------------------------------------------------------------------
// File: coordination/group/partition_for.h
// -----------------------------------------------------------------------------
// The partition of __consumer_offsets that holds a group, and with it the group's coordinator.
// Decision: Kafka's rule to the bit, absolute value included (its Utils.abs, which maps the one
// value without an opposite to 0, and not the sign-bit mask that producers use for keys): a
// directory that Kafka wrote must find its groups where they are.
#ifndef WEIR_COORDINATION_GROUP_PARTITION_FOR_H_
#define WEIR_COORDINATION_GROUP_PARTITION_FOR_H_

#include <cstddef>
#include <cstdint>
#include <limits>

#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/ids.h"

namespace weir::group {

namespace group_internal {

// Calls unit(uint16_t) for each UTF-16 code unit of `utf8`. A byte that begins no well-formed
// sequence counts as U+FFFD.
template <class F>
void ForEachUtf16Unit(absl::string_view utf8, F unit) {
  size_t i = 0;
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(utf8[at]); };
  while (i < utf8.size()) {
    const uint8_t lead = byte(i);
    const int more = lead < 0x80   ? 0
                     : lead < 0xc2 ? -1
                     : lead < 0xe0 ? 1
                     : lead < 0xf0 ? 2
                     : lead < 0xf5 ? 3
                                   : -1;
    bool whole = more >= 0 && i + static_cast<size_t>(more) < utf8.size();
    uint32_t code = more <= 0 ? lead : lead & (0x3f >> more);
    for (int k = 1; whole && k <= more; ++k) {
      whole = (byte(i + static_cast<size_t>(k)) & 0xc0) == 0x80;
      code = code << 6 | (byte(i + static_cast<size_t>(k)) & 0x3f);
    }
    const bool overlong = (more == 2 && code < 0x800) || (more == 3 && code < 0x10000);
    if (!whole || overlong || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
      unit(uint16_t{0xfffd});
      ++i;
      continue;
    }
    i += static_cast<size_t>(more) + 1;
    if (code < 0x10000) {
      unit(static_cast<uint16_t>(code));
    } else {
      unit(static_cast<uint16_t>(0xd800 + ((code - 0x10000) >> 10)));
      unit(static_cast<uint16_t>(0xdc00 + (code & 0x3ff)));
    }
  }
}

}  // namespace group_internal

// java.lang.String.hashCode of the text.
inline int32_t JavaHashCode(absl::string_view utf8) {
  uint32_t hash = 0;
  group_internal::ForEachUtf16Unit(utf8, [&](uint16_t unit) { hash = hash * 31 + unit; });
  return static_cast<int32_t>(hash);
}

// java.lang.String.length of the text.
inline size_t Utf16Length(absl::string_view utf8) {
  size_t length = 0;
  group_internal::ForEachUtf16Unit(utf8, [&](uint16_t) { ++length; });
  return length;
}

// `partitions` > 0: how many __consumer_offsets has.
inline PartitionIndex PartitionFor(absl::string_view group_id, int32_t partitions) {
  WEIR_CHECK(partitions > 0);
  const int32_t hash = JavaHashCode(group_id);
  const int32_t positive =
      hash == std::numeric_limits<int32_t>::min() ? 0 : (hash < 0 ? -hash : hash);
  return PartitionIndex(positive % partitions);
}

}  // namespace weir::group

#endif  // WEIR_COORDINATION_GROUP_PARTITION_FOR_H_

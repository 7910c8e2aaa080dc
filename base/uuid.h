// -----------------------------------------------------------------------------
// File: base/uuid.h
// -----------------------------------------------------------------------------
// A 128-bit id, written as Kafka writes it: 22 characters of URL-safe base64 without padding.
#ifndef WEIR_BASE_UUID_H_
#define WEIR_BASE_UUID_H_

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "base/endian.h"
#include "base/random.h"

namespace weir {

struct Uuid {
  uint64_t high = 0;
  uint64_t low = 0;

  constexpr bool is_zero() const { return high == 0 && low == 0; }

  friend constexpr auto operator<=>(const Uuid&, const Uuid&) = default;
  template <class H>
  friend H AbslHashValue(H state, const Uuid& id) {
    return H::combine(std::move(state), id.high, id.low);
  }

  // A random (version 4, RFC 9562) id whose text does not begin with '-', which command lines would
  // take for a flag.
  static Uuid Random(weir::Random& random) {
    while (true) {
      Uuid id{random.NextU64(), random.NextU64()};
      id.high = (id.high & ~uint64_t{0xf000}) | 0x4000;
      id.low = (id.low & ~(uint64_t{3} << 62)) | (uint64_t{2} << 62);
      if (id.ToString().front() != '-') return id;
    }
  }

  std::string ToString() const {
    char bytes[16];
    StoreBig64(bytes, high);
    StoreBig64(bytes + 8, low);
    std::string text = absl::WebSafeBase64Escape(absl::string_view(bytes, sizeof(bytes)));
    while (!text.empty() && text.back() == '=') text.pop_back();
    return text;
  }

  // Nothing unless `text` is the base64 of exactly 16 bytes.
  static std::optional<Uuid> Parse(absl::string_view text) {
    std::string bytes;
    if (!absl::WebSafeBase64Unescape(text, &bytes) || bytes.size() != 16) return std::nullopt;
    return Uuid{LoadBig64(bytes.data()), LoadBig64(bytes.data() + 8)};
  }
};

}  // namespace weir

#endif  // WEIR_BASE_UUID_H_

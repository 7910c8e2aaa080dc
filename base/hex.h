// -----------------------------------------------------------------------------
// File: base/hex.h
// -----------------------------------------------------------------------------
// The bytes that known vectors write as hexadecimal digits, for tests. The function of that name in
// Abseil has changed its shape since 2022.
// Errors: a vector that is no even number of digits is a programmer error.
#ifndef WEIR_BASE_HEX_H_
#define WEIR_BASE_HEX_H_

#include <cstddef>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "base/check.h"

namespace weir {

inline std::string BytesOfHex(absl::string_view digits) {
  WEIR_CHECK(digits.size() % 2 == 0);
  const auto value = [digits](size_t i) {
    const char c = absl::ascii_tolower(digits[i]);
    WEIR_CHECK(absl::ascii_isxdigit(c));
    return absl::ascii_isdigit(c) ? c - '0' : c - 'a' + 10;
  };
  std::string bytes;
  bytes.reserve(digits.size() / 2);
  for (size_t i = 0; i < digits.size(); i += 2) {
    bytes.push_back(static_cast<char>(value(i) * 16 + value(i + 1)));
  }
  return bytes;
}

}  // namespace weir

#endif  // WEIR_BASE_HEX_H_

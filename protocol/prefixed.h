// -----------------------------------------------------------------------------
// File: protocol/prefixed.h
// -----------------------------------------------------------------------------
// Messages behind an int16 that says what they are: the version of a value, or the type of a key.
// The records of the coordinators' topics come so, and what members of a group tell each other.
// Threading: none of this keeps state. Errors: kInvalidArgument for less than two bytes.
#ifndef WEIR_PROTOCOL_PREFIXED_H_
#define WEIR_PROTOCOL_PREFIXED_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/endian.h"
#include "protocol/message.h"

namespace weir::protocol {

// `m` at `version`, behind `prefix`.
template <class M>
std::string EncodePrefixed(int16_t prefix, const M& m, int16_t version) {
  std::string bytes(sizeof(prefix), '\0');
  StoreBig16(bytes.data(), static_cast<uint16_t>(prefix));
  Encode(m, version, &bytes);
  return bytes;
}

// `m` behind its version.
template <class M>
std::string EncodeVersioned(const M& m, int16_t version) {
  return EncodePrefixed(version, m, version);
}

// Reads the prefix and moves *bytes behind it. `what` it is, for the message.
inline absl::StatusOr<int16_t> TakePrefix(absl::string_view* bytes, absl::string_view what) {
  if (bytes->size() < sizeof(int16_t)) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected 2 bytes of ", what, ", came ", bytes->size()));
  }
  const auto prefix = static_cast<int16_t>(LoadBig16(bytes->data()));
  bytes->remove_prefix(sizeof(int16_t));
  return prefix;
}

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_PREFIXED_H_

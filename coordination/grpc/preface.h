// -----------------------------------------------------------------------------
// File: coordination/grpc/preface.h
// -----------------------------------------------------------------------------
// What a connection speaks, by its first bytes: RFC 9113, 3.4 and RFC 8446, 5.1.
// Threading: keeps no state.
#ifndef WEIR_COORDINATION_GRPC_PREFACE_H_
#define WEIR_COORDINATION_GRPC_PREFACE_H_

#include <cstddef>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace weir::coordination {

enum class Preface {
  kUndecided,  // more bytes will tell
  kHttp2,
  kTls,
  kOther,
};

inline constexpr size_t kPrefaceBytesMax = 14;  // with so many nothing is undecided

// A length in Kafka's protocol would begin as TLS does only with 369 MB to come.
inline Preface PrefaceOf(absl::string_view first) {
  constexpr absl::string_view kHttp2 = "PRI * HTTP/2.0";
  constexpr absl::string_view kTlsHandshake = "\x16\x03";
  static_assert(kHttp2.size() == kPrefaceBytesMax);
  if (absl::StartsWith(first, kHttp2)) return Preface::kHttp2;
  if (absl::StartsWith(first, kTlsHandshake)) return Preface::kTls;
  const bool may_come = absl::StartsWith(kHttp2, first) || absl::StartsWith(kTlsHandshake, first);
  return may_come ? Preface::kUndecided : Preface::kOther;
}

}  // namespace weir::coordination

#endif  // WEIR_COORDINATION_GRPC_PREFACE_H_

// -----------------------------------------------------------------------------
// File: server/scram_keys.h
// -----------------------------------------------------------------------------
// What a server keeps of a salted password, by which it checks clients' proofs and proves itself
// (RFC 5802, section 3; RFC 7677; KIP-554).
// Threading: none of this keeps state.
#ifndef WEIR_SERVER_SCRAM_KEYS_H_
#define WEIR_SERVER_SCRAM_KEYS_H_

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <climits>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "base/check.h"
#include "coordination/metadata/controller_types.h"
#include "protocol/describe.h"

namespace weir::server {

// Mechanisms, as the protocol counts them.
inline constexpr int8_t kScramSha256 = 1;
inline constexpr int8_t kScramSha512 = 2;

namespace server_internal {

inline std::string Hmac(const EVP_MD* hash, absl::string_view key, absl::string_view text) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  WEIR_CHECK(HMAC(hash, key.data(), static_cast<int>(key.size()),
                  reinterpret_cast<const unsigned char*>(text.data()), text.size(), bytes,
                  &size) != nullptr);
  return std::string(reinterpret_cast<const char*>(bytes), size);
}

inline std::string Digest(const EVP_MD* hash, absl::string_view text) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  WEIR_CHECK(EVP_Digest(text.data(), text.size(), bytes, &size, hash, nullptr) == 1);
  return std::string(reinterpret_cast<const char*>(bytes), size);
}

}  // namespace server_internal

// Nothing for a mechanism that is not known, or more bytes than HMAC takes.
inline std::optional<metadata::ScramKeys> DeriveScramKeys(int8_t mechanism,
                                                          const protocol::Bytes& salted_password) {
  const EVP_MD* hash = mechanism == kScramSha256   ? EVP_sha256()
                       : mechanism == kScramSha512 ? EVP_sha512()
                                                   : nullptr;
  if (hash == nullptr || salted_password.value.size() > INT_MAX) return std::nullopt;
  metadata::ScramKeys keys;
  keys.stored_key.value = server_internal::Digest(
      hash, server_internal::Hmac(hash, salted_password.value, "Client Key"));
  keys.server_key.value = server_internal::Hmac(hash, salted_password.value, "Server Key");
  return keys;
}

}  // namespace weir::server

#endif  // WEIR_SERVER_SCRAM_KEYS_H_

// -----------------------------------------------------------------------------
// File: server/tls_material.h
// -----------------------------------------------------------------------------
// Reads the certificates and the key that the configuration names, and looks whether they are what
// they should be: gRPC says nothing of it until somebody connects.
// Format: PEM (RFC 7468), with or without breaks of lines; what stands between the blocks is
// ignored. Keys without a password.
// Threading: keeps no state. Errors: kInvalidArgument with the setting that named it.
// Limits: kPemBytesMax.
#ifndef WEIR_SERVER_TLS_MATERIAL_H_
#define WEIR_SERVER_TLS_MATERIAL_H_

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "log/checkpoint_file.h"
#include "log/file.h"
#include "server/node_tls.h"

namespace weir::server {

inline constexpr int64_t kPemBytesMax = int64_t{1} << 20;

struct TlsMaterial {
  std::string certificates_pem;
  std::string private_key_pem;
  std::string trusted_pem;
};

namespace server_internal {

struct PemBlock {
  std::string label;
  std::string text;  // in lines as OpenSSL reads them
};

// All blocks of a text, in their order.
inline absl::StatusOr<std::vector<PemBlock>> PemBlocks(absl::string_view text) {
  constexpr absl::string_view kBegin = "-----BEGIN ", kDashes = "-----";
  constexpr size_t kLineBytes = 64;
  std::vector<PemBlock> blocks;
  for (size_t at; (at = text.find(kBegin)) != absl::string_view::npos;) {
    text.remove_prefix(at + kBegin.size());
    const size_t label_end = text.find(kDashes);
    if (label_end == absl::string_view::npos) break;
    PemBlock block{std::string(text.substr(0, label_end)), ""};
    text.remove_prefix(label_end + kDashes.size());
    const std::string last = absl::StrCat("-----END ", block.label, kDashes);
    const size_t end = text.find(last);
    if (end == absl::string_view::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", kBegin, block.label, kDashes, "' without its end"));
    }
    std::string body;
    for (const char c : text.substr(0, end)) {
      if (absl::ascii_isspace(static_cast<unsigned char>(c))) continue;
      if (body.size() % (kLineBytes + 1) == kLineBytes) body += '\n';
      body += c;
    }
    text.remove_prefix(end + last.size());
    block.text = absl::StrCat(kBegin, block.label, kDashes, "\n", body, "\n", last, "\n");
    blocks.push_back(std::move(block));
  }
  return blocks;
}

struct OpenSslFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using CertificatePtr = std::unique_ptr<X509, OpenSslFree>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpenSslFree>;

template <class T, class Read>
std::unique_ptr<T, OpenSslFree> FromPem(const std::string& text, Read read) {
  const std::unique_ptr<BIO, OpenSslFree> bio(
      BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  // Asked for a password, it has none: OpenSSL's own function would ask the terminal.
  const auto no_password = [](char*, int, int, void*) { return 0; };
  return std::unique_ptr<T, OpenSslFree>(read(bio.get(), nullptr, no_password, nullptr));
}

inline absl::Status Wrong(const PemSource& source, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(
      source.key, ": ", source.is_file ? source.value : "", source.is_file ? ": " : "", what));
}

inline absl::StatusOr<std::vector<PemBlock>> ReadBlocks(const PemSource& source,
                                                        log::FileSystem& files) {
  std::string text = source.value;
  if (source.is_file) {
    absl::StatusOr<std::string> content = log::ReadWholeFile(files, source.value, kPemBytesMax);
    if (!content.ok()) return Wrong(source, content.status().message());
    text = *std::move(content);
  }
  absl::StatusOr<std::vector<PemBlock>> blocks = PemBlocks(text);
  if (!blocks.ok()) return Wrong(source, blocks.status().message());
  if (blocks->empty()) {
    return Wrong(source, "expected PEM, which has '-----BEGIN CERTIFICATE-----'");
  }
  return blocks;
}

// The certificates among the blocks; *first is the first of them.
inline absl::StatusOr<std::string> Certificates(const PemSource& source,
                                                const std::vector<PemBlock>& blocks,
                                                CertificatePtr* first) {
  std::string all;
  for (const PemBlock& block : blocks) {
    if (block.label != "CERTIFICATE") continue;
    CertificatePtr certificate = FromPem<X509>(block.text, PEM_read_bio_X509);
    if (certificate == nullptr) return Wrong(source, "has a certificate that cannot be read");
    if (*first == nullptr) *first = std::move(certificate);
    absl::StrAppend(&all, block.text);
  }
  if (all.empty()) return Wrong(source, "has no certificate");
  return all;
}

inline absl::StatusOr<std::string> PrivateKey(const PemSource& source,
                                              const std::vector<PemBlock>& blocks, KeyPtr* key) {
  for (const PemBlock& block : blocks) {
    if (!absl::EndsWith(block.label, "PRIVATE KEY")) continue;
    if (*key != nullptr) return Wrong(source, "has more than one private key");
    *key = FromPem<EVP_PKEY>(block.text, PEM_read_bio_PrivateKey);
    if (*key == nullptr) {
      return Wrong(source, absl::StartsWith(block.label, "ENCRYPTED")
                               ? "has a key with a password: expected one without"
                               : "has a private key that cannot be read");
    }
  }
  for (const PemBlock& block : blocks) {
    if (absl::EndsWith(block.label, "PRIVATE KEY")) return block.text;
  }
  return Wrong(source, "has no private key");
}

}  // namespace server_internal

inline absl::StatusOr<TlsMaterial> LoadTlsMaterial(const NodeTls& tls, log::FileSystem& files) {
  using server_internal::PemBlock;
  TlsMaterial material;
  server_internal::CertificatePtr own, authority;
  server_internal::KeyPtr key;
  WEIR_ASSIGN_OR_RETURN(std::vector<PemBlock> blocks,
                        server_internal::ReadBlocks(tls.certificates, files));
  WEIR_ASSIGN_OR_RETURN(material.certificates_pem,
                        server_internal::Certificates(tls.certificates, blocks, &own));
  WEIR_ASSIGN_OR_RETURN(blocks, server_internal::ReadBlocks(tls.private_key, files));
  WEIR_ASSIGN_OR_RETURN(material.private_key_pem,
                        server_internal::PrivateKey(tls.private_key, blocks, &key));
  if (X509_check_private_key(own.get(), key.get()) != 1) {
    return server_internal::Wrong(tls.private_key, "the key is not that of the first certificate");
  }
  WEIR_ASSIGN_OR_RETURN(blocks, server_internal::ReadBlocks(tls.trusted, files));
  WEIR_ASSIGN_OR_RETURN(material.trusted_pem,
                        server_internal::Certificates(tls.trusted, blocks, &authority));
  return material;
}

}  // namespace weir::server

#endif  // WEIR_SERVER_TLS_MATERIAL_H_

#include "server/tls_material.h"

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "coordination/grpc/test_certificates.h"
#include "gtest/gtest.h"
#include "log/file.h"
#include "log/memory_file.h"
#include "server/node_tls.h"

namespace weir::server {
namespace {

using coordination::kStrangeKeyPem;
using coordination::kTestAuthorityPem;
using coordination::kTestCertificatePem;
using coordination::kTestKeyPem;

class TlsMaterialTest : public testing::Test {
 protected:
  void Write(const std::string& path, absl::string_view text) {
    const auto file = files_.Open(path, log::OpenMode::kCreate);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE((*file)->Append({text}).ok());
  }
  static NodeTls Texts(absl::string_view chain, absl::string_view key, absl::string_view trusted) {
    return {{"f:1: chain", std::string(chain), false},
            {"f:2: key", std::string(key), false},
            {"f:3: trusted", std::string(trusted), false}};
  }
  std::string ErrorOf(const NodeTls& tls) {
    const absl::StatusOr<TlsMaterial> material = LoadTlsMaterial(tls, files_);
    return material.ok() ? "" : std::string(material.status().message());
  }

  log::MemoryFileSystem files_;
};

TEST_F(TlsMaterialTest, OneFileHasCertificatesAndKey) {
  Write("/k.pem", absl::StrCat("Bag Attributes: ignored\n", kTestKeyPem, "\n# own\n",
                               kTestCertificatePem, kTestAuthorityPem));
  Write("/t.pem", kTestAuthorityPem);
  const NodeTls tls{
      {"keystore", "/k.pem", true}, {"keystore", "/k.pem", true}, {"truststore", "/t.pem", true}};
  const absl::StatusOr<TlsMaterial> material = LoadTlsMaterial(tls, files_);
  ASSERT_TRUE(material.ok()) << material.status();
  EXPECT_EQ(material->certificates_pem, absl::StrCat(kTestCertificatePem, kTestAuthorityPem));
  EXPECT_EQ(material->private_key_pem, kTestKeyPem);
  EXPECT_EQ(material->trusted_pem, kTestAuthorityPem);
}

TEST_F(TlsMaterialTest, TextsNeedNoLines) {
  const auto in_one_line = [](absl::string_view pem) {
    return absl::StrReplaceAll(pem, {{"\n", " "}});
  };
  const absl::StatusOr<TlsMaterial> material =
      LoadTlsMaterial(Texts(in_one_line(kTestCertificatePem), in_one_line(kTestKeyPem),
                            in_one_line(kTestAuthorityPem)),
                      files_);
  ASSERT_TRUE(material.ok()) << material.status();
  EXPECT_EQ(material->certificates_pem, kTestCertificatePem);
  EXPECT_EQ(material->private_key_pem, kTestKeyPem);
}

TEST_F(TlsMaterialTest, WhatIsNotThereOrNotWhatItShouldBeIsNamed) {
  NodeTls missing = Texts(kTestCertificatePem, kTestKeyPem, "/none.pem");
  missing.trusted.is_file = true;
  EXPECT_TRUE(absl::StrContains(ErrorOf(missing), "f:3: trusted: /none.pem: "));

  std::string damaged = kTestCertificatePem;
  damaged[200] = damaged[200] == 'A' ? 'B' : 'A';
  damaged.erase(300, 8);
  const std::string cut(kTestCertificatePem, sizeof(kTestCertificatePem) - 40);
  const struct {
    NodeTls tls;
    const char* error;
  } kCases[] = {
      {Texts("\xfe\xed\xfe\xed", kTestKeyPem, kTestAuthorityPem), "f:1: chain: expected PEM"},
      {Texts("", kTestKeyPem, kTestAuthorityPem), "f:1: chain: expected PEM"},
      {Texts(kTestKeyPem, kTestKeyPem, kTestAuthorityPem), "f:1: chain: has no certificate"},
      {Texts(damaged, kTestKeyPem, kTestAuthorityPem), "has a certificate that cannot be read"},
      {Texts(cut, kTestKeyPem, kTestAuthorityPem), "without its end"},
      {Texts(kTestCertificatePem, kTestCertificatePem, kTestAuthorityPem),
       "f:2: key: has no private key"},
      {Texts(kTestCertificatePem, absl::StrCat(kTestKeyPem, kStrangeKeyPem), kTestAuthorityPem),
       "more than one private key"},
      {Texts(kTestCertificatePem, kStrangeKeyPem, kTestAuthorityPem),
       "f:2: key: the key is not that of the first certificate"},
      {Texts(kTestCertificatePem, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
             kTestAuthorityPem),
       "has a private key that cannot be read"},
      {Texts(kTestCertificatePem,
             "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
             kTestAuthorityPem),
       "has a key with a password: expected one without"},
      {Texts(kTestCertificatePem, kTestKeyPem, kTestKeyPem), "f:3: trusted: has no certificate"},
  };
  for (const auto& each : kCases) {
    EXPECT_TRUE(absl::StrContains(ErrorOf(each.tls), each.error)) << each.error << "\n"
                                                                  << ErrorOf(each.tls);
  }
}

TEST_F(TlsMaterialTest, NoKeyIsInAMessage) {
  const std::string error = ErrorOf(Texts(kTestKeyPem, kTestKeyPem, kTestAuthorityPem));
  EXPECT_FALSE(absl::StrContains(error, "MIGHAgEA")) << error;
}

}  // namespace
}  // namespace weir::server

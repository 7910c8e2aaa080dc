#include "server/scram_keys.h"

#include <optional>
#include <string>

#include "absl/strings/escaping.h"
#include "coordination/metadata/controller_types.h"
#include "gtest/gtest.h"
#include "protocol/describe.h"

namespace weir::server {
namespace {

// The exchange of RFC 7677, section 3: user "user" with the password "pencil", salt
// W22ZaJ0SNY7soEsUEjb6gQ==, 4096 iterations. With these keys come the RFC's own proof
// (dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=) and server signature
// (6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=), by Python's hmac and hashlib.
TEST(ScramKeysTest, Sha256AsInTheRfc) {
  const protocol::Bytes salted{
      absl::HexStringToBytes("c4a49510323ab4f952cac1fa99441939e78ea74d6be81ddf7096e87513dc615d")};
  const std::optional<metadata::ScramKeys> keys = DeriveScramKeys(kScramSha256, salted);
  ASSERT_TRUE(keys.has_value());
  EXPECT_EQ(absl::BytesToHexString(keys->stored_key.value),
            "586e5df283e6dceb5c3e791d8b8528ec191e664045ce971792e2e6b5bb13e2a6");
  EXPECT_EQ(absl::BytesToHexString(keys->server_key.value),
            "c1f3cbc1c13a9d35a14c0990eed97629ea225863e566a4314ab99f3f00e5d9d5");
}

// Of 64 bytes 'x', by Python's hmac and hashlib.
TEST(ScramKeysTest, Sha512) {
  const std::optional<metadata::ScramKeys> keys =
      DeriveScramKeys(kScramSha512, {std::string(64, 'x')});
  ASSERT_TRUE(keys.has_value());
  EXPECT_EQ(absl::BytesToHexString(keys->stored_key.value),
            "a8d9ef1ae9c676110d86e83ea88fdef69d53c3992eeb9fe92c84d6f0850b0f77"
            "74e898f5eb624d82a068b8c1ed965cb34d2d8ad3aaa4570c1942f990f256bb6c");
  EXPECT_EQ(absl::BytesToHexString(keys->server_key.value),
            "6b0cab695f94b449dce90c1020a63f25eea431a76cda5bae34a539858bf2943a"
            "f51d20c7093e040e869f6f5b7e05b2aea6682f9d91c0ed1bc9913364626076c4");
}

TEST(ScramKeysTest, OtherMechanismsAndEmptyPasswords) {
  EXPECT_FALSE(DeriveScramKeys(0, {"x"}).has_value());
  EXPECT_FALSE(DeriveScramKeys(3, {"x"}).has_value());
  EXPECT_FALSE(DeriveScramKeys(-1, {"x"}).has_value());
  const std::optional<metadata::ScramKeys> keys = DeriveScramKeys(kScramSha256, {});
  ASSERT_TRUE(keys.has_value());
  EXPECT_EQ(keys->server_key.value.size(), 32u);
}

}  // namespace
}  // namespace weir::server

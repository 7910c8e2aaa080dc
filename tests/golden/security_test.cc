#include "gtest/gtest.h"
#include "protocol/api/alter_user_scram_credentials.h"
#include "protocol/api/create_acls.h"
#include "protocol/api/delete_acls.h"
#include "protocol/api/describe_acls.h"
#include "protocol/api/describe_user_scram_credentials.h"
#include "protocol/api/sasl_authenticate.h"
#include "protocol/api/sasl_handshake.h"
#include "tests/golden/golden.h"

namespace weir::golden {
namespace {

TEST(Golden, DescribeAcls) {
  ExpectAsKafka<protocol::DescribeAclsRequest, protocol::DescribeAclsResponse>("DescribeAcls");
}
TEST(Golden, CreateAcls) {
  ExpectAsKafka<protocol::CreateAclsRequest, protocol::CreateAclsResponse>("CreateAcls");
}
TEST(Golden, DeleteAcls) {
  ExpectAsKafka<protocol::DeleteAclsRequest, protocol::DeleteAclsResponse>("DeleteAcls");
}
TEST(Golden, SaslHandshake) {
  ExpectAsKafka<protocol::SaslHandshakeRequest, protocol::SaslHandshakeResponse>("SaslHandshake");
}
TEST(Golden, SaslAuthenticate) {
  ExpectAsKafka<protocol::SaslAuthenticateRequest, protocol::SaslAuthenticateResponse>(
      "SaslAuthenticate");
}
TEST(Golden, DescribeUserScramCredentials) {
  ExpectAsKafka<protocol::DescribeUserScramCredentialsRequest,
                protocol::DescribeUserScramCredentialsResponse>("DescribeUserScramCredentials");
}
TEST(Golden, AlterUserScramCredentials) {
  ExpectAsKafka<protocol::AlterUserScramCredentialsRequest,
                protocol::AlterUserScramCredentialsResponse>("AlterUserScramCredentials");
}

}  // namespace
}  // namespace weir::golden

// Access control entries, SCRAM credentials and quotas, as the controller writes them.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordination/metadata/controller_harness.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "gtest/gtest.h"
#include "protocol/api/alter_client_quotas.h"
#include "protocol/api/alter_user_scram_credentials.h"
#include "protocol/api/create_acls.h"
#include "protocol/api/delete_acls.h"
#include "protocol/describe.h"
#include "protocol/error_code.h"

namespace weir::metadata {
namespace {

using protocol::ErrorCode;
using AclCreation = protocol::CreateAclsRequest::AclCreation;
using AclFilter = protocol::DeleteAclsRequest::DeleteAclsFilter;

constexpr int8_t kTopic = 2, kRead = 3, kAllow = 3, kLiteral = 3, kPrefixed = 4;

AclCreation Acl(std::string name, int8_t pattern = kLiteral) {
  AclCreation acl;
  acl.resource_type = kTopic;
  acl.resource_name = std::move(name);
  acl.resource_pattern_type = pattern;
  acl.principal = "User:ann";
  acl.host = "*";
  acl.operation = kRead;
  acl.permission_type = kAllow;
  return acl;
}

ErrorCode Create(ControllerHarness* h, AclCreation acl) {
  CreateAcls event;
  event.request.creations = {std::move(acl)};
  return static_cast<ErrorCode>(
      h->Ask<protocol::CreateAclsResponse>(std::move(event)).results.at(0).error_code);
}

std::vector<std::string> Delete(ControllerHarness* h, std::optional<std::string> name,
                                int8_t pattern) {
  DeleteAcls event;
  AclFilter filter;
  filter.resource_type_filter = filter.operation = filter.permission_type = 1;
  filter.resource_name_filter = std::move(name);
  filter.pattern_type_filter = pattern;
  filter.principal_filter.reset();
  filter.host_filter.reset();
  event.request.filters = {filter, filter};  // the second changes nothing
  const auto response = h->Ask<protocol::DeleteAclsResponse>(std::move(event));
  std::vector<std::string> names;
  for (const auto& acl : response.filter_results.at(0).matching_acls) {
    names.push_back(acl.resource_name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST(AccessTest, EntriesAreCreatedOnce) {
  ControllerHarness h;
  EXPECT_EQ(Create(&h, Acl("t")), ErrorCode::kNone);
  EXPECT_EQ(Create(&h, Acl("t")), ErrorCode::kNone);
  EXPECT_EQ(Create(&h, Acl("t", kPrefixed)), ErrorCode::kNone);
  EXPECT_EQ(h.image().access_control_entries.size(), 2);
  for (auto spoil :
       {+[](AclCreation* a) { a->resource_type = 1; },
        +[](AclCreation* a) { a->resource_pattern_type = 2; },
        +[](AclCreation* a) { a->operation = 0; }, +[](AclCreation* a) { a->permission_type = 1; },
        +[](AclCreation* a) { a->resource_name = ""; },
        +[](AclCreation* a) { a->principal = "ann"; }}) {
    AclCreation bad = Acl("u");
    spoil(&bad);
    EXPECT_EQ(Create(&h, bad), ErrorCode::kInvalidRequest);
  }
  EXPECT_EQ(h.image().access_control_entries.size(), 2);
}

TEST(AccessTest, EntriesAreDeletedByFilter) {
  using Names = std::vector<std::string>;
  ControllerHarness h;
  const auto fill = [&] {
    for (const char* name : {"orders", "*"}) Create(&h, Acl(name));
    for (const char* name : {"ord", "orders", "trades"}) Create(&h, Acl(name, kPrefixed));
  };
  fill();
  EXPECT_EQ(Delete(&h, "orders", kLiteral), Names({"orders"}));
  fill();
  EXPECT_EQ(Delete(&h, "orders", /*any*/ 1), Names({"orders", "orders"}));
  fill();
  EXPECT_EQ(Delete(&h, "orders-eu", /*match*/ 2), Names({"*", "ord", "orders"}));
  EXPECT_EQ(h.image().access_control_entries.size(), 2);
  fill();
  EXPECT_EQ(Delete(&h, "nothing", kPrefixed), Names());
  EXPECT_EQ(Delete(&h, std::nullopt, kPrefixed), Names({"ord", "orders", "trades"}));
  EXPECT_EQ(Delete(&h, std::nullopt, 1).size(), 2);
  EXPECT_TRUE(h.image().access_control_entries.empty());
  DeleteAcls unknown;
  unknown.request.filters.emplace_back();
  EXPECT_EQ(h.Ask<protocol::DeleteAclsResponse>(unknown).filter_results[0].error_code,
            static_cast<int16_t>(ErrorCode::kInvalidRequest));
}

TEST(AccessTest, CredentialsHoldKeysAndNoPassword) {
  ControllerConfig config;
  config.derive_scram_keys = [](int8_t, const protocol::Bytes& password) {
    return std::optional<ScramKeys>({{"stored-" + password.value}, {"server-" + password.value}});
  };
  ControllerHarness h(config);
  const auto alter = [&](std::vector<std::string> deleted, std::string user, int32_t iterations,
                         int8_t mechanism = 1) {
    AlterUserScramCredentials event;
    for (std::string& name : deleted) event.request.deletions.push_back({std::move(name), 1});
    if (iterations > 0) {
      protocol::AlterUserScramCredentialsRequest::ScramCredentialUpsertion upsertion;
      upsertion.name = std::move(user);
      upsertion.mechanism = mechanism;
      upsertion.iterations = iterations;
      upsertion.salt.value = "salt";
      upsertion.salted_password.value = "secret";
      event.request.upsertions.push_back(std::move(upsertion));
    }
    const auto response = h.Ask<protocol::AlterUserScramCredentialsResponse>(std::move(event));
    EXPECT_EQ(response.results.size(), 1);
    return static_cast<ErrorCode>(response.results.at(0).error_code);
  };
  EXPECT_EQ(alter({}, "ann", 4096), ErrorCode::kNone);
  const UserScramCredentialRecord& kept = h.image().scram_credentials.Find("1:ann")->record;
  EXPECT_EQ(kept.stored_key.value, "stored-secret");
  EXPECT_EQ(kept.server_key.value, "server-secret");
  EXPECT_EQ(kept.salt.value, "salt");
  EXPECT_EQ(alter({}, "ann", 4095), ErrorCode::kUnacceptableCredential);
  EXPECT_EQ(alter({}, "ann", 16385), ErrorCode::kUnacceptableCredential);
  EXPECT_EQ(alter({}, "", 4096), ErrorCode::kUnacceptableCredential);
  EXPECT_EQ(alter({}, "ann", 4096, 3), ErrorCode::kUnsupportedSaslMechanism);
  EXPECT_EQ(alter({"ann"}, "ann", 4096), ErrorCode::kDuplicateResource);
  EXPECT_EQ(alter({"bob"}, "", 0), ErrorCode::kResourceNotFound);
  EXPECT_EQ(alter({"ann"}, "", 0), ErrorCode::kNone);
  EXPECT_TRUE(h.image().scram_credentials.empty());
}

TEST(AccessTest, QuotasOfUsersClientsAndAddresses) {
  using Entity = std::vector<protocol::AlterClientQuotasRequest::EntityData>;
  ControllerHarness h;
  const auto alter = [&](Entity entity, std::string key, std::optional<double> value) {
    AlterClientQuotas event;
    auto& entry = event.request.entries.emplace_back();
    entry.entity = std::move(entity);
    entry.ops.push_back({std::move(key), value.value_or(0), !value.has_value()});
    const auto response = h.Ask<protocol::AlterClientQuotasResponse>(std::move(event));
    return static_cast<ErrorCode>(response.entries.at(0).error_code);
  };
  const Entity both = {{"user", "ann"}, {"client-id", std::nullopt}};
  EXPECT_EQ(alter(both, "producer_byte_rate", 1000), ErrorCode::kNone);
  const size_t length = h.log().size();
  // The same entity, told in another order.
  EXPECT_EQ(alter({both[1], both[0]}, "producer_byte_rate", 1000), ErrorCode::kNone);
  EXPECT_EQ(h.log().size(), length);
  EXPECT_EQ(h.image().quotas.size(), 1);
  EXPECT_EQ(alter({both[1], both[0]}, "producer_byte_rate", std::nullopt), ErrorCode::kNone);
  EXPECT_TRUE(h.image().quotas.empty());
  EXPECT_EQ(alter(both, "request_percentage", 12.5), ErrorCode::kNone);
  EXPECT_EQ(alter({{"ip", "10.0.0.1"}}, "connection_creation_rate", 5), ErrorCode::kNone);
  EXPECT_EQ(alter({{"ip", "10.0.0.1"}}, "producer_byte_rate", 5), ErrorCode::kInvalidRequest);
  EXPECT_EQ(alter({{"ip", "10.0.0.1"}, both[0]}, "connection_creation_rate", 5),
            ErrorCode::kInvalidRequest);
  EXPECT_EQ(alter(both, "connection_creation_rate", 5), ErrorCode::kInvalidRequest);
  EXPECT_EQ(alter(both, "producer_byte_rate", 0), ErrorCode::kInvalidRequest);
  EXPECT_EQ(alter(both, "producer_byte_rate", 1.5), ErrorCode::kInvalidRequest);
  EXPECT_EQ(alter({}, "producer_byte_rate", 1), ErrorCode::kInvalidRequest);
  EXPECT_EQ(alter({{"group", "g"}}, "producer_byte_rate", 1), ErrorCode::kInvalidRequest);
  EXPECT_EQ(alter({{"user", ""}}, "producer_byte_rate", 1), ErrorCode::kInvalidRequest);
  EXPECT_EQ(alter({both[0], both[0]}, "producer_byte_rate", 1), ErrorCode::kInvalidRequest);
  EXPECT_EQ(h.image().quotas.size(), 2);
}

}  // namespace
}  // namespace weir::metadata

#include "coordination/metadata/scram_credentials.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "coordination/metadata/apply.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/records.h"
#include "gtest/gtest.h"
#include "protocol/api/describe_user_scram_credentials.h"
#include "protocol/error_code.h"

namespace weir::metadata {
namespace {

using protocol::ErrorCode;

std::string Described(std::optional<std::vector<std::string>> users) {
  std::vector<MetadataRecord> records;
  for (const char* user : {"bob", "alice", "carol"}) {
    for (const int8_t mechanism : {2, 1}) {
      if (mechanism == 1 && user[0] == 'c') continue;
      UserScramCredentialRecord record;
      record.name = user;
      record.mechanism = mechanism;
      record.iterations = 4096 * mechanism;
      records.push_back(record);
    }
  }
  const auto image = Apply(*EmptyImage(), records, Offset(0), LeaderEpoch(1));
  EXPECT_TRUE(image.ok()) << image.status();
  protocol::DescribeUserScramCredentialsRequest request;
  request.users.reset();
  if (users.has_value()) {
    request.users.emplace();
    for (const std::string& user : *users) request.users->push_back({user});
  }
  std::string text;
  for (const auto& result : DescribeScramCredentials(**image, request).results) {
    text += result.user;
    if (result.error_code != 0) {
      EXPECT_TRUE(result.credential_infos.empty());
      text += " " + std::string(protocol::ErrorName(static_cast<ErrorCode>(result.error_code)));
    }
    for (const auto& info : result.credential_infos) {
      text += " " + std::to_string(info.mechanism) + ":" + std::to_string(info.iterations);
    }
    text += "\n";
  }
  return text;
}

TEST(ScramCredentialsTest, AllUsersOrThoseThatAreNamed) {
  const std::string all = "alice 1:4096 2:8192\nbob 1:4096 2:8192\ncarol 2:8192\n";
  EXPECT_EQ(Described(std::nullopt), all);
  EXPECT_EQ(Described({{}}), all);
  EXPECT_EQ(Described({{"carol"}}), "carol 2:8192\n");
}

TEST(ScramCredentialsTest, UnknownUsersAndThoseNamedTwiceHaveErrors) {
  EXPECT_EQ(Described({{"carol", "dave", "bob", "bob", "eve", "eve"}}),
            "bob DUPLICATE_RESOURCE\ncarol 2:8192\ndave RESOURCE_NOT_FOUND\n"
            "eve DUPLICATE_RESOURCE\n");
}

}  // namespace
}  // namespace weir::metadata

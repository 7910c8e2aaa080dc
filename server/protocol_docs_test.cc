// docs/PROTOCOL.md is what the declarations say, and they are what Kafka's list of APIs says.
#include "server/protocol_docs.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "protocol/api_key.h"
#include "protocol/describe.h"
#include "server/committed_document.h"
#include "server/router.h"

namespace weir::server {
namespace {

TEST(ProtocolDocs, CommittedDocumentIsUpToDate) {
  ExpectCommitted("docs/PROTOCOL.md", ProtocolMarkdown(), "//server:protocol_docs");
}

// "Produce 3-13 flexible 9", by key, as tests/golden/names.txt and the declarations have it.
std::map<int, std::string> ApisOfKafka() {
  std::ifstream file("tests/golden/names.txt");
  EXPECT_TRUE(file.is_open());
  std::map<int, std::string> apis;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string kind, name, versions, flexible, since;
    int key = 0;
    if (words >> kind; kind != "api") continue;
    words >> key >> name >> versions >> flexible >> since;
    apis[key] = absl::StrCat(name, " ", versions, " flexible ", since);
  }
  return apis;
}

std::string Text(const protocol::ApiInfo& info) {
  const int since = std::max(info.flexible_since, info.versions.min);
  return absl::StrCat(protocol::ApiName(static_cast<protocol::ApiKey>(info.key)), " ",
                      info.versions.min, "-", info.versions.max, " flexible ",
                      info.flexible_since > info.versions.max ? "never" : absl::StrCat(since));
}

TEST(ProtocolDocs, EveryApiOfKafkaIsDeclaredAtItsVersionsOrLeftOutForAReason) {
  std::map<int, std::string> kafka = ApisOfKafka();
  ASSERT_GT(kafka.size(), 80u);
  for (const DeclaredApi& api : DeclaredApis()) {
    EXPECT_EQ(Text(api.request), Text(api.response));
    ASSERT_EQ(kafka.count(api.request.key), 1u) << "twice, or not of Kafka: " << api.request.key;
    std::string of_kafka = kafka[api.request.key];
    // The one difference, which the document tells.
    if (of_kafka == "Produce 3-13 flexible 9") of_kafka = "Produce 0-13 flexible 9";
    EXPECT_EQ(Text(api.request), of_kafka);
    kafka.erase(api.request.key);
  }
  for (const UndeclaredApi& api : UndeclaredApis()) {
    EXPECT_EQ(kafka.erase(api.key), 1u) << "declared, listed twice, or not of Kafka: " << api.key;
  }
  for (const auto& [key, text] : kafka) ADD_FAILURE() << key << " " << text << " is left out";
}

// A broker serves what is declared, and never more versions.
TEST(ProtocolDocs, RoutesAreAmongTheDeclarations) {
  std::map<int, protocol::VersionRange> declared;
  for (const DeclaredApi& api : DeclaredApis()) declared[api.request.key] = api.request.versions;
  for (const Route& route : Routes()) {
    const auto found = declared.find(static_cast<int>(route.key));
    ASSERT_NE(found, declared.end()) << protocol::ApiName(route.key);
    EXPECT_LE(found->second.min, route.versions.min) << protocol::ApiName(route.key);
    EXPECT_GE(found->second.max, route.versions.max) << protocol::ApiName(route.key);
  }
  EXPECT_EQ(Routes().size(), 47u);  // one more is one more that clients see
}

}  // namespace
}  // namespace weir::server

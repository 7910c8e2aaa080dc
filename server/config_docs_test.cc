// docs/CONFIGURATION.md is what the tables say.
#include "server/config_docs.h"

#include <fstream>
#include <sstream>
#include <string>

#include "gtest/gtest.h"

namespace weir::server {
namespace {

TEST(ConfigDocs, CommittedDocumentIsUpToDate) {
  std::ifstream file("docs/CONFIGURATION.md");
  ASSERT_TRUE(file.is_open());
  std::stringstream committed;
  committed << file.rdbuf();
  EXPECT_TRUE(committed.str() == ConfigurationMarkdown())
      << "bazel run //server:config_docs > docs/CONFIGURATION.md";
}

}  // namespace
}  // namespace weir::server

// docs/CONFIGURATION.md is what the tables say.
#include "server/config_docs.h"

#include "gtest/gtest.h"
#include "server/committed_document.h"

namespace weir::server {
namespace {

TEST(ConfigDocs, CommittedDocumentIsUpToDate) {
  ExpectCommitted("docs/CONFIGURATION.md", ConfigurationMarkdown(), "//server:config_docs");
}

}  // namespace
}  // namespace weir::server

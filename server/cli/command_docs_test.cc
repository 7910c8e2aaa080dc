// docs/COMMANDS.md is what the tables of flags say.
#include <string>

#include "gtest/gtest.h"
#include "server/cli/command.h"
#include "server/committed_document.h"

namespace weir::cli {
namespace {

TEST(CommandDocs, CommittedDocumentIsUpToDate) {
  server::ExpectCommitted("docs/COMMANDS.md", CommandDocs(), "//server/cli:command_docs");
}

TEST(CommandDocs, HelpNamesEveryFlagOfACommand) {
  const std::string help = CommandHelp(TopicsCommand());
  for (const FlagSpec& flag : AllFlags(TopicsCommand())) {
    EXPECT_NE(help.find(std::string("--") + flag.name), std::string::npos) << flag.name;
  }
}

}  // namespace
}  // namespace weir::cli

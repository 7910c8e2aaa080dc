// docs/COMMANDS.md is what the tables of flags say.
#include <fstream>
#include <sstream>
#include <string>

#include "gtest/gtest.h"
#include "server/cli/command.h"

namespace weir::cli {
namespace {

TEST(CommandDocs, CommittedDocumentIsUpToDate) {
  std::ifstream file("docs/COMMANDS.md");
  ASSERT_TRUE(file.is_open());
  std::stringstream committed;
  committed << file.rdbuf();
  EXPECT_TRUE(committed.str() == CommandDocs())
      << "bazel run //server/cli:command_docs > docs/COMMANDS.md";
}

TEST(CommandDocs, HelpNamesEveryFlagOfACommand) {
  const std::string help = CommandHelp(TopicsCommand());
  for (const FlagSpec& flag : AllFlags(TopicsCommand())) {
    EXPECT_NE(help.find(std::string("--") + flag.name), std::string::npos) << flag.name;
  }
}

}  // namespace
}  // namespace weir::cli

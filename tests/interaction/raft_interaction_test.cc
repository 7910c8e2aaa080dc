// Plays tests/interaction/testdata/*.txt and compares what happens with what they say. A file is
// blocks of a command, "----", and what it brings about, parted by empty lines; lines that begin
// with # are comments. After a change that is meant, write what happens now with
//   ./bazelw run //tests/interaction:raft_interaction_test --
//     --rewrite=$PWD/tests/interaction/testdata

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"
#include "tests/interaction/raft_script.h"

namespace weir::interaction {
namespace {

namespace fs = std::filesystem;

std::string& RewriteFolder() {
  static std::string* const folder = new std::string;
  return *folder;
}

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The file with what its commands bring about now.
std::string Play(const std::string& text) {
  RaftScript script;
  std::string played;
  bool in_output = false;
  for (absl::string_view line : absl::StrSplit(absl::StripSuffix(text, "\n"), '\n')) {
    if (line.empty()) {
      in_output = false;
    } else if (in_output || line == "----") {
      in_output = true;
      continue;
    }
    absl::StrAppend(&played, line, "\n");
    if (line.empty() || absl::StartsWith(line, "#")) continue;
    absl::StrAppend(&played, "----\n", script.Run(line));
  }
  return played;
}

TEST(RaftInteraction, GoesAsWritten) {
  const char* const sources = std::getenv("TEST_SRCDIR");
  const char* const workspace = std::getenv("TEST_WORKSPACE");
  fs::path folder = "tests/interaction/testdata";
  if (sources != nullptr && workspace != nullptr) folder = fs::path(sources) / workspace / folder;
  if (!RewriteFolder().empty()) folder = RewriteFolder();
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  ASSERT_GE(files.size(), 12u);
  for (const fs::path& path : files) {
    SCOPED_TRACE(path.filename().string());
    const std::string expected = ReadFile(path);
    const std::string played = Play(expected);
    if (RewriteFolder().empty()) {
      EXPECT_EQ(played, expected);
    } else {
      std::ofstream(path) << played;
    }
  }
}

}  // namespace
}  // namespace weir::interaction

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    if (absl::ConsumePrefix(&argument, "--rewrite=")) {
      weir::interaction::RewriteFolder() = std::string(argument);
    }
  }
  return RUN_ALL_TESTS();
}

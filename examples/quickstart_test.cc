// Runs the programs of this folder as their comments say, with a broker of its own.
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/embedded_broker.h"

namespace {

using weir::server::EmbeddedBroker;

// What a program prints; it must end well.
std::string OutputOf(const std::string& command) {
  std::FILE* const pipe = popen(command.c_str(), "r");
  EXPECT_NE(pipe, nullptr) << command;
  std::string output;
  std::array<char, 4096> buffer;
  while (const size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), got);
  }
  EXPECT_EQ(WEXITSTATUS(pclose(pipe)), 0) << command << "\n" << output;
  return output;
}

TEST(QuickstartTest, TheConsumerReadsWhatTheProducerSent) {
  const auto broker = EmbeddedBroker::Start({.config = {{"num.partitions", "2"}}});
  ASSERT_TRUE(broker.ok()) << broker.status();
  const std::string arguments = absl::StrCat(" ", (*broker)->bootstrap_servers(), " orders");

  const std::string sent = OutputOf("examples/quickstart_producer" + arguments);
  EXPECT_TRUE(absl::StrContains(sent, "investor-0 -> partition ")) << sent;
  const std::string read = OutputOf("examples/quickstart_consumer" + arguments);
  EXPECT_TRUE(absl::StrContains(read, "\"order_id\":9,")) << read;
  EXPECT_TRUE(absl::EndsWith(read, "\n10 records\n")) << read;
}

}  // namespace

// Every message that protocol/api_list.h names can be printed, shown on Kafka's own messages.
#include "server/cli/sniff_apis.h"

#include <cstdint>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/hex.h"
#include "gtest/gtest.h"
#include "protocol/api_key.h"
#include "protocol/api_list.h"
#include "protocol/printer.h"
#include "protocol/shape_printer.h"
#include "protocol/sniff/api_table.h"

namespace weir::cli {
namespace {

int16_t KeyOf(absl::string_view name) {
  for (int16_t key = 0; key < 128; ++key) {
    if (protocol::ApiName(static_cast<protocol::ApiKey>(key)) == name) return key;
  }
  return -1;
}

TEST(SniffApisTest, EveryListIsInTheTable) {
  const protocol::ApiTable table = AllSniffedApis();
  size_t known = 0;
  for (int16_t key = 0; key < 128; ++key) known += table.Find(key) != nullptr;
  EXPECT_EQ(known, protocol::AllApis::kSize);
}

TEST(SniffApisTest, MessagesOfKafkaArePrinted) {
  const protocol::ApiTable table = AllSniffedApis();
  std::ifstream file("tests/golden/protocol.txt");
  ASSERT_TRUE(file.is_open());
  int printed = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string api, direction, variant, hex;
    int version = 0;
    words >> api >> direction >> version >> variant >> hex;
    const protocol::ApiEntry* entry = table.Find(KeyOf(api));
    ASSERT_NE(entry, nullptr) << api << ": add it to protocol/api_list.h";
    const std::string bytes = hex == "-" ? "" : BytesOfHex(hex);
    for (const bool json : {false, true}) {
      absl::string_view body = bytes;
      std::vector<int16_t> errors;
      protocol::PrintHooks hooks;
      hooks.errors = &errors;
      std::string out;
      const protocol::Shape shape = direction == "request" ? entry->request : entry->response;
      const absl::Status status =
          protocol::PrintEncoded(shape(), static_cast<int16_t>(version), json, &hooks, &body, &out);
      EXPECT_TRUE(status.ok()) << line.substr(0, 80) << ": " << status;
      EXPECT_TRUE(body.empty()) << line.substr(0, 80);
      EXPECT_EQ(out.front(), '{');
      EXPECT_EQ(out.back(), '}');
    }
    ++printed;
  }
  EXPECT_GT(printed, 300);
}

}  // namespace
}  // namespace weir::cli

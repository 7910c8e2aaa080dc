// Drives decode_fuzz.cc without libFuzzer: Kafka's own messages as they are, and each damaged in
// ways that a seed decides, so that a failure comes again.
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "base/hex.h"
#include "base/random.h"
#include "gtest/gtest.h"
#include "tests/fuzz/decode_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace weir {
namespace {

constexpr uint64_t kSeed = 20;
constexpr int kMutations = 150;

void Try(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

// Damages the message behind the two bytes that choose it.
std::string Mutated(std::string input, Random& random) {
  for (uint64_t n = 1 + random.NextU64() % 4; n > 0 && input.size() > 2; --n) {
    const size_t at = 2 + random.NextU64() % (input.size() - 2);
    switch (random.NextU64() % 5) {
      case 0:
        input[at] = static_cast<char>(random.NextU64());
        break;
      case 1:
        input[at] = static_cast<char>(input[at] + 1 - 2 * static_cast<int>(random.NextU64() % 2));
        break;
      case 2:
        input.insert(at, 1 + random.NextU64() % 4, static_cast<char>(random.NextU64()));
        break;
      case 3:
        input.erase(at, 1 + random.NextU64() % 4);
        break;
      default:  // another version of the message
        input[1] = static_cast<char>(random.NextU64() % 20);
    }
  }
  return input;
}

// "FetchRequest" of "Fetch request", "TopicRecord" of "TopicRecord record".
std::string NameOf(const std::string& api, const std::string& direction) {
  return api + (direction == "request" ? "Request" : direction == "response" ? "Response" : "");
}

// Every message has its vectors, and every vector its message.
TEST(DecodeFuzz, MessagesOfKafkaAsTheyAreAndDamaged) {
  std::map<std::string, size_t> checks;
  for (const fuzz::DecodeCheck& check : fuzz::DecodeChecks()) {
    ASSERT_TRUE(checks.emplace(check.name, checks.size()).second) << check.name;
  }
  ASSERT_LE(checks.size(), 256u) << "the first byte of an input cannot choose all of them";
  SeededRandom random(kSeed);
  std::set<std::string> seen;
  for (const char* path : {"tests/golden/protocol.txt", "tests/golden/records.txt"}) {
    std::ifstream file(path);
    ASSERT_TRUE(file.is_open());
    for (std::string line; std::getline(file, line);) {
      if (line.empty() || line[0] == '#') continue;
      std::istringstream words(line);
      std::string api, direction, variant, hex;
      int version = 0;
      words >> api >> direction >> version >> variant >> hex;
      if (api == "RequestHeader" || api == "ResponseHeader") continue;  // every input is one, too
      const std::string name = NameOf(api, direction);
      ASSERT_EQ(checks.count(name), 1u) << name;
      seen.insert(name);
      std::string input{static_cast<char>(checks[name]), static_cast<char>(version)};
      if (hex != "-") input += BytesOfHex(hex);
      Try(input);
      for (int i = 0; i < kMutations; ++i) Try(Mutated(input, random));
    }
  }
  EXPECT_EQ(seen.size(), checks.size());
}

}  // namespace
}  // namespace weir

// -----------------------------------------------------------------------------
// File: tests/fuzz/golden_inputs.h
// -----------------------------------------------------------------------------
// Kafka's own messages and records (tests/golden) as inputs of tests/fuzz/decode_fuzz.cc.
#ifndef WEIR_TESTS_FUZZ_GOLDEN_INPUTS_H_
#define WEIR_TESTS_FUZZ_GOLDEN_INPUTS_H_

#include <cstddef>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/hex.h"
#include "tests/fuzz/decode_checks.h"

namespace weir::fuzz {

struct GoldenInput {
  std::string name;   // of a DecodeCheck
  std::string bytes;  // as LLVMFuzzerTestOneInput takes them
};

// "FetchRequest" of "Fetch request", "TopicRecord" of "TopicRecord record".
inline std::string CheckName(const std::string& api, const std::string& direction) {
  return api + (direction == "request" ? "Request" : direction == "response" ? "Response" : "");
}

// All of them, in the order of the files; every one must have its check.
inline std::vector<GoldenInput> GoldenInputs() {
  std::map<std::string, size_t> checks;
  for (const DecodeCheck& check : DecodeChecks()) {
    WEIR_CHECK(checks.emplace(check.name, checks.size()).second);
  }
  WEIR_CHECK(checks.size() <= 256);  // the first byte of an input chooses one
  std::vector<GoldenInput> inputs;
  for (const char* path : {"tests/golden/protocol.txt", "tests/golden/records.txt"}) {
    std::ifstream file(path);
    WEIR_CHECK(file.is_open());
    for (std::string line; std::getline(file, line);) {
      if (line.empty() || line[0] == '#') continue;
      std::istringstream words(line);
      std::string api, direction, variant, hex;
      int version = 0;
      words >> api >> direction >> version >> variant >> hex;
      if (api == "RequestHeader" || api == "ResponseHeader") continue;  // every input is one, too
      GoldenInput input{CheckName(api, direction), ""};
      WEIR_CHECK(checks.count(input.name) == 1);
      input.bytes = {static_cast<char>(checks[input.name]), static_cast<char>(version)};
      if (hex != "-") input.bytes += BytesOfHex(hex);
      inputs.push_back(input);
    }
  }
  return inputs;
}

}  // namespace weir::fuzz

#endif  // WEIR_TESTS_FUZZ_GOLDEN_INPUTS_H_
